// SPDX-License-Identifier: GPL-2.0-only
/*
 * Module load and unload: is this a processor vtx can run on, and if not, what is missing.
 */
#include <linux/module.h>
#include <linux/smp.h>
#include <asm/msr.h>
#include <asm/processor.h>
#include "trace/kvm_names.h"
#include "trace/stats.h"
#include "uapi/device.h"
#include "vmx/caps.h"
#include "vmx/entry_state.h"
#include "vmx/fpu.h"
#include "vmx/onoff.h"
#include "vmx/session.h"

struct vtx_caps vtx_caps;

static struct vtx_wishes wishes = { .vpid = true, .ept_ad = true, .large_pages = true, .tsc_scaling = true };

module_param_named(vpid, wishes.vpid, bool, 0444);
MODULE_PARM_DESC(vpid, "tag guest TLB entries by VPID where the processor can (default Y)");
module_param_named(eptad, wishes.ept_ad, bool, 0444);
MODULE_PARM_DESC(eptad, "let the processor keep accessed and dirty flags in the EPT (default Y)");
module_param_named(large_pages, wishes.large_pages, bool, 0444);
MODULE_PARM_DESC(large_pages, "map 2M pages in the EPT where the host has huge pages (default Y)");

static u64 msr_or_zero(u32 msr)
{
	u64 value;

	return rdmsrl_safe(msr, &value) ? 0 : value;
}

static void read_msrs(struct vtx_msr_values *m)
{
	bool true_controls;

	memset(m, 0, sizeof(*m));
	m->cpuid_vmx = cpuid_ecx(1) & BIT(5);
	if (!m->cpuid_vmx)
		return;
	m->feature_control = msr_or_zero(MSR_IA32_FEAT_CTL);
	m->basic = msr_or_zero(MSR_IA32_VMX_BASIC);
	true_controls = m->basic & BIT_ULL(55);
	m->pin = msr_or_zero(true_controls ? MSR_IA32_VMX_TRUE_PINBASED_CTLS : MSR_IA32_VMX_PINBASED_CTLS);
	m->proc = msr_or_zero(true_controls ? MSR_IA32_VMX_TRUE_PROCBASED_CTLS : MSR_IA32_VMX_PROCBASED_CTLS);
	m->exit = msr_or_zero(true_controls ? MSR_IA32_VMX_TRUE_EXIT_CTLS : MSR_IA32_VMX_EXIT_CTLS);
	m->entry = msr_or_zero(true_controls ? MSR_IA32_VMX_TRUE_ENTRY_CTLS : MSR_IA32_VMX_ENTRY_CTLS);
	m->proc2 = msr_or_zero(MSR_IA32_VMX_PROCBASED_CTLS2);
	m->misc = msr_or_zero(MSR_IA32_VMX_MISC);
	m->cr0_fixed0 = msr_or_zero(MSR_IA32_VMX_CR0_FIXED0);
	m->cr0_fixed1 = msr_or_zero(MSR_IA32_VMX_CR0_FIXED1);
	m->cr4_fixed0 = msr_or_zero(MSR_IA32_VMX_CR4_FIXED0);
	m->cr4_fixed1 = msr_or_zero(MSR_IA32_VMX_CR4_FIXED1);
	m->ept_vpid = msr_or_zero(MSR_IA32_VMX_EPT_VPID_CAP);
}

/* Every CPU must decide like the first: guests move between them. */
struct cpu_check {
	atomic_t differ;
};

static void check_this_cpu(void *data)
{
	struct cpu_check *check = data;
	struct vtx_msr_values msrs;
	struct vtx_caps caps;

	read_msrs(&msrs);
	if (vtx_caps_decide(&msrs, &wishes, &caps) || memcmp(&caps, &vtx_caps, sizeof(caps)))
		atomic_inc(&check->differ);
}

static int check_processor(void)
{
	struct cpu_check check = { ATOMIC_INIT(0) };
	struct vtx_msr_values msrs;
	const char *missing;

	read_msrs(&msrs);
	missing = vtx_caps_decide(&msrs, &wishes, &vtx_caps);
	if (missing) {
		pr_err("vtx: can't run on this processor, it lacks %s\n", missing);
		return -EOPNOTSUPP;
	}
	vtx_entry_state_setup(&msrs);
	on_each_cpu(check_this_cpu, &check, 1);
	if (atomic_read(&check.differ)) {
		pr_err("vtx: %d CPU(s) have other VMX capabilities than this one; guests could not move between them\n",
		       atomic_read(&check.differ));
		return -EIO;
	}
	return 0;
}

static int __init vtx_init(void)
{
	int r = check_processor();

	if (r)
		return r;
	r = vtx_fpu_setup();
	if (r) {
		pr_err("vtx: can't run on this processor, it lacks FXSAVE and SSE (CPUID.1:EDX bits 24 and 25)\n");
		return r;
	}
	vtx_session_setup();
	vtx_entry_check_setup();
	r = vtx_onoff_init();
	if (r)
		return r;
	r = vtx_trace_init();
	if (r)
		goto onoff;
	r = vtx_device_init();
	if (r)
		goto trace;
	if (vtx_device_is_kvm()) {
		vtx_kvm_events_init();
		vtx_kvm_debugfs_init();
	}
	return 0;

trace:
	vtx_trace_exit();
onoff:
	vtx_onoff_exit();
	return r;
}

static void __exit vtx_exit(void)
{
	vtx_device_exit();
	vtx_kvm_debugfs_exit();
	vtx_kvm_events_exit();
	vtx_trace_exit();
	vtx_onoff_exit();
}

module_init(vtx_init);
module_exit(vtx_exit);
MODULE_LICENSE("GPL");
MODULE_AUTHOR("The vtx developers");
MODULE_DESCRIPTION("A VT-x hypervisor that speaks KVM's ioctls");
MODULE_VERSION("0.1");
