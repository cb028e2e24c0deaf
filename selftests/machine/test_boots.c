// SPDX-License-Identifier: GPL-2.0-only
/*
 * Linux as a guest, again and again: `test_boots [N]` boots /vtx/bzImage with /vtx/guest.cpio.gz N times (1 by default) with the
 * VMM of this tree, looks at what it said, and counts the kernel's memory after the module has been unloaded.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/differs.h"
#include "lib/module.h"

#define VMM "/vtx/vtx"
#define KERNEL "/vtx/bzImage"
#define INITRD "/vtx/guest.cpio.gz"

static unsigned int boots = 1;

/* What the guest runs; the kernel's own warnings about mitigations ("RETBleed: WARNING:") do not count. */
#define COMMAND "uname -a; head -n 5 /proc/cpuinfo; echo warnings: $(dmesg | grep -c -e 'WARNING: CPU' -e 'BUG: ')"

static void base64(const char *in, char *out)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t len = strlen(in);

	for (size_t i = 0; i < len; i += 3) {
		u32 v = (u32)(u8)in[i] << 16;

		if (i + 1 < len)
			v |= (u32)(u8)in[i + 1] << 8;
		if (i + 2 < len)
			v |= (u8)in[i + 2];
		*out++ = digits[v >> 18];
		*out++ = digits[v >> 12 & 63];
		*out++ = i + 1 < len ? digits[v >> 6 & 63] : '=';
		*out++ = i + 2 < len ? digits[v & 63] : '=';
	}
	*out = '\0';
}

/* Boots once; everything the VMM printed is in the buffer. Returns its exit status. */
static int boot(char *output, size_t size)
{
	char encoded[512], cmdline[768];
	size_t len = 0;
	int pipes[2], status;
	ssize_t got;
	pid_t pid;

	base64(COMMAND, encoded);
	snprintf(cmdline, sizeof(cmdline), "console=ttyS0 loglevel=4 panic=-1 vtx.run=%s", encoded);
	CHECK(!pipe(pipes), "pipe");
	pid = fork();
	if (!pid) {
		int null = open("/dev/null", O_RDONLY);

		dup2(null, 0);
		dup2(pipes[1], 1);
		dup2(pipes[1], 2);
		close(pipes[0]);
		execl(VMM, "vtx", "run", "-k", KERNEL, "-i", INITRD, "-m", "192", "-p", cmdline, "--dev", device_path(),
		      NULL);
		_exit(127);
	}
	close(pipes[1]);
	while ((got = read(pipes[0], output + len, size - 1 - len)) > 0)
		len += (size_t)got;
	output[len] = '\0';
	close(pipes[0]);
	CHECK(waitpid(pid, &status, 0) == pid, "waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
}

static void show_end(const char *output)
{
	size_t len = strlen(output);
	const char *at = len > 2000 ? output + len - 2000 : output;

	while (at && *at) {
		const char *end = strchr(at, '\n');
		int line = end ? (int)(end - at) : (int)strlen(at);

		note("| %.*s", line, at);
		at = end ? end + 1 : NULL;
	}
}

static void check_boot(unsigned int number)
{
	static char output[1 << 18];
	int status = boot(output, sizeof(output));
	bool good = strstr(output, "guest: up") && strstr(output, "Linux vtx-guest") && strstr(output, "vendor_id") &&
		    strstr(output, "warnings: 0") && strstr(output, "guest: status 0");

	if (!good)
		show_end(output);
	CHECK(good, "boot %u: what the guest said; status %d", number, status);
	CHECK(status == 0 || status < 126, "boot %u: status %d", number, status);
	/* A healthy guest gives the livelock detector no reason to speak. */
	EXPECT(!strstr(kernel_log(), "vtx: vCPU"), "boot %u: vtx has something to say about a guest", number);
}

static void guest_boots(void)
{
	struct memory_in_use before = { 0 }, after;

	if (access(VMM, X_OK) || access(KERNEL, R_OK) || access(INITRD, R_OK))
		skip("no %s, %s or %s", VMM, KERNEL, INITRD);
	test_timeout(12 + boots * 12);
	if (boots > 1)
		check_boot(0);		/* fills the caches */
	if (module_file() && module_loaded("vtx")) {
		CHECK_OK(module_unload("vtx"));
		before = memory_in_use();
		CHECK_OK(module_load(module_file(), module_params()));
	}
	for (unsigned int i = 1; i <= boots; i++)
		check_boot(i);
	if (!module_file() || !module_loaded("vtx"))
		return;
	CHECK_OK(module_unload("vtx"));
	after = memory_in_use();
	note("after %u boots and rmmod: slab %+ld kB, vmalloc %+ld kB, per-CPU %+ld kB, anonymous %+ld kB, pinned %+ld", boots,
	     after.slab_kb - before.slab_kb, after.vmalloc_kb - before.vmalloc_kb, after.percpu_kb - before.percpu_kb,
	     after.anonymous_kb - before.anonymous_kb, after.pinned - before.pinned);
	CHECK_OK(module_load(module_file(), module_params()));
	EXPECT(after.slab_kb - before.slab_kb < 300, "slab has grown");
	EXPECT(after.vmalloc_kb - before.vmalloc_kb < 100, "vmalloc has grown");
	EXPECT(after.anonymous_kb - before.anonymous_kb < 1000, "anonymous memory has grown");
	EXPECT_EQ(after.pinned, before.pinned, "pinned pages");
}

static const struct test tests[] = {
	TEST(guest_boots),
};

int main(int argc, char **argv)
{
	if (argc > 1 && atoi(argv[1]) > 0) {
		boots = (unsigned int)atoi(argv[1]);
		argv[1] = argv[0];
		argv++;
		argc--;
	}
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}
