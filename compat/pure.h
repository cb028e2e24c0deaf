/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one shim that pure logic may include.
 *
 * A source file that includes this header and no <linux/...> header is "pure" (docs/decisions.md): it is
 * compiled into vtx.ko, and a second time in user space, where it is unit-tested and fuzzed under ASan and
 * UBSan.  The selftests find the pure files by this very #include line.
 *
 * The shim gives both worlds the kernel's integer types, a handful of the kernel's macros, memcpy and
 * friends, and errno values.  Nothing that allocates, sleeps, locks or prints belongs here.
 */
#ifndef VTX_COMPAT_PURE_H
#define VTX_COMPAT_PURE_H

#ifdef __KERNEL__

#include <linux/types.h>
#include <linux/bits.h>
#include <linux/bitops.h>
#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <asm/barrier.h>

#else /* user space */

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>
#include <asm/types.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;

#define BIT(n) (1UL << (n))
#define BIT_ULL(n) (1ULL << (n))
#define GENMASK(h, l) (((~0UL) << (l)) & (~0UL >> (63 - (h))))
#define GENMASK_ULL(h, l) (((~0ULL) << (l)) & (~0ULL >> (63 - (h))))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define BUILD_BUG_ON(cond) _Static_assert(!(cond), #cond)
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))
#define smp_store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE) /* each use says what it pairs with */
#define smp_load_acquire(p) __atomic_load_n(p, __ATOMIC_ACQUIRE) /* each use says what it pairs with */
#define min(a, b)                              \
	({                                     \
		__typeof__(a) __min_a = (a);   \
		__typeof__(b) __min_b = (b);   \
		__min_a < __min_b ? __min_a : __min_b; \
	})
#define max(a, b)                              \
	({                                     \
		__typeof__(a) __max_a = (a);   \
		__typeof__(b) __max_b = (b);   \
		__max_a > __max_b ? __max_a : __max_b; \
	})
#define min_t(type, a, b) min((type)(a), (type)(b))
#define max_t(type, a, b) max((type)(a), (type)(b))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#undef __always_inline
#define __always_inline inline __attribute__((always_inline))
#define fallthrough __attribute__((__fallthrough__))
#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

static inline u64 div64_u64(u64 a, u64 b)
{
	return a / b;
}

static inline u64 mul_u64_u64_div_u64(u64 a, u64 b, u64 c)
{
	return (u64)((unsigned __int128)a * b / c);
}

static inline int fls(unsigned int x)
{
	return x ? 32 - __builtin_clz(x) : 0;
}

static inline int fls64(u64 x)
{
	return x ? 64 - __builtin_clzll(x) : 0;
}

static inline unsigned long __ffs(unsigned long x)
{
	return (unsigned long)__builtin_ctzl(x);
}

static inline unsigned int hweight32(u32 x)
{
	return (unsigned int)__builtin_popcount(x);
}

#endif /* __KERNEL__ */

#endif /* VTX_COMPAT_PURE_H */
