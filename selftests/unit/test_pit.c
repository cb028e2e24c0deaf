// SPDX-License-Identifier: GPL-2.0-only
/*
 * 8254: counter values and outputs in all modes against a counter that is stepped tick by tick, latches, read-back,
 * the edges of counter 0, the speaker port, and the divide-by-zero corners of a restored state.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "compat/pure.h"
#include <cmocka.h>
#include "irqchip/pit.h"

static struct vtx_pit pit;

/* A moment within tick @t after @start. */
static u64 at(u64 start, u64 t)
{
	return start + (u64)((unsigned __int128)t * 1000000000 / VTX_PIT_HZ) + 400;
}

static void program(unsigned int channel, unsigned int mode, u32 count, bool bcd, u64 now)
{
	vtx_pit_write(&pit, 3, channel << 6 | 0x30 | mode << 1 | bcd, now);
	vtx_pit_write(&pit, channel, (u8)count, now);
	vtx_pit_write(&pit, channel, count >> 8, now);
}

static u16 read_latched(unsigned int channel, u64 now)
{
	u16 low;

	vtx_pit_write(&pit, 3, channel << 6, now);
	low = vtx_pit_read(&pit, channel, now + 1000000);
	return low | vtx_pit_read(&pit, channel, now + 2000000) << 8;
}

/* The datasheet's timing diagrams, tick by tick: count and output. */
static void diagrams(void **state)
{
	static const u32 counts[] = { 1, 2, 3, 4, 5, 100, 65535, 0 };
	const u64 start = 5000;
	unsigned int mode, i;
	u64 t;

	for (mode = 0; mode < 5; mode++) {
		if (mode == 1)
			continue; /* wants a gate, see below */
		for (i = 0; i < ARRAY_SIZE(counts); i++) {
			u64 n = counts[i] ? counts[i] : 65536, limit = n > 1000 ? 3 * n : 40, step = n > 1000 ? 997 : 1;

			vtx_pit_reset(&pit, 0);
			program(0, mode, counts[i], false, start);
			for (t = 0; t < limit; t += step) {
				u64 in_round = t % n;
				u32 count;
				bool high;

				switch (mode) {
				case 0:
					count = (n - t) & 0xffff;
					high = t >= n;
					break;
				case 2:
					count = (n - in_round) & 0xffff;
					high = in_round != n - 1;
					break;
				case 3:
					count = (n - 2 * t % n) & 0xffff;
					high = in_round < (n + 1) / 2;
					break;
				default:
					count = (n - t) & 0xffff;
					high = t != n;
					break;
				}
				assert_int_equal(vtx_pit_count(&pit, 0, at(start, t)), count);
				assert_int_equal(vtx_pit_output(&pit, 0, at(start, t)), high);
			}
		}
	}
}

static void control_word_stops(void **state)
{
	vtx_pit_reset(&pit, 0);
	assert_true(vtx_pit_next_edge(&pit, 0) == 0);
	program(0, 2, 1000, false, 0);
	assert_true(vtx_pit_next_edge(&pit, 0) != 0);
	vtx_pit_write(&pit, 3, 0x30, 0);
	assert_false(vtx_pit_output(&pit, 0, 0));
	assert_true(vtx_pit_next_edge(&pit, 0) == 0);
	vtx_pit_write(&pit, 3, 0x34, 0);
	assert_true(vtx_pit_output(&pit, 0, 0));
	vtx_pit_write(&pit, 0, 0xe8, 0);
	assert_true(vtx_pit_next_edge(&pit, 0) == 0);
	vtx_pit_write(&pit, 0, 3, 0);
	assert_true(vtx_pit_next_edge(&pit, 0) != 0);
}

static void access_modes(void **state)
{
	vtx_pit_reset(&pit, 0);
	vtx_pit_write(&pit, 3, 0x14, 0); /* low byte only */
	vtx_pit_write(&pit, 0, 0x42, 0);
	assert_int_equal(vtx_pit_count(&pit, 0, 0), 0x42);
	assert_int_equal(vtx_pit_read(&pit, 0, 0), 0x42);
	vtx_pit_write(&pit, 3, 0x24, 0); /* high byte only */
	vtx_pit_write(&pit, 0, 0x42, 0);
	assert_int_equal(vtx_pit_count(&pit, 0, 0), 0x4200);
	assert_int_equal(vtx_pit_read(&pit, 0, 0), 0x42);
	program(0, 2, 0x1234, false, 0);
	assert_int_equal(vtx_pit_read(&pit, 0, 0), 0x34);
	assert_int_equal(vtx_pit_read(&pit, 0, 0), 0x12);
	assert_int_equal(vtx_pit_read(&pit, 0, 0), 0x34);
	assert_int_equal(vtx_pit_read(&pit, 3, 0), 0);
	/* The latch holds while the counter runs on, and a second latch does not replace it. */
	vtx_pit_write(&pit, 3, 0, at(0, 0x34));
	vtx_pit_write(&pit, 3, 0, at(0, 0x134));
	assert_int_equal(vtx_pit_read(&pit, 0, at(0, 0x200)), 0x00);
	assert_int_equal(vtx_pit_read(&pit, 0, at(0, 0x300)), 0x12);
}

static void latch_and_read_back(void **state)
{
	u8 status;

	vtx_pit_reset(&pit, 0);
	program(0, 2, 0x1234, false, 0);
	program(2, 3, 0x4000, false, 0);
	assert_int_equal(read_latched(0, at(0, 0x34)), 0x1200);
	/* Read-back of status and count of 0 and 2 at once. */
	vtx_pit_write(&pit, 3, 0xc0 | 1 << 1 | 1 << 3, at(0, 0x10));
	vtx_pit_write(&pit, 3, 0xc0 | 1 << 1 | 1 << 3, at(0, 0x800)); /* ignored: still latched */
	status = vtx_pit_read(&pit, 0, 0);
	assert_int_equal(status, 0x80 | 0x30 | 2 << 1);
	assert_int_equal(vtx_pit_read(&pit, 0, 0), 0x24);
	assert_int_equal(vtx_pit_read(&pit, 0, 0), 0x12);
	status = vtx_pit_read(&pit, 2, 0);
	/* Counter 2's gate is low after reset: loaded, not moving. */
	assert_int_equal(status, 0x80 | 0x30 | 3 << 1);
	assert_int_equal(vtx_pit_read(&pit, 2, 0), 0);
	assert_int_equal(vtx_pit_read(&pit, 2, 0), 0x40);
	/* Null count: the mode is set, no count loaded. */
	vtx_pit_write(&pit, 3, 0x30, 0);
	vtx_pit_write(&pit, 3, 0xe0 | 1 << 1, 0);
	assert_int_equal(vtx_pit_read(&pit, 0, 0), 0x40 | 0x30);
}

static void bcd(void **state)
{
	vtx_pit_reset(&pit, 0);
	program(0, 2, 0x1000, true, 0);
	assert_int_equal(vtx_pit_count(&pit, 0, at(0, 1)), 0x0999);
	assert_int_equal(vtx_pit_count(&pit, 0, at(0, 1000)), 0x1000);
	program(0, 0, 0, true, 0);
	assert_int_equal(vtx_pit_count(&pit, 0, at(0, 1)), 0x9999);
	program(0, 2, 0xffff, true, 0); /* no decimal number: only has to stay in range */
	vtx_pit_count(&pit, 0, at(0, 77));
	assert_true(vtx_pit_next_edge(&pit, 0) != 0);
}

/* Counter 2 and its gate in every mode. */
static void gate(void **state)
{
	u64 now = 1000000;

	vtx_pit_reset(&pit, 0);
	program(2, 0, 1000, false, now); /* gate low: waits */
	assert_int_equal(vtx_pit_count(&pit, 2, at(now, 500)), 1000);
	vtx_pit_speaker_write(&pit, 1, now);
	assert_int_equal(vtx_pit_count(&pit, 2, at(now, 500)), 500);
	vtx_pit_speaker_write(&pit, 0, at(now, 600));
	assert_int_equal(vtx_pit_count(&pit, 2, at(now, 900)), 400);
	assert_int_equal(vtx_pit_speaker_read(&pit, at(now, 5000)) & 0x21, 0);
	vtx_pit_speaker_write(&pit, 1, at(now, 5000));
	assert_in_range(vtx_pit_count(&pit, 2, at(now, 5100)), 299, 301);
	assert_int_equal(vtx_pit_speaker_read(&pit, at(now, 5300)) & 0x21, 0x01);
	assert_int_equal(vtx_pit_speaker_read(&pit, at(now, 5402)) & 0x21, 0x21);

	/* Mode 1: nothing until the gate rises; each rise starts anew. */
	vtx_pit_speaker_write(&pit, 0, now);
	program(2, 1, 100, false, now);
	assert_true(vtx_pit_output(&pit, 2, at(now, 1000)));
	vtx_pit_speaker_write(&pit, 3, now);
	assert_false(vtx_pit_output(&pit, 2, at(now, 99)));
	assert_true(vtx_pit_output(&pit, 2, at(now, 101)));
	assert_int_equal(vtx_pit_speaker_read(&pit, now) & 3, 3);
	vtx_pit_speaker_write(&pit, 0, at(now, 150));
	assert_true(vtx_pit_output(&pit, 2, at(now, 160)));
	vtx_pit_speaker_write(&pit, 1, at(now, 200));
	assert_false(vtx_pit_output(&pit, 2, at(now, 210)));

	/* Mode 3: gate low holds the output high, its rise restarts the wave. */
	program(2, 3, 1000, false, now);
	vtx_pit_speaker_write(&pit, 0, at(now, 700));
	assert_true(vtx_pit_output(&pit, 2, at(now, 800)));
	vtx_pit_speaker_write(&pit, 1, at(now, 900));
	assert_true(vtx_pit_output(&pit, 2, at(now, 1300)));
	assert_false(vtx_pit_output(&pit, 2, at(now, 1500)));
}

/* next_edge() and edges() agree with each other and with the output seen tick by tick. */
static void edges_of_counter_0(void **state)
{
	static const u32 counts[] = { 1, 2, 3, 7, 1193, 11932, 65535, 0 };
	unsigned int mode, i, k;
	u64 from, to, next;

	for (mode = 0; mode < 6; mode++) {
		for (i = 0; i < ARRAY_SIZE(counts); i++) {
			u64 n = counts[i] ? counts[i] : 65536, found = 0;

			vtx_pit_reset(&pit, 0);
			program(0, mode, counts[i], false, 12345);
			from = 12345;
			for (k = 0; k < 200; k++) {
				next = vtx_pit_next_edge(&pit, from);
				if (!next)
					break;
				assert_true(next > from);
				assert_true(vtx_pit_edges(&pit, from, next) == 1);
				assert_true(vtx_pit_edges(&pit, from, next - 2) == 0);
				found++;
				from = next;
			}
			assert_int_equal(found, mode == 2 || mode == 3 ? 200 : mode == 0 || mode == 4 ? 1 : 0);
			if (mode == 2 || mode == 3) {
				/* No drift: after an hour the count of edges is the frequency's. */
				to = 12345 + 3600ull * 1000000000;
				assert_true(vtx_pit_edges(&pit, 12345, to) == 3600ull * VTX_PIT_HZ / n);
				assert_true(vtx_pit_edges(&pit, to, 12345) == 0);
			}
		}
	}
}

/* Bug class 56: what user space may put in. All bytes random, all zeros, all ones; every operation afterwards. */
static void any_state_is_taken_in_order(void **state)
{
	struct kvm_pit_state2 s, t;
	unsigned int i, b, k;
	u64 now = 1ull << 40, next;

	srand(9);
	for (i = 0; i < 20000; i++) {
		u8 *bytes = (u8 *)&s;

		for (b = 0; b < sizeof(s); b++)
			bytes[b] = i == 0 ? 0 : i == 1 ? 0xff : rand() % 3 ? rand() : rand() % 6;
		vtx_pit_set_state(&pit, &s, now);
		for (k = 0; k < 20; k++) {
			u64 later = now + (u64)rand() * rand();

			vtx_pit_count(&pit, k % 3, later);
			vtx_pit_output(&pit, k % 3, later);
			next = vtx_pit_next_edge(&pit, later);
			assert_true(!next || next > later);
			vtx_pit_edges(&pit, now, later);
			vtx_pit_read(&pit, rand() % 4, later);
			if (k & 1)
				vtx_pit_write(&pit, rand() % 4, rand(), later);
			vtx_pit_speaker_read(&pit, later);
			if (k % 5 == 4)
				vtx_pit_speaker_write(&pit, rand(), later);
		}
		vtx_pit_get_state(&pit, &s);
		vtx_pit_set_state(&pit, &s, now);
		vtx_pit_get_state(&pit, &t);
		for (k = 0; k < 3; k++) {
			s.channels[k].count_load_time = 0;
			t.channels[k].count_load_time = 0;
		}
		s.channels[0].gate = 1;
		assert_memory_equal(&s, &t, sizeof(s));
	}
	memset(&s, 0, sizeof(s));
	s.channels[0].mode = 2;
	vtx_pit_set_state(&pit, &s, now);
	vtx_pit_get_state(&pit, &s);
	assert_int_equal(s.channels[0].count, 0x10000);
	/* HPET legacy mode: counter 0 interrupts nobody. */
	s.flags = KVM_PIT_FLAGS_HPET_LEGACY | KVM_PIT_FLAGS_SPEAKER_DATA_ON;
	vtx_pit_set_state(&pit, &s, now);
	assert_true(vtx_pit_next_edge(&pit, now) == 0);
	vtx_pit_get_state(&pit, &t);
	assert_int_equal(t.flags, 3);
}

/* What the kernel glue holds against the shortest period. */
static void period(void **state)
{
	struct vtx_pit pit;

	vtx_pit_reset(&pit, 0);
	assert_true(vtx_pit_period_ns(&pit) == 0);
	vtx_pit_write(&pit, 3, 0x34, 0);
	vtx_pit_write(&pit, 0, 0xa9, 0);
	vtx_pit_write(&pit, 0, 0x04, 0);
	assert_true(vtx_pit_period_ns(&pit) == 999847);
	vtx_pit_write(&pit, 3, 0x36, 0);
	vtx_pit_write(&pit, 0, 0, 0);
	vtx_pit_write(&pit, 0, 0, 0);
	assert_true(vtx_pit_period_ns(&pit) == 54925401);
	vtx_pit_write(&pit, 3, 0x30, 0);
	vtx_pit_write(&pit, 0, 1, 0);
	vtx_pit_write(&pit, 0, 0, 0);
	assert_true(vtx_pit_period_ns(&pit) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(diagrams),
		cmocka_unit_test(control_word_stops),
		cmocka_unit_test(access_modes),
		cmocka_unit_test(latch_and_read_back),
		cmocka_unit_test(bcd),
		cmocka_unit_test(gate),
		cmocka_unit_test(edges_of_counter_0),
		cmocka_unit_test(any_state_is_taken_in_order),
		cmocka_unit_test(period),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
