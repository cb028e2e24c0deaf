// SPDX-License-Identifier: GPL-2.0-only
/* The ACPI tables, found and checked the way an operating system does it. */
#include "unit.h"

#include "userspace-vmm/acpi.h"
#include "userspace-vmm/layout.h"

#define GPA 0xe0000ULL

static uint8_t tables[VTX_ACPI_MAX_SIZE];

static uint8_t sum(const uint8_t *p, size_t n)
{
	uint8_t s = 0;

	while (n--)
		s = (uint8_t)(s + *p++);
	return s;
}

static const uint8_t *at(uint64_t gpa)
{
	assert_true(gpa >= GPA && gpa < GPA + sizeof(tables));
	return tables + (gpa - GPA);
}

/* A table by its signature, through the XSDT (and the RSDT must name the same). */
static const uint8_t *find(const char *signature)
{
	const uint8_t *rsdt = at(test_get(tables + 16, 4)), *xsdt = at(test_get(tables + 24, 8));
	size_t n = (test_get(xsdt + 4, 4) - 36) / 8;

	assert_memory_equal(rsdt, "RSDT", 4);
	assert_memory_equal(xsdt, "XSDT", 4);
	assert_int_equal((test_get(rsdt + 4, 4) - 36) / 4, n);
	for (size_t i = 0; i < n; i++) {
		uint64_t gpa = test_get(xsdt + 36 + i * 8, 8);

		assert_int_equal(test_get(rsdt + 36 + i * 4, 4), gpa);
		assert_int_equal(sum(at(gpa), test_get(at(gpa) + 4, 4)), 0);
		if (!memcmp(at(gpa), signature, 4))
			return at(gpa);
	}
	fail_msg("no table %s", signature);
	return NULL;
}

static void build(unsigned int cpus)
{
	memset(tables, 0xcc, sizeof(tables));
	assert_true(vtx_acpi_build(tables, sizeof(tables), GPA, cpus) > 0);
}

static void test_checksum(void **state)
{
	uint8_t bytes[] = { 1, 2, 0, 250 };

	(void)state;
	assert_int_equal(vtx_acpi_checksum(bytes, 4), 3);
	bytes[2] = vtx_acpi_checksum(bytes, 4);
	assert_int_equal(sum(bytes, 4), 0);
	assert_int_equal(vtx_acpi_checksum(bytes, 0), 0);
}

static void test_root(void **state)
{
	(void)state;
	build(1);
	assert_memory_equal(tables, "RSD PTR ", 8);
	assert_int_equal(sum(tables, 20), 0);
	assert_int_equal(sum(tables, 36), 0);
	assert_int_equal(tables[15], 2);
	assert_int_equal(test_get(tables + 20, 4), 36);
	assert_int_equal(sum(at(test_get(tables + 16, 4)), test_get(at(test_get(tables + 16, 4)) + 4, 4)), 0);
	assert_int_equal(sum(at(test_get(tables + 24, 8)), test_get(at(test_get(tables + 24, 8)) + 4, 4)), 0);
}

static void test_fadt(void **state)
{
	const uint8_t *fadt, *dsdt, *facs;

	(void)state;
	build(1);
	fadt = find("FACP");
	assert_int_equal(test_get(fadt + 4, 4), 268);
	assert_int_equal(test_get(fadt + 46, 2), VTX_IRQ_SCI);
	assert_int_equal(test_get(fadt + 48, 4), 0); /* no SMI command port: always in ACPI mode */
	assert_int_equal(test_get(fadt + 56, 4), VTX_PORT_PM1A_EVENT);
	assert_int_equal(test_get(fadt + 64, 4), VTX_PORT_PM1A_CONTROL);
	assert_int_equal(test_get(fadt + 76, 4), 0); /* no PM timer */
	assert_int_equal(fadt[88], 4);
	assert_int_equal(fadt[89], 2);
	assert_int_equal(fadt[108], 0x32);
	assert_int_equal(test_get(fadt + 112, 4) >> 20 & 1, 0); /* not hardware-reduced */
	assert_int_equal(test_get(fadt + 112, 4) >> 10 & 1, 1); /* reset register */
	assert_int_equal(fadt[116], 1);
	assert_int_equal(test_get(fadt + 120, 8), 0xcf9);
	assert_int_equal(fadt[128], 6);
	dsdt = at(test_get(fadt + 40, 4));
	assert_int_equal(test_get(fadt + 140, 8), test_get(fadt + 40, 4));
	assert_memory_equal(dsdt, "DSDT", 4);
	assert_int_equal(sum(dsdt, test_get(dsdt + 4, 4)), 0);
	facs = at(test_get(fadt + 36, 4));
	assert_memory_equal(facs, "FACS", 4);
	assert_int_equal(test_get(fadt + 36, 4) % 64, 0);
	assert_int_equal(test_get(facs + 4, 4), 64);
}

static void test_dsdt_says_s5(void **state)
{
	const uint8_t *dsdt, *aml;

	(void)state;
	build(1);
	dsdt = at(test_get(find("FACP") + 40, 4));
	aml = dsdt + 36;
	assert_int_equal(aml[0], 0x08); /* Name */
	assert_memory_equal(aml + 1, "_S5_", 4);
	assert_int_equal(aml[5], 0x12); /* Package */
	/* the package's length counts itself and reaches the table's end */
	assert_int_equal(36 + 6 + aml[6], test_get(dsdt + 4, 4));
	assert_int_equal(aml[7], 4);
	assert_int_equal(aml[8], 0x0a);
	assert_int_equal(aml[9], VTX_SLEEP_TYPE_S5);
}

static void check_madt(unsigned int cpus)
{
	const uint8_t *madt, *p, *end;
	unsigned int lapics = 0, ioapics = 0, overrides = 0, nmis = 0;

	build(cpus);
	madt = find("APIC");
	end = madt + test_get(madt + 4, 4);
	assert_int_equal(test_get(madt + 36, 4), 0xfee00000);
	for (p = madt + 44; p < end; p += p[1]) {
		assert_true(p[1] >= 2);
		switch (p[0]) {
		case 0:
			assert_int_equal(p[1], 8);
			assert_int_equal(p[3], lapics++);
			assert_int_equal(test_get(p + 4, 4), 1);
			break;
		case 1:
			ioapics++;
			assert_int_equal(test_get(p + 4, 4), 0xfec00000);
			break;
		case 2:
			overrides++;
			assert_int_equal(p[3], VTX_IRQ_SCI);
			assert_int_equal(test_get(p + 8, 2), 0xd);
			break;
		case 4:
			nmis++;
			break;
		default:
			fail_msg("entry of type %u", p[0]);
		}
	}
	assert_ptr_equal(p, end);
	assert_int_equal(lapics, cpus);
	assert_int_equal(ioapics, 1);
	assert_int_equal(overrides, 1);
	assert_int_equal(nmis, 1);
}

static void test_madt(void **state)
{
	(void)state;
	check_madt(1);
	check_madt(2);
	check_madt(254);
}

static void test_too_small_or_wrong(void **state)
{
	size_t need = vtx_acpi_build(tables, sizeof(tables), GPA, 4);

	(void)state;
	assert_true(need > 0);
	for (size_t size = 0; size < need; size++) {
		uint8_t *exact = malloc(size ? size : 1); /* ASan watches its end */

		assert_int_equal(vtx_acpi_build(exact, size, GPA, 4), 0);
		free(exact);
	}
	assert_int_equal(vtx_acpi_build(tables, sizeof(tables), GPA, 0), 0);
	assert_int_equal(vtx_acpi_build(tables, sizeof(tables), GPA, 255), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_checksum),
		cmocka_unit_test(test_root),
		cmocka_unit_test(test_fadt),
		cmocka_unit_test(test_dsdt_says_s5),
		cmocka_unit_test(test_madt),
		cmocka_unit_test(test_too_small_or_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
