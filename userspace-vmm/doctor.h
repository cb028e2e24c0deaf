/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * `vtx doctor`: from facts to findings.  The decision about the processor is the module's own (vmx/caps.c); what stands
 * around it, the kernel and who else uses VT-x, is judged here.  Nothing here touches the host: doctor_host.c does.
 */
#ifndef VTX_VMM_DOCTOR_H
#define VTX_VMM_DOCTOR_H

#include <stdbool.h>
#include <stdio.h>

#include "userspace-vmm/msr_set.h"

enum vtx_msr_access {
	VTX_MSRS_READ,		/* or recorded */
	VTX_MSRS_NO_DEVICE,	/* no /dev/cpu/0/msr */
	VTX_MSRS_REFUSED,	/* it is there and can't be opened or read */
	VTX_MSRS_NOT_TRIED,	/* no VMX, so no MSRs */
};

struct vtx_doctor_facts {
	struct vtx_msr_set cpu;
	enum vtx_msr_access access;
	unsigned int cpus, cpus_unread, cpus_differ;	/* differ: from CPU 0 in a value the decision looks at */

	bool host;		/* false: all below is not known, the MSRs come from a file */
	bool root;
	char release[65];	/* uname -r */
	bool cpuinfo_known;	/* /proc/cpuinfo was read: */
	bool cpuinfo_vmx;	/* "vmx" among the flags: Linux takes it away where the firmware locked VT-x off */
	char vmx_flags[512];	/* the line "vmx flags", empty: none */
	bool vtx_loaded;
	bool kvm_intel_loaded;
	int kvm_intel_users;	/* its reference count; -1: not known */
	int kvm_virt_at_load;	/* kvm.enable_virt_at_load: 0, 1, -1: this kernel has no such parameter */
	char others[128];	/* other modules that use VT-x, "vboxdrv vmmon" */
	char lockdown[20];	/* none, integrity, confidentiality; empty: no lockdown in this kernel */
	bool sig_enforce;
	char config_file[256];	/* empty: not found */
	char config_lacks[128];	/* options vtx can't do without that are off */
	char config_wants[128];	/* options something is lost without */
	bool config_kvm_intel;
	char module_file[512];	/* empty: not found */
	char module_release[65];	/* the kernel it was built for; empty: not known (compressed) */
	bool module_signed;
};

enum vtx_finding_kind {
	VTX_FINDING_BLOCKS,	/* vtx can't run here until this is changed */
	VTX_FINDING_UNKNOWN,	/* something that decides could not be found out */
	VTX_FINDING_NOTE,	/* worth knowing, decides nothing */
};

struct vtx_finding {
	enum vtx_finding_kind kind;
	const char *code;	/* one word, stable, for scripts */
	char text[512];
	char fix[384];		/* empty: there is none */
};

#define VTX_MAX_FINDINGS 32

enum vtx_doctor_status {
	VTX_DOCTOR_CAN = 0,
	VTX_DOCTOR_CANNOT = 1,
	VTX_DOCTOR_UNKNOWN = 2,
};

struct vtx_diagnosis {
	enum vtx_doctor_status status;
	bool have_values;
	struct vtx_msr_values values;
	unsigned int count;
	struct vtx_finding findings[VTX_MAX_FINDINGS];
};

void vtx_doctor_diagnose(const struct vtx_doctor_facts *facts, struct vtx_diagnosis *diagnosis);

/* doctor_text.c.  QUIET: the result alone, without the processor and the table of control bits. */
void vtx_doctor_print(const struct vtx_doctor_facts *facts, const struct vtx_diagnosis *diagnosis, bool quiet, FILE *out);
void vtx_doctor_json(const struct vtx_doctor_facts *facts, const struct vtx_diagnosis *diagnosis, FILE *out);

/* doctor_host.c.  ROOT is put before every path ("" for this machine); MODULE is a file, or NULL: look for it. */
void vtx_doctor_look_around(struct vtx_doctor_facts *facts, const char *root, const char *module);
/* CPUID of the CPU this runs on, and the MSRs of all. */
void vtx_doctor_read_cpu(struct vtx_doctor_facts *facts, const char *root);

#endif
