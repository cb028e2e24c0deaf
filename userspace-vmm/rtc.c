// SPDX-License-Identifier: GPL-2.0-only
/*
 * The clock's registers (Motorola MC146818A data sheet).  The time is computed from the host's clock at each read;
 * only while the SET bit of register B is on do the time registers hold what the guest wrote.
 */
#define _GNU_SOURCE
#include "userspace-vmm/rtc.h"

#include <string.h>

#define RTC_SECONDS 0
#define RTC_MINUTES 2
#define RTC_HOURS 4
#define RTC_WEEKDAY 6
#define RTC_DAY 7
#define RTC_MONTH 8
#define RTC_YEAR 9
#define RTC_A 10
#define RTC_B 11
#define RTC_C 12
#define RTC_D 13
#define RTC_CENTURY 0x32

#define A_UPDATING 0x80
#define A_DEFAULT 0x26 /* 32 kHz divider, 1024 Hz rate */
#define B_SET 0x80
#define B_BINARY 0x04
#define B_24_HOURS 0x02
#define D_VALID 0x80
#define PM 0x80

/* The update bit comes on 244 us before the second changes: whoever sees it off has that long to read (data sheet). */
#define VTX_RTC_UPDATE_NS (1000000000L - 244000L)

static struct timespec vtx_rtc_host_time(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts;
}

static uint8_t vtx_rtc_encode(const struct vtx_rtc *rtc, int value)
{
	if (rtc->cmos[RTC_B] & B_BINARY)
		return (uint8_t)value;
	return (uint8_t)(value / 10 * 16 + value % 10);
}

static int vtx_rtc_decode(const struct vtx_rtc *rtc, uint8_t value)
{
	return rtc->cmos[RTC_B] & B_BINARY ? value : (value >> 4) * 10 + (value & 15);
}

static uint8_t vtx_rtc_encode_hour(const struct vtx_rtc *rtc, int hour)
{
	if (rtc->cmos[RTC_B] & B_24_HOURS)
		return vtx_rtc_encode(rtc, hour);
	return (uint8_t)(vtx_rtc_encode(rtc, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? PM : 0));
}

static int vtx_rtc_decode_hour(const struct vtx_rtc *rtc, uint8_t value)
{
	if (rtc->cmos[RTC_B] & B_24_HOURS)
		return vtx_rtc_decode(rtc, value);
	return vtx_rtc_decode(rtc, value & (uint8_t)~PM) % 12 + (value & PM ? 12 : 0);
}

/* Brings the time registers up to date, unless the guest holds them with SET. */
static struct timespec vtx_rtc_refresh(struct vtx_rtc *rtc)
{
	struct timespec now = rtc->now();
	time_t t = now.tv_sec + rtc->offset;
	struct tm tm;

	if (rtc->cmos[RTC_B] & B_SET || !gmtime_r(&t, &tm))
		return now;
	rtc->cmos[RTC_SECONDS] = vtx_rtc_encode(rtc, tm.tm_sec);
	rtc->cmos[RTC_MINUTES] = vtx_rtc_encode(rtc, tm.tm_min);
	rtc->cmos[RTC_HOURS] = vtx_rtc_encode_hour(rtc, tm.tm_hour);
	rtc->cmos[RTC_WEEKDAY] = vtx_rtc_encode(rtc, tm.tm_wday + 1);
	rtc->cmos[RTC_DAY] = vtx_rtc_encode(rtc, tm.tm_mday);
	rtc->cmos[RTC_MONTH] = vtx_rtc_encode(rtc, tm.tm_mon + 1);
	rtc->cmos[RTC_YEAR] = vtx_rtc_encode(rtc, tm.tm_year % 100);
	rtc->cmos[RTC_CENTURY] = vtx_rtc_encode(rtc, (tm.tm_year + 1900) / 100);
	return now;
}

/* Makes the clock go on from what stands in the time registers. */
static void vtx_rtc_adopt(struct vtx_rtc *rtc)
{
	struct tm tm = {
		.tm_sec = vtx_rtc_decode(rtc, rtc->cmos[RTC_SECONDS]),
		.tm_min = vtx_rtc_decode(rtc, rtc->cmos[RTC_MINUTES]),
		.tm_hour = vtx_rtc_decode_hour(rtc, rtc->cmos[RTC_HOURS]),
		.tm_mday = vtx_rtc_decode(rtc, rtc->cmos[RTC_DAY]),
		.tm_mon = vtx_rtc_decode(rtc, rtc->cmos[RTC_MONTH]) - 1,
		.tm_year = vtx_rtc_decode(rtc, rtc->cmos[RTC_CENTURY]) * 100 +
			   vtx_rtc_decode(rtc, rtc->cmos[RTC_YEAR]) - 1900,
	};

	rtc->offset = timegm(&tm) - rtc->now().tv_sec;
}

static bool vtx_rtc_is_time(uint8_t index)
{
	return index == RTC_SECONDS || index == RTC_MINUTES || index == RTC_HOURS ||
	       (index >= RTC_WEEKDAY && index <= RTC_YEAR) || index == RTC_CENTURY;
}

static uint8_t vtx_rtc_read_cmos(struct vtx_rtc *rtc)
{
	struct timespec now;

	if (!vtx_rtc_is_time(rtc->index) && rtc->index != RTC_A)
		return rtc->cmos[rtc->index];
	now = vtx_rtc_refresh(rtc);
	if (rtc->index == RTC_A && now.tv_nsec >= VTX_RTC_UPDATE_NS && !(rtc->cmos[RTC_B] & B_SET))
		return rtc->cmos[RTC_A] | A_UPDATING;
	return rtc->cmos[rtc->index];
}

static void vtx_rtc_write_b(struct vtx_rtc *rtc, uint8_t value)
{
	bool was_set = rtc->cmos[RTC_B] & B_SET;

	if (!was_set)
		vtx_rtc_refresh(rtc); /* SET freezes the time of now, in the old format */
	rtc->cmos[RTC_B] = value;
	if (was_set && !(value & B_SET))
		vtx_rtc_adopt(rtc);
}

static void vtx_rtc_write_cmos(struct vtx_rtc *rtc, uint8_t value)
{
	uint8_t index = rtc->index;

	if (index == RTC_A) {
		rtc->cmos[RTC_A] = value & (uint8_t)~A_UPDATING;
	} else if (index == RTC_B) {
		vtx_rtc_write_b(rtc, value);
	} else if (index == RTC_C || index == RTC_D) {
		return; /* read only */
	} else if (vtx_rtc_is_time(index) && !(rtc->cmos[RTC_B] & B_SET)) {
		vtx_rtc_refresh(rtc);
		rtc->cmos[index] = value;
		vtx_rtc_adopt(rtc);
	} else {
		rtc->cmos[index] = value;
	}
}

static uint32_t vtx_rtc_read(void *device, uint16_t port, unsigned int size)
{
	struct vtx_rtc *rtc = device;
	uint8_t value = 0xff;

	(void)size;
	if (port & 1) {
		pthread_mutex_lock(&rtc->lock);
		value = vtx_rtc_read_cmos(rtc);
		pthread_mutex_unlock(&rtc->lock);
	}
	return value;
}

static void vtx_rtc_write(void *device, uint16_t port, unsigned int size, uint32_t value)
{
	struct vtx_rtc *rtc = device;

	(void)size;
	pthread_mutex_lock(&rtc->lock);
	if (port & 1)
		vtx_rtc_write_cmos(rtc, (uint8_t)value);
	else
		rtc->index = value & 0x7f; /* bit 7 masks NMIs, of which there are none */
	pthread_mutex_unlock(&rtc->lock);
}

static void vtx_rtc_put16(struct vtx_rtc *rtc, uint8_t index, uint64_t value)
{
	if (value > 0xffff)
		value = 0xffff;
	rtc->cmos[index] = (uint8_t)value;
	rtc->cmos[index + 1] = (uint8_t)(value >> 8);
}

void vtx_rtc_init(struct vtx_rtc *rtc, uint64_t low, uint64_t high)
{
	uint64_t above_1m = low > (1 << 20) ? (low - (1 << 20)) >> 10 : 0;
	uint64_t above_16m = low > (16 << 20) ? (low - (16 << 20)) >> 16 : 0;
	uint64_t above_4g = high >> 16;

	memset(rtc, 0, sizeof(*rtc));
	rtc->now = vtx_rtc_host_time;
	pthread_mutex_init(&rtc->lock, NULL);
	rtc->cmos[RTC_A] = A_DEFAULT;
	rtc->cmos[RTC_B] = B_24_HOURS;
	rtc->cmos[RTC_D] = D_VALID;
	vtx_rtc_put16(rtc, 0x15, 640);
	vtx_rtc_put16(rtc, 0x17, above_1m);
	vtx_rtc_put16(rtc, 0x30, above_1m);
	vtx_rtc_put16(rtc, 0x34, above_16m);
	rtc->cmos[0x5b] = (uint8_t)above_4g;
	rtc->cmos[0x5c] = (uint8_t)(above_4g >> 8);
	rtc->cmos[0x5d] = (uint8_t)(above_4g >> 16);
}

int vtx_rtc_attach(struct vtx_rtc *rtc, struct vtx_bus *bus)
{
	return vtx_bus_add(bus, &(struct vtx_port_range){
		.first = 0x70, .count = 2, .max_size = 1, .device = rtc, .read = vtx_rtc_read, .write = vtx_rtc_write,
	});
}
