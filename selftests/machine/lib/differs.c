// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which device is under test, and the table of cases that are not run on it (see differs.h).
 */
#include "lib/differs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "lib/harness.h"

static const struct {
	const char *program;
	const char *name;	/* "*": the whole program */
	enum device_kind kind;
	const char *reason;
} differs[] = {
	{ "test_regs", "fpu_reaches_xsave", DEVICE_KVM_INTEL,
	  "KVM_SET_FPU leaves XSTATE_BV alone: on a fresh vCPU the state is lost (arch/x86/kvm/x86.c)" },
	{ "test_mmio", "forms_sse", DEVICE_KVM_INTEL, "KVM's emulator lacks MOVD, MOVQ xmm, MOVSS and MOVSD" },
	{ "test_mmio", "forms_avx", DEVICE_KVM_INTEL, "KVM's emulator knows no VEX prefix" },
	{ "test_split", "extint", DEVICE_KVM_INTEL, "does not look again for KVM_INTERRUPT's vector when the guest unmasks LINT0" },
	{ "test_split", "eoi_of_edge", DEVICE_KVM_INTEL, "tells of every EOI of a vector that some route uses, whatever the TMR says" },
	{ "test_split", "eoi_after_reroute", DEVICE_KVM_INTEL, "the EOI of a vector that no route uses any more is lost (6.1)" },
	{ "test_delivery", "illegal_vectors", DEVICE_KVM_INTEL, "keeps no error status" },
	{ "test_delivery", "no_smi", DEVICE_KVM_INTEL, "has system management mode" },
	{ "test_delivery", "every_icr", DEVICE_KVM_INTEL, "has system management mode, in which the guest dies" },
	{ "test_stats", "*", DEVICE_KVM_INTEL, "the exits file is vtx's own (issue 2, section 2)" },
	{ "test_stats_fd", "*", DEVICE_KVM_INTEL, "statistics of exit reasons, and the flight recorder they are held against, are vtx's own" },
	{ "test_stats_live", "*", DEVICE_KVM_INTEL, "as test_stats_fd" },
	{ "test_stats_file", "position", DEVICE_KVM_INTEL, "lseek() does nothing and says so to nobody (noop_llseek)" },
	{ "test_stats_file", "names", DEVICE_KVM_INTEL, "kvm-vm-stats, kvm-vcpu-stats:N" },
	{ "test_stats_file", "other_process", DEVICE_KVM_INTEL, "looks at a statistic that is vtx's own" },
	{ "test_stats_file", "keeps_vm", DEVICE_KVM_INTEL, "looks at a statistic that is vtx's own, and unloads vtx" },
	{ "test_stats_file", "with_sentences", DEVICE_KVM_INTEL, "the file with the sentences is vtx's own" },
	{ "test_refusals", "*", DEVICE_KVM_INTEL, "VTX_SET_EXT_ERROR is vtx's own" },
	{ "test_ext_error", "*", DEVICE_KVM_INTEL, "VTX_SET_EXT_ERROR is vtx's own" },
	{ "test_busy", "*", DEVICE_KVM_INTEL, "about vtx.ko's loading and unloading" },
	{ "test_boots", "*", DEVICE_KVM_INTEL, "about vtx.ko's unloading after guest boots" },
};

const char *device_path(void)
{
	const char *path = getenv("VTX_DEV");

	return path && *path ? path : "/dev/vtx";
}

enum device_kind device_kind(void)
{
	char link[64], target[256];
	struct stat st;
	ssize_t len;

	if (stat(device_path(), &st) || !S_ISCHR(st.st_mode))
		return strstr(device_path(), "kvm") ? DEVICE_KVM_INTEL : DEVICE_VTX;
	snprintf(link, sizeof(link), "/sys/dev/char/%u:%u", major(st.st_rdev), minor(st.st_rdev));
	len = readlink(link, target, sizeof(target) - 1);
	if (len > 0) {
		target[len] = '\0';
		if (strstr(target, "misc/vtx"))
			return DEVICE_VTX;
	}
	if (!access("/sys/module/kvm_intel", F_OK))
		return DEVICE_KVM_INTEL;
	return access("/sys/module/kvm", F_OK) ? DEVICE_VTX : DEVICE_OTHER;
}

const char *differs_reason(const char *program, const char *name)
{
	enum device_kind kind = device_kind();

	for (size_t i = 0; i < ARRAY_SIZE(differs); i++) {
		if (differs[i].kind != kind || strcmp(differs[i].program, program))
			continue;
		if (!strcmp(differs[i].name, "*") || !strcmp(differs[i].name, name))
			return differs[i].reason;
	}
	return NULL;
}
