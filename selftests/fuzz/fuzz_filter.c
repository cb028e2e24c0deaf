// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzzer: the stream's filter.  Any text is read or refused with a printable sentence; what is read is printed and read again,
 * and is then the same filter, which says the same about an exit made of the input's bytes.
 */
#include <stdlib.h>
#include "compat/pure.h"
#include "trace/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(cond)                       \
	do {                             \
		if (!(cond))             \
			__builtin_trap(); \
	} while (0)

/* Some of the names of exits/table.c, at their places. */
static const char *name(unsigned int reason)
{
	static const char *const names[] = { [0] = "EXCEPTION_NMI", [10] = "CPUID", [12] = "HLT", [30] = "IO_INSTRUCTION",
					     [31] = "MSR_READ", [48] = "EPT_VIOLATION", [75] = "NOTIFY" };

	return reason < ARRAY_SIZE(names) ? names[reason] : NULL;
}

static void check_sentence(const struct vtx_filter_error *error)
{
	size_t n = strnlen(error->text, sizeof(error->text));

	MUST(n > 0 && n < sizeof(error->text));
	for (size_t i = 0; i < n; i++)
		MUST(error->text[i] >= 0x20 && error->text[i] < 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char printed[VTX_FILTER_TEXT];
	static struct vtx_filter first, second;
	struct vtx_filter_error error;
	struct vtx_record record = { 0 };
	size_t n = 0;

	if (vtx_filter_parse(&first, (const char *)data, size, name, &error)) {
		check_sentence(&error);
		return 0;
	}
	for (u32 i = 0; i < first.nr_rules; i++) {
		size_t got = vtx_filter_print(&first.rules[i], name, printed + n, sizeof(printed) - n);

		MUST(got < VTX_FILTER_RULE_TEXT - 1);
		n += got;
		printed[n++] = i & 1 ? ';' : '\n';
	}
	MUST(!vtx_filter_parse(&second, printed, n, name, &error));
	MUST(!memcmp(&first, &second, sizeof(first)));
	memcpy(&record, data, min(size, sizeof(record)));
	for (record.reason = 28; record.reason < 34; record.reason++) {
		unsigned int say = vtx_filter_match(&first, size & 3, &record);

		MUST(say <= (VTX_FILTER_SHOW | VTX_FILTER_STOP) && say == vtx_filter_match(&second, size & 3, &record));
		MUST(!(say & VTX_FILTER_STOP) || (first.actions & VTX_FILTER_STOP));
		MUST((say & VTX_FILTER_SHOW) || (first.actions & VTX_FILTER_SHOW));
	}
	return 0;
}
