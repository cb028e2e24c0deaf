// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest page walk beside a second, simpler one (walk_reference.h): random tables in a small physical memory, all
 * modes, permissions and access kinds; plus directed cases.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "selftests/fuzz/walk_reference.h"

/* --- random guests --- */

static u64 seed = 0x2545f4914f6cdd1dULL;

static u64 rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed >> 7;
}

/* Mostly good entries that point to other tables; now and then a bad bit */
static u64 random_entry(bool is_32)
{
	u64 r = rnd(), pte = (r % PAGES) << 12 | (r >> 8 & 0x1f);

	if ((r >> 16) % 8)
		pte |= 1;
	if ((r >> 19) % 4)
		pte |= 6;
	if ((r >> 21) % 8 == 0) /* large page: clear the address where it must be */
		pte = (pte & 0xfff) | 0x80 | ((r >> 24) % 4 ? (rnd() & 0xffffffff) << 30 & 0xfffffffffffff : rnd() << 12);
	if ((r >> 26) % 8 == 0)
		pte |= 1ULL << 63;
	if ((r >> 29) % 16 == 0)
		pte |= 1ULL << rnd() % 64;
	pte |= (rnd() & 0x60);
	return is_32 ? (u32)(pte & ((r >> 40) % 4 ? 0xfff : ~0ULL)) | (u32)(pte & 0x3f000) : pte;
}

static void random_memory(bool is_32)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(phys); i++) {
		phys[i] = random_entry(is_32);
		if (is_32)
			phys[i] = (u32)phys[i] | random_entry(true) << 32;
	}
}

static void random_cpu(struct vtx_walk_cpu *cpu, unsigned int mode)
{
	static const u8 widths[] = { 32, 36, 39, 40, 46, 48, 52 };
	unsigned int i;
	u64 r = rnd();

	memset(cpu, 0, sizeof(*cpu));
	cpu->cr0 = X86_CR0_PE | (mode ? X86_CR0_PG : 0) | (r & 1 ? X86_CR0_WP : 0);
	cpu->cr3 = (rnd() % PAGES) << 12;
	cpu->cr4 = (r & 2 ? X86_CR4_SMEP : 0) | (r & 4 ? X86_CR4_SMAP : 0) | (r & 8 ? X86_CR4_PSE : 0);
	cpu->efer = (r & 16 ? NXE : 0);
	if (mode >= 2)
		cpu->cr4 |= X86_CR4_PAE;
	if (mode >= 3)
		cpu->efer |= LMA;
	if (mode == 4)
		cpu->cr4 |= X86_CR4_LA57;
	cpu->rflags_ac = r & 32;
	cpu->cpl = r & 64 ? 3 : 0;
	cpu->gbpages = r & 128;
	cpu->maxphyaddr = widths[(r >> 8) % ARRAY_SIZE(widths)];
	for (i = 0; i < 4; i++)
		cpu->pdptrs[i] = (rnd() % PAGES) << 12 | !!(rnd() % 8);
}

static u64 random_gva(unsigned int mode)
{
	u64 gva = rnd() << 20 ^ rnd();

	if (mode == 3)
		return (u64)((s64)(gva << 16) >> 16);
	if (mode == 4)
		return (u64)((s64)(gva << 7) >> 7);
	return rnd() % 8 ? (u32)gva : gva;
}

static void compare(const struct vtx_walk_cpu *cpu, u64 gva, unsigned int access, unsigned long *count)
{
	struct vtx_walk_result out;
	struct reference r;
	int ret;

	r = reference(cpu, gva, access);
	ret = vtx_walk(cpu, &ops, NULL, gva, access, &out);
	assert_int_equal(ret, r.efault ? -EFAULT : 0);
	if (ret) {
		count[0]++;
		return;
	}
	assert_int_equal(out.fault, r.fault);
	if (out.fault) {
		assert_int_equal(out.error_code, ref_error(&r));
		count[1]++;
		return;
	}
	count[2]++;
	assert_true(out.gpa == r.gpa);
	assert_true(out.page_size == r.size);
	assert_int_equal(out.writable, r.rw);
	assert_int_equal(out.user, r.us);
	assert_int_equal(out.executable, !(r.xd && r.entry != 4));
}

/* 250,000 walks in each of five modes; memory compared every 500, when new tables are made */
static void test_differential(void **state)
{
	static const unsigned int accesses[] = {
		VTX_WALK_READ, VTX_WALK_WRITE, VTX_WALK_EXEC, VTX_WALK_IMPLICIT, VTX_WALK_IMPLICIT | VTX_WALK_WRITE,
		VTX_WALK_READ | VTX_WALK_NO_SET_AD, VTX_WALK_WRITE | VTX_WALK_NO_SET_AD,
	};
	unsigned int mode, round, i;

	for (mode = 0; mode <= 4; mode++) {
		unsigned long count[3] = { 0 };

		for (round = 0; round < 500; round++) {
			random_memory(mode == 1);
			memcpy(ref_phys, phys, sizeof(phys));
			for (i = 0; i < 500; i++) {
				struct vtx_walk_cpu cpu;

				random_cpu(&cpu, mode);
				compare(&cpu, random_gva(mode), accesses[rnd() % ARRAY_SIZE(accesses)], count);
			}
			assert_memory_equal(phys, ref_phys, sizeof(phys));
		}
		/* the random guests must reach all three ends, or the comparison is empty */
		if (mode) {
			assert_true(count[1] > 20000);
			assert_true(count[2] > 20000);
		}
	}
}

/* --- directed --- */

static struct vtx_walk_cpu long_mode_cpu(void)
{
	struct vtx_walk_cpu cpu = {
		.cr0 = X86_CR0_PE | X86_CR0_PG | X86_CR0_WP, .cr4 = X86_CR4_PAE, .efer = LMA | NXE, .cr3 = 0x1000,
		.maxphyaddr = 40, .gbpages = true,
	};

	memset(phys, 0, sizeof(phys));
	phys[0x1000 / 8] = 0x2007;
	phys[0x2000 / 8] = 0x3007;
	phys[0x3000 / 8] = 0x4007;
	phys[0x4000 / 8 + 1] = 0x9007;
	return cpu;
}

/* An entry changed under the walk: it starts over, a bounded number of times. */
static void test_race(void **state)
{
	struct vtx_walk_cpu cpu = long_mode_cpu();
	struct vtx_walk_result out;

	races = 3;
	assert_int_equal(vtx_walk(&cpu, &ops, NULL, 0x1234, VTX_WALK_WRITE, &out), 0);
	assert_int_equal(races, 0);
	assert_false(out.fault);
	assert_true(out.gpa == 0x9234);
	assert_int_equal(phys[0x4000 / 8 + 1], 0x9067);
	assert_int_equal(phys[0x1000 / 8], 0x2027);

	cpu = long_mode_cpu();
	races = 1000000;
	assert_int_equal(vtx_walk(&cpu, &ops, NULL, 0x1234, VTX_WALK_WRITE, &out), -EAGAIN);
	assert_true(races > 999900);
	races = 0;
}

/* Bits that are set already are not written again, and nothing is written by a walk that faults. */
static void test_accessed_dirty(void **state)
{
	struct vtx_walk_cpu cpu = long_mode_cpu();
	struct vtx_walk_result out;

	assert_int_equal(vtx_walk(&cpu, &ops, NULL, 0x1000, VTX_WALK_READ, &out), 0);
	assert_int_equal(phys[0x4000 / 8 + 1], 0x9027);
	races = 1;
	assert_int_equal(vtx_walk(&cpu, &ops, NULL, 0x1000, VTX_WALK_READ, &out), 0);
	assert_int_equal(races, 1); /* no cmpxchg happened */
	races = 0;

	cpu = long_mode_cpu();
	phys[0x4000 / 8 + 1] = 0x9005;
	assert_int_equal(vtx_walk(&cpu, &ops, NULL, 0x1000, VTX_WALK_WRITE, &out), 0);
	assert_true(out.fault);
	assert_int_equal(out.error_code, 3);
	assert_int_equal(phys[0x1000 / 8], 0x2007);
	cpu.cr0 &= ~X86_CR0_WP;
	assert_int_equal(vtx_walk(&cpu, &ops, NULL, 0x1000, VTX_WALK_WRITE, &out), 0);
	assert_false(out.fault);
	assert_false(out.writable);
	assert_int_equal(phys[0x4000 / 8 + 1], 0x9065);
}

static void test_bad_arguments(void **state)
{
	struct vtx_walk_cpu cpu = long_mode_cpu();
	struct vtx_walk_result out;

	assert_int_equal(vtx_walk(&cpu, &ops, NULL, 0x800000000000, 0, &out), -EINVAL);
	cpu.cr4 |= X86_CR4_LA57;
	phys[0x1000 / 8] = 0x1007;
	assert_int_equal(vtx_walk(&cpu, &ops, NULL, 0x800000000000, 0, &out), 0);
	cpu = long_mode_cpu();
	cpu.maxphyaddr = 64;
	assert_int_equal(vtx_walk(&cpu, &ops, NULL, 0, 0, &out), -EINVAL);
	cpu = long_mode_cpu();
	read_error = -ENOMEM;
	assert_int_equal(vtx_walk(&cpu, &ops, NULL, 0, 0, &out), -ENOMEM);
	read_error = 0;
	cpu.cr0 = X86_CR0_PE;
	cpu.efer = 0;
	reads = 0;
	assert_int_equal(vtx_walk(&cpu, &ops, NULL, 0x123456789, VTX_WALK_WRITE, &out), 0);
	assert_true(out.gpa == 0x23456789);
	assert_int_equal(reads, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_differential),
		cmocka_unit_test(test_race),
		cmocka_unit_test(test_accessed_dirty),
		cmocka_unit_test(test_bad_arguments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
