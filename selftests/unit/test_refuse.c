// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of refusals: a complete row for every code, which fits into struct vtx_ext_error, and nothing for other numbers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "compat/pure.h"
#include <cmocka.h>
#include "uapi/refuse.h"
#include "uapi/vtx.h"

static const struct {
	unsigned int number;
	const char *name;
} codes[] = {
#define CODE(number, name) { number, #name },
	VTX_ERROR_CODES(CODE)
};

static void rows(void **state)
{
	struct vtx_ext_error e;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(codes); i++) {
		const struct vtx_refuse_row *row = vtx_refuse_row(codes[i].number);

		assert_non_null(row->name);
		assert_string_equal(row->name, codes[i].name);
		assert_true(strlen(row->name) < sizeof(e.name));
		/* A sentence: a capital or a field's name first, a full stop last. */
		assert_true(strlen(row->text) > 20 && strlen(row->text) < sizeof(e.text));
		assert_int_equal(row->text[strlen(row->text) - 1], '.');
		assert_true(row->error > 0 && row->error < 4096);
	}
}

/* Numbers rise, so that none is given twice. */
static void numbers(void **state)
{
	unsigned int i;

	assert_true(codes[0].number > VTX_ERROR_NONE);
	for (i = 1; i < ARRAY_SIZE(codes); i++)
		assert_true(codes[i].number > codes[i - 1].number);
}

static void no_code(void **state)
{
	static const unsigned int none[] = { 0, 12, 19, 1000, 0x7fffffff, 0x80000000, 0xffffffff };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(none); i++) {
		assert_null(vtx_refuse_row(none[i])->name);
		assert_int_equal(vtx_refuse_row(none[i])->error, EINVAL);
	}
}

static void refuse_is_the_errno(void **state)
{
	assert_int_equal(VTX_REFUSE(SLOT_FLAGS, 4, 1, 2), -EINVAL);
	assert_int_equal(VTX_REFUSE(SLOT_OVERLAPS, 8, 0, 0), -EEXIST);
	assert_int_equal(VTX_REFUSE(IOCTL_UNKNOWN_VM, VTX_NO_FIELD, 0, 0), -ENOTTY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows), cmocka_unit_test(numbers), cmocka_unit_test(no_code), cmocka_unit_test(refuse_is_the_errno),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
