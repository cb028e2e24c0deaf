// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPUID policy: nothing vtx cannot back reaches a guest, whatever the host has; what mirrors state follows it; the
 * instruction's answers for leaves in, between and out of the ranges.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include "exits/cpuid_policy.h"

#define XCR0_SKYLAKE 0xe7ull

/* ------------------------------------------------------------------ hosts */

/* A host that has every bit there is. */
static void read_everything(void *opaque, u32 leaf, u32 index, struct vtx_cpuid_regs *out)
{
	*out = (struct vtx_cpuid_regs){ .eax = ~0u, .ebx = ~0u, .ecx = ~0u, .edx = ~0u };
	if (leaf == 0)
		out->eax = 0x20;
	else if (leaf == 0x80000000)
		out->eax = 0x80000021;
	else if (leaf == 4 && index >= 4)
		out->eax = 0;
	else if (leaf == 7 && index == 0)
		out->eax = 2;
	else if (leaf == 0xd && index >= 2)
		*out = (struct vtx_cpuid_regs){ .eax = 40, .ebx = 576 + 64 * index, .ecx = 2 };	/* aligned to 64 when compacted */
}

/* A host that has leaves but no bits. */
static void read_nothing(void *opaque, u32 leaf, u32 index, struct vtx_cpuid_regs *out)
{
	memset(out, 0, sizeof(*out));
	if (leaf == 0)
		out->eax = 0x16;
	else if (leaf == 0x80000000)
		out->eax = 0x80000008;
}

/* The parts that matter of a Skylake-X. */
static void read_skylake(void *opaque, u32 leaf, u32 index, struct vtx_cpuid_regs *out)
{
	static const struct vtx_cpuid_regs xsave[] = {
		[2] = { .eax = 256, .ebx = 576 },  [5] = { .eax = 64, .ebx = 1088 },
		[6] = { .eax = 512, .ebx = 1152 }, [7] = { .eax = 1024, .ebx = 1664 },
	};

	memset(out, 0, sizeof(*out));
	switch (leaf) {
	case 0:
		*out = (struct vtx_cpuid_regs){ .eax = 0x16, .ebx = 0x756e6547, .ecx = 0x6c65746e, .edx = 0x49656e69 };
		break;
	case 1:
		*out = (struct vtx_cpuid_regs){ .eax = 0x50654, .ebx = 0x03100800, .ecx = 0x7ffefbff, .edx = 0xbfebfbff };
		break;
	case 7:
		if (!index)
			*out = (struct vtx_cpuid_regs){ .ebx = 0xd39ffffb, .ecx = 0x18, .edx = 0xbc000400 };
		break;
	case 0xd:
		if (index == 0)
			*out = (struct vtx_cpuid_regs){ .eax = 0x2ff, .ebx = 2696, .ecx = 2696 };
		else if (index == 1)
			*out = (struct vtx_cpuid_regs){ .eax = 0xf, .ebx = 2568 };
		else if (index < ARRAY_SIZE(xsave))
			*out = xsave[index];
		break;
	case 0x80000000:
		out->eax = 0x80000008;
		break;
	case 0x80000001:
		*out = (struct vtx_cpuid_regs){ .ecx = 0x121, .edx = 0x2c100800 };
		break;
	case 0x80000008:
		out->eax = 0x302e;
		break;
	}
}

static const struct vtx_cpuid_host skylake = { .read = read_skylake, .xcr0 = XCR0_SKYLAKE, .invpcid = true, .rdtscp = true };
static const struct vtx_cpuid_host everything = { .read = read_everything, .xcr0 = XCR0_SKYLAKE, .invpcid = true, .rdtscp = true };

static struct kvm_cpuid_entry2 table[VTX_MAX_CPUID_ENTRIES];

static struct vtx_cpuid build(const struct vtx_cpuid_host *host)
{
	struct vtx_cpuid c = { .entries = table };

	memset(table, 0xa5, sizeof(table));
	c.nent = vtx_cpuid_build(host, table, ARRAY_SIZE(table));
	assert_in_range(c.nent, 1, ARRAY_SIZE(table));
	vtx_cpuid_derive(&c, NULL, host->xcr0);
	return c;
}

static struct vtx_cpuid_regs ask(const struct vtx_cpuid *c, u32 leaf, u32 index)
{
	struct vtx_cpuid_regs regs;

	vtx_cpuid_answer(c, leaf, index, &regs);
	return regs;
}

/* ------------------------------------------------------------------ what may be seen */

static void test_forbidden_bits(void **state)
{
	static const struct {
		u32 leaf, index;
		u8 reg, bit;
	} forbidden[] = {
		{ 1, 0, 2, 2 } /* DTES64 */, { 1, 0, 2, 3 } /* MONITOR */, { 1, 0, 2, 4 } /* DS-CPL */, { 1, 0, 2, 5 } /* VMX */,
		{ 1, 0, 2, 6 } /* SMX */, { 1, 0, 2, 7 } /* EIST */, { 1, 0, 2, 15 } /* PDCM */, { 1, 0, 2, 27 } /* OSXSAVE */,
		{ 1, 0, 3, 21 } /* DS */, { 1, 0, 3, 22 } /* ACPI */, { 1, 0, 3, 28 } /* HTT */, { 1, 0, 3, 29 } /* TM */,
		{ 7, 0, 1, 2 } /* SGX */, { 7, 0, 1, 12 } /* RDT-M */, { 7, 0, 1, 14 } /* MPX */, { 7, 0, 1, 15 } /* RDT-A */,
		{ 7, 0, 1, 25 } /* PT */, { 7, 0, 2, 3 } /* PKU */, { 7, 0, 2, 4 } /* OSPKE */, { 7, 0, 2, 5 } /* WAITPKG */,
		{ 7, 0, 2, 7 } /* shadow stack */, { 7, 0, 2, 13 } /* TME */, { 7, 0, 2, 16 } /* LA57 */, { 7, 0, 2, 23 } /* KL */,
		{ 7, 0, 2, 24 } /* bus lock */, { 7, 0, 2, 29 } /* ENQCMD */, { 7, 0, 2, 30 } /* SGX_LC */, { 7, 0, 2, 31 } /* PKS */,
		{ 7, 0, 3, 5 } /* UINTR */, { 7, 0, 3, 15 } /* hybrid */, { 7, 0, 3, 18 } /* PCONFIG */, { 7, 0, 3, 19 } /* LBR */,
		{ 7, 0, 3, 20 } /* IBT */, { 7, 0, 3, 22 } /* AMX */, { 7, 0, 3, 24 } /* AMX */, { 7, 0, 3, 25 } /* AMX */,
		{ 7, 0, 3, 28 } /* L1D_FLUSH */, { 7, 0, 3, 30 } /* CORE_CAPS */, { 7, 1, 0, 26 } /* LAM */,
		{ 6, 0, 0, 0 } /* thermal */, { 6, 0, 2, 0 } /* APERF */, { 0xd, 1, 0, 3 } /* XSAVES */, { 0xd, 1, 0, 4 } /* XFD */,
		{ 0x80000001, 0, 2, 2 } /* SVM */,
	};
	struct vtx_cpuid c = build(&everything);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(forbidden); i++) {
		struct vtx_cpuid_regs regs = ask(&c, forbidden[i].leaf, forbidden[i].index);

		if (regs.reg[forbidden[i].reg] >> forbidden[i].bit & 1)
			fail_msg("leaf %x.%u register %u bit %u reaches the guest", forbidden[i].leaf, forbidden[i].index,
				 forbidden[i].reg, forbidden[i].bit);
	}
	assert_int_equal(ask(&c, 0xa, 0).eax, 0);		/* no performance counters */
	assert_int_equal(ask(&c, 5, 0).edx, 0);			/* no MWAIT */
	assert_null(vtx_cpuid_find(&c, 0x12, 0));		/* no SGX */
	assert_null(vtx_cpuid_find(&c, 0x14, 0));		/* no processor trace */
	assert_null(vtx_cpuid_find(&c, 0x15, 0));		/* no crystal that would be taken for the APIC timer's */
	assert_int_equal(ask(&c, 1, 0).ebx >> 16, 0);		/* no host APIC id */
	assert_int_equal(ask(&c, 0x80000008, 0).eax, 48 << 8 | 48);	/* four levels, of EPT and of paging */
}

static void test_added_bits(void **state)
{
	struct vtx_cpuid_host host = { .read = read_nothing };
	struct vtx_cpuid c = build(&host);

	assert_int_equal(ask(&c, 1, 0).ecx, 1u << 21 | 1u << 31);
	assert_int_equal(ask(&c, 1, 0).edx, 0);
	assert_int_equal(ask(&c, 7, 0).ebx, 1u << 1);
	assert_int_equal(ask(&c, 6, 0).eax, 1u << 2);
	assert_int_equal(ask(&c, 0x40000000, 0).eax, 0x40000001);
	assert_int_equal(ask(&c, 0x40000000, 0).ebx, 0x4b4d564b);
	/* CLOCKSOURCE, NOP_IO_DELAY, CLOCKSOURCE2, PV_SCHED_YIELD, CLOCKSOURCE_STABLE_BIT; no asynchronous page faults, PV EOI ... */
	assert_int_equal(ask(&c, 0x40000001, 0).eax, 1u | 1u << 1 | 1u << 3 | 1u << 13 | 1u << 24);
	assert_false(vtx_cpuid_has(&c, VTX_F_STEAL_TIME));
	/* steal time from a kernel that counts it */
	host.run_delay = true;
	c = build(&host);
	assert_int_equal(ask(&c, 0x40000001, 0).eax, 1u | 1u << 1 | 1u << 3 | 1u << 5 | 1u << 13 | 1u << 24);
	assert_true(vtx_cpuid_has(&c, VTX_F_STEAL_TIME));
	/* XSAVE's leaf is there and says "nothing" */
	assert_int_equal(ask(&c, 0xd, 0).eax, 0);
	assert_null(vtx_cpuid_find(&c, 0xd, 1));
}

static void test_needs(void **state)
{
	struct vtx_cpuid_host host = everything;
	struct vtx_cpuid c;

	host.xcr0 = 3;
	c = build(&host);
	assert_int_equal(ask(&c, 1, 0).ecx & (1u << 28 | 1u << 12 | 1u << 29), 0);	/* AVX, FMA, F16C */
	assert_int_equal(ask(&c, 7, 0).ebx & (1u << 5 | 1u << 16), 0);			/* AVX2, AVX512F */
	assert_true(ask(&c, 1, 0).ecx & 1u << 26);
	host.xcr0 = 7;
	c = build(&host);
	assert_true(ask(&c, 7, 0).ebx & 1u << 5);
	assert_int_equal(ask(&c, 7, 0).ebx & 0xdc230000, 0);				/* no AVX-512 of any kind */
	assert_int_equal(ask(&c, 7, 0).edx & (1u << 2 | 1u << 3 | 1u << 8 | 1u << 23), 0);
	host.xcr0 = 0;
	c = build(&host);
	assert_int_equal(ask(&c, 1, 0).ecx & 1u << 26, 0);

	host = everything;
	host.invpcid = false;
	c = build(&host);
	assert_int_equal(ask(&c, 7, 0).ebx & 1u << 10, 0);
	assert_true(ask(&c, 0x80000001, 0).edx & 1u << 27);
	host = everything;
	host.rdtscp = false;
	c = build(&host);
	assert_int_equal(ask(&c, 0x80000001, 0).edx & 1u << 27, 0);
	assert_int_equal(ask(&c, 7, 0).ecx & 1u << 22, 0);				/* RDPID needs the same control */
}

/* As many entries as fit are written and not one more; the answer is always how many there are. */
static void test_room(void **state)
{
	struct kvm_cpuid_entry2 *small;
	u32 n, all = vtx_cpuid_build(&everything, NULL, 0);

	for (n = 0; n <= all; n++) {
		small = calloc(n ?: 1, sizeof(*small));		/* ASan guards its end */
		assert_int_equal(vtx_cpuid_build(&everything, small, n), all);
		if (n)
			assert_true(small[n - 1].function != 0 || n == 1);
		free(small);
	}
}

static void test_table_is_sound(void **state)
{
	struct vtx_cpuid c = build(&everything);
	u32 i, j;

	for (i = 0; i < c.nent; i++) {
		assert_int_equal(table[i].padding[0] | table[i].padding[1] | table[i].padding[2], 0);
		for (j = 0; j < i; j++)
			assert_false(table[i].function == table[j].function && table[i].index == table[j].index);
	}
	/* The highest leaf exists. */
	assert_non_null(vtx_cpuid_find(&c, ask(&c, 0, 0).eax, 0));
	assert_non_null(vtx_cpuid_find(&c, ask(&c, 0x80000000, 0).eax, 0));
	/* Firecracker's and QEMU's wishes. */
	assert_non_null(vtx_cpuid_find(&c, 6, 0));
	assert_non_null(vtx_cpuid_find(&c, 7, 0));
	assert_non_null(vtx_cpuid_find(&c, 0xa, 0));
	assert_non_null(vtx_cpuid_find(&c, 0x80000005, 0));
	assert_non_null(vtx_cpuid_find(&c, 0x80000006, 0));
}

/* ------------------------------------------------------------------ XSAVE */

static void test_xsave_sizes(void **state)
{
	struct vtx_cpuid c = build(&skylake);
	struct vtx_cpuid_state s = { .osxsave = true, .apic_enabled = true, .xcr0 = 1 };

	assert_int_equal(ask(&c, 0xd, 0).eax, XCR0_SKYLAKE);
	assert_int_equal(ask(&c, 0xd, 0).ecx, 2688);			/* without PKRU's */
	assert_int_equal(ask(&c, 0xd, 1).ebx, 576 + 256 + 64 + 512 + 1024);
	assert_int_equal(ask(&c, 0xd, 2).eax, 256);
	assert_int_equal(ask(&c, 0xd, 3).eax, 0);			/* MPX */
	assert_int_equal(ask(&c, 0xd, 9).eax, 0);			/* PKRU */

	vtx_cpuid_mirror(&c, &s);
	assert_int_equal(ask(&c, 0xd, 0).ebx, 576);
	assert_int_equal(ask(&c, 0xd, 0).ecx, 2688);
	s.xcr0 = 7;
	vtx_cpuid_mirror(&c, &s);
	assert_int_equal(ask(&c, 0xd, 0).ebx, 832);
	assert_int_equal(ask(&c, 0xd, 1).ebx, 832);
	s.xcr0 = XCR0_SKYLAKE;
	vtx_cpuid_mirror(&c, &s);
	assert_int_equal(ask(&c, 0xd, 0).ebx, 2688);
	assert_int_equal(ask(&c, 0xd, 1).ebx, 576 + 256 + 64 + 512 + 1024);
}

static void test_xsave_alignment(void **state)
{
	struct vtx_cpuid c = build(&everything);
	struct vtx_cpuid_state s = { .xcr0 = XCR0_SKYLAKE };

	/* Components 2, 5, 6, 7 of 40 bytes, each on a multiple of 64. */
	assert_int_equal(ask(&c, 0xd, 1).ebx, 576 + 3 * 64 + 40);
	assert_int_equal(ask(&c, 0xd, 0).ecx, 576 + 64 * 7 + 40);
	s.xcr0 = 0x23;
	vtx_cpuid_mirror(&c, &s);
	assert_int_equal(ask(&c, 0xd, 1).ebx, 576 + 40);
	assert_int_equal(ask(&c, 0xd, 0).ebx, 576 + 64 * 5 + 40);
	s.xcr0 = 0x27;
	vtx_cpuid_mirror(&c, &s);
	assert_int_equal(ask(&c, 0xd, 1).ebx, 576 + 64 + 40);
}

static void test_mirrored_bits(void **state)
{
	struct vtx_cpuid c = build(&skylake);
	struct vtx_cpuid_state s = { .osxsave = true, .apic_enabled = true, .xcr0 = 1 };

	vtx_cpuid_mirror(&c, &s);
	assert_true(ask(&c, 1, 0).ecx & 1u << 27);
	assert_true(ask(&c, 1, 0).edx & 1u << 9);
	s.osxsave = s.apic_enabled = false;
	vtx_cpuid_mirror(&c, &s);
	assert_false(ask(&c, 1, 0).ecx & 1u << 27);
	assert_false(ask(&c, 1, 0).edx & 1u << 9);
	vtx_cpuid_find(&c, 7, 0)->ecx |= 1u << 4;	/* user space says OSPKE */
	vtx_cpuid_mirror(&c, &s);
	assert_false(ask(&c, 7, 0).ecx & 1u << 4);
}

/* ------------------------------------------------------------------ what a table switches on */

static void test_derived(void **state)
{
	struct vtx_cpuid host = build(&skylake), c = host;

	assert_int_equal(c.maxphyaddr, 46);
	assert_int_equal(c.xcr0_allowed, XCR0_SKYLAKE);
	assert_int_equal(c.efer_allowed, 0xd01);
	assert_true(vtx_cpuid_has(&c, VTX_F_X2APIC) && vtx_cpuid_has(&c, VTX_F_LM) && vtx_cpuid_has(&c, VTX_F_SMEP));
	assert_true(vtx_cpuid_has(&c, VTX_F_KVMCLOCK) && vtx_cpuid_has(&c, VTX_F_KVMCLOCK2));
	assert_false(vtx_cpuid_has(&c, VTX_F_PKU) || vtx_cpuid_has(&c, VTX_F_LA57) || vtx_cpuid_has(&c, VTX_F_MWAIT));
	/* VMXE, SMXE, PKE, LA57, CET, PKS, UINTR and UMIP (which this host lacks) stay out of CR4. */
	assert_int_equal(c.cr4_reserved, ~0x3707ffull);
	/* IBRS, STIBP, SSBD */
	assert_int_equal(c.spec_ctrl_allowed, 7);

	/* A table that claims more than the host has switches nothing on. */
	memset(table, 0, sizeof(table));
	table[0] = (struct kvm_cpuid_entry2){ .function = 7, .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
					      .ebx = ~0u, .ecx = ~0u, .edx = ~0u };
	table[1] = (struct kvm_cpuid_entry2){ .function = 7, .index = 2, .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX, .edx = ~0u };
	table[2] = (struct kvm_cpuid_entry2){ .function = 0xd, .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX, .eax = ~0u, .edx = ~0u };
	c = (struct vtx_cpuid){ .entries = table, .nent = 3 };
	vtx_cpuid_derive(&c, &host, XCR0_SKYLAKE);
	assert_false(vtx_cpuid_has(&c, VTX_F_PKU) || vtx_cpuid_has(&c, VTX_F_UMIP) || vtx_cpuid_has(&c, VTX_F_LA57));
	assert_int_equal(c.cr4_reserved & (1 << 11 | 1 << 22 | 1 << 12), 1 << 11 | 1 << 22 | 1 << 12);
	assert_int_equal(c.spec_ctrl_allowed, 7);
	assert_int_equal(c.xcr0_allowed, XCR0_SKYLAKE);
	assert_int_equal(c.efer_allowed, 0);
	assert_int_equal(c.maxphyaddr, 36);

	/* No table: a client without one may still use long mode. */
	c = (struct vtx_cpuid){ .nent = 0 };
	vtx_cpuid_derive(&c, &host, XCR0_SKYLAKE);
	assert_int_equal(c.efer_allowed, host.efer_allowed);
	assert_int_equal(c.cr4_reserved, host.cr4_reserved);
	assert_int_equal(c.xcr0_allowed, 1);
}

/* Not in the list of what is supported, for clients that pass the list on whole; theirs to switch on. */
static void test_tsc_deadline(void **state)
{
	struct vtx_cpuid host = build(&skylake), c = { .entries = table, .nent = 1 };

	assert_false(ask(&host, 1, 0).ecx & 1u << 24);
	table[0] = (struct kvm_cpuid_entry2){ .function = 1 };
	vtx_cpuid_derive(&c, &host, 3);
	assert_false(vtx_cpuid_has(&c, VTX_F_TSC_DEADLINE));
	table[0].ecx = 1u << 24;
	vtx_cpuid_derive(&c, &host, 3);
	assert_true(vtx_cpuid_has(&c, VTX_F_TSC_DEADLINE));
}

/* KVM's leaves behind another hypervisor's, as QEMU puts them with Hyper-V enlightenments. */
static void test_moved_kvm_leaves(void **state)
{
	struct vtx_cpuid host = build(&skylake), c = { .entries = table, .nent = 2 };

	table[0] = (struct kvm_cpuid_entry2){ .function = 0x40000100, .eax = 0x40000101, .ebx = 0x4b4d564b, .ecx = 0x564b4d56, .edx = 0x4d };
	table[1] = (struct kvm_cpuid_entry2){ .function = 0x40000101, .eax = 1 << 3 };
	vtx_cpuid_derive(&c, &host, 3);
	assert_true(vtx_cpuid_has(&c, VTX_F_KVMCLOCK2));
	assert_false(vtx_cpuid_has(&c, VTX_F_KVMCLOCK));
	table[0].edx = 0x4e;
	vtx_cpuid_derive(&c, &host, 3);
	assert_false(vtx_cpuid_has(&c, VTX_F_KVMCLOCK2));
}

/* ------------------------------------------------------------------ the instruction */

static void test_answers(void **state)
{
	struct vtx_cpuid c = build(&skylake);
	struct kvm_cpuid_entry2 *top;
	struct vtx_cpuid_regs r;

	top = vtx_cpuid_find(&c, 0x16, 0);
	assert_non_null(top);
	*top = (struct kvm_cpuid_entry2){ .function = 0x16, .eax = 0x1111, .ebx = 0x2222, .ecx = 0x3333, .edx = 0x4444 };

	/* Out of range, basic, extended and Centaur: the highest basic leaf. */
	assert_int_equal(ask(&c, 0x17, 0).eax, 0x1111);
	assert_int_equal(ask(&c, 0x3fffffff, 5).edx, 0x4444);
	assert_int_equal(ask(&c, 0x80000009, 0).ebx, 0x2222);
	assert_int_equal(ask(&c, 0xc0000000, 0).ecx, 0x3333);
	assert_int_equal(ask(&c, 0x40000002, 0).eax, 0x1111);
	assert_int_equal(ask(&c, 0x40000200, 0).eax, 0x1111);
	/* In range but absent: zeros. */
	r = ask(&c, 0x15, 0);
	assert_int_equal(r.eax | r.ebx | r.ecx | r.edx, 0);
	r = ask(&c, 7, 9);
	assert_int_equal(r.eax | r.ebx | r.ecx | r.edx, 0);
	/* The topology leaf echoes the sub-leaf. */
	assert_int_equal(ask(&c, 0xb, 0x105).ecx, 5);
	/* An AMD table gets zeros. */
	vtx_cpuid_find(&c, 0, 0)->ebx = 0x68747541;
	assert_int_equal(ask(&c, 0x17, 0).eax, 0);
}

/* The quick way finds what the search finds, or nothing. */
static void test_quick(void **state)
{
	struct vtx_cpuid c = build(&everything);
	u32 base, low, index, found = 0;

	for (base = 0; base < 4; base++) {
		for (low = 0; low < 64; low++) {
			for (index = 0; index < 4; index++) {
				const struct kvm_cpuid_entry2 *e = vtx_cpuid_quick(&c, base << 30 | low, index);

				if (!e)
					continue;
				assert_ptr_equal(e, vtx_cpuid_find(&c, base << 30 | low, index));
				found++;
			}
		}
	}
	assert_true(found > 40);
	assert_non_null(vtx_cpuid_quick(&c, 1, 0x1234));
	assert_non_null(vtx_cpuid_quick(&c, 4, 0));
	assert_non_null(vtx_cpuid_quick(&c, 7, 0));
	assert_non_null(vtx_cpuid_quick(&c, 0x40000000, 0));
	assert_non_null(vtx_cpuid_quick(&c, 0x80000008, 0));
	assert_null(vtx_cpuid_quick(&c, 0x20, 0));
	assert_null(vtx_cpuid_quick(&c, 0x40000020, 0));

	/* No table: nothing is found, nothing is read. */
	c = (struct vtx_cpuid){ 0 };
	vtx_cpuid_derive(&c, NULL, 3);
	assert_null(vtx_cpuid_quick(&c, 0, 0));
	assert_int_equal(ask(&c, 0, 0).eax, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forbidden_bits), cmocka_unit_test(test_added_bits),  cmocka_unit_test(test_needs),
		cmocka_unit_test(test_room),	       cmocka_unit_test(test_table_is_sound), cmocka_unit_test(test_xsave_sizes), cmocka_unit_test(test_xsave_alignment),
		cmocka_unit_test(test_mirrored_bits),  cmocka_unit_test(test_derived),	   cmocka_unit_test(test_moved_kvm_leaves),
		cmocka_unit_test(test_tsc_deadline),
		cmocka_unit_test(test_answers),	       cmocka_unit_test(test_quick),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
