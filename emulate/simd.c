// SPDX-License-Identifier: GPL-2.0-only
/*
 * SSE, AVX and MMX moves between memory and vector registers (and MOVD, MOVQ with general registers).
 * Register-to-register forms touch no memory and are not emulated.
 *
 * A pending x87 exception (#MF before an MMX instruction) is not looked for: the processor reports it, like #UD and
 * #NM, before it makes the memory access that brings an instruction here.
 */
#include "compat/pure.h"
#include "emulate/exec.h"

enum simd_kind {
	LOAD,      /* whole register, any alignment */
	LOAD_A,    /* whole register, aligned */
	STORE,
	STORE_A,
	LOAD_N,    /* `bytes` bytes into the low end, zeroes above */
	STORE_N,
	LOAD_LOW,  /* 8 bytes into the low half, high half from the other source */
	LOAD_HIGH,
	STORE_HIGH,
	LOAD_R,    /* from general register or memory, 4 or 8 bytes */
	STORE_R,
};

#define ANY_L   1 /* VEX.L is ignored or selects 256 bits; without it VEX.L must be 0 */
#define PS_PD   2 /* the row is for pp and pp + 1 */
#define MMX     4 /* the register is an MMX register; no VEX form */

static const struct simd_row {
	u8 map, opcode, pp, kind, bytes, flags;
	u16 cpu;     /* VTX_EMU_CPU_* needed, legacy and 128-bit forms */
	u16 cpu_256; /* and for 256 bits */
} rows[] = {
	{ VTX_MAP_0F, 0x10, 0, LOAD, 0, ANY_L | PS_PD, 0, 0 },    /* MOVUPS, MOVUPD */
	{ VTX_MAP_0F, 0x10, 2, LOAD_N, 4, ANY_L, 0, 0 },          /* MOVSS */
	{ VTX_MAP_0F, 0x10, 3, LOAD_N, 8, ANY_L, 0, 0 },          /* MOVSD */
	{ VTX_MAP_0F, 0x11, 0, STORE, 0, ANY_L | PS_PD, 0, 0 },
	{ VTX_MAP_0F, 0x11, 2, STORE_N, 4, ANY_L, 0, 0 },
	{ VTX_MAP_0F, 0x11, 3, STORE_N, 8, ANY_L, 0, 0 },
	{ VTX_MAP_0F, 0x12, 0, LOAD_LOW, 8, PS_PD, 0, 0 },        /* MOVLPS, MOVLPD */
	{ VTX_MAP_0F, 0x13, 0, STORE_N, 8, PS_PD, 0, 0 },
	{ VTX_MAP_0F, 0x16, 0, LOAD_HIGH, 8, PS_PD, 0, 0 },       /* MOVHPS, MOVHPD */
	{ VTX_MAP_0F, 0x17, 0, STORE_HIGH, 8, PS_PD, 0, 0 },
	{ VTX_MAP_0F, 0x28, 0, LOAD_A, 0, ANY_L | PS_PD, 0, 0 },  /* MOVAPS, MOVAPD */
	{ VTX_MAP_0F, 0x29, 0, STORE_A, 0, ANY_L | PS_PD, 0, 0 },
	{ VTX_MAP_0F, 0x2b, 0, STORE_A, 0, ANY_L | PS_PD, 0, 0 }, /* MOVNTPS, MOVNTPD */
	{ VTX_MAP_0F, 0x6e, 0, LOAD_R, 0, MMX, 0, 0 },            /* MOVD, MOVQ */
	{ VTX_MAP_0F, 0x6e, 1, LOAD_R, 0, 0, 0, 0 },
	{ VTX_MAP_0F, 0x6f, 0, LOAD_N, 8, MMX, 0, 0 },            /* MOVQ */
	{ VTX_MAP_0F, 0x6f, 1, LOAD_A, 0, ANY_L, 0, 0 },          /* MOVDQA */
	{ VTX_MAP_0F, 0x6f, 2, LOAD, 0, ANY_L, 0, 0 },            /* MOVDQU */
	{ VTX_MAP_0F, 0x7e, 0, STORE_R, 0, MMX, 0, 0 },
	{ VTX_MAP_0F, 0x7e, 1, STORE_R, 0, 0, 0, 0 },
	{ VTX_MAP_0F, 0x7e, 2, LOAD_N, 8, 0, 0, 0 },              /* MOVQ */
	{ VTX_MAP_0F, 0x7f, 0, STORE_N, 8, MMX, 0, 0 },
	{ VTX_MAP_0F, 0x7f, 1, STORE_A, 0, ANY_L, 0, 0 },
	{ VTX_MAP_0F, 0x7f, 2, STORE, 0, ANY_L, 0, 0 },
	{ VTX_MAP_0F, 0xd6, 1, STORE_N, 8, 0, 0, 0 },
	{ VTX_MAP_0F, 0xe7, 0, STORE_N, 8, MMX, 0, 0 },           /* MOVNTQ */
	{ VTX_MAP_0F, 0xe7, 1, STORE_A, 0, ANY_L, 0, 0 },         /* MOVNTDQ */
	{ VTX_MAP_0F, 0xf0, 3, LOAD, 0, ANY_L, VTX_EMU_CPU_SSE3, 0 },                     /* LDDQU */
	{ VTX_MAP_0F38, 0x2a, 1, LOAD_A, 0, ANY_L, VTX_EMU_CPU_SSE41, VTX_EMU_CPU_AVX2 }, /* MOVNTDQA */
};

static const struct simd_row *find_row(const struct vtx_emu_insn *in)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct simd_row *r = &rows[i];

		if (in->vex && (r->flags & MMX))
			continue;
		if (r->map == in->map && r->opcode == in->opcode &&
		    (r->pp == in->pp || ((r->flags & PS_PD) && in->pp == 1)))
			return r;
	}
	return NULL;
}

/*
 * SDM vol. 2, 2.4 to 2.6, and for MMX vol. 3, 23.25.3: the exception classes, as far as they do not look at memory.
 * CR4.OSFXSR says nothing about MMX registers.
 */
static int check_state(struct vtx_emu *e, const struct simd_row *r)
{
	const struct vtx_emu_insn *in = &e->insn;
	u32 need = r->cpu;
	bool ud;

	if (in->vex) {
		need |= VTX_EMU_CPU_AVX | (in->vex_l ? r->cpu_256 : 0);
		ud = !(e->cr4 & X86_CR4_OSXSAVE) || (e->xcr0 & 6) != 6;
		ud = ud || (in->vex_l && !(r->flags & ANY_L));
		ud = ud || (in->vex_v && r->kind != LOAD_LOW && r->kind != LOAD_HIGH);
	} else {
		ud = (e->cr0 & X86_CR0_EM) || (!(e->cr4 & X86_CR4_OSFXSR) && !(r->flags & MMX));
	}
	if (ud || (e->cpu & need) != need)
		return vtx_emu_fault(e, VTX_EXC_UD);
	return e->cr0 & X86_CR0_TS ? vtx_emu_fault(e, VTX_EXC_NM) : VTX_EMU_DONE;
}

/* Address of a whole-register operand.  No #AC: where alignment matters it is #GP, elsewhere it need not be checked. */
static int vector_address(struct vtx_emu *e, unsigned int len, bool aligned, unsigned int access, u64 *lin)
{
	const struct vtx_emu_insn *in = &e->insn;

	TRY(vtx_emu_linear(e, in->seg, in->ea, len, access, lin));
	if (aligned && (*lin & (len - 1)))
		return vtx_emu_fault_error(e, VTX_EXC_GP, 0);
	return VTX_EMU_DONE;
}

static int load(struct vtx_emu *e, const struct simd_row *r, unsigned int width)
{
	const struct vtx_emu_insn *in = &e->insn;
	u64 buf[4] = { 0 }, low = 0, lin;

	switch (r->kind) {
	case LOAD:
	case LOAD_A:
		TRY(vector_address(e, width, r->kind == LOAD_A, VTX_EMU_ACCESS_READ, &lin));
		TRY(e->ops->read(e, lin, buf, width, VTX_EMU_ACCESS_READ));
		return e->ops->write_xmm(e, in->reg, buf, width, in->vex);
	case LOAD_R:
		TRY(vtx_emu_rm_read(e, in->rex & 8 ? 8 : 4, &buf[0]));
		break;
	case LOAD_N:
		TRY(vtx_emu_mem_read(e, in->seg, in->ea, r->bytes, &buf[0]));
		break;
	default: /* LOAD_LOW, LOAD_HIGH */
		TRY(vtx_emu_mem_read(e, in->seg, in->ea, 8, &low));
		TRY(e->ops->read_xmm(e, in->vex ? in->vex_v : in->reg, buf, 16));
		buf[r->kind == LOAD_HIGH] = low;
		break;
	}
	return e->ops->write_xmm(e, in->reg, buf, 16, in->vex);
}

static int store(struct vtx_emu *e, const struct simd_row *r, unsigned int width)
{
	const struct vtx_emu_insn *in = &e->insn;
	u64 buf[4] = { 0 }, lin;

	TRY(e->ops->read_xmm(e, in->reg, buf, width));
	switch (r->kind) {
	case STORE:
	case STORE_A:
		TRY(vector_address(e, width, r->kind == STORE_A, VTX_EMU_ACCESS_WRITE, &lin));
		return e->ops->write(e, lin, buf, width);
	case STORE_R: {
		unsigned int size = in->rex & 8 ? 8 : 4;

		return vtx_emu_rm_write(e, size, buf[0] & vtx_mask(size));
	}
	case STORE_N:
		return vtx_emu_mem_write(e, in->seg, in->ea, r->bytes, buf[0] & vtx_mask(r->bytes));
	default: /* STORE_HIGH */
		return vtx_emu_mem_write(e, in->seg, in->ea, 8, buf[1]);
	}
}

/* Always 8 bytes, or 4 for MOVD, zero-extended; never an alignment but #AC's. REX.R is ignored. */
static int move_mmx(struct vtx_emu *e, const struct simd_row *r)
{
	const struct vtx_emu_insn *in = &e->insn;
	unsigned int reg = in->reg & 7, size = r->bytes ? r->bytes : in->rex & 8 ? 8 : 4;
	u64 val;

	if (r->kind == LOAD_N || r->kind == LOAD_R) {
		TRY(vtx_emu_rm_read(e, size, &val));
		return e->ops->write_mmx(e, reg, val);
	}
	TRY(e->ops->read_mmx(e, reg, &val));
	TRY(vtx_emu_rm_write(e, size, val & vtx_mask(size)));
	e->ops->used_mmx(e);
	return VTX_EMU_DONE;
}

int vtx_exec_simd(struct vtx_emu *e)
{
	const struct vtx_emu_insn *in = &e->insn;
	const struct simd_row *r = find_row(in);

	if (!r || (in->mod == 3 && r->kind != LOAD_R && r->kind != STORE_R))
		return vtx_emu_give_up(e, VTX_EMU_WHY_VECTOR);
	TRY(check_state(e, r));
	if (r->flags & MMX)
		return move_mmx(e, r);
	switch (r->kind) {
	case STORE:
	case STORE_A:
	case STORE_N:
	case STORE_HIGH:
	case STORE_R:
		return store(e, r, in->vex && in->vex_l && !r->bytes ? 32 : 16);
	default:
		return load(e, r, in->vex && in->vex_l && !r->bytes ? 32 : 16);
	}
}
