// SPDX-License-Identifier: GPL-2.0-only
/*
 * PAUSE-loop exiting and directed yield: vCPUs that hand a lock on in a circle, more of them than CPUs, so that the next one has
 * mostly lost its CPU; and a vCPU that spins alone. `test_pause [N]` makes N rounds. With ple_gap=0 the same, without exits.
 */
#include <stdlib.h>
#include <unistd.h>
#include <x86intrin.h>

#include "lib/guest.h"
#include "lib/module.h"
#include "lib/stats.h"
#include "lib/vm.h"

#define CPUS 6

static unsigned int rounds = 40;
static volatile u64 counter, ready;

static long parameter(const char *name)
{
	char path[96];
	long value = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/module/vtx/parameters/%s", name);
	f = fopen(path, "r");
	if (f) {
		if (fscanf(f, "%ld", &value) != 1)
			value = -1;
		fclose(f);
	}
	return value;
}

static long gap(void)
{
	long value = parameter("ple_gap");

	if (value < 0)
		skip("the module under test is not vtx");
	return value;
}

/* Bochs makes no PAUSE-loop exits with one CPU: docs/errata.md. */
static bool loops_are_seen(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN) > 1;
}

/* What the module was loaded with stands there; what nobody gave has KVM's default. */
static void parameters(void)
{
	static const struct {
		const char *name;
		long value;
	} rows[] = {
		{ "ple_gap", 128 }, { "ple_window", 4096 }, { "ple_window_grow", 2 }, { "ple_window_shrink", 0 },
		{ "ple_window_max", 0xffffffff },
	};

	gap();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *given = strstr(module_params(), rows[i].name);
		size_t len = strlen(rows[i].name);

		while (given && given[len] != '=')
			given = strstr(given + len, rows[i].name);
		EXPECT_EQ(parameter(rows[i].name), given ? atol(given + len + 1) : rows[i].value, rows[i].name);
	}
}

/* Who has the lock next is fixed beforehand: while that one is out of the CPU, all others spin. */
GUEST static void fighter(u64 n)
{
	u64 mine;

	g_sti();
	mine = __atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
	while (ready != CPUS)
		g_pause();
	for (u64 i = 0; i < n; i++, mine += CPUS) {
		while (counter != mine)
			g_pause();
		counter = mine + 1;
	}
	g_done(0);
}

static void spinners(void)
{
	struct vcpu *v[CPUS];
	pthread_t threads[CPUS];
	u64 exits = 0, attempted = 0, successful = 0, then;
	bool on = gap();

	test_timeout(60);
	v[0] = guest_new(VM_IRQCHIP, fighter, rounds);
	for (int i = 1; i < CPUS; i++) {
		v[i] = vcpu_new(v[0]->vm, i);
		vcpu_mode_long(v[i], fighter, rounds);
		set_mp_state(v[i], KVM_MP_STATE_RUNNABLE);
	}
	then = __rdtsc();
	for (int i = 0; i < CPUS; i++)
		threads[i] = vcpu_start(v[i]);
	for (int i = 0; i < CPUS; i++)
		CHECK_EQ(vcpu_join(threads[i]), 0, "the result");
	then = __rdtsc() - then;
	EXPECT_EQ(G(v[0]->vm, counter), CPUS * rounds, "the counter under the lock");
	for (int i = 0; i < CPUS; i++) {
		struct stats *s = stats_open(v[i]->fd);

		exits += stats_value(s, "exit_pause_instruction");
		attempted += stats_value(s, "directed_yield_attempted");
		successful += stats_value(s, "directed_yield_successful");
		stats_close(s);
	}
	note("ple_gap %ld: lock handed on %u times by %u vCPUs in %llu thousand ticks each; %llu exits, %llu yields tried, %llu done",
	     gap(), CPUS * rounds, CPUS, (unsigned long long)then / 1000 / (CPUS * rounds), (unsigned long long)exits,
	     (unsigned long long)attempted, (unsigned long long)successful);
	EXPECT(successful <= attempted && attempted <= exits, "more yields than exits");
	if (!on)
		EXPECT_EQ(exits, 0, "exits with PAUSE-loop exiting off");
	else if (loops_are_seen())
		EXPECT(successful > 0, "no yield");
}

GUEST static void spin_alone(u64 n)
{
	g_sti();
	for (u64 i = 0; i < n; i++)
		g_pause();
	g_done(0);
}

/* The window grows, so a long loop makes few exits; with nobody to run instead, nobody is asked. */
static void alone(void)
{
	struct vcpu *v = guest_new(VM_IRQCHIP, spin_alone, 1000000);
	struct stats *s = stats_open(v->fd);
	u64 exits;
	bool on = gap();

	test_timeout(10);
	CHECK_EQ(vcpu_finish(v), 0, "the result");
	exits = stats_value(s, "exit_pause_instruction");
	note("a million PAUSEs made %llu exits", (unsigned long long)exits);
	if (on && loops_are_seen() && !strstr(module_params(), "ple_window"))
		EXPECT(exits > 3 && exits < 1000, "%llu exits", (unsigned long long)exits);
	if (!on)
		EXPECT_EQ(exits, 0, "exits with PAUSE-loop exiting off");
	EXPECT_EQ(stats_value(s, "directed_yield_attempted"), 0, "directed_yield_attempted");
}

static const struct test tests[] = {
	TEST(parameters), TEST(spinners), TEST(alone),
};

int main(int argc, char **argv)
{
	if (argc > 1 && atoi(argv[1]) > 0) {
		rounds = (unsigned int)atoi(argv[1]);
		argv[1] = argv[0];
		argv++;
		argc--;
	}
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}
