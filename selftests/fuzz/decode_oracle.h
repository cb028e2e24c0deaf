/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The decoder beside Zydis: one byte string, one mode, two answers.  Used by the unit test with random bytes and by
 * the fuzzer.  Programs link with -lZydis.
 */
#ifndef VTX_SELFTESTS_DECODE_ORACLE_H
#define VTX_SELFTESTS_DECODE_ORACLE_H

#include <stdio.h>
#include <Zydis/Zydis.h>
#include "emulate/exec.h"

struct oracle_bytes {
	const u8 *data;
	unsigned int len;
};

static int oracle_fetch(struct vtx_emu *e, u64 gva, void *buf, unsigned int len, unsigned int *got)
{
	const struct oracle_bytes *b = e->opaque;

	if (gva >= b->len)
		return vtx_emu_page_fault(e, gva, 0x10);
	*got = min_t(unsigned int, len, b->len - gva);
	memcpy(buf, b->data + gva, *got);
	return VTX_EMU_DONE;
}

static const struct vtx_emu_ops oracle_ops = { .fetch = oracle_fetch };

/* mode: 2, 4, 8 bytes; protected mode, flat, instruction at 0 */
static int oracle_decode(struct vtx_emu *e, unsigned int mode, struct oracle_bytes *b)
{
	memset(e, 0, sizeof(*e));
	e->ops = &oracle_ops;
	e->opaque = b;
	e->cpu = VTX_EMU_CPU_ALL;
	e->cr0 = X86_CR0_PE | X86_CR0_PG;
	e->seg[VTX_EMU_CS].limit = 0xffffffff;
	e->seg[VTX_EMU_CS].ar = 0x9b;
	if (mode == 8) {
		e->seg[VTX_EMU_CS].ar |= VTX_EMU_AR_L;
		e->efer = VTX_EFER_LMA;
	} else if (mode == 4) {
		e->seg[VTX_EMU_CS].ar |= VTX_EMU_AR_DB;
	}
	return vtx_emu_decode(e);
}

/* Zydis' length, 0 when it refuses */
static unsigned int oracle_zydis(unsigned int mode, const u8 *data, unsigned int len, ZydisDecodedInstruction *insn)
{
	static ZydisDecoder dec[9];
	static bool ready;

	if (!ready) {
		ZydisDecoderInit(&dec[2], ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16);
		ZydisDecoderInit(&dec[4], ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
		ZydisDecoderInit(&dec[8], ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
		ready = true;
	}
	if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&dec[mode], NULL, data, len, insn)))
		return 0;
	return insn->length;
}

enum oracle_verdict {
	ORACLE_AGREE,
	ORACLE_BOTH_REFUSE,
	ORACLE_WE_REFUSE,    /* no length from us, or an exception, where Zydis sees an instruction */
	ORACLE_ZYDIS_REFUSES,
	ORACLE_MISMATCH,     /* two lengths */
};

struct oracle_answer {
	int ours;            /* enum vtx_emu_result */
	u8 vector;
	unsigned int our_len, zydis_len;
	ZydisDecodedInstruction insn;
};

static enum oracle_verdict oracle_compare(unsigned int mode, const u8 *data, unsigned int len, struct oracle_answer *a)
{
	struct oracle_bytes b = { data, len };
	struct vtx_emu e;

	a->ours = oracle_decode(&e, mode, &b);
	a->vector = e.exc.vector;
	a->our_len = a->ours == VTX_EMU_DONE || a->ours == VTX_EMU_UNHANDLED ? e.insn.len : 0;
	a->zydis_len = oracle_zydis(mode, data, len, &a->insn);
	if (!a->zydis_len)
		return a->our_len ? ORACLE_ZYDIS_REFUSES : ORACLE_BOTH_REFUSE;
	if (!a->our_len)
		return ORACLE_WE_REFUSE;
	return a->our_len == a->zydis_len ? ORACLE_AGREE : ORACLE_MISMATCH;
}

/*
 * Instructions Zydis knows and we do not: those of other vendors' or of abandoned extensions, whose encodings
 * collide with Intel's maps.
 */
static inline bool oracle_known_refusal(const ZydisDecodedInstruction *insn)
{
	switch (insn->meta.isa_ext) {
	case ZYDIS_ISA_EXT_XOP:
	case ZYDIS_ISA_EXT_FMA4:
	case ZYDIS_ISA_EXT_TBM:
	case ZYDIS_ISA_EXT_SSE4A:
	case ZYDIS_ISA_EXT_PADLOCK:
	case ZYDIS_ISA_EXT_KNCE:
	case ZYDIS_ISA_EXT_KNCV:
		return true;
	default:
		return false;
	}
}

#endif /* VTX_SELFTESTS_DECODE_ORACLE_H */
