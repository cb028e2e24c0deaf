// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls that vtx must refuse, by the code that it must give: see provoke.h.
 */
#include <cpuid.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "provoke.h"

GUEST static void touch(u64 arg)
{
	*(volatile u8 *)GUEST_FREE = (u8)arg;
	g_done(0);
}

void world_new(struct world *w, unsigned int flags)
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

void world_free(struct world *w)
{
	CHECK_OK(ext_error_register(w->fd[DEV], NULL, 0, 0));
	if (w->v)
		vcpu_free(w->v);
	vm_free(w->vm);
}

/* ------------------------------------------------------------------ provoking */

int provoke_any(struct world *w, u32 code)
{
	struct kvm_lapic_state lapic;
	struct kvm_guest_debug debug = { .control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_INJECT_BP };

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
	case VTX_ERROR_GUEST_DEBUG_BUSY:
		CHECK_OK(ioctl(w->fd[VCPU], KVM_SET_GUEST_DEBUG, &debug));
		return ioctl(w->fd[VCPU], KVM_SET_GUEST_DEBUG, &debug);
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

/* One argument of one capability is wrong, or the capability itself. */
static const struct {
	u32 code, cap;
	u64 arg;
} bad_caps[] = {
	{ VTX_ERROR_ENABLE_CAP_UNKNOWN, KVM_CAP_USER_MEMORY, 200 },
	{ VTX_ERROR_MAX_VCPU_ID_RANGE, KVM_CAP_MAX_VCPU_ID, 1025 },
	{ VTX_ERROR_IRQCHIP_PINS, KVM_CAP_SPLIT_IRQCHIP, MAX_GSI + 2 },
	{ VTX_ERROR_SPLIT_LATE, KVM_CAP_SPLIT_IRQCHIP, 24 },
	{ VTX_ERROR_X2APIC_API_FLAGS, KVM_CAP_X2APIC_API, 0x81 },
	{ VTX_ERROR_QUIRKS, KVM_CAP_DISABLE_QUIRKS2, 0x4001 },
	{ VTX_ERROR_DISABLE_EXITS, KVM_CAP_X86_DISABLE_EXITS, 0x11 },
	{ VTX_ERROR_EXIT_HYPERCALLS, KVM_CAP_EXIT_HYPERCALL, 1 },
	{ VTX_ERROR_CAP_SWITCH, KVM_CAP_EXIT_ON_EMULATION_FAILURE, 2 },
	{ VTX_ERROR_USER_SPACE_MSR_REASONS, KVM_CAP_X86_USER_SPACE_MSR, 9 },
	{ VTX_ERROR_HALT_POLL_RANGE, KVM_CAP_HALT_POLL, 1ull << 32 },
};

int provoke_enable_cap(struct world *w, u32 code)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_MAX_VCPU_ID, .args = { 200 } };

	for (size_t i = 0; i < ARRAY_SIZE(bad_caps); i++)
		if (bad_caps[i].code == code) {
			cap.cap = bad_caps[i].cap;
			cap.args[0] = bad_caps[i].arg;
			return ioctl(w->fd[VM], KVM_ENABLE_CAP, &cap);
		}
	if (code == VTX_ERROR_ENABLE_CAP_FLAGS) {
		cap.flags = 1;
		return ioctl(w->fd[VM], KVM_ENABLE_CAP, &cap);
	}
	/* MAX_VCPU_ID_SET */
	if (ioctl(w->fd[VM], KVM_ENABLE_CAP, &cap) || ioctl(w->fd[VM], KVM_ENABLE_CAP, &cap))
		return 0;
	cap.args[0] = 100;
	return ioctl(w->fd[VM], KVM_ENABLE_CAP, &cap);
}

static int below_boot_cpu(struct world *w)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_MAX_VCPU_ID, .args = { 2 } };

	CHECK_OK(ioctl(w->fd[VM], KVM_SET_BOOT_CPU_ID, 3));
	return ioctl(w->fd[VM], KVM_ENABLE_CAP, &cap);
}

int provoke_vm_wide(struct world *w, u32 code)
{
	u64 address = 0xfffbc000;

	switch (code) {
	case VTX_ERROR_MAX_VCPU_ID_BOOT_CPU:
		return below_boot_cpu(w);
	case VTX_ERROR_BOOT_CPU_RANGE:
		return ioctl(w->fd[VM], KVM_SET_BOOT_CPU_ID, 1025);
	case VTX_ERROR_MMU_PAGES_FEW:
		return ioctl(w->fd[VM], KVM_SET_NR_MMU_PAGES, 63);
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

int provoke_slots(struct world *w, u32 code)
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
int provoke_dirty_logs(struct world *w, u32 code)
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

int provoke_dirty_caps(struct world *w, u32 code)
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

int provoke_chips(struct world *w, u32 code)
{
	struct kvm_irqchip chip = { .chip_id = code == VTX_ERROR_IRQCHIP_ID ? 3 : 0 };
	struct kvm_msi msi = { .flags = KVM_MSI_VALID_DEVID };
	struct kvm_vapic_addr vapic = { .vapic_addr = 0x1000 };
	struct kvm_pit_config pit = { 0 };
	struct kvm_pit_state2 state;

	switch (code) {
	case VTX_ERROR_VAPIC_ADDRESS:
		return ioctl(w->fd[VCPU], KVM_SET_VAPIC_ADDR, &vapic);
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
int provoke_routes(struct world *w, u32 code)
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

int provoke_irqfds(struct world *w, u32 code)
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

int provoke_ioeventfds(struct world *w, u32 code)
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

int provoke_zones(struct world *w, u32 code)
{
	struct kvm_coalesced_mmio_zone zone = { .addr = 0xd0000000, .size = 4, .pio = code == VTX_ERROR_ZONE_KIND ? 2 : 0 };

	for (int i = 0; i < 1000 && code == VTX_ERROR_ZONE_TOO_MANY; i++)
		CHECK_OK(ioctl(w->fd[VM], KVM_REGISTER_COALESCED_MMIO, &zone));
	return ioctl(w->fd[VM], KVM_REGISTER_COALESCED_MMIO, &zone);
}

/* From the state after reset (CR0 0x60000010, others 0), or from 64-bit mode. */
static int sregs2(struct world *w, u64 flags)
{
	struct kvm_sregs2 s;

	CHECK_OK(ioctl(w->fd[VCPU], KVM_GET_SREGS2, &s));
	s.flags = flags;
	return ioctl(w->fd[VCPU], KVM_SET_SREGS2, &s);
}

int provoke_sregs(struct world *w, u32 code)
{
	struct kvm_sregs s = vcpu_sregs(w->v);
	struct kvm_cpuid_entry2 *e = cpuid_find(cpuid_supported(), 0x80000008, 0);

	if (code == VTX_ERROR_SREGS_CR4_NO_PAE || code == VTX_ERROR_SREGS_EFER_NO_LMA || code == VTX_ERROR_SREGS_CR3) {
		s.cr0 = CR0_PG | CR0_PE;
		s.cr4 = CR4_PAE;
		s.efer = EFER_LME | EFER_LMA;
	}
	if (code == VTX_ERROR_SREGS2_FLAGS || code == VTX_ERROR_SREGS2_PDPTRS)
		return sregs2(w, code == VTX_ERROR_SREGS2_FLAGS ? 2 : 1);
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

int provoke_state(struct world *w, u32 code)
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

int provoke_events(struct world *w, u32 code)
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

int provoke_run(struct world *w, u32 code)
{
	struct kvm_run *run = w->v->run;

	switch (code) {
	case VTX_ERROR_RUN_SYNC_REGS:
		run->kvm_dirty_regs = 9;
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

int provoke_pre_fault(struct world *w, u32 code)
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

int provoke_cpuid(struct world *w, u32 code)
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

int provoke_attr(struct world *w, u32 code)
{
	struct kvm_device_attr attr = { .group = KVM_VCPU_TSC_CTRL, .attr = KVM_VCPU_TSC_OFFSET, .addr = 40 };

	if (code == VTX_ERROR_ATTR_GROUP)
		attr.group = 7;
	else if (code == VTX_ERROR_ATTR_UNKNOWN)
		attr.attr = 8;
	return ioctl(w->fd[VCPU], KVM_GET_DEVICE_ATTR, &attr);
}

static int msr_filter(struct world *w, u32 code)
{
	u8 bits = 0;
	struct kvm_msr_filter filter = { .ranges = { [2] = { .flags = 3, .nmsrs = 1, .bitmap = &bits } } };

	if (code == VTX_ERROR_MSR_FILTER_FLAGS)
		filter.flags = 3;
	else if (code == VTX_ERROR_MSR_FILTER_RANGE_FLAGS)
		filter.ranges[2].flags = 5;
	else if (code == VTX_ERROR_MSR_FILTER_RANGE_SIZE)
		filter.ranges[2].nmsrs = 12289;
	else
		filter = (struct kvm_msr_filter){ .flags = KVM_MSR_FILTER_DEFAULT_DENY };
	return ioctl(w->fd[VM], KVM_X86_SET_MSR_FILTER, &filter);
}

int provoke_msrs(struct world *w, u32 code)
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
	case VTX_ERROR_MSR_FILTER_FLAGS:
	case VTX_ERROR_MSR_FILTER_RANGE_FLAGS:
	case VTX_ERROR_MSR_FILTER_RANGE_SIZE:
	case VTX_ERROR_MSR_FILTER_EMPTY:
		return msr_filter(w, code);
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
