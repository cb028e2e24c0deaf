// SPDX-License-Identifier: GPL-2.0-only
/* The clock: BCD and binary, 12 and 24 hours, setting, the update bit, memory size. */
#include "unit.h"

#include <time.h>

#include "userspace-vmm/rtc.h"

static struct vtx_rtc rtc;
static struct vtx_bus bus;
static struct timespec host = { .tv_sec = 1795265999, .tv_nsec = 0 }; /* 2026-11-21 12:59:59 UTC, a Saturday */

static struct timespec now(void)
{
	return host;
}

static int setup(void **state)
{
	(void)state;
	memset(&bus, 0, sizeof(bus));
	host.tv_sec = 1795265999;
	host.tv_nsec = 0;
	vtx_rtc_init(&rtc, 512 * MIB, 0);
	rtc.now = now;
	return vtx_rtc_attach(&rtc, &bus);
}

static uint8_t get(uint8_t index)
{
	vtx_bus_write(&bus, 0x70, 1, index);
	return (uint8_t)vtx_bus_read(&bus, 0x71, 1);
}

static void set(uint8_t index, uint8_t value)
{
	vtx_bus_write(&bus, 0x70, 1, index);
	vtx_bus_write(&bus, 0x71, 1, value);
}

static void expect(int century, int year, int month, int day, int hour, int minute, int second)
{
	assert_int_equal(get(0x32), century);
	assert_int_equal(get(9), year);
	assert_int_equal(get(8), month);
	assert_int_equal(get(7), day);
	assert_int_equal(get(4), hour);
	assert_int_equal(get(2), minute);
	assert_int_equal(get(0), second);
}

static void test_bcd(void **state)
{
	(void)state;
	expect(0x20, 0x26, 0x11, 0x21, 0x12, 0x59, 0x59);
	assert_int_equal(get(6), 7); /* Saturday, counted from Sunday = 1 */
	host.tv_sec++;
	expect(0x20, 0x26, 0x11, 0x21, 0x13, 0x00, 0x00);
	assert_int_equal(get(13) & 0x80, 0x80);
	assert_int_equal(get(11), 0x02);
}

static void test_binary(void **state)
{
	(void)state;
	set(11, 0x06);
	expect(20, 26, 11, 21, 12, 59, 59);
}

static void test_12_hours(void **state)
{
	(void)state;
	set(11, 0x00);
	assert_int_equal(get(4), 0x92); /* 12 PM */
	host.tv_sec++;
	assert_int_equal(get(4), 0x81); /* 1 PM */
	host.tv_sec -= 13 * 3600;
	assert_int_equal(get(4), 0x12); /* 12 AM */
}

static void test_setting_with_set(void **state)
{
	(void)state;
	set(11, 0x82);
	set(0x32, 0x19);
	set(9, 0x99);
	set(8, 0x12);
	set(7, 0x31);
	set(4, 0x23);
	set(2, 0x58);
	set(0, 0x30);
	host.tv_sec += 1000; /* frozen meanwhile */
	expect(0x19, 0x99, 0x12, 0x31, 0x23, 0x58, 0x30);
	set(11, 0x02);
	expect(0x19, 0x99, 0x12, 0x31, 0x23, 0x58, 0x30);
	host.tv_sec += 90;
	expect(0x20, 0x00, 0x01, 0x01, 0x00, 0x00, 0x00);
}

static void test_setting_in_12_hours(void **state)
{
	(void)state;
	set(11, 0x80);
	set(4, 0x92);
	set(11, 0x00);
	assert_int_equal(get(4), 0x92);
	set(4, 0x12); /* midnight, without SET */
	set(11, 0x02);
	assert_int_equal(get(4), 0x00);
}

static void test_update_bit(void **state)
{
	(void)state;
	assert_int_equal(get(10), 0x26);
	host.tv_nsec = 999755999;
	assert_int_equal(get(10), 0x26);
	host.tv_nsec = 999756000;
	assert_int_equal(get(10), 0xa6);
	set(11, 0x82); /* no updates under SET */
	assert_int_equal(get(10), 0x26);
}

static void test_memory_size(void **state)
{
	(void)state;
	assert_int_equal(get(0x15) | get(0x16) << 8, 640);
	assert_int_equal(get(0x17) | get(0x18) << 8, 0xffff);
	assert_int_equal(get(0x30) | get(0x31) << 8, 0xffff);
	assert_int_equal(get(0x34) | get(0x35) << 8, 496 * 16);
	assert_int_equal(get(0x5b) | get(0x5c) << 8 | get(0x5d) << 16, 0);
	vtx_rtc_init(&rtc, 0xd0000000, 4096 * MIB);
	assert_int_equal(get(0x34) | get(0x35) << 8, 0xcf00);
	assert_int_equal(get(0x5b) | get(0x5c) << 8 | get(0x5d) << 16, 0x10000);
	vtx_rtc_init(&rtc, 8 * MIB, 0);
	assert_int_equal(get(0x17) | get(0x18) << 8, 7 * 1024);
	assert_int_equal(get(0x34) | get(0x35) << 8, 0);
}

static void test_memory_and_read_only(void **state)
{
	(void)state;
	set(0x0f, 0x0a); /* shutdown byte */
	assert_int_equal(get(0x0f), 0x0a);
	set(0x80 | 0x40, 0x77); /* bit 7 is the NMI mask */
	assert_int_equal(get(0x40), 0x77);
	set(12, 0xff);
	assert_int_equal(get(12), 0);
	set(13, 0);
	assert_int_equal(get(13), 0x80);
	assert_int_equal(vtx_bus_read(&bus, 0x70, 1), 0xff);
}

static void test_nonsense_is_survived(void **state)
{
	(void)state;
	srand(4);
	for (int i = 0; i < 200000; i++) {
		vtx_bus_write(&bus, (uint16_t)(0x70 + rand() % 2), 1, (uint32_t)rand());
		vtx_bus_read(&bus, 0x71, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_bcd, setup),
		cmocka_unit_test_setup(test_binary, setup),
		cmocka_unit_test_setup(test_12_hours, setup),
		cmocka_unit_test_setup(test_setting_with_set, setup),
		cmocka_unit_test_setup(test_setting_in_12_hours, setup),
		cmocka_unit_test_setup(test_update_bit, setup),
		cmocka_unit_test_setup(test_memory_size, setup),
		cmocka_unit_test_setup(test_memory_and_read_only, setup),
		cmocka_unit_test_setup(test_nonsense_is_survived, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
