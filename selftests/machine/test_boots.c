// SPDX-License-Identifier: GPL-2.0-only
/*
 * Linux as a guest, again and again: `test_boots [N]` boots /vtx/bzImage with /vtx/guest.cpio.gz N times (1 by default) with the
 * VMM of this tree, looks at what it said, and counts the kernel's memory after the module has been unloaded.
 */
#include <stdlib.h>

#include "lib/linux.h"
#include "lib/module.h"

static unsigned int boots = 1;

/* What the guest runs; the kernel's own warnings about mitigations ("RETBleed: WARNING:") do not count. */
#define COMMAND "uname -a; head -n 5 /proc/cpuinfo; echo warnings: $(dmesg | grep -c -e 'WARNING: CPU' -e 'BUG: ')"

static void check_boot(unsigned int number)
{
	static char output[1 << 18];
	int status = linux_boot(1, 192, "", COMMAND, output, sizeof(output));
	bool good = strstr(output, "guest: up") && strstr(output, "Linux vtx-guest") && strstr(output, "vendor_id") &&
		    strstr(output, "warnings: 0") && strstr(output, "guest: status 0");

	if (!good)
		linux_show_end(output);
	CHECK(good, "boot %u: what the guest said; status %d", number, status);
	CHECK(status == 0 || status < 126, "boot %u: status %d", number, status);
	/* A healthy guest gives the livelock detector no reason to speak. */
	EXPECT(!strstr(kernel_log(), "vtx: vCPU"), "boot %u: vtx has something to say about a guest", number);
}

static void guest_boots(void)
{
	struct memory_in_use before = { 0 }, after;

	linux_needed();
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
