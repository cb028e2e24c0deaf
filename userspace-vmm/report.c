// SPDX-License-Identifier: GPL-2.0-only
/* Collecting the report of a dead vCPU. */
#define _GNU_SOURCE
#include "userspace-vmm/report.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "userspace-vmm/explain.h"
#include "userspace-vmm/machine.h"
#include "userspace-vmm/report_data.h"
#include "userspace-vmm/ring.h"
#include "userspace-vmm/walk.h"

#define VTX_OPCODE_INT3 0xcc
#define VTX_EFER_LMA 0x400

static const uint8_t *vtx_code_byte(const struct vtx_ram *ram, const struct kvm_sregs *s, uint64_t linear)
{
	uint64_t gpa;

	return vtx_walk(ram, s, linear, &gpa) ? NULL : vtx_ram_at(ram, gpa, 1);
}

/* In 64-bit mode the code segment's base counts as 0. */
static uint64_t vtx_linear_rip(const struct kvm_regs *r, const struct kvm_sregs *s)
{
	return (s->cs.l && s->efer & VTX_EFER_LMA ? 0 : s->cs.base) + r->rip;
}

bool vtx_report_is_reboot(struct vtx_vcpu *vcpu, const struct vtx_ram *ram)
{
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	const uint8_t *byte;

	if (ioctl(vcpu->fd, KVM_GET_REGS, &regs) < 0 || ioctl(vcpu->fd, KVM_GET_SREGS, &sregs) < 0)
		return false;
	byte = vtx_code_byte(ram, &sregs, vtx_linear_rip(&regs, &sregs));
	return sregs.cr0 & 1 && sregs.idt.limit == 0 && byte && *byte == VTX_OPCODE_INT3;
}

/* The flight recorder is mapped for as long as it takes to copy it. */
static void vtx_collect_ring(const struct vtx_vcpu *vcpu, struct vtx_report_saved *saved)
{
	struct vtx_error error;
	void *ring = mmap(NULL, VTX_RING_SIZE, PROT_READ, MAP_SHARED, vcpu->fd, VTX_RING_MMAP_OFFSET);

	if (ring == MAP_FAILED)
		return;
	saved->ring = malloc(VTX_RING_SIZE);
	if (saved->ring) {
		saved->ring_size = VTX_RING_SIZE;
		memcpy(saved->ring, ring, VTX_RING_SIZE);
		if (vtx_ring_check(saved->ring, saved->ring_size, "the flight recorder", &error))
			vtx_report_free(saved);
	}
	munmap(ring, VTX_RING_SIZE);
}

/* What only vtx has; another device answers 0 to the capabilities. */
static void vtx_collect_failure(const struct vtx_vcpu *vcpu, struct vtx_report_saved *saved)
{
	const struct vtx_kvm *kvm = &vcpu->machine->kvm;

	if (vtx_kvm_capability(kvm, VTX_CAP_RECORDER))
		vtx_collect_ring(vcpu, saved);
	if (!vtx_kvm_capability(kvm, VTX_CAP_FAILURE))
		return;
	if (ioctl(vcpu->fd, VTX_GET_FAILURE, &saved->data.failure) < 0)
		saved->data.failure_error = errno;
	else
		saved->data.has |= VTX_REPORT_HAS_FAILURE;
}

static void vtx_collect_code(const struct vtx_ram *ram, struct vtx_report_data *d)
{
	d->code_address = vtx_linear_rip(&d->regs, &d->sregs);
	d->code_bits = d->sregs.cs.l && d->sregs.efer & VTX_EFER_LMA ? 64 : d->sregs.cs.db ? 32 : 16;
	for (unsigned int i = 0; i < VTX_CODE_BYTES; i++) {
		const uint8_t *byte = vtx_code_byte(ram, &d->sregs, d->code_address - VTX_CODE_BEFORE + i);

		d->code_known[i] = byte != NULL;
		d->code[i] = byte ? *byte : 0;
	}
	d->has |= VTX_REPORT_HAS_CODE;
}

static void vtx_collect(struct vtx_vcpu *vcpu, const struct vtx_ram *ram, const char *headline, struct vtx_report_saved *saved)
{
	struct vtx_report_data *d = &saved->data;

	d->vcpu = vcpu->index;
	d->has = VTX_REPORT_HAS_RUN;
	snprintf(d->headline, sizeof(d->headline), "%s", headline);
	d->run = *vcpu->run;
	vtx_collect_failure(vcpu, saved);
	if (ioctl(vcpu->fd, KVM_GET_REGS, &d->regs) < 0 || ioctl(vcpu->fd, KVM_GET_SREGS, &d->sregs) < 0) {
		d->regs_error = errno;
		return;
	}
	d->has |= VTX_REPORT_HAS_REGS;
	vtx_collect_code(ram, d);
}

/* --report FILE: JSON if it is called so.  Several vCPUs may die at once: the first one's report is kept. */
static void vtx_save(const char *path, const struct vtx_report_saved *saved, const struct vtx_explain_options *options)
{
	static atomic_flag taken = ATOMIC_FLAG_INIT;
	size_t len = strlen(path);
	struct vtx_error error;
	FILE *out;

	if (atomic_flag_test_and_set(&taken))
		return;
	if (len < 5 || strcmp(path + len - 5, ".json")) {
		if (vtx_report_write(path, saved, &error))
			vtx_say("%s", error.text);
		return;
	}
	out = fopen(path, "we");
	if (!out) {
		vtx_say("cannot write %s: %s", path, strerror(errno));
		return;
	}
	vtx_explain_json(saved, options, out);
	fclose(out);
}

char *vtx_report(struct vtx_vcpu *vcpu, const struct vtx_ram *ram, const char *headline)
{
	const struct vtx_run_options *o = vcpu->machine->options;
	struct vtx_report_saved *saved = calloc(1, sizeof(*saved));
	struct vtx_explain_options options = { .last = VTX_EXPLAIN_LAST };
	struct vtx_symbols symbols = { .count = 0 };
	struct vtx_error error;
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out || !saved)
		goto out;
	vtx_collect(vcpu, ram, headline, saved);
	if (o->symbols) {
		if (vtx_symbols_open(&symbols, o->symbols, &error))
			vtx_say("%s", error.text);
		else
			options.symbols = &symbols;
	}
	if (o->report)
		vtx_save(o->report, saved, &options);
	vtx_explain_text(saved, &options, out);
	vtx_symbols_close(&symbols);
	vtx_report_free(saved);
out:
	if (out)
		fclose(out);
	free(saved);
	if (size && text[size - 1] == '\n')
		text[size - 1] = '\0'; /* the one who prints it ends the line */
	return text;
}
