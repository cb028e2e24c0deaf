// SPDX-License-Identifier: GPL-2.0-only
/*
 * Integer arithmetic with flags: the two-operand group, INC, DEC, NEG, NOT, TEST, and the shifts and rotates (SDM
 * vol. 2; flags: vol. 1, appendix A).  Numbers in, numbers out; no guest state but the flags.  Where the manual leaves
 * a flag undefined, the choice is in the comment of the function.
 */
#include "compat/pure.h"
#include "emulate/exec.h"

/* SF, ZF, PF of a result */
static u64 flags_of(u64 res, unsigned int size)
{
	u64 f = 0;

	if (!(res & vtx_mask(size)))
		f |= X86_EFLAGS_ZF;
	if (res & vtx_sign_bit(size))
		f |= X86_EFLAGS_SF;
	if (!(hweight32(res & 0xff) & 1))
		f |= X86_EFLAGS_PF;
	return f;
}

/* CF, AF, OF of an addition or subtraction follow from the carry out of each bit. */
static u64 flags_of_carries(u64 carries, unsigned int size)
{
	u64 sign = vtx_sign_bit(size), f = 0;

	if (carries & sign)
		f |= X86_EFLAGS_CF;
	if (carries & 8)
		f |= X86_EFLAGS_AF;
	if (!(carries & sign) != !(carries & (sign >> 1)))
		f |= X86_EFLAGS_OF;
	return f;
}

static u64 add(unsigned int size, u64 a, u64 b, u64 carry, u64 *f)
{
	u64 res = a + b + carry;

	*f = flags_of_carries((a & b) | ((a | b) & ~res), size) | flags_of(res, size);
	return res & vtx_mask(size);
}

static u64 sub(unsigned int size, u64 a, u64 b, u64 borrow, u64 *f)
{
	u64 res = a - b - borrow;

	*f = flags_of_carries((~a & b) | ((~a | b) & res), size) | flags_of(res, size);
	return res & vtx_mask(size);
}

/*
 * vtx_alu - one operation on operands of `size` bytes
 *
 * a: destination, b: source (ignored by the one-operand ones); both already cut to size.  flags: RFLAGS, updated.
 * Undefined: AF of AND, OR, XOR, TEST is cleared, as processors do.
 */
u64 vtx_alu(enum vtx_op op, unsigned int size, u64 a, u64 b, u64 *flags)
{
	u64 keep = *flags & ~(u64)VTX_FLAGS_ARITH, carry = *flags & X86_EFLAGS_CF;
	u64 res, f;

	switch (op) {
	case OP_ADD:
		res = add(size, a, b, 0, &f);
		break;
	case OP_ADC:
		res = add(size, a, b, carry, &f);
		break;
	case OP_SUB:
	case OP_CMP:
		res = sub(size, a, b, 0, &f);
		break;
	case OP_SBB:
		res = sub(size, a, b, carry, &f);
		break;
	case OP_NEG:
		res = sub(size, 0, a, 0, &f);
		break;
	case OP_INC:
		res = add(size, a, 1, 0, &f);
		f = (f & ~(u64)X86_EFLAGS_CF) | carry;
		break;
	case OP_DEC:
		res = sub(size, a, 1, 0, &f);
		f = (f & ~(u64)X86_EFLAGS_CF) | carry;
		break;
	case OP_AND:
	case OP_TEST:
		res = a & b;
		f = flags_of(res, size);
		break;
	case OP_OR:
		res = a | b;
		f = flags_of(res, size);
		break;
	case OP_XOR:
		res = a ^ b;
		f = flags_of(res, size);
		break;
	default: /* OP_NOT */
		return ~a & vtx_mask(size);
	}
	*flags = keep | f;
	return res;
}

static void set_cf_of(u64 *flags, bool cf, bool of)
{
	*flags &= ~(u64)(X86_EFLAGS_CF | X86_EFLAGS_OF);
	*flags |= (cf ? X86_EFLAGS_CF : 0) | (of ? X86_EFLAGS_OF : 0);
}

/* ROL, ROR: n in 1..63 after masking.  OF for counts above 1 (undefined) is computed as for 1. */
static u64 rotate(bool left, unsigned int size, u64 a, unsigned int n, u64 *flags)
{
	unsigned int bits = 8 * size, l = left ? n % bits : (bits - n % bits) % bits;
	u64 res = l ? ((a << l) | (a >> (bits - l))) & vtx_mask(size) : a;
	bool top = res & vtx_sign_bit(size), cf = left ? res & 1 : top;
	bool of = left ? top != cf : top != !!(res & (vtx_sign_bit(size) >> 1));

	set_cf_of(flags, cf, of);
	return res;
}

/* RCL, RCR: bit by bit through CF; at most 63 rounds.  OF for counts above 1 (undefined) as for 1. */
static u64 rotate_carry(bool left, unsigned int size, u64 a, unsigned int n, u64 *flags)
{
	u64 sign = vtx_sign_bit(size);
	bool cf = *flags & X86_EFLAGS_CF, out;

	for (n %= 8 * size + 1; n; n--) {
		out = left ? a & sign : a & 1;
		a = left ? (a << 1 | cf) & vtx_mask(size) : a >> 1 | (cf ? sign : 0);
		cf = out;
	}
	set_cf_of(flags, cf, left ? cf != !!(a & sign) : !(a & sign) != !(a & (sign >> 1)));
	return a;
}

/*
 * SHL, SHR, SAR: the last bit shifted out is CF.  Undefined: AF is cleared; OF for counts above 1 is computed from the
 * last step; CF for SHL and SHR with counts above the operand size is 0, as if shifted one by one.
 */
static u64 shift(enum vtx_op op, unsigned int size, u64 a, unsigned int n, u64 *flags)
{
	u64 sign = vtx_sign_bit(size), res;
	unsigned int bits = 8 * size;
	bool cf, of;

	if (op == OP_SAR) {
		s64 s = (s64)vtx_sign_extend(a, size);

		res = (u64)(s >> n) & vtx_mask(size);
		cf = (s >> (n - 1)) & 1;
		of = false;
	} else if (op == OP_SHR) {
		u64 before = n > bits ? 0 : a >> (n - 1);

		res = before >> 1;
		cf = before & 1;
		of = before & sign;
	} else {
		u64 before = n > bits ? 0 : (a << (n - 1)) & vtx_mask(size);

		res = (before << 1) & vtx_mask(size);
		cf = before & sign;
		of = cf != !!(res & sign);
	}
	*flags &= ~(u64)VTX_FLAGS_ARITH;
	*flags |= flags_of(res, size);
	set_cf_of(flags, cf, of);
	return res;
}

/* The count is masked to 5 bits, 6 with 64-bit operands; zero changes nothing, flags included. */
u64 vtx_alu_shift(enum vtx_op op, unsigned int size, u64 a, unsigned int count, u64 *flags)
{
	count &= size == 8 ? 63 : 31;
	if (!count)
		return a;
	switch (op) {
	case OP_ROL:
	case OP_ROR:
		return rotate(op == OP_ROL, size, a, count, flags);
	case OP_RCL:
	case OP_RCR:
		return rotate_carry(op == OP_RCL, size, a, count, flags);
	default:
		return shift(op, size, a, count, flags);
	}
}

/*
 * SHLD, SHRD.  A count above 16 with 16-bit operands is undefined: here the bits come from a:b:a, as on Intel
 * processors.  AF (undefined) is cleared; OF for counts above 1 is computed as for 1.
 */
u64 vtx_alu_shift_double(enum vtx_op op, unsigned int size, u64 a, u64 b, unsigned int count, u64 *flags)
{
	unsigned int bits = 8 * size;
	u64 sign = vtx_sign_bit(size), res, prev;
	bool cf;

	count &= size == 8 ? 63 : 31;
	if (!count)
		return a;
	if (count > bits) {
		u64 t = a;

		count -= bits;
		a = b;
		b = t;
	}
	if (op == OP_SHLD) {
		res = count == bits ? b : ((a << count) | (b >> (bits - count))) & vtx_mask(size);
		cf = (a >> (bits - count)) & 1;
		prev = count == 1 ? a : (a << (count - 1)) | (b >> (bits - count + 1));
	} else {
		res = count == bits ? b : ((a >> count) | (b << (bits - count))) & vtx_mask(size);
		cf = (a >> (count - 1)) & 1;
		prev = count == 1 ? a : (a >> (count - 1)) | (b << (bits - count + 1));
	}
	*flags &= ~(u64)VTX_FLAGS_ARITH;
	*flags |= flags_of(res, size);
	set_cf_of(flags, cf, !(prev & sign) != !(res & sign));
	return res;
}
