// SPDX-License-Identifier: GPL-2.0-only
/* Putting the machine together, taking it apart, and the end of a run. */
#define _GNU_SOURCE
#include "userspace-vmm/machine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "userspace-vmm/acpi.h"
#include "userspace-vmm/boot_live.h"
#include "userspace-vmm/e820.h"
#include "userspace-vmm/layout.h"
#include "userspace-vmm/simple_ports.h"

#define VTX_UNCLAIMED_LIMIT 64 /* messages about accesses to nothing, with -v */

void vtx_machine_end(struct vtx_machine *m, int status, const char *why, char *report)
{
	if (atomic_exchange(&m->ending, true)) {
		free(report);
		return;
	}
	m->status = status;
	m->why = why;
	m->report = report;
	eventfd_write(m->end_event, 1);
}

static void vtx_board_set_irq(void *machine, unsigned int irq, int level)
{
	struct vtx_machine *m = machine;

	vtx_kvm_set_irq(&m->kvm, irq, level);
}

static void vtx_board_end(void *machine, int status, const char *why)
{
	vtx_machine_end(machine, status, why, NULL);
}

/* Counts messages about unclaimed accesses, so that a guest in a loop cannot flood the terminal. */
static bool vtx_unclaimed_allowed(void)
{
	static atomic_uint seen;
	unsigned int n;

	if (!vtx_be_verbose)
		return false;
	n = atomic_fetch_add(&seen, 1);
	if (n == VTX_UNCLAIMED_LIMIT)
		vtx_verbose("more accesses to unclaimed ports and addresses are not shown");
	return n < VTX_UNCLAIMED_LIMIT;
}

static void vtx_unclaimed_port(uint16_t port, bool is_write, uint8_t value)
{
	static _Atomic uint8_t shown[65536 / 4]; /* two bits for each port: read, write */
	uint8_t bit = (uint8_t)(1U << ((port & 3) * 2 + is_write));

	if (!vtx_be_verbose || atomic_fetch_or(&shown[port >> 2], bit) & bit || !vtx_unclaimed_allowed())
		return;
	if (is_write)
		vtx_verbose("port 0x%x is unclaimed: write of 0x%02x dropped (said once)", port, value);
	else
		vtx_verbose("port 0x%x is unclaimed: reads all ones (said once)", port);
}

void vtx_machine_mmio(struct vtx_machine *m, struct kvm_run *run)
{
	(void)m; /* no device lives in memory yet */
	if (!run->mmio.is_write)
		memset(run->mmio.data, 0xff, sizeof(run->mmio.data));
	if (vtx_unclaimed_allowed())
		vtx_verbose("address 0x%llx is unclaimed: %s of %u bytes %s", (unsigned long long)run->mmio.phys_addr,
			    run->mmio.is_write ? "write" : "read", run->mmio.len,
			    run->mmio.is_write ? "dropped" : "gives all ones");
}

static int vtx_machine_devices(struct vtx_machine *m, struct vtx_error *error)
{
	uint64_t high = m->ram.count > 1 ? m->ram.regions[1].size : 0;
	int bad;

	m->board = (struct vtx_board){ .machine = m, .set_irq = vtx_board_set_irq, .end = vtx_board_end };
	m->bus.unclaimed = vtx_unclaimed_port;
	vtx_uart_init(&m->com1, &m->board, VTX_PORT_COM1, VTX_IRQ_COM1);
	vtx_rtc_init(&m->rtc, vtx_ram_low_end(&m->ram), high);
	vtx_i8042_init(&m->i8042, &m->board);
	vtx_reset_port_init(&m->reset_port, &m->board);
	vtx_acpi_pm_init(&m->acpi_pm, &m->board);
	/* In the order of how often they are asked; 0xcf9 before the PCI ports that surround it. */
	bad = vtx_uart_attach(&m->com1, &m->bus) || vtx_post_port_attach(&m->bus) || vtx_rtc_attach(&m->rtc, &m->bus) ||
	      vtx_reset_port_attach(&m->reset_port, &m->bus) || vtx_no_pci_attach(&m->bus) ||
	      vtx_i8042_attach(&m->i8042, &m->bus) || vtx_acpi_pm_attach(&m->acpi_pm, &m->bus) ||
	      (m->options->debug_exit && vtx_debug_exit_attach(&m->board, &m->bus));
	return bad ? vtx_error_set(error, VTX_STATUS_HOST_ERROR, "too many devices for the bus") : 0;
}

/* The ACPI tables go below 1 MiB; a flat image that lies there itself goes without. */
static uint64_t vtx_machine_acpi(struct vtx_machine *m)
{
	uint8_t *at = vtx_ram_at(&m->ram, VTX_BIOS_ADDR, VTX_ACPI_MAX_SIZE);

	return at && vtx_acpi_build(at, VTX_ACPI_MAX_SIZE, VTX_BIOS_ADDR, m->cpus) ? VTX_BIOS_ADDR : 0;
}

static void vtx_machine_describe(const struct vtx_machine *m, const struct vtx_boot_result *boot)
{
	struct vtx_e820_range map[VTX_E820_MAX];
	unsigned int n = vtx_e820_build(&m->ram, map);

	vtx_verbose("%s: %u CPU%s, %llu MiB", m->kvm.path, m->cpus, m->cpus > 1 ? "s" : "",
		    (unsigned long long)(m->ram.size >> 20));
	vtx_verbose("%s at 0x%llx-0x%llx, entry 0x%llx", boot->protocol, (unsigned long long)boot->kernel_start,
		    (unsigned long long)boot->kernel_end - 1, (unsigned long long)boot->entry.rip);
	if (m->options->flat)
		return;
	if (boot->initrd_start)
		vtx_verbose("initrd at 0x%llx", (unsigned long long)boot->initrd_start);
	for (unsigned int i = 0; i < n; i++)
		vtx_verbose("memory 0x%09llx-0x%09llx %s", (unsigned long long)map[i].addr,
			    (unsigned long long)(map[i].addr + map[i].size - 1),
			    map[i].type == VTX_E820_RAM ? "usable" : "reserved");
	vtx_verbose("command line: %s", m->options->cmdline);
}

static int vtx_machine_load(struct vtx_machine *m, struct vtx_boot_result *boot, struct vtx_error *error)
{
	const struct vtx_run_options *o = m->options;
	struct vtx_image kernel = { .data = NULL }, initrd = { .data = NULL };
	struct vtx_boot_request request = {
		.kernel = &kernel, .initrd = o->initrd ? &initrd : NULL, .cmdline = o->cmdline,
		.rsdp = vtx_machine_acpi(m), /* first: an image may overwrite what it does not want */
	};
	int ret = -1;

	if (vtx_image_open(&kernel, o->kernel, o->flat ? "image" : "kernel", error) ||
	    (o->initrd && vtx_image_open(&initrd, o->initrd, "initrd", error)))
		goto out;
	if (o->flat)
		ret = vtx_load_flat(&m->ram, &kernel, o->flat_address, o->flat_mode, boot, error);
	else
		ret = vtx_load_kernel(&m->ram, &request, boot, error);
out:
	vtx_image_close(&kernel);
	vtx_image_close(&initrd);
	return ret;
}

static int vtx_machine_vcpus(struct vtx_machine *m, const struct vtx_entry *entry, struct vtx_error *error)
{
	m->vcpus = calloc(m->cpus, sizeof(*m->vcpus));
	if (!m->vcpus)
		return vtx_error_set(error, VTX_STATUS_HOST_ERROR, "out of memory");
	for (unsigned int i = 0; i < m->cpus; i++)
		m->vcpus[i].fd = -1;
	for (unsigned int i = 0; i < m->cpus; i++)
		if (vtx_vcpu_create(&m->vcpus[i], m, i, m->cpus, error))
			return -1;
	return vtx_vcpu_set_entry(&m->vcpus[0], entry, error);
}

int vtx_machine_create(struct vtx_machine *m, const struct vtx_run_options *options, struct vtx_error *error)
{
	struct vtx_boot_result boot;

	m->options = options;
	m->cpus = options->cpus;
	m->kvm = (struct vtx_kvm){ .device = -1, .vm = -1 };
	m->end_event = eventfd(0, EFD_CLOEXEC);
	if (m->end_event < 0)
		return vtx_error_set(error, VTX_STATUS_HOST_ERROR, "eventfd: %s", strerror(errno));
	vtx_ram_layout(&m->ram, options->memory);
	if (vtx_kvm_open(&m->kvm, options->device, error) || vtx_ram_map(&m->ram, error) ||
	    vtx_machine_load(m, &boot, error) ||
	    vtx_kvm_create_vm(&m->kvm, &m->ram, m->cpus, options->no_irqchip, error) || vtx_machine_devices(m, error) ||
	    vtx_machine_vcpus(m, &boot.entry, error))
		return -1;
	vtx_machine_describe(m, &boot);
	return 0;
}

int vtx_machine_start(struct vtx_machine *m, bool escapes, struct vtx_error *error)
{
	vtx_vcpu_init_kick();
	if (m->options->boot) {
		vtx_boot_live_start(m->options->boot, m);
		m->console.tap = vtx_boot_live_console;
		m->console.tap_data = m->options->boot;
	}
	if (vtx_console_start(&m->console, &m->com1, &m->board, escapes, error))
		return -1;
	for (unsigned int i = 0; i < m->cpus; i++)
		if (vtx_vcpu_start(&m->vcpus[i], error))
			return -1;
	return 0;
}

bool vtx_machine_stop(struct vtx_machine *m)
{
	bool all = true;

	vtx_machine_end(m, VTX_STATUS_HOST_ERROR, "stopped", NULL); /* for a stop that nothing else caused */
	if (m->console.output_started)
		vtx_console_release(&m->console);
	for (unsigned int i = 0; m->vcpus && i < m->cpus; i++)
		if (m->vcpus[i].started)
			vtx_vcpu_kick(&m->vcpus[i]);
	for (unsigned int i = 0; m->vcpus && i < m->cpus; i++)
		all &= vtx_vcpu_join(&m->vcpus[i]);
	if (m->console.output_started)
		vtx_console_stop(&m->console);
	return all;
}

void vtx_machine_destroy(struct vtx_machine *m)
{
	for (unsigned int i = 0; m->vcpus && i < m->cpus; i++) {
		if (m->vcpus[i].fd < 0)
			continue;
		if (m->vcpus[i].run != MAP_FAILED)
			munmap(m->vcpus[i].run, m->kvm.run_size);
		close(m->vcpus[i].fd);
	}
	free(m->vcpus);
	m->vcpus = NULL;
	vtx_kvm_close(&m->kvm);
	vtx_ram_unmap(&m->ram);
	if (m->end_event >= 0)
		close(m->end_event);
	free(m->report);
	m->report = NULL;
}
