// SPDX-License-Identifier: GPL-2.0-only
/* `vtx doctor`: the findings, and the verdict that follows from them. */
#define _GNU_SOURCE
#include "userspace-vmm/doctor.h"

#include <stdarg.h>
#include <string.h>

static const struct vtx_wishes vtx_all_wishes = {
	.vpid = true, .ept_ad = true, .large_pages = true, .tsc_scaling = true, .ple = true,
	.preemption_timer = true, .pml = true, .tpr_shadow = true, .apicv = true,
};

/* Adds a finding; the fix is given to vtx_fix() afterwards. */
static __attribute__((format(printf, 4, 5))) void vtx_find(struct vtx_diagnosis *d, enum vtx_finding_kind kind, const char *code,
							     const char *format, ...)
{
	struct vtx_finding *f;
	va_list args;

	if (d->count == VTX_MAX_FINDINGS)
		return;
	f = &d->findings[d->count++];
	f->kind = kind;
	f->code = code;
	f->fix[0] = 0;
	va_start(args, format);
	vsnprintf(f->text, sizeof(f->text), format, args);
	va_end(args);
}

static __attribute__((format(printf, 2, 3))) void vtx_fix(struct vtx_diagnosis *d, const char *format, ...)
{
	struct vtx_finding *f = &d->findings[d->count - 1];
	va_list args;

	va_start(args, format);
	vsnprintf(f->fix, sizeof(f->fix), format, args);
	va_end(args);
}

static const char *vtx_hypervisor_name(const char *signature)
{
	static const struct {
		const char *signature, *name;
	} names[] = {
		{ "KVMKVMKVM", "KVM" },		  { "Microsoft Hv", "Hyper-V" },   { "VMwareVMware", "VMware" },
		{ "XenVMMXenVMM", "Xen" },	  { "VBoxVBoxVBox", "VirtualBox" }, { "TCGTCGTCGTCG", "QEMU without KVM (TCG)" },
		{ "bhyve bhyve ", "bhyve" },	  { "ACRNACRNACRN", "ACRN" },	   { "prl hyperv  ", "Parallels" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strncmp(signature, names[i].signature, strlen(signature)) && *signature)
			return names[i].name;
	return signature;
}

static const char *vtx_nesting_fix(const char *signature)
{
	if (!strcmp(signature, "KVMKVMKVM"))
		return "On the host below: modprobe kvm_intel nested=1, and start this machine with -cpu host (or another model plus vmx).";
	if (!strcmp(signature, "Microsoft Hv"))
		return "On the Hyper-V host: Set-VMProcessor -VMName NAME -ExposeVirtualizationExtensions $true, with this machine off.";
	if (!strcmp(signature, "VMwareVMware"))
		return "In the virtual machine's settings: \"Virtualize Intel VT-x/EPT\" (vhv.enable = TRUE).";
	if (!strcmp(signature, "VBoxVBoxVBox"))
		return "With this machine off: VBoxManage modifyvm NAME --nested-hw-virt on.";
	if (!strncmp(signature, "TCGTCGTCG", 9))
		return "QEMU's TCG has no VT-x to give: run QEMU with -accel kvm -cpu host, or use machine/run (Bochs).";
	return "Ask for nested virtualization (VT-x) there, or run vtx on the hardware itself.";
}

/* ------------------------------------------------------------------ the processor */

static void vtx_find_no_vmx(const struct vtx_doctor_facts *f, struct vtx_diagnosis *d)
{
	const struct vtx_msr_set *cpu = &f->cpu;

	if (!strcmp(cpu->vendor, "AuthenticAMD") || !strcmp(cpu->vendor, "HygonGenuine")) {
		vtx_find(d, VTX_FINDING_BLOCKS, "amd", "This is an AMD processor (%s)%s%s. It has AMD-V (SVM); vtx needs Intel's VT-x.",
			 cpu->vendor, *cpu->hypervisor ? ", seen through " : "", vtx_hypervisor_name(cpu->hypervisor));
		vtx_fix(d, "Use kvm_amd here, or machine/run, which emulates an Intel processor with VT-x.");
	} else if (*cpu->hypervisor) {
		vtx_find(d, VTX_FINDING_BLOCKS, "no-nesting", "This is a virtual machine on %s, which does not give VT-x to it "
			 "(CPUID.1:ECX bit 31 set, bit 5 clear).", vtx_hypervisor_name(cpu->hypervisor));
		vtx_fix(d, "%s", vtx_nesting_fix(cpu->hypervisor));
	} else {
		vtx_find(d, VTX_FINDING_BLOCKS, "no-vmx", "This processor has no VT-x (CPUID.1:ECX bit 5 is clear%s%s).",
			 *cpu->vendor ? ", vendor " : "", cpu->vendor);
		vtx_fix(d, "Some firmware hides VT-x instead of locking it: look for \"Intel Virtualization Technology\" in its setup. "
			"Otherwise machine/run emulates a processor that has it.");
	}
}

static void vtx_find_firmware(const struct vtx_doctor_facts *f, struct vtx_diagnosis *d, uint64_t feature_control)
{
	if (!(feature_control & 1)) {
		vtx_find(d, VTX_FINDING_NOTE, "unlocked", "IA32_FEATURE_CONTROL (0x3a) is not locked: vtx will switch VT-x on and lock it.");
		return;
	}
	if (feature_control & 4)
		return;
	vtx_find(d, VTX_FINDING_BLOCKS, "firmware-lock", "VT-x is locked off: IA32_FEATURE_CONTROL (0x3a) is %#llx, locked (bit 0) "
		 "without \"VMX outside SMX\" (bit 2)%s.", (unsigned long long)feature_control,
		 feature_control & 2 ? "; it is on inside SMX only (bit 1)" : "");
	if (f->host && *f->config_file && !f->config_kvm_intel)
		vtx_fix(d, "Enable \"Intel Virtualization Technology\" (VT-x) in the firmware setup and switch the power off and on. If it is on "
			"there: this kernel has no CONFIG_KVM_INTEL, and such a kernel locks VT-x off itself while it boots.");
	else
		vtx_fix(d, "Enable \"Intel Virtualization Technology\" (VT-x) in the firmware setup (BIOS, UEFI), then switch the power off and on.");
}

/* Everything the table needs that is not there: the module names the first, a user wants to see all. */
static void vtx_find_missing_bits(struct vtx_diagnosis *d)
{
	const struct vtx_control *c;
	char list[400] = "";
	unsigned int more = 0, count = 0;

	for (c = vtx_controls; c < vtx_controls + vtx_nr_controls; c++) {
		if ((c->use != VTX_USE_NEEDED && c->use != VTX_USE_LATER) || vtx_control_present(&d->values, c))
			continue;
		if (strlen(list) + strlen(c->missing) + 3 > sizeof(list) - 20)
			more++;
		else
			sprintf(list + strlen(list), "%s%s", count++ ? "; " : "", c->missing);
	}
	if (more)
		sprintf(list + strlen(list), "; and %u more", more);
	if (count > 1 || more)
		vtx_find(d, VTX_FINDING_NOTE, "missing-bits", "All that is needed and missing: %s.", list);
}

static void vtx_find_processor_lacks(struct vtx_diagnosis *d, const char *missing)
{
	const u64 *proc2 = &d->values.proc2;
	bool ept = *proc2 >> 33 & 1, unrestricted = *proc2 >> 39 & 1;

	if (!ept || !unrestricted) {
		const char *what = ept ? "unrestricted guest" : "EPT";

		vtx_find(d, VTX_FINDING_BLOCKS, ept ? "no-unrestricted-guest" : "no-ept", "The processor lacks %s.%s", missing,
			 ept ? " vtx runs real-mode code on the processor itself and has no other way." :
			       " vtx keeps guest memory in EPT alone and has no shadow page tables.");
		vtx_fix(d, "Nothing in software: %s came with Intel's %s generation. In a virtual machine, the hypervisor below may hide it.", what,
			ept ? "Westmere (2010)" : "Nehalem (2008)");
	} else {
		vtx_find(d, VTX_FINDING_BLOCKS, "missing-control", "The processor lacks %s.", missing);
		vtx_fix(d, "In a virtual machine: ask the hypervisor below for it. On hardware there is nothing to be done.");
	}
	vtx_find_missing_bits(d);
}

/* /proc/cpuinfo tells everybody what Linux found, which is enough for a no, and never for a yes. */
static void vtx_find_from_cpuinfo(const struct vtx_doctor_facts *f, struct vtx_diagnosis *d)
{
	char padded[sizeof(f->vmx_flags) + 2];

	if (!f->host || !f->cpuinfo_known)
		return;
	if (!f->cpuinfo_vmx) {
		vtx_find(d, VTX_FINDING_BLOCKS, "firmware-lock", "VT-x is off: CPUID has VMX, but Linux took it from /proc/cpuinfo's flags, "
			 "which it does where IA32_FEATURE_CONTROL is locked without it.");
		vtx_fix(d, "Enable \"Intel Virtualization Technology\" (VT-x) in the firmware setup (BIOS, UEFI), then switch the power off and on.");
		return;
	}
	if (!*f->vmx_flags)
		return;
	snprintf(padded, sizeof(padded), " %s ", f->vmx_flags);
	if (!strstr(padded, " ept ")) {
		vtx_find(d, VTX_FINDING_BLOCKS, "no-ept", "The processor lacks EPT (\"vmx flags\" in /proc/cpuinfo has no ept).");
		vtx_fix(d, "Nothing in software: EPT came with Intel's Nehalem generation (2008). In a virtual machine, the hypervisor below may hide it.");
	} else if (!strstr(padded, " unrestricted_guest ")) {
		vtx_find(d, VTX_FINDING_BLOCKS, "no-unrestricted-guest", "The processor lacks unrestricted guest (\"vmx flags\" in /proc/cpuinfo).");
		vtx_fix(d, "Nothing in software: it came with Intel's Westmere generation (2010). In a virtual machine, the hypervisor below may hide it.");
	}
}

static void vtx_find_no_msrs(const struct vtx_doctor_facts *f, struct vtx_diagnosis *d)
{
	vtx_find_from_cpuinfo(f, d);
	if (f->access == VTX_MSRS_NO_DEVICE) {
		vtx_find(d, VTX_FINDING_UNKNOWN, "no-msr-device", "The VMX capability MSRs could not be read: there is no /dev/cpu/0/msr.");
		vtx_fix(d, "%smodprobe msr%s, then run vtx doctor again.", f->root ? "" : "As root: ",
			f->root ? " (CONFIG_X86_MSR)" : ", and run vtx doctor as root");
	} else {
		vtx_find(d, VTX_FINDING_UNKNOWN, "msr-refused", "The VMX capability MSRs could not be read: /dev/cpu/0/msr can't be opened%s.",
			 f->root ? "" : " without root");
		vtx_fix(d, f->root ? "Something forbids it even to root: a container, or a security policy. Run vtx doctor on the host itself." :
				     "Run vtx doctor as root.");
	}
}

static void vtx_find_processor(const struct vtx_doctor_facts *f, struct vtx_diagnosis *d)
{
	const char *missing;
	struct vtx_caps caps;
	uint32_t lacks;

	if (!f->cpu.cpuid_vmx) {
		vtx_find_no_vmx(f, d);
		return;
	}
	if (f->access != VTX_MSRS_READ) {
		vtx_find_no_msrs(f, d);
		return;
	}
	lacks = vtx_msr_set_lacks(&f->cpu);
	if (lacks) {
		vtx_find(d, VTX_FINDING_UNKNOWN, "msr-missing", "MSR %#x is not there, and on a processor with the others it must be.", lacks);
		vtx_fix(d, f->host ? "The hypervisor below may not let it be read." : "Record the file again with vtx doctor --record.");
		return;
	}
	vtx_msr_set_values(&f->cpu, &d->values);
	d->have_values = true;
	missing = vtx_caps_decide(&d->values, &vtx_all_wishes, &caps);
	vtx_find_firmware(f, d, d->values.feature_control);
	if (!missing && f->cpus_differ) {
		vtx_find(d, VTX_FINDING_BLOCKS, "cpus-differ", "%u of %u CPUs have other VMX capabilities than CPU 0; guests could not move between them.",
			 f->cpus_differ, f->cpus);
		vtx_fix(d, "Update the microcode; it must be the same on all CPUs. Or take the others offline.");
	}
	/* With the lock aside: what else would be missing once it is lifted? */
	if (missing && (d->values.feature_control & 5) == 1) {
		struct vtx_msr_values unlocked = d->values;

		unlocked.feature_control = 5;
		missing = vtx_caps_decide(&unlocked, &vtx_all_wishes, &caps);
	}
	if (missing)
		vtx_find_processor_lacks(d, missing);
}

/* ------------------------------------------------------------------ the kernel, and who else is there */

static void vtx_find_users(const struct vtx_doctor_facts *f, struct vtx_diagnosis *d)
{
	if (f->kvm_intel_loaded && f->kvm_virt_at_load == 1) {
		vtx_find(d, VTX_FINDING_BLOCKS, "kvm-intel", "kvm_intel is loaded and holds VT-x: on this kernel it does so from its loading on "
			 "(kvm.enable_virt_at_load is Y). vtx.ko loads beside it, but creating a VM fails with EBUSY.");
		vtx_fix(d, "modprobe -r kvm_intel, or boot with kvm.enable_virt_at_load=0.");
	} else if (f->kvm_intel_loaded && f->kvm_intel_users > 0) {
		vtx_find(d, VTX_FINDING_BLOCKS, "kvm-intel", "kvm_intel is loaded and in use (%d references): while it has virtual machines it holds VT-x. "
			 "vtx.ko loads beside it, but creating a VM fails with EBUSY.", f->kvm_intel_users);
		vtx_fix(d, "Stop KVM's virtual machines, or move them to /dev/vtx.");
	} else if (f->kvm_intel_loaded) {
		vtx_find(d, VTX_FINDING_NOTE, "kvm-intel", "kvm_intel is loaded%s. It takes VT-x when its first virtual machine starts; "
			 "the one of the two that comes first has it.", f->kvm_intel_users == 0 ? " and idle" : "");
		vtx_fix(d, "To be sure: modprobe -r kvm_intel. CR4.VMXE, which would tell who has VT-x now, can't be read by a program.");
	}
	if (*f->others) {
		vtx_find(d, VTX_FINDING_NOTE, "other-hypervisor", "Other modules that use VT-x are loaded: %s. While their machines run, creating a VM on vtx "
			 "fails with EBUSY.", f->others);
		vtx_fix(d, "Stop their virtual machines first.");
	}
}

static void vtx_find_kernel(const struct vtx_doctor_facts *f, struct vtx_diagnosis *d)
{
	bool locked = *f->lockdown && strcmp(f->lockdown, "none");

	if (*f->config_lacks) {
		vtx_find(d, VTX_FINDING_BLOCKS, "kernel-config", "The running kernel was built without %s, which vtx.ko needs (%s).", f->config_lacks,
			 f->config_file);
		vtx_fix(d, "Use another kernel; those of Debian have it.");
	}
	if (*f->config_wants) {
		vtx_find(d, VTX_FINDING_NOTE, "kernel-config", "The running kernel was built without %s. vtx top, stat and trace read debugfs "
			 "(CONFIG_DEBUG_FS); vtx doctor reads MSRs (CONFIG_X86_MSR).", f->config_wants);
	}
	if ((locked || f->sig_enforce) && *f->module_file && !f->module_signed) {
		if (locked)
			vtx_find(d, VTX_FINDING_BLOCKS, "lockdown", "The kernel is locked down (%s, usually because of Secure Boot) and loads signed modules "
				 "only; %s is not signed.", f->lockdown, f->module_file);
		else
			vtx_find(d, VTX_FINDING_BLOCKS, "signature", "The kernel loads signed modules only (module.sig_enforce); %s is not signed.",
				 f->module_file);
		vtx_fix(d, "Sign it with a key the kernel trusts (mokutil --import, scripts/sign-file), or switch Secure Boot off.");
	} else if (locked) {
		vtx_find(d, VTX_FINDING_NOTE, "lockdown", "The kernel is locked down (%s): unsigned modules are refused, and debugfs is closed to vtx top, "
			 "stat and trace.", f->lockdown);
	}
}

static void vtx_find_module(const struct vtx_doctor_facts *f, struct vtx_diagnosis *d)
{
	if (!*f->module_file) {
		vtx_find(d, VTX_FINDING_NOTE, "no-module", "No vtx.ko was found, neither beside this program nor in /lib/modules/%s.", f->release);
		vtx_fix(d, "Build it with make, or name it with --module FILE.");
	} else if (*f->module_release && strcmp(f->module_release, f->release)) {
		vtx_find(d, VTX_FINDING_BLOCKS, "module-release", "%s was built for Linux %s, and this is %s.", f->module_file, f->module_release, f->release);
		vtx_fix(d, "make KDIR=/lib/modules/%s/build, with that kernel's headers installed.", f->release);
	}
}

void vtx_doctor_diagnose(const struct vtx_doctor_facts *f, struct vtx_diagnosis *d)
{
	bool blocks = false, unknown = false;

	memset(d, 0, sizeof(*d));
	vtx_find_processor(f, d);
	if (f->host) {
		vtx_find_users(f, d);
		vtx_find_kernel(f, d);
		if (f->vtx_loaded)
			vtx_find(d, VTX_FINDING_NOTE, "loaded", "vtx.ko is loaded: the processor passed the module's own check.");
		else
			vtx_find_module(f, d);
	}
	for (unsigned int i = 0; i < d->count; i++) {
		blocks |= d->findings[i].kind == VTX_FINDING_BLOCKS;
		/* A module that is loaded has looked at the MSRs itself. */
		unknown |= d->findings[i].kind == VTX_FINDING_UNKNOWN && !(f->host && f->vtx_loaded);
	}
	d->status = blocks ? VTX_DOCTOR_CANNOT : unknown ? VTX_DOCTOR_UNKNOWN : VTX_DOCTOR_CAN;
}
