// SPDX-License-Identifier: GPL-2.0-only
/*
 * Module load and unload: is this a processor vtx can run on, and if not, what is missing.
 */
#include <linux/module.h>
#include <linux/smp.h>
#include <asm/msr.h>
#include <asm/processor.h>
#include <asm/vmx.h>
#include "exits/pause.h"
#include "ept/ept.h"
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
	.vpid = true, .ept_ad = true, .large_pages = true, .tsc_scaling = true, .preemption_timer = true, .pml = true,
	.tpr_shadow = true, .apicv = true,
};

module_param_named(vpid, wishes.vpid, bool, 0444);
MODULE_PARM_DESC(vpid, "tag guest TLB entries by VPID where the processor can (default Y)");
module_param_named(eptad, wishes.ept_ad, bool, 0444);
MODULE_PARM_DESC(eptad, "let the processor keep accessed and dirty flags in the EPT (default Y)");
module_param_named(large_pages, wishes.large_pages, bool, 0444);
MODULE_PARM_DESC(large_pages, "map 2M and 1G pages in the EPT where the host has huge pages (default Y)");
module_param_named(preemption_timer, wishes.preemption_timer, bool, 0444);
MODULE_PARM_DESC(preemption_timer, "run the local APIC timer on the VMX-preemption timer while the guest runs (default Y)");
module_param_named(tsc_scaling, wishes.tsc_scaling, bool, 0444);
MODULE_PARM_DESC(tsc_scaling, "let guests have a TSC of another rate where the processor can (default Y)");

/*
 * Processors whose VMX-preemption timer does not count at the rate that IA32_VMX_MISC says, by CPUID.1:EAX: errata AAJ124, AAK139,
 * AAM126, AAN92, AAO95, AAP86, AAT59, AAU65, AAX65, BA86 of Intel's specification updates, and Xeon E3-1200 v2.
 */
static const u32 timer_miscounts[] = { 0x106a0, 0x106a1, 0x106a4, 0x106a5, 0x106e5, 0x20652, 0x20655, 0x206e6, 0x306a8 };

static void drop_broken_timer(void)
{
	u32 signature = cpuid_eax(1);

	for (unsigned int i = 0; i < ARRAY_SIZE(timer_miscounts); i++)
		if (signature == timer_miscounts[i])
			wishes.preemption_timer = false;
	/* Deadlines are kept as values of the TSC. */
	if (!boot_cpu_has(X86_FEATURE_CONSTANT_TSC))
		wishes.preemption_timer = false;
}

module_param_named(pml, wishes.pml, bool, 0444);
MODULE_PARM_DESC(pml, "let the processor log the pages it writes while a memory slot has a dirty log; needs eptad (default Y)");
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

	wishes.ple = vtx_ple.gap;
	drop_broken_timer();
	read_msrs(&msrs);
	missing = vtx_caps_decide(&msrs, &wishes, &vtx_caps);
	if (missing) {
		pr_err("vtx: can't run on this processor, it lacks %s\n", missing);
		return -EOPNOTSUPP;
	}
	vtx_pause_setup(vtx_caps.proc2_allowed1 & SECONDARY_EXEC_PAUSE_LOOP_EXITING);
	/* What is not there reads as N in /sys/module/vtx/parameters. */
	wishes.preemption_timer = vtx_caps.preemption_timer;
	wishes.tsc_scaling = vtx_caps.tsc_scaling;
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
	r = vtx_ept_shrinker_init();
	if (r)
		return r;
	r = vtx_onoff_init();
	if (r)
		goto shrinker;
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
shrinker:
	vtx_ept_shrinker_exit();
	return r;
}

static void __exit vtx_exit(void)
{
	vtx_device_exit();
	vtx_kvm_debugfs_exit();
	vtx_kvm_events_exit();
	vtx_trace_exit();
	vtx_onoff_exit();
	vtx_ept_shrinker_exit();
}

module_init(vtx_init);
module_exit(vtx_exit);
MODULE_LICENSE("GPL");
MODULE_AUTHOR("The vtx developers");
MODULE_DESCRIPTION("A VT-x hypervisor that speaks KVM's ioctls");
MODULE_VERSION("0.1");
