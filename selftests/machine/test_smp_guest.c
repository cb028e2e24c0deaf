// SPDX-License-Identifier: GPL-2.0-only
/*
 * Linux with several CPUs: `test_smp_guest [SECONDS]` keeps 4 CPUs busy with work whose results are checked for that long by the
 * guest's clock (2 by default; more gives more time limit as well), takes CPUs away and brings them back meanwhile, and boots with
 * 16 CPUs. Nothing may be said of stalls, lockups or clocks.
 *
 * In Bochs with several CPUs the module has to be loaded with fault_chain=1: docs/errata.md, `prev_rip`.
 */
#include <stdlib.h>
#include <unistd.h>

#include "lib/linux.h"
#include "lib/module.h"

static unsigned int seconds = 2;

/* Of the guest's own log: what a guest that lost interrupts, CPUs or time would say. */
#define LOOK_AT_LOG                                                                                                        \
	"echo complaints: $(dmesg | grep -c -i -E " \
	"'stall|lockup|unstable|hung|BUG: |WARNING: CPU|not responding|do_boot_cpu failed|skew|offline failed');" \
	"dmesg | grep -i -E 'stall|lockup|unstable|hung|BUG: |WARNING: CPU|not responding|skew' | head -n 20;"

/* Worker number $1, on its CPU: three kinds of work with known results until the clock says $2. Then how many rounds it made. */
#define WORKER                                                                     \
	"if [ \"$1\" ]; then n=0\n"                                                \
	"while [ $(cut -d. -f1 /proc/uptime) -lt $2 ]; do\n"                       \
	"[ \"$(seq 2000 | sha256sum)\" = \"$(cat /sum)\" ] || echo BAD $1 sha\n"   \
	"gzip -c /list | gzip -dc | cmp - /list || echo BAD $1 gzip\n"             \
	"[ $(awk '{ s += $1 } END { print s }' /list) = 500500 ] || echo BAD $1 awk\n" \
	"n=$((n + 1)); done; echo worker $1 made $n rounds; exit; fi\n"

/* CPUs go and come, one at a time and never the first; what was bound to one goes on elsewhere. */
#define HOTPLUG                                                                                  \
	"h=0; while [ $(cut -d. -f1 /proc/uptime) -lt $end ]; do\n"                              \
	"for c in 1 2 3; do o=/sys/devices/system/cpu/cpu$c/online\n"                            \
	"echo 0 >$o || echo BAD offline $c; [ $(cat $o) = 0 ] || echo BAD $c stays\n"            \
	"echo 1 >$o || echo BAD online $c; [ $(cat $o) = 1 ] || echo BAD $c is gone; h=$((h + 1)); done; done\n"

#define WORKLOAD                                                                                     \
	WORKER                                                                                       \
	"echo cpus $(nproc); seq 1000 >/list; seq 2000 | sha256sum >/sum\n"                          \
	"end=$(($(cut -d. -f1 /proc/uptime) + %u))\n"                                                \
	"for c in 0 1 2 3; do taskset $(printf %%x $((1 << c))) sh /run.sh $c $end & done\n"         \
	HOTPLUG                                                                                      \
	"wait; echo hotplugs $h cpus $(nproc) at the end\n" LOOK_AT_LOG

static char output[1 << 18];

static void expect_said(const char *what)
{
	EXPECT(strstr(output, what), "the guest did not say '%s'", what);
}

static void expect_clean(int status)
{
	/* The guest's init ends with a reset. */
	EXPECT(status < 126, "status %d", status);
	expect_said("guest: status 0");
	expect_said("complaints: 0");
	EXPECT(!strstr(output, "BAD"), "a result was wrong");
	EXPECT(!strstr(kernel_log(), "vtx: vCPU"), "vtx has something to say about a guest");
}

/* Without a word of its own about why: the lines of the guest. */
static void show_unless(bool good)
{
	if (!good)
		linux_show_end(output);
}

static void workload(void)
{
	static char script[2048];
	unsigned int made, rounds = 0, hotplugs = 0, workers = 0;
	const char *at;
	int status;

	linux_needed();
	test_timeout(60 + 4 * seconds);
	snprintf(script, sizeof(script), WORKLOAD, seconds);
	status = linux_boot(4, 256, "", script, output, sizeof(output));
	show_unless(strstr(output, "complaints: 0") && !strstr(output, "BAD"));
	expect_said("cpus 4");
	expect_clean(status);
	for (at = output; (at = strstr(at, " made ")); at++) {
		made = (unsigned int)atoi(at + 6);
		EXPECT(made > 0, "a worker made no round");
		rounds += made;
		workers++;
	}
	EXPECT_EQ(workers, 4, "workers that came to their end");
	at = strstr(output, "hotplugs ");
	if (at)
		hotplugs = (unsigned int)atoi(at + 9);
	EXPECT(hotplugs >= 3, "%u times a CPU went and came back", hotplugs);
	expect_said("cpus 4 at the end");
	note("4 CPUs for %u s: %u rounds of work, %u times a CPU went and came back", seconds, rounds, hotplugs);
}

static void sixteen(void)
{
	int status;

	linux_needed();
	test_timeout(60);
	status = linux_boot(16, 256, "", "echo cpus $(nproc)\n" LOOK_AT_LOG, output, sizeof(output));
	show_unless(strstr(output, "cpus 16") && strstr(output, "complaints: 0"));
	expect_said("cpus 16");
	expect_clean(status);
}

static const struct test tests[] = {
	TEST(workload), TEST(sixteen),
};

int main(int argc, char **argv)
{
	if (argc > 1 && atoi(argv[1]) > 0) {
		seconds = (unsigned int)atoi(argv[1]);
		argv[1] = argv[0];
		argv++;
		argc--;
	}
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}
