// SPDX-License-Identifier: GPL-2.0-only
/*
 * VT-x on and off (SDM vol. 3, chapter 24.7).
 *
 * VT-x is borrowed: VMXON when the first VM is created, VMXOFF when the last is gone.  CR4.VMXE already set on a CPU means
 * somebody else is in VMX operation; then nothing is touched.
 *
 * vtx_vmx_lock serializes users and the hotplug callbacks' view of vtx_vmx_users.  cpus_read_lock() is taken outside it,
 * since CPU hotplug calls back with it held.
 */
#include <linux/cpu.h>
#include <linux/gfp.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/reboot.h>
#include <linux/smp.h>
#include <asm/reboot.h>
#include <asm/tlbflush.h>
#include "compat/compat.h"
#include "pv/tsc_sleep.h"
#include "uapi/refuse.h"
#include "vmx/caps.h"
#include "vmx/host_state.h"
#include "vmx/onoff.h"
#include "vmx/vmcs.h"

static DEFINE_PER_CPU(struct vtx_vmcs_page *, vmxon_region);
static DEFINE_PER_CPU(bool, vmx_on);
static DEFINE_MUTEX(vtx_vmx_lock);
static int vtx_vmx_users;
static bool emergency_registered;
static enum cpuhp_state hotplug_state;
bool vtx_rebooting;

static int vmxon(u64 phys)
{
	bool failed;

	asm volatile("stc\n"
		     "1: vmxon %1\n"
		     "2:\n" _ASM_EXTABLE(1b, 2b)
		     : "=@ccbe"(failed)
		     : "m"(phys)
		     : "memory");
	return failed ? -EIO : 0;
}

static void vmxoff(void)
{
	asm volatile("1: vmxoff\n"
		     "2:\n" _ASM_EXTABLE(1b, 2b) ::
			     : "cc", "memory");
}

/* IA32_FEATURE_CONTROL may have been left unlocked by the firmware on this CPU: enable VMX and lock it. */
static void unlock_feature_control(void)
{
	u64 value;

	if (rdmsrl_safe(MSR_IA32_FEAT_CTL, &value))
		return;
	if (!(value & FEAT_CTL_LOCKED))
		wrmsrl_safe(MSR_IA32_FEAT_CTL, value | FEAT_CTL_LOCKED | FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX);
}

/* On this CPU, interrupts off. 0, -EBUSY or -EIO. */
static int cpu_on(void)
{
	struct vtx_vmcs_page *region = this_cpu_read(vmxon_region);

	if (this_cpu_read(vmx_on))
		return 0;
	if (cr4_read_shadow() & X86_CR4_VMXE)
		return -EBUSY;

	unlock_feature_control();
	region->revision = vtx_caps.vmcs_revision;
	cr4_set_bits(X86_CR4_VMXE);
	if (vmxon(__pa(region))) {
		cr4_clear_bits(X86_CR4_VMXE);
		return -EIO;
	}
	vtx_host_state_cpu_on();
	this_cpu_write(vmx_on, true);
	return 0;
}

/* On this CPU, interrupts off. */
static void cpu_off(void *unused)
{
	if (!this_cpu_read(vmx_on))
		return;
	vtx_vmcs_clear_all_on_this_cpu();
	vtx_host_state_cpu_off();
	this_cpu_write(vmx_on, false);
	vmxoff();
	cr4_clear_bits(X86_CR4_VMXE);
}

struct cpu_on_result {
	atomic_t busy, failed;
};

static void cpu_on_ipi(void *data)
{
	struct cpu_on_result *result = data;
	int r = cpu_on();

	if (r == -EBUSY)
		atomic_inc(&result->busy);
	else if (r)
		atomic_inc(&result->failed);
}

/*
 * Crash or emergency reboot: NMI context, on each CPU. INIT is blocked in VMX operation, so the next kernel could not start
 * this CPU (SDM vol. 3, 24.8). The VMCSs are written back first: a dump wants them in memory.
 */
static void emergency_off(void)
{
	vtx_rebooting = true;
	if (!this_cpu_read(vmx_on))
		return;
	vtx_vmcs_clear_all_on_this_cpu();
	vmxoff();
	cr4_clear_bits(X86_CR4_VMXE);
	this_cpu_write(vmx_on, false);
}

/*
 * The kernel has one slot for an emergency callback and WARNs when it is taken. kvm_intel of 6.1 takes it for as long as it is
 * loaded, idle or not, so vtx leaves the slot to it: not taken while kvm_intel is there, given up before it loads, taken again
 * when it has gone. In between, a reboot is still served by the reboot notifier, and a crash by kvm_intel, which turns VMX off wherever
 * CR4.VMXE is set (docs/errata.md). Whether kvm_intel was there before vtx can only be guessed, from kvm.ko. vtx_vmx_lock held.
 */
static bool kvm_intel_there;

static bool kvm_is_loaded(void)
{
	if (!__symbol_get("kvm_rebooting"))
		return false;
	__symbol_put("kvm_rebooting");
	return true;
}

static void emergency_hook(bool on)
{
	on = on && !kvm_intel_there;
	if (on == emergency_registered)
		return;
	vtx_emergency_callback(emergency_off, on);
	emergency_registered = on;
}

static int on_module(struct notifier_block *nb, unsigned long action, void *data)
{
	struct module *module = data;

	if ((action != MODULE_STATE_COMING && action != MODULE_STATE_GOING) || strcmp(module->name, "kvm_intel"))
		return NOTIFY_DONE;
	mutex_lock(&vtx_vmx_lock);
	kvm_intel_there = action == MODULE_STATE_COMING;
	emergency_hook(vtx_vmx_users > 0);
	mutex_unlock(&vtx_vmx_lock);
	return NOTIFY_OK;
}

static struct notifier_block module_notifier = { .notifier_call = on_module };

static void all_cpus_off(void)
{
	on_each_cpu(cpu_off, NULL, 1);
	emergency_hook(false);
}

static int all_cpus_on(void)
{
	struct cpu_on_result result = { ATOMIC_INIT(0), ATOMIC_INIT(0) };

	emergency_hook(true);
	on_each_cpu(cpu_on_ipi, &result, 1);
	if (!atomic_read(&result.busy) && !atomic_read(&result.failed))
		return 0;

	all_cpus_off();
	if (atomic_read(&result.busy)) {
		pr_err("vtx: VT-x is in use: CR4.VMXE is set on %d CPU(s), most likely by kvm_intel. Stop its virtual machines or `modprobe -r kvm_intel` (since Linux 6.12 it holds VT-x while loaded, unless booted with kvm.enable_virt_at_load=0), then try again.\n",
		       atomic_read(&result.busy));
		return VTX_REFUSE(VMX_BUSY, VTX_NO_FIELD, atomic_read(&result.busy), 0);
	}
	pr_err("vtx: VMXON failed on %d CPU(s): the processor refused it although its capability MSRs promise VT-x.\n",
	       atomic_read(&result.failed));
	return VTX_REFUSE(VMXON_FAILED, VTX_NO_FIELD, atomic_read(&result.failed), 0);
}

int vtx_vmx_get(void)
{
	int r = 0;

	cpus_read_lock();
	mutex_lock(&vtx_vmx_lock);
	/* After on_reboot() nobody would turn it off again. */
	if (vtx_rebooting)
		r = VTX_REFUSE(HOST_REBOOTING, VTX_NO_FIELD, 0, 0);
	else if (!vtx_vmx_users)
		r = all_cpus_on();
	if (!r)
		vtx_vmx_users++;
	mutex_unlock(&vtx_vmx_lock);
	cpus_read_unlock();
	return r;
}

bool vtx_vmx_on_here(void)
{
	return this_cpu_read(vmx_on);
}

void vtx_vmx_put(void)
{
	cpus_read_lock();
	mutex_lock(&vtx_vmx_lock);
	if (!--vtx_vmx_users)
		all_cpus_off();
	mutex_unlock(&vtx_vmx_lock);
	cpus_read_unlock();
}

/* ------------------------------------------------------------------ CPUs that come and go */

static int hotplug_online(unsigned int cpu)
{
	unsigned long flags;
	int r = 0;

	mutex_lock(&vtx_vmx_lock);
	if (vtx_vmx_users && !vtx_rebooting) {
		local_irq_save(flags);
		r = cpu_on();
		local_irq_restore(flags);
		if (r)
			pr_err("vtx: CPU %u stays offline: VT-x could not be turned on there (%d) while virtual machines run.\n", cpu, r);
	}
	mutex_unlock(&vtx_vmx_lock);
	return r;
}

/*
 * The CPU is not active any more: the scheduler moves each thread away that it switches to here, before the thread goes on. But its
 * preempt notifier is called first, so vtx_vcpu's sched_in() must expect a CPU without VT-x.
 */
static int hotplug_offline(unsigned int cpu)
{
	unsigned long flags;

	mutex_lock(&vtx_vmx_lock);
	local_irq_save(flags);
	cpu_off(NULL);
	local_irq_restore(flags);
	mutex_unlock(&vtx_vmx_lock);
	return 0;
}

/* Suspend and resume of the boot CPU; the others are unplugged and come back by the hotplug calls. Interrupts off. */
static int boot_cpu_suspend(void)
{
	cpu_off(NULL);
	vtx_tsc_sleep();
	return 0;
}

static void boot_cpu_resume(void)
{
	vtx_tsc_wake();
	if (vtx_vmx_users && cpu_on())
		pr_err("vtx: VT-x could not be turned on again after resume: virtual machines will fail to run.\n");
}

static void boot_cpu_shutdown(void)
{
}

VTX_SYSCORE(vtx_syscore, boot_cpu_suspend, boot_cpu_resume, boot_cpu_shutdown);

/* Orderly reboot, poweroff and kexec. Users may still hold VMs open: VMX instructions fail from here on, and are forgiven. */
static int on_reboot(struct notifier_block *nb, unsigned long action, void *data)
{
	cpus_read_lock();
	mutex_lock(&vtx_vmx_lock);
	vtx_rebooting = true;
	on_each_cpu(cpu_off, NULL, 1);
	mutex_unlock(&vtx_vmx_lock);
	cpus_read_unlock();
	return NOTIFY_OK;
}

static struct notifier_block reboot_notifier = { .notifier_call = on_reboot };

static void free_regions(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		free_page((unsigned long)per_cpu(vmxon_region, cpu));
		per_cpu(vmxon_region, cpu) = NULL;
	}
}

int vtx_onoff_init(void)
{
	int cpu, r;

	for_each_possible_cpu(cpu) {
		per_cpu(vmxon_region, cpu) = (void *)get_zeroed_page(GFP_KERNEL);
		if (!per_cpu(vmxon_region, cpu)) {
			free_regions();
			return -ENOMEM;
		}
		vtx_vmcs_init_cpu(cpu);
	}
	r = cpuhp_setup_state_nocalls(CPUHP_AP_ONLINE_DYN, "vtx:online", hotplug_online, hotplug_offline);
	if (r < 0) {
		free_regions();
		return r;
	}
	hotplug_state = r;
	kvm_intel_there = kvm_is_loaded();
	register_module_notifier(&module_notifier);
	register_reboot_notifier(&reboot_notifier);
	vtx_register_syscore(vtx_syscore);
	return 0;
}

void vtx_onoff_exit(void)
{
	vtx_unregister_syscore(vtx_syscore);
	unregister_reboot_notifier(&reboot_notifier);
	unregister_module_notifier(&module_notifier);
	cpuhp_remove_state_nocalls(hotplug_state);
	free_regions();
}
