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

static struct vtx_wishes wishes = {
	.vpid = true, .ept_ad = true, .large_pages = true, .tsc_scaling = true, .tpr_shadow = true, .apicv = true,
};

module_param_named(vpid, wishes.vpid, bool, 0444);
MODULE_PARM_DESC(vpid, "tag guest TLB entries by VPID where the processor can (default Y)");
module_param_named(eptad, wishes.ept_ad, bool, 0444);
MODULE_PARM_DESC(eptad, "let the processor keep accessed and dirty flags in the EPT (default Y)");
module_param_named(large_pages, wishes.large_pages, bool, 0444);
MODULE_PARM_DESC(large_pages, "map 2M pages in the EPT where the host has huge pages (default Y)");
module_param_named(flexpriority, wishes.tpr_shadow, bool, 0444);
MODULE_PARM_DESC(flexpriority, "let the processor keep the task priority (TPR shadow); without it no enable_apicv either (default Y)");
/* Y means also where posted interrupts are missing (vmx/caps.c); read back it says what came of it. */
static int set_apicv(const char *value, const struct kernel_param *kp)
{
	int r = value ? kstrtobool(value, &wishes.apicv) : 0;

	if (!value)
		wishes.apicv = true;
	wishes.apicv_forced = wishes.apicv;
	return r;
}

static int get_apicv(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%c\n", vtx_caps.apicv ? 'Y' : 'N');
}

static const struct kernel_param_ops apicv_ops = { .flags = KERNEL_PARAM_OPS_FL_NOARG, .set = set_apicv, .get = get_apicv };
module_param_cb(enable_apicv, &apicv_ops, NULL, 0444);
MODULE_PARM_DESC(enable_apicv, "let the processor keep the local APIC's registers and deliver interrupts (default: where it also has posted interrupts)");

static u64 msr_or_zero(u32 msr, void *unused)
{
	u64 value;

	return rdmsrl_safe(msr, &value) ? 0 : value;
}

static void read_msrs(struct vtx_msr_values *m)
{
	vtx_caps_collect(m, cpuid_ecx(1) & BIT(5), msr_or_zero, NULL);
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
