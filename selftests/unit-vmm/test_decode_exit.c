// SPDX-License-Identifier: GPL-2.0-only
/* Exits in words: every reason has its name, qualifications decode as the manual's tables say, any bits are survived. */
#include "trace_unit.h"

#include <asm/vmx.h>

#include "userspace-vmm/decode.h"
#include "userspace-vmm/names.h"

static char line[2048];

static const char *decode(const struct vtx_record *r)
{
	struct vtx_fields fields = { .count = 0 };
	FILE *out = fmemopen(line, sizeof(line), "w");

	vtx_decode_info(r, &fields);
	vtx_fields_text(&fields, out);
	fputc('\0', out);
	fclose(out);
	return line;
}

static void test_names(void **state)
{
	(void)state;
	for (uint32_t n = 0; n <= EXIT_REASON_NOTIFY; n++) {
		assert_string_not_equal(vtx_name_vmx_exit(n), "unknown");
		assert_int_equal(vtx_number_vmx_exit(vtx_name_vmx_exit(n)), n);
	}
	assert_string_equal(vtx_name_vmx_exit(EXIT_REASON_NOTIFY + 1), "unknown");
	assert_string_equal(vtx_name_vmx_exit(EXIT_REASON_CPUID), "CPUID");
	assert_string_equal(vtx_name_vmx_exit(EXIT_REASON_INVALID_STATE | 0x80000000), "INVALID_STATE");
	assert_string_equal(vtx_name_vmx_exit(11), "GETSEC");
	assert_int_equal(vtx_number_vmx_exit("ept_violation"), EXIT_REASON_EPT_VIOLATION);
	assert_int_equal(vtx_number_vmx_exit("EPT"), -1);
	assert_int_equal(vtx_number_vmx_exit(""), -1);
}

static void test_qualifications(void **state)
{
	static const struct {
		uint32_t reason;
		uint64_t info;
		const char *text;
	} cases[] = {
		{ EXIT_REASON_IO_INSTRUCTION, 0x03f80000, " port=0x3f8 direction=out size=1 operand=dx" },
		{ EXIT_REASON_IO_INSTRUCTION, 0x00800040, " port=0x80 direction=out size=1 operand=immediate" },
		{ EXIT_REASON_IO_INSTRUCTION, 0x01f00039, " port=0x1f0 direction=in size=2 string=yes rep=yes operand=dx" },
		{ EXIT_REASON_IO_INSTRUCTION, 0x0cf8000b, " port=0xcf8 direction=in size=4 operand=dx" },
		{ EXIT_REASON_CR_ACCESS, 0x000, " cr=0 access=mov-to register=rax" },
		{ EXIT_REASON_CR_ACCESS, 0xf13, " cr=3 access=mov-from register=r15" },
		{ EXIT_REASON_CR_ACCESS, 0x20, " cr=0 access=clts" },
		{ EXIT_REASON_CR_ACCESS, 0xfff30070, " cr=0 access=lmsw operand=memory source=0xfff3" },
		{ EXIT_REASON_DR_ACCESS, 0x317, " dr=7 access=mov-from register=rbx" },
		{ EXIT_REASON_TASK_SWITCH, 0xc0000028, " selector=0x28 source=task-gate" },
		{ EXIT_REASON_TASK_SWITCH, 0x40000030, " selector=0x30 source=iret" },
		{ EXIT_REASON_EPT_VIOLATION, 0x182, " access=-w- allowed=--- for=data" },
		{ EXIT_REASON_EPT_VIOLATION, 0x1ac, " access=--x allowed=r-x for=data" },
		{ EXIT_REASON_EPT_VIOLATION, 0x081, " access=r-- allowed=--- for=page-walk" },
		{ EXIT_REASON_EPT_VIOLATION, 0x1001, " access=r-- allowed=--- for=no-linear-address nmi-unblocked=yes" },
		{ EXIT_REASON_APIC_ACCESS, 0x10b0, " offset=0xb0 apic-register=EOI access=write" },
		{ EXIT_REASON_APIC_ACCESS, 0xf300, " offset=0x300 apic-register=ICR access=physical" },
		{ EXIT_REASON_APIC_ACCESS, 0x5ffc, " offset=0xffc access=reserved" },
		{ EXIT_REASON_APIC_WRITE, 0x380, " offset=0x380 apic-register=INITIAL_COUNT" },
		{ EXIT_REASON_CPUID, 0x000000020000000b, " leaf=0xb subleaf=0x2" },
		{ EXIT_REASON_MSR_READ, 0xc0000080, " msr=0xc0000080 name=IA32_EFER" },
		{ EXIT_REASON_MSR_WRITE, 0x830, " msr=0x830 name=IA32_X2APIC_ICR" },
		{ EXIT_REASON_MSR_READ, 0x205, " msr=0x205 name=IA32_MTRR_PHYSMASK2" },
		{ EXIT_REASON_MSR_READ, 0x26f, " msr=0x26f name=IA32_MTRR_FIX4K_F8000" },
		{ EXIT_REASON_MSR_READ, 0x407, " msr=0x407 name=IA32_MC1_MISC" },
		{ EXIT_REASON_MSR_WRITE, 0x4b564d01, " msr=0x4b564d01 name=KVM_SYSTEM_TIME_NEW" },
		{ EXIT_REASON_MSR_READ, 0xdead, " msr=0xdead" },
		{ EXIT_REASON_VMCALL, 5, " number=0x5 name=KICK_CPU" },
		{ EXIT_REASON_VMCALL, 0xffffffffffff, " number=0xffffffffffff" },
		{ EXIT_REASON_INVLPG, 0xffff888000001000, " linear=0xffff888000001000" },
		{ EXIT_REASON_SIPI_SIGNAL, 0x9a, " vector=0x9a" },
		{ EXIT_REASON_EXCEPTION_NMI, 0x0000000680000b0e,
		  " vector=14 event=#PF type=exception error=0x6 error-bits=not-present|write|user" },
		{ EXIT_REASON_EXCEPTION_NMI, 0x0000001180000b0e,
		  " vector=14 event=#PF type=exception error=0x11 error-bits=present|read|supervisor|fetch" },
		{ EXIT_REASON_EXCEPTION_NMI, 0x0000010380000b0d,
		  " vector=13 event=#GP type=exception error=0x103 error-bits=idt[0x20]|external" },
		{ EXIT_REASON_EXCEPTION_NMI, 0x80000306, " vector=6 event=#UD type=exception" },
		{ EXIT_REASON_EXCEPTION_NMI, 0x80000202, " vector=2 event=NMI type=nmi" },
		{ EXIT_REASON_INVALID_STATE | 0x80000000, 4, " entry=failed why=vmcs-link-pointer" },
		{ EXIT_REASON_MSR_LOAD_FAIL | 0x80000000, 3, " entry=failed entry=3" },
		{ ~0U, 7, " instruction-error=7 meaning=VM entry with invalid control fields" },
		{ EXIT_REASON_HLT, 0, "" },
		{ EXIT_REASON_TRIPLE_FAULT, 0x12, " qualification=0x12" },
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vtx_record r = { .reason = cases[i].reason, .info = cases[i].info, .gpa = 1, .gla = 2 };

		assert_string_equal(decode(&r), cases[i].text);
	}
}

static void test_addresses(void **state)
{
	struct vtx_record r = { .reason = EXIT_REASON_EPT_VIOLATION, .info = 0x182, .gpa = 0xfee00000, .gla = 0xffff0000 };

	(void)state;
	r.flags = VTX_RECORD_GPA;
	assert_string_equal(decode(&r), " access=-w- allowed=--- for=data gpa=0xfee00000");
	r.flags = VTX_RECORD_GPA | VTX_RECORD_GLA;
	assert_string_equal(decode(&r), " access=-w- allowed=--- for=data gpa=0xfee00000 gla=0xffff0000");
}

static void test_events(void **state)
{
	static const struct {
		uint32_t info;
		const char *text;
	} cases[] = {
		{ 0x000003ff, "" },
		{ 0x800000ec, " vector=236 type=external-interrupt" },
		{ 0x8000000e, " vector=14 type=external-interrupt" },
		{ 0x80000b0e, " vector=14 event=#PF type=exception" },
		{ 0x80000480, " vector=128 type=software-interrupt" },
		{ 0x80000603, " vector=3 event=#BP type=software-exception" },
		{ 0x80000501, " vector=1 event=#DB type=privileged-software-exception" },
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vtx_fields fields = { .count = 0 };
		FILE *out = fmemopen(line, sizeof(line), "w");

		vtx_decode_event(cases[i].info, &fields);
		vtx_fields_text(&fields, out);
		fputc('\0', out);
		fclose(out);
		assert_string_equal(line, cases[i].text);
	}
}

/* Any bits: no crash, never more fields than there is room for, no empty key. */
static void test_any_bits(void **state)
{
	uint32_t seed = 1;

	(void)state;
	for (unsigned int i = 0; i < 200000; i++) {
		struct vtx_fields fields = { .count = 0 };
		struct vtx_record r;

		for (size_t n = 0; n < sizeof(r); n++)
			((uint8_t *)&r)[n] = (uint8_t)test_random(&seed);
		if (i & 1)
			r.reason &= 0x8000007f;
		vtx_decode_info(&r, &fields);
		vtx_decode_event(r.injected, &fields);
		vtx_decode_event(r.vectoring, &fields);
		assert_non_null(vtx_decode_reason(&r));
		assert_non_null(vtx_name_handler(r.by));
		assert_true(fields.count < VTX_MAX_FIELDS);
		for (unsigned int n = 0; n < fields.count; n++)
			assert_true(fields.field[n].key[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),	   cmocka_unit_test(test_qualifications),
		cmocka_unit_test(test_addresses),  cmocka_unit_test(test_events),
		cmocka_unit_test(test_any_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
