/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The frame of every kselftest program: each case runs in a child process of its own with a time limit, so a
 * hang or a crash costs one case and not the run; results are printed as KTAP.
 */
#ifndef VTX_SELFTEST_HARNESS_H
#define VTX_SELFTEST_HARNESS_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;
typedef int64_t s64;

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* kselftest's exit codes. */
#define KSFT_PASS 0
#define KSFT_FAIL 1
#define KSFT_SKIP 4

struct test {
	const char *name;
	void (*fn)(void);
};

#define TEST(fn) { #fn, fn }

/*
 * Runs all cases of a program, or those whose names are given as arguments, or all but "-NAME"; `--list` prints the names.
 * Returns the exit code of the program: KSFT_FAIL when a case failed, KSFT_SKIP when all were skipped.
 */
int harness_main(int argc, char **argv, const struct test *tests, size_t count);

/*
 * Seconds of the machine's clock (in Bochs one is 3.5 thousand million instructions) after which a case is killed: 4, unless a
 * case that needs more says so at its start.  $VTX_TEST_SLOW is a factor for all.
 */
void test_timeout(unsigned int seconds);

/* That factor, 1 where the machine is not slow: for what a guest does between two interrupts. */
unsigned int test_slowness(void);

/* Prints one KTAP diagnostic line. */
void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Ends the case as failed, as skipped. */
void fail_at(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4), noreturn));
void skip(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Marks the case as failed and lets it go on, for sweeps that report every deviation. */
void complain_at(const char *file, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#define FAIL(...) fail_at(__FILE__, __LINE__, __VA_ARGS__)

/* The text of the condition goes in as an argument: it may hold a per cent sign. */
#define FAIL_TEXT(how, cond, ...) FAIL_TEXT_(how, cond, "" __VA_ARGS__)
#define FAIL_TEXT_(how, cond, fmt, ...) how(__FILE__, __LINE__, "%s: " fmt, cond, ##__VA_ARGS__)

#define CHECK(cond, ...)                                       \
	do {                                                   \
		if (!(cond))                                   \
			FAIL_TEXT(fail_at, #cond, __VA_ARGS__);        \
	} while (0)

#define EXPECT(cond, ...)                                          \
	do {                                                       \
		if (!(cond))                                       \
			FAIL_TEXT(complain_at, #cond, __VA_ARGS__);        \
	} while (0)

#define CHECK_EQ(got, want, what)                                                                             \
	do {                                                                                                  \
		u64 got_ = (u64)(got), want_ = (u64)(want);                                                   \
		if (got_ != want_)                                                                            \
			fail_at(__FILE__, __LINE__, "%s is %#llx, expected %#llx", what, (unsigned long long)got_, \
				(unsigned long long)want_);                                                   \
	} while (0)

#define EXPECT_EQ(got, want, what)                                                                               \
	do {                                                                                                     \
		u64 got_ = (u64)(got), want_ = (u64)(want);                                                      \
		if (got_ != want_)                                                                               \
			complain_at(__FILE__, __LINE__, "%s is %#llx, expected %#llx", what,                     \
				    (unsigned long long)got_, (unsigned long long)want_);                        \
	} while (0)

/* The call must fail with this errno; the text of the call is the message. */
#define EXPECT_ERRNO(call, want)                                                                               \
	do {                                                                                                   \
		long ret_;                                                                                     \
		errno = 0;                                                                                     \
		ret_ = (long)(call);                                                                           \
		if (ret_ != -1 || errno != (want))                                                             \
			complain_at(__FILE__, __LINE__, "%s: returned %ld, errno %d (%s), expected -1, errno %d (%s)", \
				    #call, ret_, errno, strerror(errno), (want), strerror(want));              \
	} while (0)

#define CHECK_OK(call)                                                                                 \
	({                                                                                             \
		long ret_ = (long)(call);                                                              \
		if (ret_ < 0)                                                                          \
			fail_at(__FILE__, __LINE__, "%s: returned %ld: %s", #call, ret_, strerror(errno)); \
		ret_;                                                                                  \
	})

#endif /* VTX_SELFTEST_HARNESS_H */
