// SPDX-License-Identifier: GPL-2.0-only
/*
 * Why a call was refused: every code of uapi/vtx_errors.h is provoked once, and errno, code, field, found and allowed are those of
 * its row, with a sentence. Each row also runs without a buffer, and must fail the same way. What the registration itself does is
 * in test_ext_error.c.
 */
#include "refusals/provoke.h"

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
	ROW(IOCTL_UNKNOWN_DEVICE, provoke_any, DEV, 0, EINVAL, NO_FIELD, KVM_CREATE_VCPU, 0, "device"),
	ROW(IOCTL_UNKNOWN_VM, provoke_any, VM, 0, ENOTTY, NO_FIELD, KVM_RUN, 0, "VM"),
	ROW(IOCTL_UNKNOWN_VCPU, provoke_any, VCPU, 0, EINVAL, NO_FIELD, KVM_CREATE_VM, 0, "vCPU"),
	ROW(ARGUMENT_NOT_ZERO, provoke_any, VCPU, 0, EINVAL, NO_FIELD, 77, 0, "must be 0"),
	ROW(ARGUMENT_UNREADABLE, provoke_any, VCPU, 0, EFAULT, NO_FIELD, 16, sizeof(struct kvm_regs), "read"),
	ROW(ARGUMENT_UNWRITABLE, provoke_any, VCPU, 0, EFAULT, NO_FIELD, 24, sizeof(struct kvm_regs), "written"),
	ROW(LAPIC_MISSING, provoke_any, VCPU, 0, EINVAL, NO_FIELD, 0, 0, "KVM_CREATE_IRQCHIP"),
	ROW(EXT_ERROR_SIZE, provoke_any, VM, 0, EINVAL, OF(vtx_ext_error_buffer, size), sizeof(struct vtx_ext_error) - 1,
	    sizeof(struct vtx_ext_error), "size"),
	ROW(EXT_ERROR_FLAGS, provoke_any, VM, 0, EINVAL, OF(vtx_ext_error_buffer, flags), 4, 0, "flags"),
	ROW(EXT_ERROR_ADDRESS, provoke_any, VM, 0, EFAULT, OF(vtx_ext_error_buffer, address), 32, 0, "address"),
	ROW(GUEST_DEBUG_BUSY, provoke_any, VCPU, 0, EBUSY, OF(kvm_guest_debug, control), 3, 0, "KVM_RUN"),
	ROW(FAULT_CHAIN_ARGUMENT, provoke_any, VCPU, 0, EINVAL, NO_FIELD, 2, 1, "intercept"),

	ROW(VM_TYPE, provoke_vm_wide, DEV, 0, EINVAL, NO_FIELD, 9, 0, "type"),
	ROW(VCPU_ID_RANGE, provoke_vm_wide, VM, 0, EINVAL, NO_FIELD, 1024, 1023, "id"),
	ROW(VCPU_ID_TAKEN, provoke_vm_wide, VM, 0, EEXIST, NO_FIELD, 0, 0, "id"),
	ROW(TSS_ADDRESS, provoke_vm_wide, VM, 0, EINVAL, NO_FIELD, 0xffffe000, 0xffffd000, "4 GiB"),
	ROW(IDENTITY_MAP_LATE, provoke_vm_wide, VM, 0, EINVAL, NO_FIELD, 1, 0, "KVM_CREATE_VCPU"),
	ROW(BOOT_CPU_LATE, provoke_vm_wide, VM, 0, EBUSY, NO_FIELD, 1, 0, "KVM_CREATE_VCPU"),
	ROW(CLOCK_FLAGS, provoke_vm_wide, VM, 0, EINVAL, OF(kvm_clock_data, flags), 1 | KVM_CLOCK_TSC_STABLE,
	    KVM_CLOCK_TSC_STABLE | KVM_CLOCK_REALTIME | KVM_CLOCK_HOST_TSC, "flags"),
	ROW(ENABLE_CAP_FLAGS, provoke_enable_cap, VM, 0, EINVAL, OF(kvm_enable_cap, flags), 1, 0, "flags"),
	ROW(ENABLE_CAP_UNKNOWN, provoke_enable_cap, VM, 0, EINVAL, OF(kvm_enable_cap, cap), KVM_CAP_USER_MEMORY, 0, "cap"),
	ROW(MAX_VCPU_ID_RANGE, provoke_enable_cap, VM, 0, EINVAL, OF(kvm_enable_cap, args), 1025, 1024, "args"),
	ROW(IRQCHIP_PINS, provoke_enable_cap, VM, NO_VCPU, EINVAL, OF(kvm_enable_cap, args), MAX_GSI + 2, MAX_GSI + 1, "pins"),
	ROW(SPLIT_LATE, provoke_enable_cap, VM, 0, EEXIST, OF(kvm_enable_cap, cap), 1, 0, "KVM_CREATE_VCPU"),
	ROW(X2APIC_API_FLAGS, provoke_enable_cap, VM, 0, EINVAL, OF(kvm_enable_cap, args), 0x81, 3, "args"),
	ROW(HALT_POLL_RANGE, provoke_enable_cap, VM, 0, EINVAL, OF(kvm_enable_cap, args), 1ull << 32, 0xffffffff, "args"),
	ROW(QUIRKS, provoke_enable_cap, VM, 0, EINVAL, OF(kvm_enable_cap, args), 0x4001, 0xff, "args"),
	ROW(DISABLE_EXITS, provoke_enable_cap, VM, 0, EINVAL, OF(kvm_enable_cap, args), 0x11, 0xf, "args"),
	ROW(EXIT_HYPERCALLS, provoke_enable_cap, VM, 0, EINVAL, OF(kvm_enable_cap, args), 1, 1 << 12, "numbers"),
	ROW(CAP_SWITCH, provoke_enable_cap, VM, 0, EINVAL, OF(kvm_enable_cap, args), 2, 1, "args"),
	ROW(ATTR_GROUP, provoke_attr, VCPU, 0, ENXIO, OF(kvm_device_attr, group), 7, KVM_VCPU_TSC_CTRL, "group"),
	ROW(ATTR_UNKNOWN, provoke_attr, VCPU, 0, ENXIO, OF(kvm_device_attr, attr), 8, KVM_VCPU_TSC_OFFSET, "attr"),
	ROW(ATTR_ADDRESS, provoke_attr, VCPU, 0, EFAULT, OF(kvm_device_attr, addr), 40, 8, "addr"),
	ROW(USER_SPACE_MSR_REASONS, provoke_enable_cap, VM, 0, EINVAL, OF(kvm_enable_cap, args), 9, 7, "args"),
	ROW(MAX_VCPU_ID_BOOT_CPU, provoke_vm_wide, VM, NO_VCPU, EINVAL, OF(kvm_enable_cap, args), 2, 3, "KVM_SET_BOOT_CPU_ID"),
	ROW(BOOT_CPU_RANGE, provoke_vm_wide, VM, NO_VCPU, EINVAL, NO_FIELD, 1025, 1024, "KVM_CAP_MAX_VCPU_ID"),
	ROW(MMU_PAGES_FEW, provoke_vm_wide, VM, 0, EINVAL, NO_FIELD, 63, 64, "page tables"),
	ROW(MAX_VCPU_ID_SET, provoke_enable_cap, VM, 0, EINVAL, OF(kvm_enable_cap, args), 100, 200, "stays"),

	ROW(SLOT_FLAGS, provoke_slots, VM, 0, EINVAL, OF(kvm_userspace_memory_region, flags), 8 | KVM_MEM_READONLY,
	    KVM_MEM_READONLY | KVM_MEM_LOG_DIRTY_PAGES, "KVM_MEM_READONLY"),
	ROW(SLOT_SIZE_ALIGN, provoke_slots, VM, 0, EINVAL, OF(kvm_userspace_memory_region, memory_size), 0x1008, ~0xfffull, "memory_size"),
	ROW(SLOT_GPA_ALIGN, provoke_slots, VM, 0, EINVAL, OF(kvm_userspace_memory_region, guest_phys_addr), 0x10, ~0xfffull,
	    "guest_phys_addr"),
	ROW(SLOT_USER_ALIGN, provoke_slots, VM, 0, EINVAL, OF(kvm_userspace_memory_region, userspace_addr), DYNAMIC, ~0xfffull,
	    "userspace_addr"),
	ROW(SLOT_USER_RANGE, provoke_slots, VM, 0, EINVAL, OF(kvm_userspace_memory_region, userspace_addr), 0xffff800000000000,
	    0x7ffffffff000, "userspace_addr"),
	ROW(SLOT_NUMBER, provoke_slots, VM, 0, EINVAL, OF(kvm_userspace_memory_region, slot), 509, 508, "slot"),
	ROW(SLOT_WRAPS, provoke_slots, VM, 0, EINVAL, OF(kvm_userspace_memory_region, guest_phys_addr), 0xfffffffffffff000,
	    0xffffffffffffe000, "64 bits"),
	ROW(SLOT_TOO_LARGE, provoke_slots, VM, 0, EINVAL, OF(kvm_userspace_memory_region, memory_size), 1ull << 43,
	    ((1ull << 31) - 1) << 12, "memory_size"),
	ROW(SLOT_ABSENT, provoke_slots, VM, 0, EINVAL, OF(kvm_userspace_memory_region, slot), 2, 0, "deletes"),
	ROW(SLOT_ADDRESS_CHANGED, provoke_slots, VM, 0, EINVAL, OF(kvm_userspace_memory_region, userspace_addr), DYNAMIC, DYNAMIC,
	    "userspace_addr"),
	ROW(SLOT_SIZE_CHANGED, provoke_slots, VM, 0, EINVAL, OF(kvm_userspace_memory_region, memory_size), 0x5000, 0x4000,
	    "memory_size"),
	ROW(SLOT_READONLY_CHANGED, provoke_slots, VM, 0, EINVAL, OF(kvm_userspace_memory_region, flags), KVM_MEM_READONLY, 0,
	    "KVM_MEM_READONLY"),
	ROW(SLOT_OVERLAPS, provoke_slots, VM, 0, EEXIST, OF(kvm_userspace_memory_region, guest_phys_addr), 0x103000, 0, "overlap"),
	ROW(SLOT_OUT_OF_REACH, provoke_slots, VM, 0, EINVAL, OF(kvm_userspace_memory_region, guest_phys_addr), DYNAMIC, DYNAMIC,
	    "guest_phys_addr"),

	ROW(DIRTY_LOG_RING, provoke_dirty_logs, VM, NO_VCPU, ENXIO, NO_FIELD, 0x10000, 0, "rings"),
	ROW(DIRTY_LOG_SLOT, provoke_dirty_logs, VM, 0, EINVAL, OF(kvm_clear_dirty_log, slot), 509, 508, "slot"),
	ROW(DIRTY_LOG_ABSENT, provoke_dirty_logs, VM, 0, ENOENT, OF(kvm_clear_dirty_log, slot), 2, 0, "KVM_MEM_LOG_DIRTY_PAGES"),
	ROW(DIRTY_LOG_BUFFER, provoke_dirty_logs, VM, 0, EFAULT, OF(kvm_clear_dirty_log, dirty_bitmap), 48, 8, "dirty_bitmap"),
	ROW(CLEAR_FIRST_PAGE, provoke_dirty_logs, VM, 0, EINVAL, OF(kvm_clear_dirty_log, first_page), 65, ~63ull, "64"),
	ROW(CLEAR_RANGE, provoke_dirty_logs, VM, 0, EINVAL, OF(kvm_clear_dirty_log, num_pages), 37, 36, "num_pages"),
	ROW(MANUAL_PROTECT_FLAGS, provoke_dirty_caps, VM, 0, EINVAL, OF(kvm_enable_cap, args), KVM_DIRTY_LOG_INITIALLY_SET, MASK,
	    "KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE"),
	ROW(DIRTY_RING_SIZE, provoke_dirty_caps, VM, NO_VCPU, EINVAL, OF(kvm_enable_cap, args), 0x11000, DYNAMIC, "power of two"),
	ROW(DIRTY_RING_TOO_LARGE, provoke_dirty_caps, VM, NO_VCPU, E2BIG, OF(kvm_enable_cap, args), 1 << 21, 1 << 20, "at most"),
	ROW(DIRTY_RING_SET, provoke_dirty_caps, VM, NO_VCPU, EINVAL, OF(kvm_enable_cap, args), 0x8000, 0x10000, "already"),
	ROW(DIRTY_RING_LATE, provoke_dirty_caps, VM, 0, EINVAL, OF(kvm_enable_cap, args), 1, 0, "KVM_CREATE_VCPU"),
	ROW(DIRTY_RING_OFF, provoke_dirty_caps, VM, 0, EINVAL, NO_FIELD, 0, 0, "KVM_CAP_DIRTY_LOG_RING"),

	ROW(IRQCHIP_EXISTS, provoke_chips, VM, IRQCHIP, EEXIST, NO_FIELD, 0, 0, "already"),
	ROW(IRQCHIP_LATE, provoke_chips, VM, 0, EINVAL, NO_FIELD, 1, 0, "KVM_CREATE_VCPU"),
	ROW(IRQCHIP_MISSING, provoke_chips, VM, 0, ENXIO, NO_FIELD, 0, 0, "KVM_CREATE_IRQCHIP"),
	ROW(IRQCHIP_ID, provoke_chips, VM, IRQCHIP, EINVAL, OF(kvm_irqchip, chip_id), 3, 2, "chip_id"),
	ROW(PIT_WITHOUT_IRQCHIP, provoke_chips, VM, 0, ENOENT, NO_FIELD, 0, 0, "KVM_CREATE_IRQCHIP"),
	ROW(PIT_EXISTS, provoke_chips, VM, IRQCHIP, EEXIST, NO_FIELD, 0, 0, "PIT"),
	ROW(PIT_MISSING, provoke_chips, VM, 0, ENXIO, NO_FIELD, 0, 0, "KVM_CREATE_PIT2"),
	ROW(LAPIC_ID, provoke_chips, VCPU, IRQCHIP, EINVAL, 0x20, 0x05000000, 0, "ID"),
	ROW(MSI_FLAGS, provoke_chips, VM, IRQCHIP, EINVAL, OF(kvm_msi, flags), KVM_MSI_VALID_DEVID, 0, "flags"),

	ROW(MSI_ADDRESS, provoke_chips, VM, SPLIT, EINVAL, OF(kvm_msi, address_hi), 0x1ff, 0xffffff00, "address_hi"),

	ROW(VAPIC_ADDRESS, provoke_chips, VCPU, IRQCHIP, EINVAL, OF(kvm_vapic_addr, vapic_addr), 0x1000, 0, "vapic_addr"),

	ROW(ROUTING_COUNT, provoke_routes, VM, IRQCHIP, EINVAL, OF(kvm_irq_routing, nr), MAX_GSI + 2, MAX_GSI + 1, "nr"),
	ROW(ROUTING_FLAGS, provoke_routes, VM, IRQCHIP, EINVAL, OF(kvm_irq_routing, flags), 8, 0, "flags"),
	ROW(ROUTE_GSI, provoke_routes, VM, IRQCHIP, EINVAL, ROUTE(gsi), MAX_GSI + 1, MAX_GSI, "gsi"),
	ROW(ROUTE_FLAGS, provoke_routes, VM, IRQCHIP, EINVAL, ROUTE(flags), 2, 0, "flags"),
	ROW(ROUTE_TYPE, provoke_routes, VM, IRQCHIP, EINVAL, ROUTE(type), 7, 2, "type"),
	ROW(ROUTE_CHIP, provoke_routes, VM, IRQCHIP, EINVAL, ROUTE(u.irqchip.irqchip), 3, 2, "chip"),
	ROW(ROUTE_PIN, provoke_routes, VM, IRQCHIP, EINVAL, ROUTE(u.irqchip.pin), 24, 23, "pin"),
	ROW(ROUTE_MSI_ADDRESS, provoke_routes, VM, SPLIT, EINVAL, ROUTE(u.msi.address_hi), 0x1ff, 0xffffff00, "address_hi"),
	ROW(ROUTE_CLASH, provoke_routes, VM, IRQCHIP, EINVAL, ROUTE(gsi), 0, 0, "GSI"),

	ROW(EVENTFD_CLOSED, provoke_irqfds, VM, IRQCHIP, EBADF, OF(kvm_irqfd, fd), 12345, 0, "not open"),
	ROW(EVENTFD_OTHER_FILE, provoke_irqfds, VM, IRQCHIP, EINVAL, OF(kvm_irqfd, fd), DYNAMIC, 0, "eventfd"),
	ROW(IRQFD_FLAGS, provoke_irqfds, VM, IRQCHIP, EINVAL, OF(kvm_irqfd, flags), 16, 3, "flags"),
	ROW(IRQFD_GSI, provoke_irqfds, VM, IRQCHIP, EINVAL, OF(kvm_irqfd, gsi), MAX_GSI + 1, MAX_GSI, "gsi"),
	ROW(IRQFD_RESAMPLE, provoke_irqfds, VM, SPLIT, EINVAL, OF(kvm_irqfd, flags), 2, 1, "PIC"),
	ROW(IRQFD_EVENTFD_IN_USE, provoke_irqfds, VM, IRQCHIP, EBUSY, OF(kvm_irqfd, fd), DYNAMIC, 9, "deassign"),
	ROW(IOEVENTFD_FLAGS, provoke_ioeventfds, VM, 0, EINVAL, OF(kvm_ioeventfd, flags), 128, MASK, "flags"),
	ROW(IOEVENTFD_LENGTH, provoke_ioeventfds, VM, 0, EINVAL, OF(kvm_ioeventfd, len), 3, 8, "len"),
	ROW(IOEVENTFD_MATCH_LENGTH, provoke_ioeventfds, VM, 0, EINVAL, OF(kvm_ioeventfd, len), 0, 8, "DATAMATCH"),
	ROW(IOEVENTFD_WRAPS, provoke_ioeventfds, VM, 0, EINVAL, OF(kvm_ioeventfd, addr), ~0ull - 2, 0ull - 4, "addr"),
	ROW(IOEVENTFD_EXISTS, provoke_ioeventfds, VM, 0, EEXIST, OF(kvm_ioeventfd, addr), 0xd0000000, 0xd0000000, "ioeventfd"),
	ROW(IOEVENTFD_ABSENT, provoke_ioeventfds, VM, 0, ENOENT, OF(kvm_ioeventfd, addr), 0xd0000000, 0, "deassign"),

	ROW(ZONE_KIND, provoke_zones, VM, 0, EINVAL, OF(kvm_coalesced_mmio_zone, pio), 2, 1, "pio"),
	ROW(ZONE_TOO_MANY, provoke_zones, VM, 0, ENOSPC, NO_FIELD, 1000, 1000, "zones"),

	ROW(SREGS_EFER, provoke_sregs, VCPU, 0, EINVAL, OF(kvm_sregs, efer), 1ull << 20, MASK, "efer"),
	ROW(SREGS_CR4_NO_PAE, provoke_sregs, VCPU, 0, EINVAL, OF(kvm_sregs, cr4), 0, CR4_PAE, "PAE"),
	ROW(SREGS_EFER_NO_LMA, provoke_sregs, VCPU, 0, EINVAL, OF(kvm_sregs, efer), EFER_LME, EFER_LME | EFER_LMA, "LMA"),
	ROW(SREGS_CR3, provoke_sregs, VCPU, 0, EINVAL, OF(kvm_sregs, cr3), DYNAMIC, DYNAMIC, "cr3"),
	ROW(SREGS_EFER_LMA_ALONE, provoke_sregs, VCPU, 0, EINVAL, OF(kvm_sregs, efer), EFER_LMA, 0, "LMA"),
	ROW(SREGS_CS_L, provoke_sregs, VCPU, 0, EINVAL, OF(kvm_sregs, cs.l), 1, 0, "cs.l"),
	ROW(SREGS_CR4, provoke_sregs, VCPU, 0, EINVAL, OF(kvm_sregs, cr4), CR4_VMXE | CR4_PAE, MASK, "cr4"),
	ROW(SREGS_CR0, provoke_sregs, VCPU, 0, EINVAL, OF(kvm_sregs, cr0), 0x160000010, 0xe005003f, "cr0"),
	ROW(SREGS_CR0_NW, provoke_sregs, VCPU, 0, EINVAL, OF(kvm_sregs, cr0), CR0_NW, CR0_NW | CR0_CD, "NW"),
	ROW(SREGS_CR0_PG, provoke_sregs, VCPU, 0, EINVAL, OF(kvm_sregs, cr0), CR0_PG, CR0_PG | CR0_PE, "PG"),
	ROW(SREGS_APIC_BASE, provoke_sregs, VCPU, IRQCHIP, EINVAL, OF(kvm_sregs, apic_base), 0xfee00400, DYNAMIC, "apic_base"),

	ROW(SREGS2_FLAGS, provoke_sregs, VCPU, 0, EINVAL, OF(kvm_sregs2, flags), 2, 1, "flags"),
	ROW(SREGS2_PDPTRS, provoke_sregs, VCPU, 0, EINVAL, OF(kvm_sregs2, flags), 1, 0, "PAE"),

	ROW(XSAVE_FEATURES, provoke_state, VCPU, 0, EINVAL, 512, 1ull << 62 | 3, MASK, "xstate_bv"),
	ROW(XSAVE_HEADER, provoke_state, VCPU, 0, EINVAL, 527, 0x80, 0, "xcomp_bv"),
	ROW(XSAVE_MXCSR, provoke_state, VCPU, 0, EINVAL, 24, 0x80001f80, MASK, "mxcsr"),
	ROW(XCRS_COUNT, provoke_state, VCPU, 0, EINVAL, OF(kvm_xcrs, nr_xcrs), KVM_MAX_XCRS + 1, KVM_MAX_XCRS, "nr_xcrs"),
	ROW(XCRS_FLAGS, provoke_state, VCPU, 0, EINVAL, OF(kvm_xcrs, flags), 1, 0, "flags"),
	ROW(XCR0_BITS, provoke_state, VCPU, 0, EINVAL, OF(kvm_xcrs, xcrs[1].value), 1ull << 62 | 1, MASK, "XCR0"),
	ROW(XCR0_COMBINATION, provoke_state, VCPU, 0, EINVAL, OF(kvm_xcrs, xcrs[1].value), 2, DYNAMIC, "SSE"),
	ROW(DEBUGREGS_FLAGS, provoke_state, VCPU, 0, EINVAL, OF(kvm_debugregs, flags), 3, 0, "flags"),
	ROW(DEBUGREGS_DR6, provoke_state, VCPU, 0, EINVAL, OF(kvm_debugregs, dr6), 1ull << 40, 0xffffffff, "dr6"),
	ROW(DEBUGREGS_DR7, provoke_state, VCPU, 0, EINVAL, OF(kvm_debugregs, dr7), 1ull << 63, 0xffffffff, "dr7"),

	ROW(EVENTS_FLAGS, provoke_events, VCPU, 0, EINVAL, OF(kvm_vcpu_events, flags), 0x1000, 15, "flags"),
	ROW(EVENTS_EXCEPTION, provoke_events, VCPU, 0, EINVAL, OF(kvm_vcpu_events, exception.nr), 2, 31, "exception.nr"),
	ROW(EVENTS_SMM, provoke_events, VCPU, 0, EINVAL, OF(kvm_vcpu_events, smi.pending), 1, 0, "smi.pending"),
	ROW(MP_STATE, provoke_events, VCPU, IRQCHIP, EINVAL, 0, KVM_MP_STATE_AP_RESET_HOLD, KVM_MP_STATE_SIPI_RECEIVED, "mp_state"),
	ROW(MP_STATE_NO_LAPIC, provoke_events, VCPU, 0, EINVAL, 0, KVM_MP_STATE_HALTED, KVM_MP_STATE_RUNNABLE, "local APIC"),
	ROW(INTERRUPT_VECTOR, provoke_events, VCPU, 0, EINVAL, 0, 256, 255, "vector"),
	ROW(INTERRUPT_IRQCHIP, provoke_events, VCPU, IRQCHIP, ENXIO, NO_FIELD, 32, 0, "KVM_IRQ_LINE"),
	ROW(INTERRUPT_WAITS, provoke_events, VCPU, SPLIT, EEXIST, 0, 33, 32, "LINT0"),
	ROW(SIGNAL_MASK_LENGTH, provoke_events, VCPU, 0, EINVAL, 0, 128, 8, "sigset_t"),
	ROW(RUN_SYNC_REGS, provoke_run, VCPU, 0, EINVAL, OF(kvm_run, kvm_dirty_regs), 9, KVM_SYNC_X86_VALID_FIELDS, "kvm_dirty_regs"),
	ROW(RUN_CR8, provoke_run, VCPU, 0, EINVAL, OF(kvm_run, cr8), 16, 15, "cr8"),
	ROW(RUN_MEMORY, provoke_run, VCPU, GUEST_RUNS, EFAULT, NO_FIELD, GUEST_FREE, DYNAMIC, "slot"),
	ROW(CLOCK_PAGE_MISSING, provoke_events, VCPU, 0, EINVAL, NO_FIELD, 0, 1, "clock page"),

	ROW(CPUID_TOO_FEW, provoke_cpuid, DEV, 0, E2BIG, OF(kvm_cpuid2, nent), 2, DYNAMIC, "nent"),
	ROW(CPUID_TOO_MANY, provoke_cpuid, VCPU, 0, E2BIG, OF(kvm_cpuid2, nent), 300, 256, "nent"),
	ROW(CPUID_AFTER_RUN, provoke_cpuid, VCPU, GUEST_RUNS, EINVAL, NO_FIELD, 4, DYNAMIC, "has run"),
	ROW(CPUID_ADDRESS_WIDTH, provoke_cpuid, VCPU, 0, EINVAL, NO_FIELD, 52, 57, "48 or 57"),
	ROW(MSR_LIST_TOO_FEW, provoke_msrs, DEV, 0, E2BIG, OF(kvm_msr_list, nmsrs), 1, DYNAMIC, "nmsrs"),
	ROW(MSR_FILTER_FLAGS, provoke_msrs, VM, 0, EINVAL, OF(kvm_msr_filter, flags), 3, 1, "flags"),
	ROW(MSR_FILTER_RANGE_FLAGS, provoke_msrs, VM, 0, EINVAL, OF(kvm_msr_filter, ranges[2].flags), 5, 3, "range"),
	ROW(MSR_FILTER_RANGE_SIZE, provoke_msrs, VM, 0, EINVAL, OF(kvm_msr_filter, ranges[2].nmsrs), 12289, 12288, "nmsrs"),
	ROW(MSR_FILTER_EMPTY, provoke_msrs, VM, 0, EINVAL, OF(kvm_msr_filter, ranges), 0, 0, "range"),
	ROW(MSRS_TOO_MANY, provoke_msrs, VCPU, 0, E2BIG, OF(kvm_msrs, nmsrs), 256, 255, "nmsrs"),

	ROW(PRE_FAULT_FLAGS, provoke_pre_fault, VCPU, 0, EINVAL, OF(kvm_pre_fault_memory, flags), 4, 0, "flags"),
	ROW(PRE_FAULT_ALIGN, provoke_pre_fault, VCPU, 0, EINVAL, OF(kvm_pre_fault_memory, size), 0x1800, PAGE_SIZE, "4096"),
	ROW(PRE_FAULT_RANGE, provoke_pre_fault, VCPU, 0, EINVAL, OF(kvm_pre_fault_memory, size), -PAGE_SIZE, -(u64)GUEST_ABSENT - PAGE_SIZE,
	    "64 bits"),
	ROW(PRE_FAULT_NO_SLOT, provoke_pre_fault, VCPU, 0, ENOENT, NO_FIELD, GUEST_ABSENT, 0, "slot"),
	ROW(TSC_KHZ_RANGE, provoke_msrs, VCPU, 0, EINVAL, NO_FIELD, 0x7fffffff, 0x7ffffffe, "kHz"),
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

#define SUBJECTS(S) \
	S(refused_anywhere, provoke_any) \
	S(refused_caps, provoke_enable_cap) \
	S(refused_vm_wide, provoke_vm_wide) \
	S(refused_slots, provoke_slots) \
	S(refused_dirty_logs, provoke_dirty_logs) \
	S(refused_dirty_caps, provoke_dirty_caps) \
	S(refused_chips, provoke_chips) \
	S(refused_routes, provoke_routes) \
	S(refused_irqfds, provoke_irqfds) \
	S(refused_ioeventfds, provoke_ioeventfds) \
	S(refused_zones, provoke_zones) \
	S(refused_sregs, provoke_sregs) \
	S(refused_state, provoke_state) \
	S(refused_events, provoke_events) \
	S(refused_run, provoke_run) \
	S(refused_pre_fault, provoke_pre_fault) \
	S(refused_cpuid, provoke_cpuid) \
	S(refused_attr, provoke_attr) \
	S(refused_msrs, provoke_msrs)

#define SUBJECT(name, provoke)       \
	static void name(void)       \
	{                            \
		check_rows(provoke); \
	}
SUBJECTS(SUBJECT)

/* Each row is of a subject, or it would never run. */
static void every_row(void)
{
	static int (*const all[])(struct world *w, u32 code) = {
#define PROVOKE(name, provoke) provoke,
		SUBJECTS(PROVOKE)
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t k = 0;

		while (k < ARRAY_SIZE(all) && all[k] != rows[i].provoke)
			k++;
		EXPECT(k < ARRAY_SIZE(all), "%s is not run", rows[i].name);
	}
}

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
#define SUBJECT_TEST(name, provoke) TEST(name),
	static const struct test tests[] = {
		SUBJECTS(SUBJECT_TEST)
		TEST(every_row), TEST(every_code),
	};

	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}
