// SPDX-License-Identifier: GPL-2.0-only
/*
 * Multiplication and division, with double-width products and dividends.  The 128-bit division is done bit by bit:
 * the kernel has no library call for it, and a guest that divides by a device register can wait.
 */
#include "compat/pure.h"
#include "emulate/exec.h"

/*
 * vtx_alu_mul - product of two numbers of `size` bytes, as two of the same size
 *
 * CF and OF: the high half is significant.  SF, ZF, AF, PF are undefined and stay as they are.
 */
void vtx_alu_mul(bool is_signed, unsigned int size, u64 a, u64 b, u64 *low, u64 *high, u64 *flags)
{
	unsigned __int128 product;
	bool wide;

	if (is_signed)
		product = (unsigned __int128)((__int128)(s64)vtx_sign_extend(a, size) * (s64)vtx_sign_extend(b, size));
	else
		product = (unsigned __int128)a * b;
	*low = (u64)product & vtx_mask(size);
	*high = (u64)(product >> (8 * size)) & vtx_mask(size);
	if (is_signed)
		wide = *high != (*low & vtx_sign_bit(size) ? vtx_mask(size) : 0);
	else
		wide = *high;
	*flags &= ~(u64)(X86_EFLAGS_CF | X86_EFLAGS_OF);
	if (wide)
		*flags |= X86_EFLAGS_CF | X86_EFLAGS_OF;
}

/* high:low / divisor where high < divisor: long division in base 2 */
static u64 divide_128(u64 high, u64 low, u64 divisor, u64 *rem)
{
	u64 quot = 0;
	int i;

	for (i = 63; i >= 0; i--) {
		bool carry = high >> 63;

		high = high << 1 | ((low >> i) & 1);
		if (carry || high >= divisor) {
			high -= divisor;
			quot |= 1ULL << i;
		}
	}
	*rem = high;
	return quot;
}

/* Unsigned; false when the quotient does not fit in `size` bytes.  The dividend's halves are cut to size. */
static bool divide(unsigned int size, u64 high, u64 low, u64 divisor, u64 *quot, u64 *rem)
{
	if (high >= divisor) /* also divisor == 0 */
		return false;
	if (size == 8) {
		*quot = divide_128(high, low, divisor, rem);
	} else {
		u64 dividend = high << (8 * size) | low;

		*quot = div64_u64(dividend, divisor);
		*rem = dividend - *quot * divisor;
	}
	return true;
}

/*
 * vtx_alu_div - high:low by divisor, all of `size` bytes
 *
 * Returns false for #DE: zero divisor, or a quotient that does not fit.  All flags are undefined and stay.
 */
bool vtx_alu_div(bool is_signed, unsigned int size, u64 high, u64 low, u64 divisor, u64 *quot, u64 *rem)
{
	u64 sign = vtx_sign_bit(size), mask = vtx_mask(size);
	bool negative, negative_rem;

	if (!is_signed)
		return divide(size, high, low, divisor, quot, rem);
	negative_rem = high & sign;
	negative = negative_rem != !!(divisor & sign);
	if (negative_rem) { /* negate the pair */
		high = (~high + !low) & mask;
		low = -low & mask;
	}
	if (divisor & sign)
		divisor = -divisor & mask;
	if (!divide(size, high, low, divisor, quot, rem) || *quot > sign - !negative)
		return false;
	if (negative)
		*quot = -*quot & mask;
	if (negative_rem)
		*rem = -*rem & mask;
	return true;
}
