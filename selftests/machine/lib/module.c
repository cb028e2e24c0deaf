// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loading, unloading, kernel log and memory counts (see module.h).
 */
#include "lib/module.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/klog.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

const char *module_file(void)
{
	static char file[256];
	const char *env = getenv("VTX_MODULE");

	snprintf(file, sizeof(file), "%s", env && strchr(env, '/') ? env : "/vtx/vtx.ko");
	file[strcspn(file, ",")] = '\0';
	return access(file, R_OK) ? NULL : file;
}

const char *module_params(void)
{
	static char params[256];
	const char *env = getenv("VTX_MODULE"), *comma = env ? strchr(env, ',') : NULL;

	snprintf(params, sizeof(params), "%s", comma ? comma + 1 : "");
	for (char *c = params; *c; c++)
		if (*c == ',')
			*c = ' ';
	return params;
}

bool module_loaded(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/module/%s/refcnt", name);
	return !access(path, F_OK);
}

int module_load(const char *file, const char *params)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC), ret, saved;

	if (fd < 0)
		return -1;
	ret = (int)syscall(SYS_finit_module, fd, params, 0);
	saved = errno;
	close(fd);
	errno = saved;
	return ret;
}

int module_unload(const char *name)
{
	return (int)syscall(SYS_delete_module, name, O_NONBLOCK);
}

int run_program(const char *const argv[])
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

const char *kernel_log(void)
{
	static char log[1 << 18];
	int len = klogctl(3, log, sizeof(log) - 1);

	log[len > 0 ? len : 0] = '\0';
	return log;
}

/* A field of /proc/meminfo (kB) or /proc/vmstat (a number). */
static long field(const char *file, const char *name)
{
	char line[256];
	FILE *f = fopen(file, "r");
	size_t len = strlen(name);
	long value = 0;

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, name, len) && (line[len] == ':' || line[len] == ' '))
			value = strtol(line + len + 1, NULL, 10);
	if (f)
		fclose(f);
	return value;
}

struct memory_in_use memory_in_use(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

	/* What is freed through RCU, work queues and per-CPU lists needs a moment. */
	for (int i = 0; i < 3 && fd >= 0; i++) {
		(void)!pwrite(fd, "3", 1, 0);
		usleep(30000);
	}
	close(fd);
	return (struct memory_in_use){
		.slab_kb = field("/proc/meminfo", "SUnreclaim"),
		.vmalloc_kb = field("/proc/meminfo", "VmallocUsed"),
		.percpu_kb = field("/proc/meminfo", "Percpu"),
		.anonymous_kb = field("/proc/meminfo", "AnonPages"),
		.pinned = field("/proc/vmstat", "nr_foll_pin_acquired") - field("/proc/vmstat", "nr_foll_pin_released"),
	};
}
