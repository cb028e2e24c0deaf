// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ends the machine in a given way while guests run on every CPU: for selftests/machine-ends, which looks at what comes after.
 *
 *	doom WAY		reboot | reboot-slow | sysrq-b | panic | kexec | crash
 *	doom load|load-crash KERNEL INITRD CMDLINE	loads the kernel that kexec or crash will start
 *
 * reboot-slow: a vCPU thread tells what KVM_RUN and KVM_CREATE_VM answer between the kernel's reboot notifiers and the reset.
 */
#include <fcntl.h>
#include <linux/reboot.h>
#include <stdlib.h>
#include <sys/klog.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/host.h"

static int load(const char *kernel, const char *initrd, const char *cmdline, unsigned long flags)
{
	int k = open(kernel, O_RDONLY), i = open(initrd, O_RDONLY);

	if (k < 0 || i < 0 || syscall(SYS_kexec_file_load, k, i, strlen(cmdline) + 1, cmdline, flags)) {
		perror("doom: kexec_file_load");
		return 1;
	}
	return 0;
}

static void reboot_by(unsigned int command)
{
	syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, command, NULL);
	perror("doom: reboot");
}

/* Straight to the serial port: no other output is on its way when the machine ends. */
static void say(const char *text)
{
	dprintf(1, "doom: %s\n", text);
	usleep(20000);
}

/* Says it again and again: the kernel writes to the same port. */
static void *witness(void *arg)
{
	struct vcpu *v = arg;

	on_cpu(1 % cpus_online());
	for (;;) {
		int fd;

		if (ioctl(v->fd, KVM_RUN, 0))
			dprintf(1, "%s", errno == EIO ? "<RUN EIO>" : "<RUN ?>");
		else if (v->run->exit_reason == KVM_EXIT_FAIL_ENTRY)
			dprintf(1, "<RUN FAIL_ENTRY>");
		fd = ioctl(dev_open(), KVM_CREATE_VM, 0);
		if (fd >= 0)
			close(fd);
		else
			dprintf(1, "%s", errno == EIO ? "<NEW EIO>" : "<NEW ?>");
	}
	return NULL;
}

GUEST static void chatter(u64 arg)
{
	(void)arg;
	g_sti();
	for (;;)
		g_say(0);
}

static void end(const char *way)
{
	pthread_t thread;

	if (!strcmp(way, "reboot")) {
		reboot_by(LINUX_REBOOT_CMD_RESTART);
	} else if (!strcmp(way, "reboot-slow")) {
		CHECK(!pthread_create(&thread, NULL, witness, guest_new(0, chatter, 0)), "pthread_create");
		usleep(20000);
		reboot_by(LINUX_REBOOT_CMD_RESTART);
	} else if (!strcmp(way, "kexec")) {
		reboot_by(LINUX_REBOOT_CMD_KEXEC);
	} else if (!strcmp(way, "sysrq-b")) {
		write_file("/proc/sysrq-trigger", "b");
	} else {
		write_file("/proc/sysrq-trigger", "c");
	}
}

int main(int argc, char **argv)
{
	struct busy b[2];

	if (argc == 5 && !strcmp(argv[1], "load"))
		return load(argv[2], argv[3], argv[4], 0);
	if (argc == 5 && !strcmp(argv[1], "load-crash"))
		return load(argv[2], argv[3], argv[4], 2 /* KEXEC_FILE_ON_CRASH */);
	if (argc != 2)
		return 2;
	for (int i = 0; i < 2 && strcmp(argv[1], "reboot-slow"); i++) {
		busy_start(&b[i], 4);
		for (int n = 0; n < 4; n++)
			thread_on_cpu(b[i].thread[n], n % cpus_online());
	}
	usleep(10000);
	/* A crash kernel starts on the CPU that crashed, and an INIT to the first CPU would reset the machine. */
	on_cpu(0);
	klogctl(8, NULL, 4);
	say(argv[1]);
	end(argv[1]);
	sleep(10);
	say("still here");
	return 1;
}
