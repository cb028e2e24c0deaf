// SPDX-License-Identifier: GPL-2.0-only
/* The tables behind the words. */
#include "userspace-vmm/names.h"

#include <asm/vmx.h>
#include <linux/kvm.h>
#include <stddef.h>
#include <strings.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char *const vtx_kvm_exits[] = {
	[KVM_EXIT_UNKNOWN] = "unknown hardware exit",
	[KVM_EXIT_EXCEPTION] = "exception",
	[KVM_EXIT_IO] = "port I/O",
	[KVM_EXIT_HYPERCALL] = "hypercall",
	[KVM_EXIT_DEBUG] = "debug",
	[KVM_EXIT_HLT] = "HLT",
	[KVM_EXIT_MMIO] = "MMIO",
	[KVM_EXIT_IRQ_WINDOW_OPEN] = "interrupt window open",
	[KVM_EXIT_SHUTDOWN] = "shutdown (triple fault)",
	[KVM_EXIT_FAIL_ENTRY] = "VM entry failed",
	[KVM_EXIT_INTR] = "interrupted by a signal",
	[KVM_EXIT_SET_TPR] = "TPR set",
	[KVM_EXIT_TPR_ACCESS] = "TPR access",
	[KVM_EXIT_NMI] = "NMI",
	[KVM_EXIT_INTERNAL_ERROR] = "internal error",
	[KVM_EXIT_WATCHDOG] = "watchdog",
	[KVM_EXIT_SYSTEM_EVENT] = "system event",
	[KVM_EXIT_IOAPIC_EOI] = "IOAPIC EOI",
	[KVM_EXIT_HYPERV] = "Hyper-V",
	[KVM_EXIT_X86_RDMSR] = "RDMSR",
	[KVM_EXIT_X86_WRMSR] = "WRMSR",
	[KVM_EXIT_DIRTY_RING_FULL] = "dirty ring full",
	[KVM_EXIT_AP_RESET_HOLD] = "AP reset hold",
	[KVM_EXIT_X86_BUS_LOCK] = "bus lock",
	[KVM_EXIT_XEN] = "Xen hypercall",
	[KVM_EXIT_NOTIFY] = "notify: no progress for long",
};

/*
 * The names in the kernel module's table of exits: the Makefile cuts its rows out of exits/table.c, so that there is one table.
 * The row's handlers are left where they are.
 */
#define ROW(reason, ...) [EXIT_REASON_##reason] = #reason,
#define NEVER(reason) [EXIT_REASON_##reason] = #reason,
#define NAMED(number, text, ...) [number] = text,
#define RESERVED(n) [n] = "RESERVED_" #n,

static const char *const vtx_vmx_exits[] = {
#include "exit_rows.inc"
};

/* SDM vol. 3, 30.4, "VM Instruction Error Numbers" (in own words). */
static const char *const vtx_vmx_errors[] = {
	[1] = "VMCALL in VMX root operation",
	[2] = "VMCLEAR with an invalid address",
	[3] = "VMCLEAR with the VMXON pointer",
	[4] = "VMLAUNCH with a VMCS that is not clear",
	[5] = "VMRESUME with a VMCS that was not launched",
	[6] = "VMRESUME after VMXOFF and VMXON",
	[7] = "VM entry with invalid control fields",
	[8] = "VM entry with invalid host-state fields",
	[9] = "VMPTRLD with an invalid address",
	[10] = "VMPTRLD with the VMXON pointer",
	[11] = "VMPTRLD with a wrong VMCS revision",
	[12] = "VMREAD or VMWRITE of a field that does not exist",
	[13] = "VMWRITE to a read-only field",
	[15] = "VMXON in VMX root operation",
	[16] = "VM entry with an invalid executive-VMCS pointer",
	[17] = "VM entry with an executive VMCS that was not launched",
	[18] = "VM entry with an executive-VMCS pointer that is not the VMXON pointer",
	[19] = "VMCALL with a VMCS that is not clear",
	[20] = "VMCALL with invalid VM-exit control fields",
	[22] = "VMCALL with a wrong MSEG revision",
	[23] = "VMXOFF under dual-monitor treatment",
	[24] = "VMCALL with invalid SMM-monitor features",
	[25] = "VM entry with invalid execution controls in the executive VMCS",
	[26] = "VM entry with events blocked by MOV SS",
	[28] = "invalid operand to INVEPT or INVVPID",
};

static const char *const vtx_internal_errors[] = {
	[KVM_INTERNAL_ERROR_EMULATION] = "an instruction could not be emulated",
	[KVM_INTERNAL_ERROR_SIMUL_EX] = "two exceptions at once",
	[KVM_INTERNAL_ERROR_DELIVERY_EV] = "an exit during the delivery of an event that cannot be repeated",
	[KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON] = "an exit reason that was not expected",
};

static const char *vtx_lookup(const char *const *table, size_t count, uint64_t number)
{
	return number < count && table[number] ? table[number] : "unknown";
}

const char *vtx_name_kvm_exit(uint32_t reason)
{
	return vtx_lookup(vtx_kvm_exits, COUNT(vtx_kvm_exits), reason);
}

const char *vtx_name_vmx_exit(uint32_t reason)
{
	return vtx_lookup(vtx_vmx_exits, COUNT(vtx_vmx_exits), reason & 0xffff);
}

int vtx_number_vmx_exit(const char *name)
{
	for (size_t i = 0; i < COUNT(vtx_vmx_exits); i++)
		if (vtx_vmx_exits[i] && !strcasecmp(vtx_vmx_exits[i], name))
			return (int)i;
	return -1;
}

const char *vtx_name_vmx_instruction_error(uint64_t number)
{
	return vtx_lookup(vtx_vmx_errors, COUNT(vtx_vmx_errors), number);
}

const char *vtx_name_internal_error(uint32_t suberror)
{
	return vtx_lookup(vtx_internal_errors, COUNT(vtx_internal_errors), suberror);
}
