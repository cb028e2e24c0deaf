// SPDX-License-Identifier: GPL-2.0-only
/*
 * Boots Linux in the VMM of this tree (see linux.h).
 */
#include "lib/linux.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/differs.h"

#define VMM "/vtx/vtx"
#define KERNEL "/vtx/bzImage"
#define INITRD "/vtx/guest.cpio.gz"

void linux_needed(void)
{
	if (access(VMM, X_OK) || access(KERNEL, R_OK) || access(INITRD, R_OK))
		skip("no %s, %s or %s", VMM, KERNEL, INITRD);
}

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

int linux_boot(unsigned int cpus, unsigned int memory, const char *options, const char *script, char *output, size_t size)
{
	static char encoded[2048], cmdline[2400];
	char cpus_text[16], memory_text[16];
	size_t len = 0;
	int pipes[2], status;
	ssize_t got;
	pid_t pid;

	CHECK(strlen(script) < 1400, "the script is too long for a command line");
	base64(script, encoded);
	snprintf(cmdline, sizeof(cmdline), "console=ttyS0 loglevel=4 panic=-1 %s vtx.run=%s", options, encoded);
	snprintf(cpus_text, sizeof(cpus_text), "%u", cpus);
	snprintf(memory_text, sizeof(memory_text), "%u", memory);
	CHECK(!pipe(pipes), "pipe");
	pid = fork();
	if (!pid) {
		int null = open("/dev/null", O_RDONLY);

		dup2(null, 0);
		dup2(pipes[1], 1);
		dup2(pipes[1], 2);
		close(pipes[0]);
		execl(VMM, "vtx", "run", "-k", KERNEL, "-i", INITRD, "-m", memory_text, "-c", cpus_text, "-p", cmdline, "--dev",
		      device_path(), NULL);
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

void linux_show_end(const char *output)
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
