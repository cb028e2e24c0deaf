// SPDX-License-Identifier: GPL-2.0-only
/*
 * Why a call was refused: every code of uapi/vtx_errors.h is provoked once, and errno, code, field, found and allowed are those of
 * its row, with a sentence. Each row also runs without a buffer, and must fail the same way. What the registration itself does is
 * in test_ext_error.c.
 */
#include <cpuid.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../compat/kvm_uapi.h"
#include "lib/ext_error.h"
#include "lib/guest.h"
#include "lib/vm.h"

#define MAX_GSI 4095
#define OF(type, field) offsetof(struct type, field)

/* ------------------------------------------------------------------ the world of a row */

enum fd { DEV, VM, VCPU, NR_FDS };

enum {
	IRQCHIP = 1,	/* with interrupt controllers and PIT in the kernel */
	NO_VCPU = 2,
	GUEST_RUNS = 4,	/* memory, and guest code that touches GUEST_FREE */
	SPLIT = 8,	/* with local APICs in the kernel */
};

struct world {
	struct vm *vm;
	struct vcpu *v;
	int fd[NR_FDS];
	struct vtx_ext_error why[NR_FDS];
	/* What a row cannot know beforehand; DYNAMIC there. */
	u64 found, allowed;
};

GUEST static void touch(u64 arg)
{
	*(volatile u8 *)GUEST_FREE = (u8)arg;
	g_done(0);
}

static void world_new(struct world *w, unsigned int flags)
{
	memset(w, 0, sizeof(*w));
	if (flags & GUEST_RUNS) {
		w->v = guest_new(0, touch, 0);
		w->vm = w->v->vm;
	} else {
		w->vm = vm_new(VM_NO_MEMORY | (flags & IRQCHIP ? VM_IRQCHIP | VM_PIT : 0) | (flags & SPLIT ? VM_SPLIT : 0));
		w->v = flags & NO_VCPU ? NULL : vcpu_new(w->vm, 0);
	}
	w->fd[DEV] = dev_open();
	w->fd[VM] = w->vm->fd;
	w->fd[VCPU] = w->v ? w->v->fd : -1;
}

static void world_free(struct world *w)
{
	CHECK_OK(ext_error_register(w->fd[DEV], NULL, 0, 0));
	if (w->v)
		vcpu_free(w->v);
	vm_free(w->vm);
}

/* ------------------------------------------------------------------ provoking */

static int any(struct world *w, u32 code)
{
	struct kvm_lapic_state lapic;

	switch (code) {
	case VTX_ERROR_IOCTL_UNKNOWN_DEVICE:
		return ioctl(w->fd[DEV], KVM_CREATE_VCPU, 0);
	case VTX_ERROR_IOCTL_UNKNOWN_VM:
		return ioctl(w->fd[VM], KVM_RUN, 0);
	case VTX_ERROR_IOCTL_UNKNOWN_VCPU:
		return ioctl(w->fd[VCPU], KVM_CREATE_VM, 0);
	case VTX_ERROR_ARGUMENT_NOT_ZERO:
		return ioctl(w->fd[VCPU], KVM_RUN, 77);
	case VTX_ERROR_ARGUMENT_UNREADABLE:
		return ioctl(w->fd[VCPU], KVM_SET_REGS, 16);
	case VTX_ERROR_ARGUMENT_UNWRITABLE:
		return ioctl(w->fd[VCPU], KVM_GET_REGS, 24);
	case VTX_ERROR_LAPIC_MISSING:
		return ioctl(w->fd[VCPU], KVM_GET_LAPIC, &lapic);
	case VTX_ERROR_FAULT_CHAIN_ARGUMENT:
		return ioctl(w->fd[VCPU], VTX_SET_FAULT_CHAIN, 2);
	case VTX_ERROR_EXT_ERROR_FLAGS:
		return ext_error_register(w->fd[VM], w, sizeof(struct vtx_ext_error), 4);
	case VTX_ERROR_EXT_ERROR_ADDRESS:
		return ext_error_register(w->fd[VM], (void *)32, sizeof(struct vtx_ext_error), 0);
	default: /* EXT_ERROR_SIZE */
		return ext_error_register(w->fd[VM], w, sizeof(struct vtx_ext_error) - 1, 0);
	}
}

static int clock_flags(struct world *w)
{
	struct kvm_clock_data clock = { .flags = 1 | KVM_CLOCK_TSC_STABLE };

	return ioctl(w->fd[VM], KVM_SET_CLOCK, &clock);
}

static int enable_cap(struct world *w, u32 code)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_MAX_VCPU_ID, .args = { 200 } };

	switch (code) {
	case VTX_ERROR_ENABLE_CAP_FLAGS:
		cap.flags = 1;
		break;
	case VTX_ERROR_ENABLE_CAP_UNKNOWN:
		cap.cap = KVM_CAP_USER_MEMORY;
		break;
	case VTX_ERROR_MAX_VCPU_ID_RANGE:
		cap.args[0] = 1025;
		break;
	case VTX_ERROR_IRQCHIP_PINS:
		cap.cap = KVM_CAP_SPLIT_IRQCHIP;
		cap.args[0] = MAX_GSI + 2;
		break;
	case VTX_ERROR_SPLIT_LATE:
		cap.cap = KVM_CAP_SPLIT_IRQCHIP;
		cap.args[0] = 24;
		break;
	case VTX_ERROR_X2APIC_API_FLAGS:
		cap.cap = KVM_CAP_X2APIC_API;
		cap.args[0] = 0x81;
		break;
	case VTX_ERROR_HALT_POLL_RANGE:
		cap.cap = KVM_CAP_HALT_POLL;
		cap.args[0] = 1ull << 32;
		break;
	default: /* MAX_VCPU_ID_SET */
		if (ioctl(w->fd[VM], KVM_ENABLE_CAP, &cap) || ioctl(w->fd[VM], KVM_ENABLE_CAP, &cap))
			return 0;
		cap.args[0] = 100;
	}
	return ioctl(w->fd[VM], KVM_ENABLE_CAP, &cap);
}

static int vm_wide(struct world *w, u32 code)
{
	u64 address = 0xfffbc000;

	switch (code) {
	case VTX_ERROR_VM_TYPE:
		return ioctl(w->fd[DEV], KVM_CREATE_VM, 9);
	case VTX_ERROR_VCPU_ID_RANGE:
		return ioctl(w->fd[VM], KVM_CREATE_VCPU, 1024);
	case VTX_ERROR_VCPU_ID_TAKEN:
		return ioctl(w->fd[VM], KVM_CREATE_VCPU, 0);
	case VTX_ERROR_TSS_ADDRESS:
		return ioctl(w->fd[VM], KVM_SET_TSS_ADDR, 0xffffe000UL);
	case VTX_ERROR_IDENTITY_MAP_LATE:
		return ioctl(w->fd[VM], KVM_SET_IDENTITY_MAP_ADDR, &address);
	case VTX_ERROR_BOOT_CPU_LATE:
		return ioctl(w->fd[VM], KVM_SET_BOOT_CPU_ID, 0);
	default:
		return clock_flags(w);
	}
}

/* The addresses that the processor has: CPUID 80000008H. */
static u64 last_gpa(void)
{
	u32 eax = 0, ebx, ecx, edx, bits;

	__get_cpuid(0x80000008, &eax, &ebx, &ecx, &edx);
	bits = eax & 0xff;
	return (1ull << (bits < 48 ? bits : 48)) - 1;
}

static int slots(struct world *w, u32 code)
{
	static u8 mem[8 * 4096] __attribute__((aligned(4096)));
	const u64 at = 0x100000;

	/* Slot 3 is there for those that change it. */
	CHECK_OK(vm_slot(w->vm, 3, at, 0x4000, mem, 0));
	switch (code) {
	case VTX_ERROR_SLOT_FLAGS:
		return vm_slot(w->vm, 1, 0, 0x1000, mem, 8 | KVM_MEM_READONLY);
	case VTX_ERROR_SLOT_SIZE_ALIGN:
		return vm_slot(w->vm, 1, 0, 0x1008, mem, 0);
	case VTX_ERROR_SLOT_GPA_ALIGN:
		return vm_slot(w->vm, 1, 0x10, 0x1000, mem, 0);
	case VTX_ERROR_SLOT_USER_ALIGN:
		w->found = (uintptr_t)mem + 1;
		return vm_slot(w->vm, 1, 0, 0x1000, mem + 1, 0);
	case VTX_ERROR_SLOT_USER_RANGE:
		return vm_slot(w->vm, 1, 0, 0x1000, (void *)0xffff800000000000, 0);
	case VTX_ERROR_SLOT_NUMBER:
		return vm_slot(w->vm, 509, 0, 0x1000, mem, 0);
	case VTX_ERROR_SLOT_WRAPS:
		return vm_slot(w->vm, 1, 0xfffffffffffff000, 0x2000, mem, 0);
	case VTX_ERROR_SLOT_TOO_LARGE:
		return vm_slot(w->vm, 1, 0, 1ull << 43, (void *)0x1000, 0);
	case VTX_ERROR_SLOT_ABSENT:
		return vm_slot(w->vm, 2, 0, 0, mem, 0);
	case VTX_ERROR_SLOT_ADDRESS_CHANGED:
		w->found = (uintptr_t)mem + 0x1000;
		w->allowed = (uintptr_t)mem;
		return vm_slot(w->vm, 3, at, 0x4000, mem + 0x1000, 0);
	case VTX_ERROR_SLOT_SIZE_CHANGED:
		return vm_slot(w->vm, 3, at, 0x5000, mem, 0);
	case VTX_ERROR_SLOT_READONLY_CHANGED:
		return vm_slot(w->vm, 3, at, 0x4000, mem, KVM_MEM_READONLY);
	case VTX_ERROR_SLOT_OVERLAPS:
		return vm_slot(w->vm, 1, at + 0x3000, 0x2000, mem, 0);
	default: /* SLOT_OUT_OF_REACH */
		w->found = last_gpa() + 1;
		w->allowed = last_gpa();
		return vm_slot(w->vm, 1, last_gpa() + 1, 0x1000, mem, 0);
	}
}

static int enable(struct world *w, u32 cap, u64 arg)
{
	struct kvm_enable_cap args = { .cap = cap, .args = { arg } };

	return ioctl(w->fd[VM], KVM_ENABLE_CAP, &args);
}

/* Slot 3, of 100 pages, logs; slot 2 does not. */
static int dirty_logs(struct world *w, u32 code)
{
	static u8 mem[100 * 4096] __attribute__((aligned(4096)));
	struct kvm_clear_dirty_log log = { .slot = 3, .num_pages = 64 };

	if (code == VTX_ERROR_DIRTY_LOG_RING)
		CHECK_OK(enable(w, KVM_CAP_DIRTY_LOG_RING, 0x10000));
	CHECK_OK(vm_slot(w->vm, 3, 0x100000, sizeof(mem), mem, KVM_MEM_LOG_DIRTY_PAGES));
	CHECK_OK(vm_slot(w->vm, 2, 0, 0x1000, mem, 0));
	switch (code) {
	case VTX_ERROR_DIRTY_LOG_SLOT:
		log.slot = 509;
		break;
	case VTX_ERROR_DIRTY_LOG_ABSENT:
		log.slot = 2;
		break;
	case VTX_ERROR_DIRTY_LOG_BUFFER:
		log.padding2 = 48;
		break;
	case VTX_ERROR_CLEAR_FIRST_PAGE:
		log.first_page = 65;
		break;
	case VTX_ERROR_CLEAR_RANGE:
		log.first_page = 64;
		log.num_pages = 37;
		break;
	}
	return ioctl(w->fd[VM], KVM_CLEAR_DIRTY_LOG, &log);
}

static int dirty_caps(struct world *w, u32 code)
{
	switch (code) {
	case VTX_ERROR_MANUAL_PROTECT_FLAGS:
		return enable(w, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, KVM_DIRTY_LOG_INITIALLY_SET);
	case VTX_ERROR_DIRTY_RING_SIZE:
		/* A processor that logs by itself may add 512 entries at once: room for those is kept. */
		w->allowed = enable(w, KVM_CAP_DIRTY_LOG_RING, 4096) ? 9216 : 4096;
		return enable(w, KVM_CAP_DIRTY_LOG_RING, 0x11000);
	case VTX_ERROR_DIRTY_RING_TOO_LARGE:
		return enable(w, KVM_CAP_DIRTY_LOG_RING, 1 << 21);
	case VTX_ERROR_DIRTY_RING_SET:
		CHECK_OK(enable(w, KVM_CAP_DIRTY_LOG_RING, 0x10000));
		return enable(w, KVM_CAP_DIRTY_LOG_RING_ACQ_REL, 0x8000);
	case VTX_ERROR_DIRTY_RING_LATE:
		return enable(w, KVM_CAP_DIRTY_LOG_RING, 0x10000);
	default: /* DIRTY_RING_OFF */
		return ioctl(w->fd[VM], KVM_RESET_DIRTY_RINGS, 0);
	}
}

static int lapic_id(struct world *w)
{
	struct kvm_sregs s = vcpu_sregs(w->v);
	struct kvm_lapic_state state;

	s.apic_base |= 1 << 10;
	CHECK_OK(ioctl(w->fd[VCPU], KVM_SET_SREGS, &s));
	CHECK_OK(ioctl(w->fd[VCPU], KVM_GET_LAPIC, &state));
	state.regs[0x23] = 5;
	return ioctl(w->fd[VCPU], KVM_SET_LAPIC, &state);
}

static void wide_ids(struct world *w)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_X2APIC_API, .args = { KVM_X2APIC_API_USE_32BIT_IDS } };

	CHECK_OK(ioctl(w->fd[VM], KVM_ENABLE_CAP, &cap));
}

static int chips(struct world *w, u32 code)
{
	struct kvm_irqchip chip = { .chip_id = code == VTX_ERROR_IRQCHIP_ID ? 3 : 0 };
	struct kvm_msi msi = { .flags = KVM_MSI_VALID_DEVID };
	struct kvm_pit_config pit = { 0 };
	struct kvm_pit_state2 state;

	switch (code) {
	case VTX_ERROR_IRQCHIP_EXISTS:
	case VTX_ERROR_IRQCHIP_LATE:
		return ioctl(w->fd[VM], KVM_CREATE_IRQCHIP, 0);
	case VTX_ERROR_IRQCHIP_MISSING:
	case VTX_ERROR_IRQCHIP_ID:
		return ioctl(w->fd[VM], KVM_GET_IRQCHIP, &chip);
	case VTX_ERROR_PIT_WITHOUT_IRQCHIP:
	case VTX_ERROR_PIT_EXISTS:
		return ioctl(w->fd[VM], KVM_CREATE_PIT2, &pit);
	case VTX_ERROR_PIT_MISSING:
		return ioctl(w->fd[VM], KVM_GET_PIT2, &state);
	case VTX_ERROR_LAPIC_ID:
		return lapic_id(w);
	case VTX_ERROR_MSI_ADDRESS:
		wide_ids(w);
		msi = (struct kvm_msi){ .address_lo = 0xfee00000, .address_hi = 0x1ff };
		return ioctl(w->fd[VM], KVM_SIGNAL_MSI, &msi);
	default:
		return ioctl(w->fd[VM], KVM_SIGNAL_MSI, &msi);
	}
}

/* Entry 1 is the wrong one: offsets count. */
static int routes(struct world *w, u32 code)
{
	struct {
		struct kvm_irq_routing head;
		struct kvm_irq_routing_entry e[2];
	} r = { .head = { .nr = 2 } };
	struct kvm_irq_routing_entry *e = &r.e[1];

	r.e[0].type = KVM_IRQ_ROUTING_MSI;
	e->type = KVM_IRQ_ROUTING_IRQCHIP;
	e->gsi = 1;
	e->u.irqchip.irqchip = KVM_IRQCHIP_IOAPIC;
	switch (code) {
	case VTX_ERROR_ROUTING_COUNT:
		r.head.nr = MAX_GSI + 2;
		break;
	case VTX_ERROR_ROUTING_FLAGS:
		r.head.flags = 8;
		break;
	case VTX_ERROR_ROUTE_GSI:
		e->gsi = MAX_GSI + 1;
		break;
	case VTX_ERROR_ROUTE_FLAGS:
		e->flags = 2;
		break;
	case VTX_ERROR_ROUTE_TYPE:
		e->type = 7;
		break;
	case VTX_ERROR_ROUTE_CHIP:
		e->u.irqchip.irqchip = 3;
		break;
	case VTX_ERROR_ROUTE_PIN:
		e->u.irqchip.pin = 24;
		break;
	case VTX_ERROR_ROUTE_MSI_ADDRESS:
		wide_ids(w);
		e->type = KVM_IRQ_ROUTING_MSI;
		e->u.msi.address_hi = 0x1ff;
		break;
	case VTX_ERROR_ROUTE_CLASH:
		e->gsi = 0;
		break;
	}
	return ioctl(w->fd[VM], KVM_SET_GSI_ROUTING, &r);
}

static int irqfds(struct world *w, u32 code)
{
	struct kvm_irqfd args = { .fd = (u32)eventfd(0, EFD_CLOEXEC), .gsi = 9 };

	switch (code) {
	case VTX_ERROR_EVENTFD_CLOSED:
		args.fd = 12345;
		break;
	case VTX_ERROR_EVENTFD_OTHER_FILE:
		w->found = args.fd = (u32)w->fd[DEV];
		break;
	case VTX_ERROR_IRQFD_FLAGS:
		args.flags = 16;
		break;
	case VTX_ERROR_IRQFD_RESAMPLE:
		args.flags = KVM_IRQFD_FLAG_RESAMPLE;
		args.resamplefd = (u32)eventfd(0, EFD_CLOEXEC);
		break;
	case VTX_ERROR_IRQFD_GSI:
		args.gsi = MAX_GSI + 1;
		break;
	case VTX_ERROR_IRQFD_EVENTFD_IN_USE:
		w->found = args.fd;
		CHECK_OK(ioctl(w->fd[VM], KVM_IRQFD, &args));
		args.gsi = 10;
		break;
	}
	return ioctl(w->fd[VM], KVM_IRQFD, &args);
}

static int ioeventfds(struct world *w, u32 code)
{
	struct kvm_ioeventfd args = { .fd = eventfd(0, EFD_CLOEXEC), .addr = 0xd0000000, .len = 4 };

	switch (code) {
	case VTX_ERROR_IOEVENTFD_FLAGS:
		args.flags = 128;
		break;
	case VTX_ERROR_IOEVENTFD_LENGTH:
		args.len = 3;
		break;
	case VTX_ERROR_IOEVENTFD_MATCH_LENGTH:
		args.len = 0;
		args.flags = KVM_IOEVENTFD_FLAG_DATAMATCH;
		break;
	case VTX_ERROR_IOEVENTFD_WRAPS:
		args.addr = ~0ull - 2;
		break;
	case VTX_ERROR_IOEVENTFD_EXISTS:
		CHECK_OK(ioctl(w->fd[VM], KVM_IOEVENTFD, &args));
		break;
	case VTX_ERROR_IOEVENTFD_ABSENT:
		args.flags = KVM_IOEVENTFD_FLAG_DEASSIGN;
		break;
	}
	return ioctl(w->fd[VM], KVM_IOEVENTFD, &args);
}

#define CR0_PE (1ull << 0)
#define CR0_NW (1ull << 29)
#define CR0_CD (1ull << 30)
#define CR0_PG (1ull << 31)
#define CR4_PAE (1ull << 5)
#define CR4_VMXE (1ull << 13)
#define EFER_LME (1ull << 8)
#define EFER_LMA (1ull << 10)

/* From the state after reset (CR0 0x60000010, others 0), or from 64-bit mode. */
static int sregs(struct world *w, u32 code)
{
	struct kvm_sregs s = vcpu_sregs(w->v);
	struct kvm_cpuid_entry2 *e = cpuid_find(cpuid_supported(), 0x80000008, 0);

	if (code == VTX_ERROR_SREGS_CR4_NO_PAE || code == VTX_ERROR_SREGS_EFER_NO_LMA || code == VTX_ERROR_SREGS_CR3) {
		s.cr0 = CR0_PG | CR0_PE;
		s.cr4 = CR4_PAE;
		s.efer = EFER_LME | EFER_LMA;
	}
	switch (code) {
	case VTX_ERROR_SREGS_EFER:
		s.efer = 1ull << 20;
		break;
	case VTX_ERROR_SREGS_CR4_NO_PAE:
		s.cr4 = 0;
		break;
	case VTX_ERROR_SREGS_EFER_NO_LMA:
		s.efer = EFER_LME;
		break;
	case VTX_ERROR_SREGS_CR3:
		w->allowed = (1ull << (e->eax & 0xff)) - 1;
		w->found = s.cr3 = w->allowed + 1;
		break;
	case VTX_ERROR_SREGS_EFER_LMA_ALONE:
		s.efer = EFER_LMA;
		break;
	case VTX_ERROR_SREGS_CS_L:
		s.cs.l = 1;
		break;
	case VTX_ERROR_SREGS_CR4:
		s.cr4 = CR4_VMXE | CR4_PAE;
		break;
	case VTX_ERROR_SREGS_CR0:
		s.cr0 |= 1ull << 32;
		break;
	case VTX_ERROR_SREGS_CR0_NW:
		s.cr0 = CR0_NW;
		break;
	case VTX_ERROR_SREGS_CR0_PG:
		s.cr0 = CR0_PG;
		break;
	default: /* SREGS_APIC_BASE: x2APIC without enable */
		s.apic_base = 0xfee00400;
		break;
	}
	return ioctl(w->fd[VCPU], KVM_SET_SREGS, &s);
}

static int xsave(struct world *w, u32 code)
{
	struct kvm_xsave x;

	CHECK_OK(ioctl(w->fd[VCPU], KVM_GET_XSAVE, &x));
	switch (code) {
	case VTX_ERROR_XSAVE_FEATURES:
		x.region[512 / 4] = 3;
		x.region[512 / 4 + 1] = 1u << 30;
		break;
	case VTX_ERROR_XSAVE_HEADER:
		x.region[524 / 4] = 0x80000000;
		break;
	default: /* XSAVE_MXCSR */
		x.region[24 / 4] = 0x80001f80;
		break;
	}
	return ioctl(w->fd[VCPU], KVM_SET_XSAVE, &x);
}

/* The second entry is XCR0. */
static int xcrs(struct world *w, u32 code)
{
	struct kvm_xcrs x = { .nr_xcrs = 2, .xcrs = { { .xcr = 5 }, { .xcr = 0, .value = 1 } } };

	switch (code) {
	case VTX_ERROR_XCRS_COUNT:
		x.nr_xcrs = KVM_MAX_XCRS + 1;
		break;
	case VTX_ERROR_XCRS_FLAGS:
		x.flags = 1;
		break;
	case VTX_ERROR_XCR0_BITS:
		x.xcrs[1].value = 1ull << 62 | 1;
		break;
	default: /* XCR0_COMBINATION */
		x.xcrs[1].value = 2;
		break;
	}
	return ioctl(w->fd[VCPU], KVM_SET_XCRS, &x);
}

static int state(struct world *w, u32 code)
{
	struct kvm_debugregs d = { 0 };

	switch (code) {
	case VTX_ERROR_XSAVE_FEATURES:
	case VTX_ERROR_XSAVE_HEADER:
	case VTX_ERROR_XSAVE_MXCSR:
		return xsave(w, code);
	case VTX_ERROR_XCRS_COUNT:
	case VTX_ERROR_XCRS_FLAGS:
	case VTX_ERROR_XCR0_BITS:
	case VTX_ERROR_XCR0_COMBINATION:
		return xcrs(w, code);
	case VTX_ERROR_DEBUGREGS_FLAGS:
		d.flags = 3;
		break;
	case VTX_ERROR_DEBUGREGS_DR6:
		d.dr6 = 1ull << 40;
		break;
	default: /* DEBUGREGS_DR7 */
		d.dr7 = 1ull << 63;
		break;
	}
	return ioctl(w->fd[VCPU], KVM_SET_DEBUGREGS, &d);
}

static int signal_mask(struct world *w)
{
	struct kvm_signal_mask mask = { .len = 128 };

	return ioctl(w->fd[VCPU], KVM_SET_SIGNAL_MASK, &mask);
}

static int events(struct world *w, u32 code)
{
	struct kvm_interrupt irq = { .irq = code == VTX_ERROR_INTERRUPT_VECTOR ? 256 : 32 };
	struct kvm_vcpu_events in = { 0 };
	struct kvm_mp_state mp = { 0 };

	switch (code) {
	case VTX_ERROR_INTERRUPT_WAITS:
		CHECK_OK(ioctl(w->fd[VCPU], KVM_INTERRUPT, &irq));
		irq.irq = 33;
		return ioctl(w->fd[VCPU], KVM_INTERRUPT, &irq);
	case VTX_ERROR_EVENTS_FLAGS:
		in.flags = 0x1000;
		return ioctl(w->fd[VCPU], KVM_SET_VCPU_EVENTS, &in);
	case VTX_ERROR_EVENTS_EXCEPTION:
		in.exception.injected = 1;
		in.exception.nr = 2;
		return ioctl(w->fd[VCPU], KVM_SET_VCPU_EVENTS, &in);
	case VTX_ERROR_EVENTS_SMM:
		in.flags = KVM_VCPUEVENT_VALID_SMM;
		in.smi.pending = 1;
		return ioctl(w->fd[VCPU], KVM_SET_VCPU_EVENTS, &in);
	case VTX_ERROR_MP_STATE:
		mp.mp_state = KVM_MP_STATE_AP_RESET_HOLD;
		return ioctl(w->fd[VCPU], KVM_SET_MP_STATE, &mp);
	case VTX_ERROR_MP_STATE_NO_LAPIC:
		mp.mp_state = KVM_MP_STATE_HALTED;
		return ioctl(w->fd[VCPU], KVM_SET_MP_STATE, &mp);
	case VTX_ERROR_SIGNAL_MASK_LENGTH:
		return signal_mask(w);
	case VTX_ERROR_CLOCK_PAGE_MISSING:
		return ioctl(w->fd[VCPU], KVM_KVMCLOCK_CTRL, 0);
	default:
		return ioctl(w->fd[VCPU], KVM_INTERRUPT, &irq);
	}
}

static int run(struct world *w, u32 code)
{
	struct kvm_run *run = w->v->run;

	switch (code) {
	case VTX_ERROR_RUN_SYNC_REGS:
		run->kvm_dirty_regs = 6;
		break;
	case VTX_ERROR_RUN_CR8:
		run->cr8 = 16;
		break;
	default: /* RUN_MEMORY */
		w->allowed = (uintptr_t)w->vm->mem + GUEST_FREE;
		CHECK(!munmap(w->vm->mem + GUEST_FREE, PAGE_SIZE), "munmap");
		break;
	}
	return ioctl(w->fd[VCPU], KVM_RUN, 0);
}

static int pre_fault(struct world *w, u32 code)
{
	struct kvm_pre_fault_memory range = { .gpa = GUEST_ABSENT, .size = PAGE_SIZE };

	switch (code) {
	case VTX_ERROR_PRE_FAULT_FLAGS:
		range.flags = 4;
		break;
	case VTX_ERROR_PRE_FAULT_ALIGN:
		range.size = 0x1800;
		break;
	case VTX_ERROR_PRE_FAULT_RANGE:
		range.size = -PAGE_SIZE;
		break;
	}
	return ioctl(w->fd[VCPU], KVM_PRE_FAULT_MEMORY, &range);
}

static int cpuid(struct world *w, u32 code)
{
	struct kvm_cpuid2 *c = calloc(1, sizeof(*c) + 300 * sizeof(c->entries[0]));

	c->nent = 300;
	switch (code) {
	case VTX_ERROR_CPUID_TOO_FEW:
		c->nent = 2;
		w->allowed = cpuid_supported()->nent;
		return ioctl(w->fd[DEV], KVM_GET_SUPPORTED_CPUID, c);
	case VTX_ERROR_CPUID_AFTER_RUN:
		w->v->run->immediate_exit = 0;
		vcpu_finish(w->v);
		CHECK_OK(ioctl(w->fd[VCPU], KVM_GET_CPUID2, c));
		w->allowed = c->nent;
		c->entries[4].ebx ^= 1;
		break;
	case VTX_ERROR_CPUID_ADDRESS_WIDTH:
		c->nent = 1;
		c->entries[0].function = 0x80000008;
		c->entries[0].eax = 52 << 8 | 40;
		break;
	}
	return ioctl(w->fd[VCPU], KVM_SET_CPUID2, c);
}

static int msrs(struct world *w, u32 code)
{
	struct {
		struct kvm_msr_list head;
		u32 indices[300];
	} all = { .head = { .nmsrs = 300 } };
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entries[256];
	} values = { .head = { .nmsrs = 256 } };
	switch (code) {
	case VTX_ERROR_MSR_LIST_TOO_FEW:
		CHECK_OK(ioctl(w->fd[DEV], KVM_GET_MSR_INDEX_LIST, &all));
		w->allowed = all.head.nmsrs;
		all.head.nmsrs = 1;
		return ioctl(w->fd[DEV], KVM_GET_MSR_INDEX_LIST, &all);
	case VTX_ERROR_MSRS_TOO_MANY:
		return ioctl(w->fd[VCPU], KVM_SET_MSRS, &values);
	default: /* TSC_KHZ_RANGE */
		return ioctl(w->fd[VCPU], KVM_SET_TSC_KHZ, 0x7fffffff);
	}
}

/* ------------------------------------------------------------------ the table */

#define DYNAMIC 0x5eed5eed5eed5eedull	/* the provoking function says */
#define MASK 0x6eed6eed6eed6eedull	/* allowed: a mask that found is not in */

#define ROUTE(field) ((u32)(OF(kvm_irq_routing, entries) + sizeof(struct kvm_irq_routing_entry) + OF(kvm_irq_routing_entry, field)))

static const struct row {
	const char *name;
	u32 code;
	int (*provoke)(struct world *w, u32 code);
	enum fd fd;
	unsigned int flags;	/* of the world */
	int error;
	u32 offset;
	u64 found, allowed;
	const char *word;	/* which the sentence must have */
} rows[] = {
#define ROW(name, ...) { #name, VTX_ERROR_##name, __VA_ARGS__ }
	ROW(IOCTL_UNKNOWN_DEVICE, any, DEV, 0, EINVAL, NO_FIELD, KVM_CREATE_VCPU, 0, "device"),
	ROW(IOCTL_UNKNOWN_VM, any, VM, 0, ENOTTY, NO_FIELD, KVM_RUN, 0, "VM"),
	ROW(IOCTL_UNKNOWN_VCPU, any, VCPU, 0, EINVAL, NO_FIELD, KVM_CREATE_VM, 0, "vCPU"),
	ROW(ARGUMENT_NOT_ZERO, any, VCPU, 0, EINVAL, NO_FIELD, 77, 0, "must be 0"),
	ROW(ARGUMENT_UNREADABLE, any, VCPU, 0, EFAULT, NO_FIELD, 16, sizeof(struct kvm_regs), "read"),
	ROW(ARGUMENT_UNWRITABLE, any, VCPU, 0, EFAULT, NO_FIELD, 24, sizeof(struct kvm_regs), "written"),
	ROW(LAPIC_MISSING, any, VCPU, 0, EINVAL, NO_FIELD, 0, 0, "KVM_CREATE_IRQCHIP"),
	ROW(EXT_ERROR_SIZE, any, VM, 0, EINVAL, OF(vtx_ext_error_buffer, size), sizeof(struct vtx_ext_error) - 1,
	    sizeof(struct vtx_ext_error), "size"),
	ROW(EXT_ERROR_FLAGS, any, VM, 0, EINVAL, OF(vtx_ext_error_buffer, flags), 4, 0, "flags"),
	ROW(EXT_ERROR_ADDRESS, any, VM, 0, EFAULT, OF(vtx_ext_error_buffer, address), 32, 0, "address"),
	ROW(FAULT_CHAIN_ARGUMENT, any, VCPU, 0, EINVAL, NO_FIELD, 2, 1, "intercept"),

	ROW(VM_TYPE, vm_wide, DEV, 0, EINVAL, NO_FIELD, 9, 0, "type"),
	ROW(VCPU_ID_RANGE, vm_wide, VM, 0, EINVAL, NO_FIELD, 1024, 1023, "id"),
	ROW(VCPU_ID_TAKEN, vm_wide, VM, 0, EEXIST, NO_FIELD, 0, 0, "id"),
	ROW(TSS_ADDRESS, vm_wide, VM, 0, EINVAL, NO_FIELD, 0xffffe000, 0xffffd000, "4 GiB"),
	ROW(IDENTITY_MAP_LATE, vm_wide, VM, 0, EINVAL, NO_FIELD, 1, 0, "KVM_CREATE_VCPU"),
	ROW(BOOT_CPU_LATE, vm_wide, VM, 0, EBUSY, NO_FIELD, 1, 0, "KVM_CREATE_VCPU"),
	ROW(CLOCK_FLAGS, vm_wide, VM, 0, EINVAL, OF(kvm_clock_data, flags), 1 | KVM_CLOCK_TSC_STABLE,
	    KVM_CLOCK_TSC_STABLE | KVM_CLOCK_REALTIME | KVM_CLOCK_HOST_TSC, "flags"),
	ROW(ENABLE_CAP_FLAGS, enable_cap, VM, 0, EINVAL, OF(kvm_enable_cap, flags), 1, 0, "flags"),
	ROW(ENABLE_CAP_UNKNOWN, enable_cap, VM, 0, EINVAL, OF(kvm_enable_cap, cap), KVM_CAP_USER_MEMORY, 0, "cap"),
	ROW(MAX_VCPU_ID_RANGE, enable_cap, VM, 0, EINVAL, OF(kvm_enable_cap, args), 1025, 1024, "args"),
	ROW(IRQCHIP_PINS, enable_cap, VM, NO_VCPU, EINVAL, OF(kvm_enable_cap, args), MAX_GSI + 2, MAX_GSI + 1, "pins"),
	ROW(SPLIT_LATE, enable_cap, VM, 0, EEXIST, OF(kvm_enable_cap, cap), 1, 0, "KVM_CREATE_VCPU"),
	ROW(X2APIC_API_FLAGS, enable_cap, VM, 0, EINVAL, OF(kvm_enable_cap, args), 0x81, 3, "args"),
	ROW(HALT_POLL_RANGE, enable_cap, VM, 0, EINVAL, OF(kvm_enable_cap, args), 1ull << 32, 0xffffffff, "args"),
	ROW(MAX_VCPU_ID_SET, enable_cap, VM, 0, EINVAL, OF(kvm_enable_cap, args), 100, 200, "stays"),

	ROW(SLOT_FLAGS, slots, VM, 0, EINVAL, OF(kvm_userspace_memory_region, flags), 8 | KVM_MEM_READONLY,
	    KVM_MEM_READONLY | KVM_MEM_LOG_DIRTY_PAGES, "KVM_MEM_READONLY"),
	ROW(SLOT_SIZE_ALIGN, slots, VM, 0, EINVAL, OF(kvm_userspace_memory_region, memory_size), 0x1008, ~0xfffull, "memory_size"),
	ROW(SLOT_GPA_ALIGN, slots, VM, 0, EINVAL, OF(kvm_userspace_memory_region, guest_phys_addr), 0x10, ~0xfffull,
	    "guest_phys_addr"),
	ROW(SLOT_USER_ALIGN, slots, VM, 0, EINVAL, OF(kvm_userspace_memory_region, userspace_addr), DYNAMIC, ~0xfffull,
	    "userspace_addr"),
	ROW(SLOT_USER_RANGE, slots, VM, 0, EINVAL, OF(kvm_userspace_memory_region, userspace_addr), 0xffff800000000000,
	    0x7ffffffff000, "userspace_addr"),
	ROW(SLOT_NUMBER, slots, VM, 0, EINVAL, OF(kvm_userspace_memory_region, slot), 509, 508, "slot"),
	ROW(SLOT_WRAPS, slots, VM, 0, EINVAL, OF(kvm_userspace_memory_region, guest_phys_addr), 0xfffffffffffff000,
	    0xffffffffffffe000, "64 bits"),
	ROW(SLOT_TOO_LARGE, slots, VM, 0, EINVAL, OF(kvm_userspace_memory_region, memory_size), 1ull << 43,
	    ((1ull << 31) - 1) << 12, "memory_size"),
	ROW(SLOT_ABSENT, slots, VM, 0, EINVAL, OF(kvm_userspace_memory_region, slot), 2, 0, "deletes"),
	ROW(SLOT_ADDRESS_CHANGED, slots, VM, 0, EINVAL, OF(kvm_userspace_memory_region, userspace_addr), DYNAMIC, DYNAMIC,
	    "userspace_addr"),
	ROW(SLOT_SIZE_CHANGED, slots, VM, 0, EINVAL, OF(kvm_userspace_memory_region, memory_size), 0x5000, 0x4000,
	    "memory_size"),
	ROW(SLOT_READONLY_CHANGED, slots, VM, 0, EINVAL, OF(kvm_userspace_memory_region, flags), KVM_MEM_READONLY, 0,
	    "KVM_MEM_READONLY"),
	ROW(SLOT_OVERLAPS, slots, VM, 0, EEXIST, OF(kvm_userspace_memory_region, guest_phys_addr), 0x103000, 0, "overlap"),
	ROW(SLOT_OUT_OF_REACH, slots, VM, 0, EINVAL, OF(kvm_userspace_memory_region, guest_phys_addr), DYNAMIC, DYNAMIC,
	    "guest_phys_addr"),

	ROW(DIRTY_LOG_RING, dirty_logs, VM, NO_VCPU, ENXIO, NO_FIELD, 0x10000, 0, "rings"),
	ROW(DIRTY_LOG_SLOT, dirty_logs, VM, 0, EINVAL, OF(kvm_clear_dirty_log, slot), 509, 508, "slot"),
	ROW(DIRTY_LOG_ABSENT, dirty_logs, VM, 0, ENOENT, OF(kvm_clear_dirty_log, slot), 2, 0, "KVM_MEM_LOG_DIRTY_PAGES"),
	ROW(DIRTY_LOG_BUFFER, dirty_logs, VM, 0, EFAULT, OF(kvm_clear_dirty_log, dirty_bitmap), 48, 8, "dirty_bitmap"),
	ROW(CLEAR_FIRST_PAGE, dirty_logs, VM, 0, EINVAL, OF(kvm_clear_dirty_log, first_page), 65, ~63ull, "64"),
	ROW(CLEAR_RANGE, dirty_logs, VM, 0, EINVAL, OF(kvm_clear_dirty_log, num_pages), 37, 36, "num_pages"),
	ROW(MANUAL_PROTECT_FLAGS, dirty_caps, VM, 0, EINVAL, OF(kvm_enable_cap, args), KVM_DIRTY_LOG_INITIALLY_SET, MASK,
	    "KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE"),
	ROW(DIRTY_RING_SIZE, dirty_caps, VM, NO_VCPU, EINVAL, OF(kvm_enable_cap, args), 0x11000, DYNAMIC, "power of two"),
	ROW(DIRTY_RING_TOO_LARGE, dirty_caps, VM, NO_VCPU, E2BIG, OF(kvm_enable_cap, args), 1 << 21, 1 << 20, "at most"),
	ROW(DIRTY_RING_SET, dirty_caps, VM, NO_VCPU, EINVAL, OF(kvm_enable_cap, args), 0x8000, 0x10000, "already"),
	ROW(DIRTY_RING_LATE, dirty_caps, VM, 0, EINVAL, OF(kvm_enable_cap, args), 1, 0, "KVM_CREATE_VCPU"),
	ROW(DIRTY_RING_OFF, dirty_caps, VM, 0, EINVAL, NO_FIELD, 0, 0, "KVM_CAP_DIRTY_LOG_RING"),

	ROW(IRQCHIP_EXISTS, chips, VM, IRQCHIP, EEXIST, NO_FIELD, 0, 0, "already"),
	ROW(IRQCHIP_LATE, chips, VM, 0, EINVAL, NO_FIELD, 1, 0, "KVM_CREATE_VCPU"),
	ROW(IRQCHIP_MISSING, chips, VM, 0, ENXIO, NO_FIELD, 0, 0, "KVM_CREATE_IRQCHIP"),
	ROW(IRQCHIP_ID, chips, VM, IRQCHIP, EINVAL, OF(kvm_irqchip, chip_id), 3, 2, "chip_id"),
	ROW(PIT_WITHOUT_IRQCHIP, chips, VM, 0, ENOENT, NO_FIELD, 0, 0, "KVM_CREATE_IRQCHIP"),
	ROW(PIT_EXISTS, chips, VM, IRQCHIP, EEXIST, NO_FIELD, 0, 0, "PIT"),
	ROW(PIT_MISSING, chips, VM, 0, ENXIO, NO_FIELD, 0, 0, "KVM_CREATE_PIT2"),
	ROW(LAPIC_ID, chips, VCPU, IRQCHIP, EINVAL, 0x20, 0x05000000, 0, "ID"),
	ROW(MSI_FLAGS, chips, VM, IRQCHIP, EINVAL, OF(kvm_msi, flags), KVM_MSI_VALID_DEVID, 0, "flags"),

	ROW(MSI_ADDRESS, chips, VM, SPLIT, EINVAL, OF(kvm_msi, address_hi), 0x1ff, 0xffffff00, "address_hi"),

	ROW(ROUTING_COUNT, routes, VM, IRQCHIP, EINVAL, OF(kvm_irq_routing, nr), MAX_GSI + 2, MAX_GSI + 1, "nr"),
	ROW(ROUTING_FLAGS, routes, VM, IRQCHIP, EINVAL, OF(kvm_irq_routing, flags), 8, 0, "flags"),
	ROW(ROUTE_GSI, routes, VM, IRQCHIP, EINVAL, ROUTE(gsi), MAX_GSI + 1, MAX_GSI, "gsi"),
	ROW(ROUTE_FLAGS, routes, VM, IRQCHIP, EINVAL, ROUTE(flags), 2, 0, "flags"),
	ROW(ROUTE_TYPE, routes, VM, IRQCHIP, EINVAL, ROUTE(type), 7, 2, "type"),
	ROW(ROUTE_CHIP, routes, VM, IRQCHIP, EINVAL, ROUTE(u.irqchip.irqchip), 3, 2, "chip"),
	ROW(ROUTE_PIN, routes, VM, IRQCHIP, EINVAL, ROUTE(u.irqchip.pin), 24, 23, "pin"),
	ROW(ROUTE_MSI_ADDRESS, routes, VM, SPLIT, EINVAL, ROUTE(u.msi.address_hi), 0x1ff, 0xffffff00, "address_hi"),
	ROW(ROUTE_CLASH, routes, VM, IRQCHIP, EINVAL, ROUTE(gsi), 0, 0, "GSI"),

	ROW(EVENTFD_CLOSED, irqfds, VM, IRQCHIP, EBADF, OF(kvm_irqfd, fd), 12345, 0, "not open"),
	ROW(EVENTFD_OTHER_FILE, irqfds, VM, IRQCHIP, EINVAL, OF(kvm_irqfd, fd), DYNAMIC, 0, "eventfd"),
	ROW(IRQFD_FLAGS, irqfds, VM, IRQCHIP, EINVAL, OF(kvm_irqfd, flags), 16, 3, "flags"),
	ROW(IRQFD_GSI, irqfds, VM, IRQCHIP, EINVAL, OF(kvm_irqfd, gsi), MAX_GSI + 1, MAX_GSI, "gsi"),
	ROW(IRQFD_RESAMPLE, irqfds, VM, SPLIT, EINVAL, OF(kvm_irqfd, flags), 2, 1, "PIC"),
	ROW(IRQFD_EVENTFD_IN_USE, irqfds, VM, IRQCHIP, EBUSY, OF(kvm_irqfd, fd), DYNAMIC, 9, "deassign"),
	ROW(IOEVENTFD_FLAGS, ioeventfds, VM, 0, EINVAL, OF(kvm_ioeventfd, flags), 128, MASK, "flags"),
	ROW(IOEVENTFD_LENGTH, ioeventfds, VM, 0, EINVAL, OF(kvm_ioeventfd, len), 3, 8, "len"),
	ROW(IOEVENTFD_MATCH_LENGTH, ioeventfds, VM, 0, EINVAL, OF(kvm_ioeventfd, len), 0, 8, "DATAMATCH"),
	ROW(IOEVENTFD_WRAPS, ioeventfds, VM, 0, EINVAL, OF(kvm_ioeventfd, addr), ~0ull - 2, 0ull - 4, "addr"),
	ROW(IOEVENTFD_EXISTS, ioeventfds, VM, 0, EEXIST, OF(kvm_ioeventfd, addr), 0xd0000000, 0xd0000000, "ioeventfd"),
	ROW(IOEVENTFD_ABSENT, ioeventfds, VM, 0, ENOENT, OF(kvm_ioeventfd, addr), 0xd0000000, 0, "deassign"),

	ROW(SREGS_EFER, sregs, VCPU, 0, EINVAL, OF(kvm_sregs, efer), 1ull << 20, MASK, "efer"),
	ROW(SREGS_CR4_NO_PAE, sregs, VCPU, 0, EINVAL, OF(kvm_sregs, cr4), 0, CR4_PAE, "PAE"),
	ROW(SREGS_EFER_NO_LMA, sregs, VCPU, 0, EINVAL, OF(kvm_sregs, efer), EFER_LME, EFER_LME | EFER_LMA, "LMA"),
	ROW(SREGS_CR3, sregs, VCPU, 0, EINVAL, OF(kvm_sregs, cr3), DYNAMIC, DYNAMIC, "cr3"),
	ROW(SREGS_EFER_LMA_ALONE, sregs, VCPU, 0, EINVAL, OF(kvm_sregs, efer), EFER_LMA, 0, "LMA"),
	ROW(SREGS_CS_L, sregs, VCPU, 0, EINVAL, OF(kvm_sregs, cs.l), 1, 0, "cs.l"),
	ROW(SREGS_CR4, sregs, VCPU, 0, EINVAL, OF(kvm_sregs, cr4), CR4_VMXE | CR4_PAE, MASK, "cr4"),
	ROW(SREGS_CR0, sregs, VCPU, 0, EINVAL, OF(kvm_sregs, cr0), 0x160000010, 0xe005003f, "cr0"),
	ROW(SREGS_CR0_NW, sregs, VCPU, 0, EINVAL, OF(kvm_sregs, cr0), CR0_NW, CR0_NW | CR0_CD, "NW"),
	ROW(SREGS_CR0_PG, sregs, VCPU, 0, EINVAL, OF(kvm_sregs, cr0), CR0_PG, CR0_PG | CR0_PE, "PG"),
	ROW(SREGS_APIC_BASE, sregs, VCPU, IRQCHIP, EINVAL, OF(kvm_sregs, apic_base), 0xfee00400, DYNAMIC, "apic_base"),

	ROW(XSAVE_FEATURES, state, VCPU, 0, EINVAL, 512, 1ull << 62 | 3, MASK, "xstate_bv"),
	ROW(XSAVE_HEADER, state, VCPU, 0, EINVAL, 527, 0x80, 0, "xcomp_bv"),
	ROW(XSAVE_MXCSR, state, VCPU, 0, EINVAL, 24, 0x80001f80, MASK, "mxcsr"),
	ROW(XCRS_COUNT, state, VCPU, 0, EINVAL, OF(kvm_xcrs, nr_xcrs), KVM_MAX_XCRS + 1, KVM_MAX_XCRS, "nr_xcrs"),
	ROW(XCRS_FLAGS, state, VCPU, 0, EINVAL, OF(kvm_xcrs, flags), 1, 0, "flags"),
	ROW(XCR0_BITS, state, VCPU, 0, EINVAL, OF(kvm_xcrs, xcrs[1].value), 1ull << 62 | 1, MASK, "XCR0"),
	ROW(XCR0_COMBINATION, state, VCPU, 0, EINVAL, OF(kvm_xcrs, xcrs[1].value), 2, DYNAMIC, "SSE"),
	ROW(DEBUGREGS_FLAGS, state, VCPU, 0, EINVAL, OF(kvm_debugregs, flags), 3, 0, "flags"),
	ROW(DEBUGREGS_DR6, state, VCPU, 0, EINVAL, OF(kvm_debugregs, dr6), 1ull << 40, 0xffffffff, "dr6"),
	ROW(DEBUGREGS_DR7, state, VCPU, 0, EINVAL, OF(kvm_debugregs, dr7), 1ull << 63, 0xffffffff, "dr7"),

	ROW(EVENTS_FLAGS, events, VCPU, 0, EINVAL, OF(kvm_vcpu_events, flags), 0x1000, 15, "flags"),
	ROW(EVENTS_EXCEPTION, events, VCPU, 0, EINVAL, OF(kvm_vcpu_events, exception.nr), 2, 31, "exception.nr"),
	ROW(EVENTS_SMM, events, VCPU, 0, EINVAL, OF(kvm_vcpu_events, smi.pending), 1, 0, "smi.pending"),
	ROW(MP_STATE, events, VCPU, IRQCHIP, EINVAL, 0, KVM_MP_STATE_AP_RESET_HOLD, KVM_MP_STATE_SIPI_RECEIVED, "mp_state"),
	ROW(MP_STATE_NO_LAPIC, events, VCPU, 0, EINVAL, 0, KVM_MP_STATE_HALTED, KVM_MP_STATE_RUNNABLE, "local APIC"),
	ROW(INTERRUPT_VECTOR, events, VCPU, 0, EINVAL, 0, 256, 255, "vector"),
	ROW(INTERRUPT_IRQCHIP, events, VCPU, IRQCHIP, ENXIO, NO_FIELD, 32, 0, "KVM_IRQ_LINE"),
	ROW(INTERRUPT_WAITS, events, VCPU, SPLIT, EEXIST, 0, 33, 32, "LINT0"),
	ROW(SIGNAL_MASK_LENGTH, events, VCPU, 0, EINVAL, 0, 128, 8, "sigset_t"),
	ROW(RUN_SYNC_REGS, run, VCPU, 0, EINVAL, OF(kvm_run, kvm_dirty_regs), 6, 0, "kvm_dirty_regs"),
	ROW(RUN_CR8, run, VCPU, 0, EINVAL, OF(kvm_run, cr8), 16, 15, "cr8"),
	ROW(RUN_MEMORY, run, VCPU, GUEST_RUNS, EFAULT, NO_FIELD, GUEST_FREE, DYNAMIC, "slot"),
	ROW(CLOCK_PAGE_MISSING, events, VCPU, 0, EINVAL, NO_FIELD, 0, 1, "clock page"),

	ROW(CPUID_TOO_FEW, cpuid, DEV, 0, E2BIG, OF(kvm_cpuid2, nent), 2, DYNAMIC, "nent"),
	ROW(CPUID_TOO_MANY, cpuid, VCPU, 0, E2BIG, OF(kvm_cpuid2, nent), 300, 256, "nent"),
	ROW(CPUID_AFTER_RUN, cpuid, VCPU, GUEST_RUNS, EINVAL, NO_FIELD, 4, DYNAMIC, "has run"),
	ROW(CPUID_ADDRESS_WIDTH, cpuid, VCPU, 0, EINVAL, NO_FIELD, 52, 57, "48 or 57"),
	ROW(MSR_LIST_TOO_FEW, msrs, DEV, 0, E2BIG, OF(kvm_msr_list, nmsrs), 1, DYNAMIC, "nmsrs"),
	ROW(MSRS_TOO_MANY, msrs, VCPU, 0, E2BIG, OF(kvm_msrs, nmsrs), 256, 255, "nmsrs"),

	ROW(PRE_FAULT_FLAGS, pre_fault, VCPU, 0, EINVAL, OF(kvm_pre_fault_memory, flags), 4, 0, "flags"),
	ROW(PRE_FAULT_ALIGN, pre_fault, VCPU, 0, EINVAL, OF(kvm_pre_fault_memory, size), 0x1800, PAGE_SIZE, "4096"),
	ROW(PRE_FAULT_RANGE, pre_fault, VCPU, 0, EINVAL, OF(kvm_pre_fault_memory, size), -PAGE_SIZE, -GUEST_ABSENT - PAGE_SIZE,
	    "64 bits"),
	ROW(PRE_FAULT_NO_SLOT, pre_fault, VCPU, 0, ENOENT, NO_FIELD, GUEST_ABSENT, 0, "slot"),
	ROW(TSC_KHZ_RANGE, msrs, VCPU, 0, EINVAL, NO_FIELD, 0x7fffffff, 0x7ffffffe, "kHz"),
};

/* Codes that have no row, and why. */
static const struct {
	u32 code;
	const char *why;
} without_row[] = {
	{ VTX_ERROR_VM_DEAD, "no call and no guest kills a VM: that takes damaged memory or an error of vtx's own" },
	{ VTX_ERROR_VMX_BUSY, "needs kvm_intel: test_busy, held_by_kvm_intel" },
	{ VTX_ERROR_VMXON_FAILED, "needs a processor that refuses what its capability MSRs promise" },
	{ VTX_ERROR_HOST_REBOOTING, "the machine is gone a moment later: selftests/machine-ends, reboot_slow" },
	{ VTX_ERROR_TSC_KHZ, "only without TSC scaling: test_tsc with tsc_scaling=0" },
	{ VTX_ERROR_XSAVE_AREA, "needs a processor with components beyond AVX-512 that vtx switches" },
	{ VTX_ERROR_DIRTY_RING_MAPPING, "mmap is no ioctl, and its caller has no buffer: test_dirty_ring, refused" },
	{ VTX_ERROR_IOEVENTFD_TOO_MANY, "16,384 registrations, each a copy of all before: minutes in the machine" },
};

/* ------------------------------------------------------------------ the tests */

static void check_allowed(const struct row *row, const struct world *w, const struct vtx_ext_error *e)
{
	u64 allowed = row->allowed;

	if (allowed == MASK) {
		EXPECT(e->found & ~e->allowed, "%s: found %#llx is in allowed %#llx", row->name, (unsigned long long)e->found,
		       (unsigned long long)e->allowed);
		EXPECT(e->allowed, "%s: nothing is allowed", row->name);
		return;
	}
	if (allowed == DYNAMIC)
		allowed = w->allowed;
	EXPECT_EQ(e->allowed, allowed, row->name);
}

static void check_reason(const struct row *row, const struct world *w)
{
	const struct vtx_ext_error *e = &w->why[row->fd];

	EXPECT_EQ(e->code, row->code, row->name);
	EXPECT_EQ(e->error, row->error, row->name);
	EXPECT_EQ(e->offset, row->offset, row->name);
	EXPECT_EQ(e->found, row->found == DYNAMIC ? w->found : row->found, row->name);
	check_allowed(row, w, e);
	EXPECT(_IOC_TYPE(e->cmd) == KVMIO || _IOC_TYPE(e->cmd) == VTX_IOC_TYPE, "%s: command %#x", row->name,
	       e->cmd);
	EXPECT(memchr(e->name, 0, sizeof(e->name)) && !strcmp(e->name, row->name), "%s is called '%.32s'", row->name, e->name);
	EXPECT(memchr(e->text, 0, sizeof(e->text)) && strlen(e->text) > 20 && strstr(e->text, row->word), "%s: '%.192s'", row->name,
	       e->text);
	for (int i = 0; i < NR_FDS; i++)
		EXPECT(i == (int)row->fd || ext_error_untouched(&w->why[i]), "%s: the buffer of another descriptor", row->name);
}

/* Some know what they want only from the answer of a call that succeeds. */
static void expect_from_state(const struct row *row, struct world *w)
{
	struct kvm_cpuid_entry2 *e;

	if (row->code == VTX_ERROR_SREGS_APIC_BASE) {
		e = cpuid_find(cpuid_supported(), 0x80000008, 0);
		w->allowed = 0xd00 | (((1ull << (e->eax & 0xff)) - 1) & ~0xfffull);
	} else if (row->code == VTX_ERROR_XCR0_COMBINATION) {
		e = cpuid_find(cpuid_supported(), 0xd, 0);
		w->allowed = e->eax | (u64)e->edx << 32;
	}
}

static void check_row(const struct row *row)
{
	struct world w;

	world_new(&w, row->flags);
	errno = 0;
	EXPECT(row->provoke(&w, row->code) == -1, "%s did not fail without a buffer", row->name);
	EXPECT_EQ(errno, row->error, row->name);
	world_free(&w);

	world_new(&w, row->flags);
	for (int i = 0; i < NR_FDS; i++) {
		if (w.fd[i] >= 0)
			CHECK_OK(ext_error_register(w.fd[i], &w.why[i], sizeof(w.why[i]), 0));
		ext_error_poison(&w.why[i]);
	}
	errno = 0;
	EXPECT(row->provoke(&w, row->code) == -1, "%s did not fail", row->name);
	EXPECT_EQ(errno, row->error, row->name);
	expect_from_state(row, &w);
	check_reason(row, &w);
	world_free(&w);
}

static void check_rows(int (*provoke)(struct world *w, u32 code))
{
	test_timeout(8);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].provoke == provoke)
			check_row(&rows[i]);
}

#define SUBJECT(name, provoke)     \
	static void name(void)     \
	{                          \
		check_rows(provoke); \
	}

SUBJECT(refused_anywhere, any)
SUBJECT(refused_vm_wide, vm_wide)
SUBJECT(refused_slots, slots)
SUBJECT(refused_dirty_logs, dirty_logs)
SUBJECT(refused_dirty_caps, dirty_caps)
SUBJECT(refused_chips, chips)
SUBJECT(refused_routes, routes)
SUBJECT(refused_irqfds, irqfds)
SUBJECT(refused_ioeventfds, ioeventfds)
SUBJECT(refused_sregs, sregs)
SUBJECT(refused_state, state)
SUBJECT(refused_events, events)
SUBJECT(refused_run, run)
SUBJECT(refused_cpuid, cpuid)
SUBJECT(refused_msrs, msrs)

/* Every code has a row or a reason why not, and not both. */
static void every_code(void)
{
	static const struct {
		u32 code;
		const char *name;
	} codes[] = {
#define CODE(number, name) { number, #name },
		VTX_ERROR_CODES(CODE)
	};

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		size_t times = 0;

		for (size_t j = 0; j < ARRAY_SIZE(rows); j++)
			times += rows[j].code == codes[i].code;
		for (size_t j = 0; j < ARRAY_SIZE(without_row); j++)
			times += without_row[j].code == codes[i].code && *without_row[j].why;
		EXPECT(times == 1, "%s is in the tables %zu times", codes[i].name, times);
	}
	EXPECT_EQ(ARRAY_SIZE(rows) + ARRAY_SIZE(without_row), ARRAY_SIZE(codes), "rows");
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(refused_anywhere), TEST(refused_vm_wide), TEST(refused_slots), TEST(refused_dirty_logs), TEST(refused_dirty_caps), TEST(refused_chips), TEST(refused_routes),
		TEST(refused_irqfds), TEST(refused_ioeventfds), TEST(refused_sregs), TEST(refused_state), TEST(refused_events),
		TEST(refused_run), TEST(refused_cpuid), TEST(refused_msrs), TEST(every_code),
	};

	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}
