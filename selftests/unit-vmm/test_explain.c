// SPDX-License-Identifier: GPL-2.0-only
/* Reports of failures: rules, fault chains, last exits, registers, code in words and as JSON; files whole, cut, and of any bits. */
#include "trace_unit.h"

#include <asm/vmx.h>
#include <errno.h>

#include "userspace-vmm/explain.h"
#include "userspace-vmm/report_data.h"

static struct vtx_report_saved saved, again;
static struct vtx_error error;
static struct vtx_explain_options options = { .last = 20 };

static const char map[] = "0000000000001000 T start_of_all\n0000000000002000 T handler\n";

static char *explain(const struct vtx_report_saved *s, void (*print)(const struct vtx_report_saved *,
								      const struct vtx_explain_options *, FILE *))
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	print(s, &options, out);
	fclose(out);
	return text;
}

/* An entry that broke two rules, at 0x1234 in long mode, with 100 exits before it. */
static void make_entry_failure(void)
{
	struct vtx_failure_report *f = &saved.data.failure;

	memset(&saved, 0, sizeof(saved));
	saved.data.has = VTX_REPORT_HAS_RUN | VTX_REPORT_HAS_REGS | VTX_REPORT_HAS_CODE | VTX_REPORT_HAS_FAILURE;
	saved.data.vcpu = 2;
	strcpy(saved.data.headline, "VM entry failed");
	saved.data.run.exit_reason = KVM_EXIT_FAIL_ENTRY;
	saved.data.run.fail_entry.hardware_entry_failure_reason = 0x80000021;
	saved.data.regs.rip = 0x1234;
	saved.data.sregs.cs.l = 1;
	saved.data.code_address = 0x1234;
	saved.data.code_bits = 64;
	memset(saved.data.code_known, 1, VTX_CODE_BYTES - 4);
	memset(saved.data.code, 0x90, VTX_CODE_BYTES);
	memcpy(saved.data.code + VTX_CODE_BEFORE, "\x0f\xa2\xf4", 3);
	f->kind = VTX_FAILURE_ENTRY;
	f->exit_reason = 0x80000021;
	f->nr_rules = 2;
	strcpy(f->text, "The guest state breaks 2 rules.");
	strcpy(f->rules[0].id, "guest.rflags.if-injection");
	strcpy(f->rules[0].section, "vol. 3, 26.3.1.4");
	strcpy(f->rules[0].field, "GUEST_RFLAGS");
	f->rules[0].found = 0x2;
	f->rules[0].allowed = 0x202;
	strcpy(f->rules[0].text, "RFLAGS.IF must be 1 when an external interrupt is injected");
	strcpy(f->rules[1].id, "guest.tr.type");
	strcpy(f->rules[1].section, "vol. 3, 26.3.1.2");
	strcpy(f->rules[1].field, "GUEST_TR_AR_BYTES");
	f->rules[1].found = 0x82;
	f->rules[1].allowed = 0x8b;
	saved.ring = test_ring_new(64, 100, &saved.ring_size);
}

static void make_triple_fault(void)
{
	struct vtx_failure_report *f = &saved.data.failure;

	make_entry_failure();
	saved.data.run.exit_reason = KVM_EXIT_SHUTDOWN;
	memset(f, 0, sizeof(*f));
	f->kind = VTX_FAILURE_TRIPLE_FAULT;
	f->exit_reason = EXIT_REASON_TRIPLE_FAULT;
	f->rip = 0x2004;
	f->nr_faults = 3;
	f->faults[0] = (struct vtx_fault){
		.vector = 14, .flags = VTX_FAULT_HAS_ERROR | VTX_FAULT_HAS_CR2, .error = 2, .cr2 = 0xdead000, .cs = 0x10, .rip = 0x1004,
		.rsp = 0x8000, .rflags = 0x46, .insn_len = 3, .insn = { 0x48, 0x89, 0x08 },
	};
	f->faults[1] = (struct vtx_fault){ .vector = 13, .flags = VTX_FAULT_HAS_ERROR, .error = 0x72, .cs = 0x10, .rip = 0x2004 };
	f->faults[2] = (struct vtx_fault){ .vector = 8, .flags = VTX_FAULT_INFERRED, .cs = 0x10, .rip = 0x2004 };
}

static void test_rules(void **state)
{
	char *text;

	(void)state;
	make_entry_failure();
	text = explain(&saved, vtx_explain_text);
	test_contains(text, "vCPU 2: VM entry failed\n");
	test_contains(text, "the processor checked the guest state and refused it: exit reason 0x80000021 (INVALID_STATE)");
	test_contains(text, "The guest state breaks 2 rules.");
	test_contains(text, "2 rules of Intel's manual do not hold");
	test_contains(text, "guest.rflags.if-injection (vol. 3, 26.3.1.4), field GUEST_RFLAGS\n"
			    "      found 0x2, allowed 0x202: RFLAGS.IF must be 1 when an external interrupt is injected\n");
	test_contains(text, "guest.tr.type (vol. 3, 26.3.1.2), field GUEST_TR_AR_BYTES\n      found 0x82, allowed 0x8b");
	test_contains(text, "the last 20 exits of 100");
	test_contains(text, "CPUID               0xffffffff81000063 leaf=0x63");
	test_contains(text, "<0f> a2 f4 90");
	test_contains(text, "?? ?? ?? ??\n");
	test_contains(text, "-> 0x1234  cpuid\n       0x1236  hlt\n");
	assert_null(strstr(text, "dmesg"));
	free(text);
	saved.data.failure.nr_rules = 11;
	text = explain(&saved, vtx_explain_text);
	test_contains(text, "and 3 more");
	free(text);
	saved.data.failure.nr_rules = 0;
	text = explain(&saved, vtx_explain_text);
	test_contains(text, "no rule matched");
	free(text);
	saved.data.has &= ~VTX_REPORT_HAS_FAILURE;
	saved.data.failure_error = ENOTTY;
	text = explain(&saved, vtx_explain_text);
	test_contains(text, "VTX_GET_FAILURE: Inappropriate ioctl");
	test_contains(text, "dmesg");
	free(text);
	vtx_report_free(&saved);
}

static void test_faults(void **state)
{
	struct vtx_symbols symbols;
	char *text;

	(void)state;
	make_triple_fault();
	assert_int_equal(vtx_symbols_open(&symbols, test_file("map", map, sizeof(map) - 1), &error), 0);
	options.symbols = &symbols;
	text = explain(&saved, vtx_explain_text);
	test_contains(text, "1. #PF error 0x2 [not-present|write|supervisor] CR2 0xdead000 at 0x10:0x1004 (start_of_all+0x4), RSP 0x8000, "
			    "RFLAGS 0x46\n       bytes: 48 89 08   mov [rax], rcx\n");
	test_contains(text, "2. #GP error 0x72 [idt[0xe]] at 0x10:0x2004 (handler+0x4)");
	test_contains(text, "3. #DF at 0x10:0x2004 (handler+0x4), RSP 0x0, RFLAGS 0x0 (concluded, not seen)\n       no bytes could be read");
	test_contains(text, "code at linear 0x1234 (start_of_all+0x234)");
	free(text);
	text = explain(&saved, vtx_explain_json);
	test_json(text, "d[\"failure\"][\"faults\"][0][\"name\"] == \"#PF\" and d[\"failure\"][\"faults\"][0][\"cr2\"] == \"0xdead000\""
		  " and d[\"failure\"][\"faults\"][0][\"instruction\"] == \"mov [rax], rcx\" and len(d[\"failure\"][\"faults\"]) == 3"
		  " and d[\"failure\"][\"faults\"][2][\"inferred\"] and d[\"failure\"][\"faults\"][1][\"symbol\"] == \"handler+0x4\"");
	free(text);
	options.symbols = NULL;
	vtx_symbols_close(&symbols);
	vtx_report_free(&saved);
}

static void test_json_rules(void **state)
{
	char *text;

	(void)state;
	make_entry_failure();
	strcpy(saved.data.failure.text, "quotes \" and \\ and \x01\xfe");
	text = explain(&saved, vtx_explain_json);
	test_json(text, "d[\"vcpu\"] == 2 and d[\"kvm_exit\"] == \"VM entry failed\" and len(d[\"failure\"][\"rules\"]) == 2"
		  " and d[\"failure\"][\"rules\"][0] == {\"id\": \"guest.rflags.if-injection\", \"section\": \"vol. 3, 26.3.1.4\","
		  " \"field\": \"GUEST_RFLAGS\", \"found\": \"0x2\", \"allowed\": \"0x202\","
		  " \"text\": \"RFLAGS.IF must be 1 when an external interrupt is injected\"}"
		  " and len(d[\"last_exits\"]) == 20 and d[\"last_exits\"][19][\"number\"] == 99 and d[\"exits\"] == 100"
		  " and d[\"registers\"][\"rip\"] == \"0x1234\" and d[\"code\"][\"instruction\"] == \"cpuid\""
		  " and d[\"code\"][\"bytes\"].endswith(\"90 ?? ?? ?? ??\")");
	free(text);
	vtx_report_free(&saved);
}

static void test_other_kinds(void **state)
{
	char *text;

	(void)state;
	make_entry_failure();
	saved.data.failure = (struct vtx_failure_report){
		.kind = VTX_FAILURE_EMULATION, .insn_len = 4, .insn = { 0x66, 0x0f, 0x6f, 0xc1 }, .efer = 0x400,
		.text = "MOVDQA from memory is not supported",
	};
	text = explain(&saved, vtx_explain_text);
	test_contains(text, "an instruction that vtx cannot emulate\n  MOVDQA from memory is not supported\n");
	test_contains(text, "the instruction: 66 0f 6f c1   movdqa xmm0, xmm1\n");
	free(text);
	saved.data.failure = (struct vtx_failure_report){ .kind = VTX_FAILURE_NONE };
	text = explain(&saved, vtx_explain_text);
	test_contains(text, "nothing stopped this vCPU");
	free(text);
	saved.data.failure.kind = 77;
	text = explain(&saved, vtx_explain_text);
	test_contains(text, "unknown to this program");
	free(text);
	vtx_report_free(&saved);
}

static void test_file_round_trip(void **state)
{
	const char *path = test_path("report");
	char *a, *b;

	(void)state;
	make_triple_fault();
	assert_int_equal(vtx_report_write(path, &saved, &error), 0);
	assert_int_equal(vtx_report_read(path, &again, &error), 0);
	a = explain(&saved, vtx_explain_text);
	b = explain(&again, vtx_explain_text);
	assert_string_equal(a, b);
	free(a);
	free(b);
	vtx_report_free(&again);
	assert_int_equal(vtx_report_write("/nowhere/at/all", &saved, &error), -1);
	assert_int_equal(error.status, VTX_STATUS_HOST_ERROR);
	vtx_report_free(&saved);
	assert_int_equal(vtx_report_write(path, &saved, &error), 0); /* without a ring */
	assert_int_equal(vtx_report_read(path, &again, &error), 0);
	assert_null(again.ring);
	vtx_report_free(&again);
	assert_int_equal(vtx_report_read(test_file("bare", &saved.data.failure, sizeof(saved.data.failure)), &again, &error), 0);
	a = explain(&again, vtx_explain_text);
	test_contains(a, "1. #PF error 0x2");
	test_contains(a, "rip 0000000000002004");
	free(a);
	vtx_report_free(&again);
}

static uint8_t *report_bytes(size_t *size)
{
	const char *path = test_path("whole");
	uint8_t *data;
	FILE *f;

	make_entry_failure();
	assert_int_equal(vtx_report_write(path, &saved, &error), 0);
	vtx_report_free(&saved);
	f = fopen(path, "r");
	fseek(f, 0, SEEK_END);
	*size = (size_t)ftell(f);
	rewind(f);
	data = malloc(*size);
	assert_int_equal(fread(data, 1, *size, f), *size);
	fclose(f);
	return data;
}

static void test_cut_files(void **state)
{
	size_t size;
	uint8_t *data = report_bytes(&size);

	(void)state;
	for (size_t cut = 0; cut < size; cut += cut < 64 || cut > size - 8 ? 1 : 97) {
		if (cut == sizeof(saved.data.failure))
			continue;
		assert_int_equal(vtx_report_read(test_file("cut", data, cut), &again, &error), -1);
		assert_int_equal(error.status, VTX_STATUS_IMAGE);
		vtx_report_free(&again);
	}
	test_put(data + 4, 2, 4);
	assert_int_equal(vtx_report_read(test_file("cut", data, size), &again, &error), -1);
	test_contains(error.text, "version 2");
	vtx_report_free(&again);
	free(data);
}

/* Bits changed anywhere behind the header: what can be read can be printed, as text without control characters and as JSON. */
static void test_garbage(void **state)
{
	size_t size;
	uint8_t *data = report_bytes(&size);
	uint32_t seed = 11;

	(void)state;
	for (int i = 0; i < 400; i++) {
		uint8_t *copy = malloc(size);
		char *text;

		memcpy(copy, data, size);
		for (int n = 0; n < (i % 2 ? 30 : 3000); n++)
			copy[16 + test_random(&seed) % (size - 16)] = (uint8_t)test_random(&seed);
		if (!vtx_report_read(test_file("garbage", copy, size), &again, &error)) {
			text = explain(&again, vtx_explain_text);
			for (char *p = text; *p; p++)
				assert_true((unsigned char)*p >= ' ' || *p == '\n');
			free(text);
			text = explain(&again, vtx_explain_json);
			if (i % 40 == 0)
				test_json(text, "True");
			free(text);
		}
		vtx_report_free(&again);
		free(copy);
	}
	free(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),		cmocka_unit_test(test_faults),	  cmocka_unit_test(test_json_rules),
		cmocka_unit_test(test_other_kinds),	cmocka_unit_test(test_file_round_trip),
		cmocka_unit_test(test_cut_files),	cmocka_unit_test(test_garbage),
	};

	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
