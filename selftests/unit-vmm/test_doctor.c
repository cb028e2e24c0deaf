// SPDX-License-Identifier: GPL-2.0-only
/* `vtx doctor`: recorded sets of MSRs and made-up hosts, and what it says of them. */
#include "unit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "userspace-vmm/doctor.h"

static struct vtx_doctor_facts facts;
static struct vtx_diagnosis diagnosis;
static struct vtx_error error;

static char *read_set(const char *name, size_t *size)
{
	static char text[8192];
	char path[512];
	FILE *in;

	snprintf(path, sizeof(path), "%s/%s.txt", MSRS, name);
	in = fopen(path, "r");
	if (!in)
		fail_msg("%s is not there", path);
	*size = fread(text, 1, sizeof(text), in);
	fclose(in);
	return text;
}

static void load(const char *name)
{
	size_t size;
	char *text = read_set(name, &size);

	memset(&facts, 0, sizeof(facts));
	if (vtx_msr_set_parse(&facts.cpu, text, size, name, &error))
		fail_msg("%s", error.text);
}

static const struct vtx_finding *finding(const char *code)
{
	for (unsigned int i = 0; i < diagnosis.count; i++)
		if (!strcmp(diagnosis.findings[i].code, code))
			return &diagnosis.findings[i];
	return NULL;
}

static void expect(enum vtx_doctor_status status, const char *code, const char *words)
{
	const struct vtx_finding *f;

	vtx_doctor_diagnose(&facts, &diagnosis);
	f = code ? finding(code) : NULL;
	if (diagnosis.status != status)
		fail_msg("status %d, not %d", diagnosis.status, status);
	if (code && !f)
		fail_msg("no finding %s", code);
	if (code && !strstr(f->text, words) && !strstr(f->fix, words))
		fail_msg("%s does not say '%s' but '%s' '%s'", code, words, f->text, f->fix);
}

/* ------------------------------------------------------------------ recorded sets */

static void test_recorded_sets(void **state)
{
	static const struct {
		const char *file;
		enum vtx_doctor_status status;
		const char *code, *words;
	} sets[] = {
		{ "skylake-x", VTX_DOCTOR_CAN, NULL, "" },
		{ "haswell", VTX_DOCTOR_CAN, NULL, "" },
		{ "westmere", VTX_DOCTOR_CAN, NULL, "" },
		{ "unlocked", VTX_DOCTOR_CAN, "unlocked", "not locked" },
		{ "nehalem", VTX_DOCTOR_CANNOT, "no-unrestricted-guest", "secondary processor-based control, bit 7" },
		{ "core2", VTX_DOCTOR_CANNOT, "no-ept", "secondary processor-based control, bit 1" },
		{ "core2", VTX_DOCTOR_CANNOT, "missing-bits", "load IA32_EFER (VM-exit control, bit 21)" },
		{ "firmware-locked", VTX_DOCTOR_CANNOT, "firmware-lock", "firmware setup" },
		{ "smx-only", VTX_DOCTOR_CANNOT, "firmware-lock", "inside SMX" },
		{ "core2-locked", VTX_DOCTOR_CANNOT, "firmware-lock", "locked off" },
		{ "core2-locked", VTX_DOCTOR_CANNOT, "no-ept", "EPT" },
		{ "no-true-controls", VTX_DOCTOR_CANNOT, "missing-control", "CR3 and INVLPG exiting that can be switched off" },
		{ "no-msr-bitmaps", VTX_DOCTOR_CANNOT, "missing-control", "MSR bitmaps (primary processor-based control, bit 28)" },
		{ "incomplete", VTX_DOCTOR_UNKNOWN, "msr-missing", "0x48e" },
		{ "kvm-no-nesting", VTX_DOCTOR_CANNOT, "no-nesting", "nested=1" },
		{ "hyperv-no-nesting", VTX_DOCTOR_CANNOT, "no-nesting", "ExposeVirtualizationExtensions" },
		{ "amd-in-kvm", VTX_DOCTOR_CANNOT, "amd", "SVM" },
		{ "pentium4", VTX_DOCTOR_CANNOT, "no-vmx", "CPUID.1:ECX bit 5" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		load(sets[i].file);
		expect(sets[i].status, sets[i].code, sets[i].words);
		assert_true(diagnosis.status != VTX_DOCTOR_CAN || diagnosis.have_values);
	}
}

/* Doctor's yes is the module's yes. */
static void test_agrees_with_the_module(void **state)
{
	static const char *const files[] = { "skylake-x", "haswell", "westmere", "unlocked", "nehalem", "core2", "firmware-locked",
					     "smx-only", "no-true-controls", "no-msr-bitmaps", "pentium4" };
	static const struct vtx_wishes wishes = {
		.vpid = true, .ept_ad = true, .large_pages = true, .tsc_scaling = true, .ple = true,
		.preemption_timer = true, .pml = true, .tpr_shadow = true, .apicv = true,
	};
	struct vtx_msr_values values;
	struct vtx_caps caps;

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		load(files[i]);
		vtx_doctor_diagnose(&facts, &diagnosis);
		vtx_msr_set_values(&facts.cpu, &values);
		assert_int_equal(diagnosis.status == VTX_DOCTOR_CAN, vtx_caps_decide(&values, &wishes, &caps) == NULL);
	}
}

static void test_written_and_read_again(void **state)
{
	struct vtx_msr_set before;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	load("haswell");
	strcpy(facts.cpu.hypervisor, "KVMKVMKVM");
	before = facts.cpu;
	vtx_msr_set_write(&before, out);
	fclose(out);
	assert_int_equal(vtx_msr_set_parse(&facts.cpu, text, size, "again", &error), 0);
	assert_memory_equal(&before, &facts.cpu, sizeof(before));
	free(text);
}

static void test_garbage_is_refused(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
		{ "", "cpuid_vmx" },
		{ "# nothing\n\n", "cpuid_vmx" },
		{ "cpuid_vmx 2\n", "line 1 (cpuid_vmx)" },
		{ "cpuid_vmx\n", "line 1" },
		{ "cpuid_vmx 1\n0x480\n", "line 2 (0x480)" },
		{ "cpuid_vmx 1\n0x480 zz\n", "64 bits" },
		{ "cpuid_vmx 1\n0x480 0x10000000000000000\n", "64 bits" },
		{ "cpuid_vmx 1\n0x480 -1\n", "64 bits" },
		{ "cpuid_vmx 1\n0x480 1\n0x480 2\n", "before" },
		{ "cpuid_vmx 1\n0x100000000 2\n", "line 2" },
		{ "hello world\n", "line 1 (hello)" },
		{ "\x7f""ELF\x02\x01\x01", "line 1" },
	};
	char longest[400];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(vtx_msr_set_parse(&facts.cpu, bad[i].text, strlen(bad[i].text), "F", &error), -1);
		assert_int_equal(error.status, VTX_STATUS_USAGE);
		if (!strstr(error.text, bad[i].says))
			fail_msg("'%s' does not say '%s'", error.text, bad[i].says);
	}
	assert_int_equal(vtx_msr_set_parse(&facts.cpu, "cpuid_vmx 1\0\n", 13, "F", &error), -1);
	memset(longest, 'x', sizeof(longest));
	assert_int_equal(vtx_msr_set_parse(&facts.cpu, longest, sizeof(longest), "F", &error), -1);
	/* no line feed at the end, carriage returns, blanks, and an MSR that does not count */
	assert_int_equal(vtx_msr_set_parse(&facts.cpu, "\t0x10 5\r\n  cpuid_vmx\t1  ", 23, "F", &error), 0);
	assert_true(facts.cpu.cpuid_vmx && !facts.cpu.have);
}

/* ------------------------------------------------------------------ hosts */

static void good_host(void)
{
	load("skylake-x");
	facts.cpus = 2;
	facts.host = facts.root = facts.cpuinfo_known = facts.cpuinfo_vmx = facts.config_kvm_intel = true;
	strcpy(facts.release, "6.1.0-56-cloud-amd64");
	strcpy(facts.module_file, "/vtx/vtx.ko");
	strcpy(facts.module_release, facts.release);
	strcpy(facts.config_file, "/boot/config");
	facts.kvm_virt_at_load = facts.kvm_intel_users = -1;
}

static void test_good_host(void **state)
{
	(void)state;
	good_host();
	expect(VTX_DOCTOR_CAN, NULL, "");
	assert_int_equal(diagnosis.count, 0);
}

static void test_who_holds_vtx(void **state)
{
	(void)state;
	good_host();
	facts.kvm_intel_loaded = true;
	facts.kvm_intel_users = 0;
	expect(VTX_DOCTOR_CAN, "kvm-intel", "idle");
	facts.kvm_intel_users = 2;
	expect(VTX_DOCTOR_CANNOT, "kvm-intel", "EBUSY");
	facts.kvm_intel_users = 0;
	facts.kvm_virt_at_load = 1;
	expect(VTX_DOCTOR_CANNOT, "kvm-intel", "modprobe -r kvm_intel");
	facts.kvm_virt_at_load = 0;
	expect(VTX_DOCTOR_CAN, "kvm-intel", "idle");
	good_host();
	strcpy(facts.others, "vboxdrv");
	expect(VTX_DOCTOR_CAN, "other-hypervisor", "vboxdrv");
}

static void test_kernel(void **state)
{
	(void)state;
	good_host();
	strcpy(facts.module_release, "6.12.0");
	expect(VTX_DOCTOR_CANNOT, "module-release", "6.12.0");
	facts.vtx_loaded = true; /* it was loaded, so another file does not matter */
	expect(VTX_DOCTOR_CAN, "loaded", "");
	good_host();
	facts.module_file[0] = 0;
	expect(VTX_DOCTOR_CAN, "no-module", "make");
	good_host();
	strcpy(facts.lockdown, "integrity");
	expect(VTX_DOCTOR_CANNOT, "lockdown", "Secure Boot");
	facts.module_signed = true;
	expect(VTX_DOCTOR_CAN, "lockdown", "debugfs");
	strcpy(facts.lockdown, "none");
	expect(VTX_DOCTOR_CAN, NULL, "");
	assert_null(finding("lockdown"));
	facts.module_signed = false;
	facts.sig_enforce = true;
	expect(VTX_DOCTOR_CANNOT, "signature", "sig_enforce");
	good_host();
	strcpy(facts.config_lacks, "CONFIG_MMU_NOTIFIER");
	expect(VTX_DOCTOR_CANNOT, "kernel-config", "CONFIG_MMU_NOTIFIER");
	good_host();
	strcpy(facts.config_wants, "CONFIG_DEBUG_FS");
	expect(VTX_DOCTOR_CAN, "kernel-config", "CONFIG_DEBUG_FS");
	load("firmware-locked");
	facts.host = true;
	strcpy(facts.config_file, "/boot/config");
	expect(VTX_DOCTOR_CANNOT, "firmware-lock", "CONFIG_KVM_INTEL");
}

static void test_without_msrs(void **state)
{
	(void)state;
	good_host();
	facts.access = VTX_MSRS_NO_DEVICE;
	expect(VTX_DOCTOR_UNKNOWN, "no-msr-device", "modprobe msr");
	facts.access = VTX_MSRS_REFUSED;
	facts.root = false;
	expect(VTX_DOCTOR_UNKNOWN, "msr-refused", "as root");
	strcpy(facts.vmx_flags, "vnmi ept vpid unrestricted_guest");
	expect(VTX_DOCTOR_UNKNOWN, "msr-refused", "as root");
	strcpy(facts.vmx_flags, "vnmi ept_ad vpid unrestricted_guest");
	expect(VTX_DOCTOR_CANNOT, "no-ept", "EPT");
	strcpy(facts.vmx_flags, "vnmi ept");
	expect(VTX_DOCTOR_CANNOT, "no-unrestricted-guest", "unrestricted");
	facts.cpuinfo_vmx = false;
	expect(VTX_DOCTOR_CANNOT, "firmware-lock", "firmware");
	good_host();
	facts.access = VTX_MSRS_NO_DEVICE;
	facts.vtx_loaded = true; /* the module has looked itself */
	expect(VTX_DOCTOR_CAN, "loaded", "");
}

static void test_cpus_that_differ(void **state)
{
	(void)state;
	good_host();
	facts.cpus_differ = 1;
	expect(VTX_DOCTOR_CANNOT, "cpus-differ", "1 of 2 CPUs");
}

/* ------------------------------------------------------------------ reading a host */

static char tree[] = "/tmp/vtx-doctor.XXXXXX";

static void plant(const char *path, const char *text, size_t size)
{
	char full[512], *slash;
	int fd;

	snprintf(full, sizeof(full), "%s%s", tree, path);
	for (slash = full + strlen(tree) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = 0;
		mkdir(full, 0755);
		*slash = '/';
	}
	fd = open(full, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	assert_true(fd >= 0 && write(fd, text, size) == (ssize_t)size);
	close(fd);
}

static void plant_text(const char *path, const char *text)
{
	plant(path, text, strlen(text));
}

static void look(const char *module)
{
	memset(&facts, 0, sizeof(facts));
	vtx_doctor_look_around(&facts, tree, module);
}

static void test_looks_around(void **state)
{
	static const char module[] = "\x7f""ELF...\0vermagic=6.9.1-x SMP mod_unload\0...~Module signature appended~\n";
	char path[512];

	(void)state;
	assert_non_null(mkdtemp(tree));
	look("/nowhere/vtx.ko");
	assert_true(facts.host && !facts.cpuinfo_known && !facts.vtx_loaded && !facts.kvm_intel_loaded);
	assert_true(!*facts.release && !*facts.config_file && !*facts.module_file && !*facts.lockdown);
	assert_int_equal(facts.kvm_virt_at_load, -1);

	plant_text("/proc/sys/kernel/osrelease", "6.9.1-x\n");
	plant_text("/proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu vmx est\nvmx flags\t: vnmi ept unrestricted_guest\n\nprocessor\t: 1\nflags\t: fpu\n");
	plant_text("/sys/module/kvm_intel/refcnt", "3\n");
	plant_text("/sys/module/kvm/parameters/enable_virt_at_load", "Y\n");
	plant_text("/sys/module/vboxdrv/refcnt", "0\n");
	plant_text("/sys/module/module/parameters/sig_enforce", "Y\n");
	plant_text("/sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
	plant_text("/boot/config-6.9.1-x", "CONFIG_X86_64=y\nCONFIG_MODULES=y\n# CONFIG_MMU_NOTIFIER is not set\nCONFIG_EVENTFD=y\n"
		   "CONFIG_PREEMPT_NOTIFIERS=y\nCONFIG_USER_RETURN_NOTIFIER=y\nCONFIG_X86_MSR=m\nCONFIG_KVM_INTEL=m\n");
	plant("/lib/modules/6.9.1-x/extra/vtx.ko", module, sizeof(module) - 1);
	look(NULL);
	assert_string_equal(facts.release, "6.9.1-x");
	assert_true(facts.cpuinfo_known && facts.cpuinfo_vmx && facts.kvm_intel_loaded && facts.sig_enforce && facts.config_kvm_intel);
	assert_string_equal(facts.vmx_flags, "vnmi ept unrestricted_guest");
	assert_int_equal(facts.kvm_intel_users, 3);
	assert_int_equal(facts.kvm_virt_at_load, 1);
	assert_string_equal(facts.others, "vboxdrv");
	assert_string_equal(facts.lockdown, "integrity");
	assert_string_equal(facts.config_lacks, "CONFIG_MMU_NOTIFIER");
	assert_string_equal(facts.config_wants, "CONFIG_DEBUG_FS");
	assert_string_equal(facts.module_release, "6.9.1-x");
	assert_true(facts.module_signed);

	snprintf(path, sizeof(path), "%s/boot/config-6.9.1-x", tree); /* a file that is no module */
	look(path);
	assert_string_equal(facts.module_file, path);
	assert_true(!*facts.module_release && !facts.module_signed);
	snprintf(path, sizeof(path), "rm -r %s", tree);
	assert_int_equal(system(path), 0);
}

/* ------------------------------------------------------------------ the report */

static char *report(bool json, bool quiet)
{
	static char *text;
	size_t size;
	FILE *out;

	free(text);
	text = NULL;
	out = open_memstream(&text, &size);
	vtx_doctor_diagnose(&facts, &diagnosis);
	if (json)
		vtx_doctor_json(&facts, &diagnosis, out);
	else
		vtx_doctor_print(&facts, &diagnosis, quiet, out);
	fclose(out);
	return text;
}

static unsigned int count_of(const char *text, const char *part)
{
	unsigned int n = 0;

	for (; (text = strstr(text, part)); text++)
		n++;
	return n;
}

static void test_report_has_every_bit(void **state)
{
	char line[128], *text;

	(void)state;
	good_host();
	text = report(false, false);
	for (unsigned int i = 0; i < vtx_nr_controls; i++) {
		snprintf(line, sizeof(line), "\n  %-38s %3u  ", vtx_controls[i].name, vtx_controls[i].bit);
		if (!strstr(text, line))
			fail_msg("no line for %s", vtx_controls[i].missing);
	}
	assert_non_null(strstr(text, "\n  MSR bitmaps                             28  needed  yes      -\n"));
	assert_non_null(strstr(text, "vtx can load and run guests here.\n"));
	assert_null(strstr(text, "<-- missing"));
	assert_null(strstr(report(false, true), "MSR bitmaps"));
	load("core2");
	assert_int_equal(count_of(report(false, false), "<-- missing"), 11);
	for (text = report(false, false); *text; text = strchr(text, '\n') + 1)
		assert_true(strcspn(text, "\n") <= 130);
}

/* Balanced and quoted: good enough to see that no text breaks out; a real parser reads it in the machine's test. */
static void test_json(void **state)
{
	char *text;

	(void)state;
	good_host();
	text = report(true, false);
	assert_int_equal(count_of(text, "\"word\": "), vtx_nr_controls);
	assert_non_null(strstr(text, "\"result\": \"can\""));
	assert_non_null(strstr(text, "{\"word\": \"proc\", \"bit\": 28, \"name\": \"MSR bitmaps\", \"use\": \"needed\", \"present\": true, \"fixed\": null}"));
	assert_int_equal(count_of(text, "{"), count_of(text, "}"));
	strcpy(facts.cpu.model, "a\"b\\c\n");
	assert_non_null(strstr(report(true, false), "\"model\": \"a\\\"b\\\\c\\u000a\""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recorded_sets),	     cmocka_unit_test(test_agrees_with_the_module),
		cmocka_unit_test(test_written_and_read_again), cmocka_unit_test(test_garbage_is_refused),
		cmocka_unit_test(test_good_host),	     cmocka_unit_test(test_who_holds_vtx),
		cmocka_unit_test(test_kernel),		     cmocka_unit_test(test_without_msrs),
		cmocka_unit_test(test_cpus_that_differ),     cmocka_unit_test(test_looks_around),
		cmocka_unit_test(test_report_has_every_bit), cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
