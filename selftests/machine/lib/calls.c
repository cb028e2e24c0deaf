// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every ioctl with an argument that works (see calls.h). Rows of what was added to uapi go to the end of their table.
 */
#include "lib/calls.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../../compat/kvm_uapi.h"
#include "../../../uapi/vtx.h"
#include "lib/guest.h"

/* ------------------------------------------------------------------ the guest */

#define TOUCHED (GUEST_FREE + 0x200000)
#define MSR_KVMCLOCK 0x4b564d01
#define MSR_TSC_DEADLINE 0x6e0

GUEST static void on_irq(struct g_frame *frame)
{
	(void)frame;
	g_apic_write(APIC_EOI, 0);
}

GUEST static void with_apic(void)
{
	g_handler[0x40] = on_irq;
	g_apic_on();
	g_apic_write(APIC_LVTT, 0x40);
	g_apic_write(APIC_TDCR, 0xb);
	g_cli(); /* else it may come before the HLT that waits for it */
	g_apic_write(APIC_TMICT, 10000);
	g_sti_hlt();
	g_apic_write(APIC_ICR, 0x40040); /* to itself */
}

GUEST void call_guest(u64 apic)
{
	static u8 bytes[8];
	u32 out[4];
	u8 *to = bytes;
	u64 n = sizeof(bytes);

	g_sti();
	for (u64 i = 0; i < 4; i++)
		g_write32(TOUCHED + i * 0x200000, (u32)i);
	g_cpuid(0, 0, out);
	g_wrmsr(MSR_KVMCLOCK, (TOUCHED + 64) | 1);
	if (apic)
		with_apic();
	g_outb(0x80, 1);
	asm volatile("rep insb" : "+D"(to), "+c"(n) : "d"(0x84) : "memory");
	g_write32(GUEST_ABSENT, 5);
	asm volatile("lock xaddl %0, (%1)" : "+r"(out[0]) : "r"(GUEST_ABSENT + 8) : "memory");
	(void)g_read32(GUEST_ABSENT + 4);
	g_done(0);
}

void call_guest_restart(struct vcpu *v)
{
	vcpu_mode_long(v, call_guest, v->vm->flags & VM_IRQCHIP ? 1 : 0);
}

int call_guest_finish(struct vcpu *v)
{
	struct kvm_run *run = v->run;

	for (;;) {
		if (ioctl(v->fd, KVM_RUN, 0)) {
			if (errno == EINTR || errno == EAGAIN)
				continue;
			return errno;
		}
		switch (run->exit_reason) {
		case KVM_EXIT_MMIO:
		case KVM_EXIT_HLT:
		case KVM_EXIT_IRQ_WINDOW_OPEN:
			continue;
		case KVM_EXIT_IO:
			if (run->io.port == PORT_DONE)
				return 0;
			if (run->io.port != PORT_TRAP && run->io.port != PORT_FAIL)
				continue;
			break;
		}
		vcpu_fail(v, "the guest did not come to its end");
	}
}

/* ------------------------------------------------------------------ the world */

void call_world_new(struct call_world *w, unsigned int with)
{
	unsigned int flags = (with & WITH_CHIP ? VM_IRQCHIP : 0) | (with & WITH_PIT ? VM_PIT : 0) | (with & WITH_GUEST ? 0 : VM_NO_MEMORY);

	memset(w, 0, sizeof(*w));
	w->vm = vm_new(flags);
	w->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	w->resample = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	w->spare = host_pages(CALL_SPARE_SIZE);
	if (with & WITH_VCPU) {
		w->v = vcpu_new(w->vm, 0);
		/* Touched now: a page fault of the program that finds no memory is tried again without end (test_fail_nth.c). */
		(void)*(volatile u32 *)&w->v->run->exit_reason;
	}
	if (with & WITH_GUEST)
		call_guest_restart(w->v);
}

void call_world_free(struct call_world *w)
{
	if (w->v)
		vcpu_free(w->v);
	vm_free(w->vm);
	close(w->event);
	close(w->resample);
	munmap(w->spare, CALL_SPARE_SIZE);
}

int call_on(const struct call_world *w, const struct call *c)
{
	switch (c->on) {
	case CALL_DEV:
		return dev_open();
	case CALL_VM:
		return w->vm->fd;
	default:
		return w->v ? w->v->fd : -1;
	}
}

unsigned long call_prepare(struct call_world *w, const struct call *c, void *arg)
{
	memset(arg, 0, CALL_ARG_SIZE);
	if (c->flags & CALL_SCALAR) {
		if (c->fill)
			c->fill(w, arg);
		return c->value;
	}
	if (c->fill)
		c->fill(w, arg);
	if (c->get)
		(void)ioctl(call_on(w, c), c->get, arg);
	return (unsigned long)arg;
}

/* ------------------------------------------------------------------ arguments: the device */

static void cpuid_room(struct call_world *w, void *arg)
{
	(void)w;
	((struct kvm_cpuid2 *)arg)->nent = 200;
}

static void msr_list_room(struct call_world *w, void *arg)
{
	(void)w;
	((struct kvm_msr_list *)arg)->nmsrs = 500;
}

/* The first two MSRs of the device's list of features. */
static void feature_msrs(struct call_world *w, void *arg)
{
	struct kvm_msr_list *list = calloc(1, sizeof(*list) + 500 * sizeof(u32));
	struct kvm_msrs *msrs = arg;

	(void)w;
	list->nmsrs = 500;
	if (!ioctl(dev_open(), KVM_GET_MSR_FEATURE_INDEX_LIST, list)) {
		msrs->nmsrs = list->nmsrs < 2 ? list->nmsrs : 2;
		for (u32 i = 0; i < msrs->nmsrs; i++)
			msrs->entries[i].index = list->indices[i];
	}
	free(list);
}

static struct vtx_ext_error ext_error;

static void error_buffer(struct call_world *w, void *arg)
{
	struct vtx_ext_error_buffer *buffer = arg;

	(void)w;
	buffer->address = (uintptr_t)&ext_error;
	buffer->size = sizeof(ext_error);
}

static void no_error_buffer(int fd)
{
	struct vtx_ext_error_buffer buffer = { 0 };

	(void)ioctl(fd, VTX_SET_EXT_ERROR, &buffer);
}

static void dev_no_error_buffer(struct call_world *w, void *arg)
{
	(void)w, (void)arg;
	no_error_buffer(dev_open());
}

static void vm_no_error_buffer(struct call_world *w, void *arg)
{
	(void)arg;
	no_error_buffer(w->vm->fd);
}

static void vcpu_no_error_buffer(struct call_world *w, void *arg)
{
	(void)arg;
	no_error_buffer(w->v->fd);
}

/* ------------------------------------------------------------------ arguments: a VM */

static void slot(struct call_world *w, void *arg)
{
	struct kvm_userspace_memory_region *region = arg;

	region->slot = 5;
	region->guest_phys_addr = GUEST_ABSENT + 0x1000000;
	region->memory_size = CALL_SPARE_SIZE;
	region->userspace_addr = (uintptr_t)w->spare;
}

static void no_slot(struct call_world *w, void *arg)
{
	struct kvm_userspace_memory_region *region = arg;

	region->memory_size = 0;
	(void)ioctl(w->vm->fd, KVM_SET_USER_MEMORY_REGION, region);
}

/* The same with a log, and gone again. */
static void slot_that_logs(struct call_world *w, void *arg)
{
	slot(w, arg);
	((struct kvm_userspace_memory_region *)arg)->flags = KVM_MEM_LOG_DIRTY_PAGES;
}

static u64 log_bitmap;

static u32 make_logging_slot(struct call_world *w)
{
	struct kvm_userspace_memory_region region = { 0 };

	slot_that_logs(w, &region);
	(void)ioctl(w->vm->fd, KVM_SET_USER_MEMORY_REGION, &region);
	return region.slot;
}

static void log_of_slot(struct call_world *w, void *arg)
{
	((struct kvm_dirty_log *)arg)->slot = make_logging_slot(w);
	((struct kvm_dirty_log *)arg)->dirty_bitmap = &log_bitmap;
}

static void clear_log(struct call_world *w, void *arg)
{
	struct kvm_clear_dirty_log *log = arg;

	log->slot = make_logging_slot(w);
	log->dirty_bitmap = &log_bitmap;
	log->num_pages = CALL_SPARE_SIZE / PAGE_SIZE;
}

static void no_logging_slot(struct call_world *w, void *arg)
{
	struct kvm_userspace_memory_region region = { 0 };

	(void)arg;
	slot(w, &region);
	no_slot(w, &region);
}

static void dirty_ring(struct call_world *w, void *arg)
{
	(void)w;
	((struct kvm_enable_cap *)arg)->cap = KVM_CAP_DIRTY_LOG_RING;
	((struct kvm_enable_cap *)arg)->args[0] = 0x10000;
}

/* A vCPU with a ring, in a VM that has none of either yet. */
static void ring_first(struct call_world *w, void *arg)
{
	struct kvm_enable_cap cap = { 0 };

	(void)arg;
	dirty_ring(w, &cap);
	(void)ioctl(w->vm->fd, KVM_ENABLE_CAP, &cap);
}

static void split(struct call_world *w, void *arg)
{
	(void)w;
	((struct kvm_enable_cap *)arg)->cap = KVM_CAP_SPLIT_IRQCHIP;
	((struct kvm_enable_cap *)arg)->args[0] = 24;
}

static void all_memory(struct call_world *w, void *arg)
{
	((struct kvm_pre_fault_memory *)arg)->size = w->vm->size;
}

static u8 msr_bits[8];

static void msr_filter(struct call_world *w, void *arg)
{
	(void)w;
	((struct kvm_msr_filter *)arg)->ranges[0] = (struct kvm_msr_filter_range){ 3, 8, 0x174, msr_bits };
}

static void no_msr_filter(struct call_world *w, void *arg)
{
	memset(arg, 0, sizeof(struct kvm_msr_filter));
	(void)ioctl(w->vm->fd, KVM_X86_SET_MSR_FILTER, arg);
}

static u64 tsc_offset;

static void attribute(struct call_world *w, void *arg)
{
	(void)w;
	*(struct kvm_device_attr *)arg = (struct kvm_device_attr){ .group = KVM_VCPU_TSC_CTRL, .attr = KVM_VCPU_TSC_OFFSET,
								   .addr = (uintptr_t)&tsc_offset };
}

static void enforce_pv(struct call_world *w, void *arg)
{
	(void)w;
	((struct kvm_enable_cap *)arg)->cap = KVM_CAP_ENFORCE_PV_FEATURE_CPUID;
}

static void irq_high(struct call_world *w, void *arg)
{
	(void)w;
	((struct kvm_irq_level *)arg)->irq = 20;
	((struct kvm_irq_level *)arg)->level = 1;
}

static void irq_low(struct call_world *w, void *arg)
{
	((struct kvm_irq_level *)arg)->irq = 20;
	((struct kvm_irq_level *)arg)->level = 0;
	(void)ioctl(w->vm->fd, KVM_IRQ_LINE, arg);
}

static void msi(struct call_world *w, void *arg)
{
	(void)w;
	((struct kvm_msi *)arg)->address_lo = 0xfee00000;
	((struct kvm_msi *)arg)->data = 0x50;
}

static void identity_map(struct call_world *w, void *arg)
{
	(void)w;
	*(u64 *)arg = 0xfffbc000;
}

static void max_vcpu_id(struct call_world *w, void *arg)
{
	(void)w;
	((struct kvm_enable_cap *)arg)->cap = KVM_CAP_MAX_VCPU_ID;
	((struct kvm_enable_cap *)arg)->args[0] = 200;
}

static void clock_now(struct call_world *w, void *arg)
{
	struct kvm_clock_data now = { 0 };

	(void)ioctl(w->vm->fd, KVM_GET_CLOCK, &now);
	((struct kvm_clock_data *)arg)->clock = now.clock;
}

static void ioapic(struct call_world *w, void *arg)
{
	(void)w;
	((struct kvm_irqchip *)arg)->chip_id = KVM_IRQCHIP_IOAPIC;
}

static void reinject(struct call_world *w, void *arg)
{
	(void)w;
	((struct kvm_reinject_control *)arg)->pit_reinject = 1;
}

static void routing(struct call_world *w, void *arg)
{
	struct kvm_irq_routing *r = arg;

	(void)w;
	for (u32 i = 0; i < 24; i++) {
		r->entries[i].gsi = i;
		r->entries[i].type = KVM_IRQ_ROUTING_IRQCHIP;
		r->entries[i].u.irqchip.irqchip = KVM_IRQCHIP_IOAPIC;
		r->entries[i].u.irqchip.pin = i;
	}
	r->entries[24].gsi = 40;
	r->entries[24].type = KVM_IRQ_ROUTING_MSI;
	r->entries[24].u.msi.address_lo = 0xfee00000;
	r->entries[24].u.msi.data = 0x51;
	r->nr = 25;
}

static void irqfd(struct call_world *w, void *arg)
{
	struct kvm_irqfd *fd = arg;

	fd->fd = (u32)w->event;
	fd->gsi = 9;
	fd->flags = KVM_IRQFD_FLAG_RESAMPLE;
	fd->resamplefd = (u32)w->resample;
}

static void no_irqfd(struct call_world *w, void *arg)
{
	((struct kvm_irqfd *)arg)->flags = KVM_IRQFD_FLAG_DEASSIGN;
	(void)ioctl(w->vm->fd, KVM_IRQFD, arg);
}

static void ioeventfd(struct call_world *w, void *arg)
{
	struct kvm_ioeventfd *e = arg;

	e->addr = 0x5c0;
	e->len = 2;
	e->fd = w->event;
	e->flags = KVM_IOEVENTFD_FLAG_PIO | KVM_IOEVENTFD_FLAG_DATAMATCH;
}

static void no_ioeventfd(struct call_world *w, void *arg)
{
	((struct kvm_ioeventfd *)arg)->flags |= KVM_IOEVENTFD_FLAG_DEASSIGN;
	(void)ioctl(w->vm->fd, KVM_IOEVENTFD, arg);
}

static void zone(struct call_world *w, void *arg)
{
	struct kvm_coalesced_mmio_zone *z = arg;

	(void)w;
	z->addr = GUEST_ABSENT + 0x800;
	z->size = 0x100;
}

static void no_zone(struct call_world *w, void *arg)
{
	(void)ioctl(w->vm->fd, KVM_UNREGISTER_COALESCED_MMIO, arg);
}

/* One is there, to be taken away. */
static void a_zone(struct call_world *w, void *arg)
{
	zone(w, arg);
	CHECK_OK(ioctl(w->vm->fd, KVM_REGISTER_COALESCED_MMIO, arg));
}

/* ------------------------------------------------------------------ arguments: a vCPU */

static void msrs(struct call_world *w, void *arg)
{
	static const u32 index[] = { 0x10, 0x174, 0x277, 0xc0000080, 0xc0000082, 0x1a0, MSR_KVMCLOCK };
	struct kvm_msrs *m = arg;

	(void)w;
	m->nmsrs = ARRAY_SIZE(index);
	for (u32 i = 0; i < m->nmsrs; i++)
		m->entries[i].index = index[i];
}

static void vector(struct call_world *w, void *arg)
{
	(void)w;
	((struct kvm_interrupt *)arg)->irq = 0x60;
}

static void signal_mask(struct call_world *w, void *arg)
{
	(void)w;
	((struct kvm_signal_mask *)arg)->len = 8;
}

static void no_signal_mask(struct call_world *w, void *arg)
{
	(void)arg;
	(void)ioctl(w->v->fd, KVM_SET_SIGNAL_MASK, NULL);
}

static void address(struct call_world *w, void *arg)
{
	(void)w;
	((struct kvm_translation *)arg)->linear_address = 0x1234;
}

/* The oldest form of CPUID. */
static void cpuid1(struct call_world *w, void *arg)
{
	struct kvm_cpuid2 *all = cpuid_supported();
	struct kvm_cpuid *out = arg;

	(void)w;
	for (u32 i = 0; i < all->nent && out->nent < 40; i++) {
		struct kvm_cpuid_entry2 *e = &all->entries[i];
		struct kvm_cpuid_entry *to = &out->entries[out->nent];

		if (e->index)
			continue;
		to->function = e->function;
		to->eax = e->eax;
		to->ebx = e->ebx;
		to->ecx = e->ecx;
		to->edx = e->edx;
		out->nent++;
	}
}

static void no_fault_chain(struct call_world *w, void *arg)
{
	(void)arg;
	(void)ioctl(w->v->fd, VTX_SET_FAULT_CHAIN, 0);
}

/* ------------------------------------------------------------------ the tables */

#define ROW(on_, cmd_, ...) { .name = #cmd_, .cmd = cmd_, .on = CALL_##on_, .with = WITH_ALL, __VA_ARGS__ }

#pragma GCC diagnostic ignored "-Woverride-init"	/* .with of some rows */

const struct call all_calls[] = {
	ROW(DEV, KVM_GET_API_VERSION, .flags = CALL_SCALAR),
	ROW(DEV, KVM_CREATE_VM, .flags = CALL_SCALAR | CALL_FD),
	ROW(DEV, KVM_CHECK_EXTENSION, .flags = CALL_SCALAR, .value = KVM_CAP_NR_MEMSLOTS),
	ROW(DEV, KVM_GET_VCPU_MMAP_SIZE, .flags = CALL_SCALAR),
	ROW(DEV, KVM_GET_SUPPORTED_CPUID, .fill = cpuid_room),
	ROW(DEV, KVM_GET_MSR_INDEX_LIST, .fill = msr_list_room),
	ROW(DEV, KVM_GET_MSR_FEATURE_INDEX_LIST, .fill = msr_list_room),
	ROW(DEV, KVM_GET_MSRS, .fill = feature_msrs),
	ROW(DEV, VTX_SET_EXT_ERROR, .fill = error_buffer, .undo = dev_no_error_buffer),

	ROW(VM, KVM_IRQ_LINE, .fill = irq_high, .undo = irq_low),
	ROW(VM, KVM_IRQ_LINE_STATUS, .fill = irq_high, .undo = irq_low),
	ROW(VM, KVM_SIGNAL_MSI, .fill = msi),
	ROW(VM, KVM_SET_USER_MEMORY_REGION, .fill = slot, .undo = no_slot),
	ROW(VM, KVM_SET_USER_MEMORY_REGION2, .fill = slot, .undo = no_slot),
	ROW(VM, KVM_CHECK_EXTENSION, .flags = CALL_SCALAR, .value = KVM_CAP_IRQFD),
	ROW(VM, KVM_CREATE_VCPU, .flags = CALL_SCALAR | CALL_ONCE | CALL_FD, .value = 7),
	ROW(VM, KVM_CREATE_VCPU, .fill = ring_first, .flags = CALL_SCALAR | CALL_ONCE | CALL_FD, .value = 7, .with = 0, .never = WITH_VCPU),
	ROW(VM, KVM_SET_TSS_ADDR, .flags = CALL_SCALAR, .value = 0xfffbd000),
	ROW(VM, KVM_SET_IDENTITY_MAP_ADDR, .fill = identity_map, .with = 0, .never = WITH_VCPU),
	ROW(VM, KVM_SET_BOOT_CPU_ID, .flags = CALL_SCALAR, .with = 0, .never = WITH_VCPU),
	ROW(VM, KVM_SET_NR_MMU_PAGES, .flags = CALL_SCALAR, .value = 1000),
	ROW(VM, KVM_GET_NR_MMU_PAGES, .flags = CALL_SCALAR),
	ROW(VM, KVM_ENABLE_CAP, .fill = max_vcpu_id, .flags = CALL_ONCE, .with = 0, .never = WITH_VCPU),
	ROW(VM, KVM_ENABLE_CAP, .fill = dirty_ring, .flags = CALL_ONCE, .with = 0, .never = WITH_VCPU),
	ROW(VM, KVM_ENABLE_CAP, .fill = split, .flags = CALL_ONCE, .with = 0, .never = WITH_VCPU | WITH_CHIP),
	ROW(VM, KVM_SET_USER_MEMORY_REGION, .fill = slot_that_logs, .undo = no_slot),
	ROW(VM, KVM_GET_DIRTY_LOG, .fill = log_of_slot, .undo = no_logging_slot),
	ROW(VM, KVM_CLEAR_DIRTY_LOG, .fill = clear_log, .undo = no_logging_slot),
	ROW(VM, KVM_RESET_DIRTY_RINGS, .fill = ring_first, .flags = CALL_SCALAR, .with = 0, .never = WITH_VCPU),
	ROW(VM, KVM_GET_TSC_KHZ, .flags = CALL_SCALAR),
	ROW(VM, KVM_SET_TSC_KHZ, .flags = CALL_SCALAR),
	ROW(VM, KVM_GET_CLOCK),
	ROW(VM, KVM_SET_CLOCK, .fill = clock_now),
	ROW(VM, KVM_CREATE_IRQCHIP, .flags = CALL_SCALAR | CALL_ONCE, .with = 0, .never = WITH_CHIP | WITH_VCPU),
	ROW(VM, KVM_GET_IRQCHIP, .fill = ioapic),
	ROW(VM, KVM_SET_IRQCHIP, .fill = ioapic, .get = KVM_GET_IRQCHIP),
	ROW(VM, KVM_CREATE_PIT, .flags = CALL_SCALAR | CALL_ONCE, .with = WITH_CHIP, .never = WITH_PIT),
	ROW(VM, KVM_CREATE_PIT2, .flags = CALL_ONCE, .with = WITH_CHIP, .never = WITH_PIT),
	ROW(VM, KVM_GET_PIT),
	ROW(VM, KVM_SET_PIT, .get = KVM_GET_PIT),
	ROW(VM, KVM_GET_PIT2),
	ROW(VM, KVM_SET_PIT2, .get = KVM_GET_PIT2),
	ROW(VM, KVM_REINJECT_CONTROL, .fill = reinject),
	ROW(VM, KVM_SET_GSI_ROUTING, .fill = routing),
	ROW(VM, KVM_IRQFD, .fill = irqfd, .undo = no_irqfd),
	ROW(VM, KVM_IOEVENTFD, .fill = ioeventfd, .undo = no_ioeventfd),
	ROW(VM, KVM_REGISTER_COALESCED_MMIO, .fill = zone, .undo = no_zone),
	ROW(VM, KVM_UNREGISTER_COALESCED_MMIO, .fill = a_zone),
	ROW(VM, KVM_X86_SET_MSR_FILTER, .fill = msr_filter, .undo = no_msr_filter),
	ROW(VM, KVM_GET_STATS_FD, .flags = CALL_SCALAR | CALL_FD),
	ROW(VM, VTX_SET_EXT_ERROR, .fill = error_buffer, .undo = vm_no_error_buffer),

	ROW(VCPU, KVM_RUN, .flags = CALL_SCALAR),
	ROW(VCPU, KVM_GET_REGS),
	ROW(VCPU, KVM_SET_REGS, .get = KVM_GET_REGS),
	ROW(VCPU, KVM_GET_SREGS),
	ROW(VCPU, KVM_SET_SREGS, .get = KVM_GET_SREGS),
	ROW(VCPU, KVM_GET_SREGS2),
	ROW(VCPU, KVM_SET_SREGS2, .get = KVM_GET_SREGS2),
	ROW(VCPU, KVM_INTERRUPT, .fill = vector, .with = WITH_VCPU | WITH_GUEST, .flags = CALL_ONCE, .never = WITH_CHIP),
	ROW(VCPU, KVM_NMI, .flags = CALL_SCALAR, .with = WITH_VCPU),
	ROW(VCPU, KVM_SET_SIGNAL_MASK, .fill = signal_mask, .undo = no_signal_mask),
	ROW(VCPU, KVM_GET_FPU),
	ROW(VCPU, KVM_SET_FPU, .get = KVM_GET_FPU),
	ROW(VCPU, KVM_GET_XSAVE),
	ROW(VCPU, KVM_GET_XSAVE2),
	ROW(VCPU, KVM_SET_XSAVE, .get = KVM_GET_XSAVE),
	ROW(VCPU, KVM_GET_XCRS),
	ROW(VCPU, KVM_SET_XCRS, .get = KVM_GET_XCRS),
	ROW(VCPU, KVM_GET_VCPU_EVENTS),
	ROW(VCPU, KVM_SET_VCPU_EVENTS, .get = KVM_GET_VCPU_EVENTS),
	ROW(VCPU, KVM_GET_DEBUGREGS),
	ROW(VCPU, KVM_SET_DEBUGREGS, .get = KVM_GET_DEBUGREGS),
	ROW(VCPU, KVM_GET_MP_STATE),
	ROW(VCPU, KVM_SET_MP_STATE, .get = KVM_GET_MP_STATE),
	ROW(VCPU, KVM_GET_LAPIC),
	ROW(VCPU, KVM_SET_LAPIC, .get = KVM_GET_LAPIC),
	ROW(VCPU, KVM_SET_VAPIC_ADDR),
	ROW(VCPU, KVM_SET_GUEST_DEBUG),
	ROW(VCPU, KVM_GET_MSRS, .fill = msrs),
	ROW(VCPU, KVM_SET_MSRS, .fill = msrs, .get = KVM_GET_MSRS),
	ROW(VCPU, KVM_SET_CPUID, .fill = cpuid1),
	ROW(VCPU, KVM_SET_CPUID2, .fill = cpuid_room, .get = KVM_GET_CPUID2),
	ROW(VCPU, KVM_GET_CPUID2, .fill = cpuid_room),
	ROW(VCPU, KVM_GET_TSC_KHZ, .flags = CALL_SCALAR),
	ROW(VCPU, KVM_SET_TSC_KHZ, .flags = CALL_SCALAR),
	ROW(VCPU, KVM_PRE_FAULT_MEMORY, .fill = all_memory),
	ROW(VCPU, KVM_KVMCLOCK_CTRL, .flags = CALL_SCALAR),
	ROW(VCPU, VTX_GET_FAILURE),
	ROW(VCPU, VTX_SET_FAULT_CHAIN, .flags = CALL_SCALAR, .value = 1, .undo = no_fault_chain),
	ROW(VCPU, KVM_TRANSLATE, .fill = address),
	ROW(VCPU, KVM_ENABLE_CAP, .fill = enforce_pv),
	ROW(VCPU, KVM_HAS_DEVICE_ATTR, .fill = attribute),
	ROW(VCPU, KVM_GET_DEVICE_ATTR, .fill = attribute),
	ROW(VCPU, KVM_SET_DEVICE_ATTR, .fill = attribute),
	ROW(VCPU, KVM_GET_STATS_FD, .flags = CALL_SCALAR | CALL_FD),
	ROW(VCPU, VTX_SET_EXT_ERROR, .fill = error_buffer, .undo = vcpu_no_error_buffer),
};

const size_t nr_calls = ARRAY_SIZE(all_calls);
