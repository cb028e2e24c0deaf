// SPDX-License-Identifier: GPL-2.0-only
/*
 * The capability decision: every requirement, taken away one at a time, is named; every option can be switched off.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include "vmx/caps.h"

/* Values read on the Skylake-X model of the test machine. */
static const struct vtx_msr_values good = {
	.cpuid_vmx = true,
	.feature_control = 5,
	.basic = 0x00d810000000002bULL | (1ULL << 55),
	.pin = 0x000000ff00000016ULL,
	.proc = 0xfff9fffe04006172ULL,
	.proc2 = 0x0237ffff00000000ULL,
	.exit = 0x007fffff00036dfbULL,
	.misc = 5,
	.entry = 0x0000ffff000011fbULL,
	.cr0_fixed0 = 0x80000021,
	.cr0_fixed1 = 0xffffffff,
	.cr4_fixed0 = 0x2000,
	.cr4_fixed1 = 0x3767ff,
	.ept_vpid = 0x00000f0106734141ULL,
};

static const struct vtx_wishes all = {
	.vpid = true, .ept_ad = true, .large_pages = true, .tsc_scaling = true, .ple = true,
	.preemption_timer = true, .pml = true, .tpr_shadow = true, .apicv = true, .apicv_forced = true,
};

static void assert_names(const struct vtx_msr_values *m, const char *words)
{
	struct vtx_caps caps;
	const char *missing = vtx_caps_decide(m, &all, &caps);

	assert_non_null(missing);
	if (!strstr(missing, words))
		fail_msg("'%s' does not name '%s'", missing, words);
}

static void test_accepts_skylake(void **state)
{
	struct vtx_caps caps;

	assert_null(vtx_caps_decide(&good, &all, &caps));
	assert_int_equal(caps.vmcs_revision, 0x2b);
	assert_true(caps.vpid && caps.ept_ad && caps.ept_2m && caps.ept_1g && caps.rdtscp && caps.invpcid && caps.ple);
	assert_int_equal(caps.eptp_bits, 6 | 3 << 3 | 1 << 6);
	assert_true(caps.tsc_scaling && caps.proc2 & 1 << 25);
	/* the preemption timer is switched on with a timer, not with a VMCS */
	assert_true(caps.preemption_timer && !(caps.pin & 1 << 6));
	assert_int_equal(caps.preemption_rate, 5);
	/* start values: forced bits are in, windows and IA-32e mode are not */
	assert_int_equal(caps.pin & 0x16, 0x16);
	assert_int_equal(caps.proc & (1 << 2 | 1 << 22), 0);
	assert_int_equal(caps.entry & (1 << 9), 0);
}

struct knock {
	size_t offset;	/* of the u64 in struct vtx_msr_values */
	unsigned int bit;
	const char *words;
};

#define ALLOWED(field, bit, words) { offsetof(struct vtx_msr_values, field), 32 + (bit), words }
#define PLAIN(field, bit, words) { offsetof(struct vtx_msr_values, field), bit, words }

static const struct knock knocks[] = {
	ALLOWED(pin, 0, "external-interrupt exiting"),
	ALLOWED(pin, 3, "NMI exiting"),
	ALLOWED(pin, 5, "virtual NMIs"),
	ALLOWED(proc, 3, "TSC offsetting"),
	ALLOWED(proc, 7, "HLT exiting"),
	ALLOWED(proc, 10, "MWAIT exiting"),
	ALLOWED(proc, 11, "RDPMC exiting"),
	ALLOWED(proc, 19, "CR8-load exiting"),
	ALLOWED(proc, 20, "CR8-store exiting"),
	ALLOWED(proc, 23, "MOV-DR exiting"),
	ALLOWED(proc, 24, "unconditional I/O exiting"),
	ALLOWED(proc, 28, "MSR bitmaps"),
	ALLOWED(proc, 29, "MONITOR exiting"),
	ALLOWED(proc, 31, "secondary processor-based controls"),
	ALLOWED(proc, 2, "interrupt-window"),
	ALLOWED(proc, 22, "NMI-window"),
	ALLOWED(proc2, 1, "EPT (secondary"),
	ALLOWED(proc2, 6, "WBINVD exiting"),
	ALLOWED(proc2, 7, "unrestricted guest"),
	ALLOWED(exit, 2, "save debug controls"),
	ALLOWED(exit, 9, "host address-space size"),
	ALLOWED(exit, 18, "save IA32_PAT"),
	ALLOWED(exit, 19, "load IA32_PAT"),
	ALLOWED(exit, 20, "save IA32_EFER"),
	ALLOWED(exit, 21, "load IA32_EFER"),
	ALLOWED(entry, 2, "load debug controls"),
	ALLOWED(entry, 9, "IA-32e mode guest"),
	ALLOWED(entry, 14, "load IA32_PAT"),
	ALLOWED(entry, 15, "load IA32_EFER"),
	PLAIN(ept_vpid, 6, "4-level EPT"),
	PLAIN(ept_vpid, 14, "write-back EPT"),
	PLAIN(ept_vpid, 20, "INVEPT"),
	PLAIN(feature_control, 2, "locked VT-x off"),
	PLAIN(basic, 52, "write-back VMCS memory"),
};

static void test_names_what_is_missing(void **state)
{
	struct vtx_msr_values m;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(knocks); i++) {
		m = good;
		*(u64 *)((char *)&m + knocks[i].offset) &= ~(1ULL << knocks[i].bit);
		assert_names(&m, knocks[i].words);
	}
}

static void test_no_vmx(void **state)
{
	struct vtx_msr_values m = good;

	m.cpuid_vmx = false;
	assert_names(&m, "VMX (CPUID.1:ECX bit 5)");
}

static void test_unlocked_feature_control_is_fine(void **state)
{
	struct vtx_msr_values m = good;
	struct vtx_caps caps;

	m.feature_control = 0;
	assert_null(vtx_caps_decide(&m, &all, &caps));
}

static void test_forced_cr3_exits_are_refused(void **state)
{
	struct vtx_msr_values m = good;

	m.proc |= 1 << 15 | 1 << 16;
	assert_names(&m, "CR3 and INVLPG exiting");
}

static void test_vmcs_size(void **state)
{
	struct vtx_msr_values m = good;

	m.basic &= ~(0x1fffULL << 32);
	assert_names(&m, "at most one page");
	m.basic |= 0x1001ULL << 32;
	assert_names(&m, "at most one page");
}

static void test_options_switch_off(void **state)
{
	struct vtx_wishes none = { 0 };
	struct vtx_msr_values m = good;
	struct vtx_caps caps;

	assert_null(vtx_caps_decide(&m, &none, &caps));
	assert_false(caps.vpid || caps.ept_ad || caps.ept_2m || caps.ept_1g || caps.tsc_scaling || caps.ple || caps.preemption_timer);
	assert_int_equal(caps.proc2 & (1 << 5 | 1 << 10 | 1 << 25), 0);
	assert_int_equal(caps.eptp_bits & (1 << 6), 0);

	assert_false(caps.pml);

	/* The log hangs on the dirty flags of the EPT. */
	assert_null(vtx_caps_decide(&m, &(struct vtx_wishes){ .pml = true }, &caps));
	assert_false(caps.pml);
	assert_null(vtx_caps_decide(&m, &(struct vtx_wishes){ .pml = true, .ept_ad = true }, &caps));
	assert_true(caps.pml);
	assert_int_equal(caps.proc2 & (1 << 17), 0);	/* not before a slot logs */

	/* and without the hardware the wish alone does nothing */
	m.proc2 &= ~(1ULL << (32 + 5) | 1ULL << (32 + 10) | 1ULL << (32 + 17));
	m.ept_vpid &= ~(1ULL << 21 | 1ULL << 16 | 1ULL << 17);
	assert_null(vtx_caps_decide(&m, &all, &caps));
	assert_false(caps.vpid || caps.ept_ad || caps.ept_2m || caps.ept_1g || caps.ple || caps.pml);
	assert_int_equal(caps.proc2 & (1 << 5 | 1 << 10), 0);
}

static void expect_apicv(const struct vtx_msr_values *m, const struct vtx_wishes *w, enum vtx_apicv_why why, bool tpr_shadow)
{
	struct vtx_caps caps;

	assert_null(vtx_caps_decide(m, w, &caps));
	assert_int_equal(caps.apicv_why, why);
	assert_int_equal(caps.apicv, why == VTX_APICV_ON);
	assert_int_equal(caps.tpr_shadow, tpr_shadow);
	assert_true(caps.apicv || !caps.apicv_x2apic);
	/* They come and go with each vCPU's mode. */
	assert_int_equal(caps.proc2 & (1 << 0 | 1 << 4 | 1 << 8 | 1 << 9), 0);
	assert_int_equal(caps.proc & 1 << 21, 0);
}

static void test_apic_virtualization(void **state)
{
	struct vtx_wishes by_default = all, wishes;
	struct vtx_msr_values m = good;

	by_default.apicv_forced = false;
	m.pin |= BIT_ULL(32 + 7);
	expect_apicv(&m, &by_default, VTX_APICV_ON, true);
	m.pin &= ~BIT_ULL(32 + 7);
	expect_apicv(&m, &by_default, VTX_APICV_INCOMPLETE, true);
	expect_apicv(&m, &all, VTX_APICV_ON, true);
	wishes = by_default;
	wishes.apicv = false;
	expect_apicv(&m, &wishes, VTX_APICV_UNWANTED, true);
	wishes = all;
	wishes.tpr_shadow = false;
	expect_apicv(&m, &wishes, VTX_APICV_UNWANTED, false);
	m.proc2 &= ~BIT_ULL(32 + 9);
	expect_apicv(&m, &all, VTX_APICV_LACKING, true);
	m = good;
	m.proc &= ~BIT_ULL(32 + 21);
	expect_apicv(&m, &all, VTX_APICV_LACKING, false);
}

/* ------------------------------------------------------------------ the table says what the decision does */

static u64 *word_of(struct vtx_msr_values *m, u8 word)
{
	u64 *const words[] = {
		[VTX_WORD_PIN] = &m->pin, [VTX_WORD_PROC] = &m->proc, [VTX_WORD_PROC2] = &m->proc2,
		[VTX_WORD_EXIT] = &m->exit, [VTX_WORD_ENTRY] = &m->entry, [VTX_WORD_EPT_VPID] = &m->ept_vpid,
	};

	assert_true(word < ARRAY_SIZE(words));
	return words[word];
}

static u64 present_bit(const struct vtx_control *c)
{
	return BIT_ULL(c->bit + (c->word == VTX_WORD_EPT_VPID ? 0 : 32));
}

/* The decision notes these, and nothing in the module acts on them yet: the table says "unused", as a user sees it. */
static bool noted_only(const struct vtx_control *c)
{
	return c->word == VTX_WORD_EPT_VPID && (c->bit == 0 || c->bit == 40);
}

static const char *decide(const struct vtx_msr_values *m, struct vtx_caps *caps)
{
	const char *missing = vtx_caps_decide(m, &all, caps);

	caps->proc_allowed1 = 0; /* copies of the MSRs, not decisions */
	caps->proc2_allowed1 = 0;
	return missing;
}

static void test_table_agrees_with_decision(void **state)
{
	const struct vtx_control *c;

	for (c = vtx_controls; c < vtx_controls + vtx_nr_controls; c++) {
		struct vtx_msr_values with = good, without = good;
		struct vtx_caps caps_with, caps_without;
		const char *missing;

		/* One of two kinds of INVEPT and of INVVPID is enough: look at the row with the other one gone. */
		if (c->word == VTX_WORD_EPT_VPID && c->bit == 26)
			with.ept_vpid &= ~BIT_ULL(25);
		if (c->word == VTX_WORD_EPT_VPID && c->bit == 42)
			with.ept_vpid &= ~BIT_ULL(41);
		*word_of(&with, c->word) |= present_bit(c);
		without = with;
		*word_of(&without, c->word) &= ~present_bit(c);

		assert_true(vtx_control_present(&with, c));
		assert_false(vtx_control_present(&without, c));
		assert_null(decide(&with, &caps_with));
		missing = decide(&without, &caps_without);
		if (c->use == VTX_USE_NEEDED || c->use == VTX_USE_LATER) {
			if (missing != c->missing)
				fail_msg("without %s the decision says '%s'", c->missing, missing);
		} else if (c->use == VTX_USE_WANTED) {
			if (!memcmp(&caps_with, &caps_without, sizeof(caps_with)) && !missing)
				fail_msg("%s is wanted and changes nothing", c->missing);
		} else if (missing || (memcmp(&caps_with, &caps_without, sizeof(caps_with)) && !noted_only(c))) {
			fail_msg("%s is not used and changes the decision", c->missing);
		}
		if (c->use == VTX_USE_OFF) {
			*word_of(&with, c->word) |= BIT_ULL(c->bit);
			assert_true(vtx_control_forced(&with, c));
			assert_non_null(decide(&with, &caps_with));
		}
	}
}

static void test_table_is_sorted(void **state)
{
	unsigned int i;

	for (i = 1; i < vtx_nr_controls; i++) {
		const struct vtx_control *a = &vtx_controls[i - 1], *b = &vtx_controls[i];

		assert_true(a->word < b->word || (a->word == b->word && a->bit < b->bit));
		assert_string_not_equal(b->name, "");
	}
}

/* What the decision looks at comes from the TRUE MSRs where they exist, and from nowhere without VMX. */
static u64 number_itself(u32 msr, void *data)
{
	return msr == 0x480 ? *(u64 *)data : msr;
}

static void test_collect(void **state)
{
	u64 basic = 0x2b;
	struct vtx_msr_values m;

	vtx_caps_collect(&m, true, number_itself, &basic);
	assert_true(m.cpuid_vmx);
	assert_true(m.pin == 0x481 && m.proc == 0x482 && m.exit == 0x483 && m.entry == 0x484 && m.proc2 == 0x48b);
	assert_true(m.feature_control == 0x3a && m.basic == 0x2b && m.misc == 0x485 && m.ept_vpid == 0x48c);
	assert_true(m.cr0_fixed0 == 0x486 && m.cr0_fixed1 == 0x487 && m.cr4_fixed0 == 0x488 && m.cr4_fixed1 == 0x489);
	basic |= 1ULL << 55;
	vtx_caps_collect(&m, true, number_itself, &basic);
	assert_true(m.pin == 0x48d && m.proc == 0x48e && m.exit == 0x48f && m.entry == 0x490 && m.proc2 == 0x48b);
	vtx_caps_collect(&m, false, number_itself, &basic);
	assert_false(m.cpuid_vmx || m.basic || m.pin);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepts_skylake),
		cmocka_unit_test(test_names_what_is_missing),
		cmocka_unit_test(test_no_vmx),
		cmocka_unit_test(test_unlocked_feature_control_is_fine),
		cmocka_unit_test(test_forced_cr3_exits_are_refused),
		cmocka_unit_test(test_vmcs_size),
		cmocka_unit_test(test_options_switch_off),
		cmocka_unit_test(test_apic_virtualization),
		cmocka_unit_test(test_table_agrees_with_decision),
		cmocka_unit_test(test_table_is_sorted),
		cmocka_unit_test(test_collect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
