// SPDX-License-Identifier: GPL-2.0-only
/* `vtx doctor`: the facts, from CPUID, /dev/cpu, /proc, /sys, the kernel's configuration and the module's file. */
#define _GNU_SOURCE
#include "userspace-vmm/doctor.h"

#include <cpuid.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The beginning of a small file, without the line feed at its end.  Returns false (and "") if it can't be read. */
static __attribute__((format(printf, 3, 4))) bool vtx_read_text(char *text, size_t size, const char *format, ...)
{
	char path[PATH_MAX];
	va_list args;
	ssize_t n;
	int fd;

	va_start(args, format);
	vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	text[0] = 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, size - 1);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	if (n > 0 && text[n - 1] == '\n')
		text[n - 1] = 0;
	return n >= 0;
}

static bool vtx_exists(const char *root, const char *path)
{
	char full[PATH_MAX];

	snprintf(full, sizeof(full), "%s%s", root, path);
	return access(full, F_OK) == 0;
}

/* ------------------------------------------------------------------ CPUID and MSRs */

static void vtx_read_cpuid(struct vtx_msr_set *set)
{
	uint32_t a, b, c, d, text[12];

	if (!__get_cpuid(0, &a, &b, &c, &d))
		return;
	memcpy(set->vendor, &b, 4);
	memcpy(set->vendor + 4, &d, 4);
	memcpy(set->vendor + 8, &c, 4);
	__cpuid(1, a, b, c, d);
	set->cpuid_vmx = c >> 5 & 1;
	if (c >> 31) { /* a hypervisor says so; its leaves begin here (not reported by leaf 0) */
		__cpuid(0x40000000, a, b, c, d);
		memcpy(set->hypervisor, &b, 4);
		memcpy(set->hypervisor + 4, &c, 4);
		memcpy(set->hypervisor + 8, &d, 4);
		if (!set->hypervisor[0])
			strcpy(set->hypervisor, "unnamed");
	}
	if (__get_cpuid_max(0x80000000, NULL) < 0x80000004)
		return;
	for (unsigned int i = 0; i < 3; i++)
		__cpuid(0x80000002 + i, text[4 * i], text[4 * i + 1], text[4 * i + 2], text[4 * i + 3]);
	memcpy(set->model, text, sizeof(text));
	memmove(set->model, set->model + strspn(set->model, " "), strlen(set->model + strspn(set->model, " ")) + 1);
}

static int vtx_open_msrs(const char *root, unsigned int cpu)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/dev/cpu/%u/msr", root, cpu);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static void vtx_read_msrs(int fd, struct vtx_msr_set *set)
{
	uint64_t value;

	for (unsigned int i = 0; i < VTX_MSR_SET_COUNT; i++)
		if (pread(fd, &value, sizeof(value), (off_t)vtx_msr_set_number(i)) == sizeof(value))
			vtx_msr_set_put(set, vtx_msr_set_number(i), value);
}

/* What the decision looks at is the same?  The module compares its decisions; equal values make equal ones. */
static bool vtx_same_values(const struct vtx_msr_set *a, const struct vtx_msr_set *b)
{
	struct vtx_msr_values x, y;

	vtx_msr_set_values(a, &x);
	vtx_msr_set_values(b, &y);
	return !memcmp(&x, &y, sizeof(x));
}

void vtx_doctor_read_cpu(struct vtx_doctor_facts *f, const char *root)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN), all = sysconf(_SC_NPROCESSORS_CONF);
	int fd;

	memset(&f->cpu, 0, sizeof(f->cpu));
	vtx_read_cpuid(&f->cpu);
	f->cpus = cpus > 0 ? (unsigned int)cpus : 1;
	f->access = VTX_MSRS_NOT_TRIED;
	if (!f->cpu.cpuid_vmx)
		return;
	fd = vtx_open_msrs(root, 0);
	if (fd < 0) {
		f->access = errno == ENOENT || errno == ENXIO || errno == ENODEV ? VTX_MSRS_NO_DEVICE : VTX_MSRS_REFUSED;
		return;
	}
	vtx_read_msrs(fd, &f->cpu);
	close(fd);
	f->access = f->cpu.have ? VTX_MSRS_READ : VTX_MSRS_REFUSED;
	for (unsigned int i = 1; (long)i < all; i++) {
		struct vtx_msr_set other = { .cpuid_vmx = true };

		fd = vtx_open_msrs(root, i);
		if (fd < 0) {
			f->cpus_unread++; /* offline, or gone */
			continue;
		}
		vtx_read_msrs(fd, &other);
		close(fd);
		f->cpus_differ += !vtx_same_values(&f->cpu, &other);
	}
}

/* ------------------------------------------------------------------ /proc and /sys */

static void vtx_look_at_cpuinfo(struct vtx_doctor_facts *f, const char *root)
{
	char path[PATH_MAX], *line = NULL;
	size_t size = 0;
	bool flags = false;
	FILE *in;

	snprintf(path, sizeof(path), "%s/proc/cpuinfo", root);
	in = fopen(path, "re");
	if (!in)
		return;
	while (getline(&line, &size, in) > 0 && *line != '\n') { /* the first CPU is enough */
		char *value = strchr(line, ':');

		if (!value)
			continue;
		line[strcspn(line, "\n")] = 0;
		value += value[1] == ' ' ? 2 : 1;
		if (!strncmp(line, "flags", 5)) {
			flags = true;
			f->cpuinfo_vmx = strstr(value, " vmx ") || !strncmp(value, "vmx ", 4) ||
					 (strlen(value) >= 4 && !strcmp(value + strlen(value) - 4, " vmx"));
		} else if (!strncmp(line, "vmx flags", 9)) {
			snprintf(f->vmx_flags, sizeof(f->vmx_flags), "%s", value);
		}
	}
	f->cpuinfo_known = flags;
	free(line);
	fclose(in);
}

static void vtx_look_at_modules(struct vtx_doctor_facts *f, const char *root)
{
	static const char *const others[] = { "vboxdrv", "vmmon", "haxm", "acrn", "bhyve" };
	char text[256];

	f->vtx_loaded = vtx_exists(root, "/sys/module/vtx");
	f->kvm_intel_loaded = vtx_exists(root, "/sys/module/kvm_intel");
	f->kvm_intel_users = vtx_read_text(text, sizeof(text), "%s/sys/module/kvm_intel/refcnt", root) ? atoi(text) : -1;
	f->kvm_virt_at_load = -1;
	if (vtx_read_text(text, sizeof(text), "%s/sys/module/kvm/parameters/enable_virt_at_load", root))
		f->kvm_virt_at_load = *text == 'Y';
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		snprintf(text, sizeof(text), "/sys/module/%s", others[i]);
		if (vtx_exists(root, text))
			sprintf(f->others + strlen(f->others), "%s%s", *f->others ? " " : "", others[i]);
	}
	if (vtx_read_text(text, sizeof(text), "%s/sys/module/module/parameters/sig_enforce", root))
		f->sig_enforce = *text == 'Y';
	/* "none [integrity] confidentiality": the one in brackets is in force. */
	if (vtx_read_text(text, sizeof(text), "%s/sys/kernel/security/lockdown", root)) {
		const char *start = strchr(text, '[');

		if (start)
			snprintf(f->lockdown, sizeof(f->lockdown), "%.*s", (int)strcspn(start + 1, "]"), start + 1);
	}
}

/* ------------------------------------------------------------------ the kernel's configuration */

static void vtx_append(char *list, size_t size, const char *word)
{
	if (strlen(list) + strlen(word) + 3 <= size)
		sprintf(list + strlen(list), "%s%s", *list ? ", " : "", word);
}

static FILE *vtx_open_config(struct vtx_doctor_facts *f, const char *root, bool *piped)
{
	static const char *const places[][2] = {
		{ "/boot/config-", "" },
		{ "/lib/modules/", "/config" },
		{ "/lib/modules/", "/build/.config" },
	};
	FILE *in = NULL;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && !in; i++) {
		snprintf(f->config_file, sizeof(f->config_file), "%s%s%s%s", root, places[i][0], f->release, places[i][1]);
		in = fopen(f->config_file, "re");
	}
	if (!in && !*root && access("/proc/config.gz", R_OK) == 0) {
		strcpy(f->config_file, "/proc/config.gz");
		in = popen("gzip -dc /proc/config.gz 2>/dev/null", "re");
		*piped = true;
	}
	if (!in)
		f->config_file[0] = 0;
	return in;
}

static void vtx_look_at_config(struct vtx_doctor_facts *f, const char *root)
{
	static const struct {
		const char *name;
		bool needed;
	} options[] = {
		{ "CONFIG_X86_64", true },	  { "CONFIG_MODULES", true },	{ "CONFIG_MMU_NOTIFIER", true },
		{ "CONFIG_EVENTFD", true },	  { "CONFIG_PREEMPT_NOTIFIERS", true }, { "CONFIG_USER_RETURN_NOTIFIER", true },
		{ "CONFIG_DEBUG_FS", false },	  { "CONFIG_X86_MSR", false },
	};
	bool on[sizeof(options) / sizeof(options[0])] = { false };
	char *line = NULL;
	size_t size = 0;
	bool piped = false;
	FILE *in = vtx_open_config(f, root, &piped);

	if (!in)
		return;
	while (getline(&line, &size, in) > 0) {
		size_t len = strcspn(line, "=");

		if (!line[len] || (line[len + 1] != 'y' && line[len + 1] != 'm'))
			continue;
		line[len] = 0;
		for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
			on[i] |= !strcmp(line, options[i].name);
		f->config_kvm_intel |= !strcmp(line, "CONFIG_KVM_INTEL");
	}
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (on[i])
			continue;
		if (options[i].needed)
			vtx_append(f->config_lacks, sizeof(f->config_lacks), options[i].name);
		else
			vtx_append(f->config_wants, sizeof(f->config_wants), options[i].name);
	}
	free(line);
	if (piped)
		pclose(in);
	else
		fclose(in);
}

/* ------------------------------------------------------------------ the module's file */

/* "vermagic=6.1.0-56-cloud-amd64 SMP ..." stands in the file as it is, and a signature ends it with a line of its own. */
static bool vtx_look_into_module(struct vtx_doctor_facts *f, const char *path)
{
	static const char magic[] = "vermagic=", signature[] = "~Module signature appended~\n";
	struct stat st;
	char *data, *found;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size > 64 << 20) {
		close(fd);
		return false;
	}
	data = malloc((size_t)st.st_size + 1);
	n = data ? read(fd, data, (size_t)st.st_size) : -1;
	close(fd);
	if (n >= 0) {
		data[n] = 0;
		snprintf(f->module_file, sizeof(f->module_file), "%s", path);
		found = memmem(data, (size_t)n, magic, sizeof(magic) - 1);
		if (found)
			snprintf(f->module_release, sizeof(f->module_release), "%.*s", (int)strcspn(found + sizeof(magic) - 1, " "),
				 found + sizeof(magic) - 1);
		f->module_signed = (size_t)n >= sizeof(signature) - 1 &&
				   !memcmp(data + n - (sizeof(signature) - 1), signature, sizeof(signature) - 1);
	}
	free(data);
	return n >= 0;
}

static void vtx_look_for_module(struct vtx_doctor_facts *f, const char *root, const char *named)
{
	static const char *const folders[] = { "extra", "updates", "updates/dkms", "misc" };
	static const char *const ends[] = { "", ".xz", ".zst", ".gz" };
	char path[PATH_MAX + 64], self[PATH_MAX];
	ssize_t n;

	if (named) {
		if (!vtx_look_into_module(f, named))
			f->module_file[0] = 0;
		return;
	}
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		for (size_t j = 0; j < sizeof(ends) / sizeof(ends[0]); j++) {
			snprintf(path, sizeof(path), "%s/lib/modules/%s/%s/vtx.ko%s", root, f->release, folders[i], ends[j]);
			if (!vtx_look_into_module(f, path))
				continue;
			f->module_signed |= j > 0; /* compressed: not looked into, so nothing is held against it */
			return;
		}
	}
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n <= 0)
		return;
	self[n] = 0;
	*strrchr(self, '/') = 0;
	snprintf(path, sizeof(path), "%s/vtx.ko", self);
	if (vtx_look_into_module(f, path))
		return;
	snprintf(path, sizeof(path), "%s/../vtx.ko", self);
	vtx_look_into_module(f, path);
}

void vtx_doctor_look_around(struct vtx_doctor_facts *f, const char *root, const char *module)
{
	f->host = true;
	f->root = geteuid() == 0;
	vtx_read_text(f->release, sizeof(f->release), "%s/proc/sys/kernel/osrelease", root);
	vtx_look_at_cpuinfo(f, root);
	vtx_look_at_modules(f, root);
	vtx_look_at_config(f, root);
	vtx_look_for_module(f, root, module);
}
