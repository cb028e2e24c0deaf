// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzzer: decode and execute, all modes, against a hostile machine.  Every op takes its answer from the input: data,
 * faults, lost races, "later", errors.  What must hold whatever happens is checked after each step.
 */
#include <stdlib.h>
#include "selftests/fuzz/decode_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(cond)                        \
	do {                              \
		if (!(cond))              \
			__builtin_trap(); \
	} while (0)

/* Fixed part of the input */
struct input {
	u8 mode;     /* see set_mode() */
	u8 cpl, flags, cpu;
	u16 rflags;
	u8 code[16];
	u8 seg_ar[VTX_EMU_NR_SEGS];
	u32 seg_limit;
	u8 regs[VTX_EMU_NR_REGS]; /* see expand() */
} __attribute__((packed));

struct machine {
	const u8 *answers; /* rest of the input, read in a circle */
	size_t len, pos;
	struct input in;
	unsigned int ops, commits, mmx_uses;
	u64 trace;         /* hash over all op calls */
};

static u8 answer(struct machine *m)
{
	return m->len ? m->answers[m->pos++ % m->len] : 0;
}

/* What every op does first: note the call, check its arguments, and perhaps fail. */
static int any_op(struct vtx_emu *e, u64 addr, unsigned int len, unsigned int kind)
{
	struct machine *m = e->opaque;
	u8 a = answer(m);

	m->ops++;
	m->trace = (m->trace ^ addr ^ len ^ kind << 8) * 0x9e3779b97f4a7c15ULL;
	MUST(len >= 1 && len <= 32);
	switch (a) {
	case 0xf8 ... 0xfa:
		return vtx_emu_page_fault(e, addr, a & 7);
	case 0xfb ... 0xfd:
		return VTX_EMU_IO;
	case 0xfe:
		e->error = -EFAULT;
		return VTX_EMU_ERROR;
	case 0xff:
		return VTX_EMU_UNHANDLED;
	}
	return VTX_EMU_DONE;
}

static int memory_op(struct vtx_emu *e, u64 gva, unsigned int len, unsigned int kind)
{
	if (e->insn.mode == 8)
		MUST(vtx_emu_canonical(e, gva) && vtx_emu_canonical(e, gva + len - 1));
	else
		MUST(gva + len - 1 <= 0xffffffff);
	return any_op(e, gva, len, kind);
}

static void fill(struct machine *m, void *buf, unsigned int len)
{
	unsigned int i;

	for (i = 0; i < len; i++)
		((u8 *)buf)[i] = answer(m);
}

static int fuzz_fetch(struct vtx_emu *e, u64 gva, void *buf, unsigned int len, unsigned int *got)
{
	struct machine *m = e->opaque;
	unsigned int done = e->insn.fetched;

	MUST(len && done + len <= 15 && (gva & 0xfff) + len <= 0x1000);
	if (m->in.flags & 1) { /* bytes dribble in */
		len = min(len, 1u + done % 3);
		TRY(any_op(e, gva, len, 0));
	}
	memcpy(buf, m->in.code + done, len);
	*got = m->in.flags & 2 && done > 4 ? 0 : len;
	return VTX_EMU_DONE;
}

static int fuzz_read(struct vtx_emu *e, u64 gva, void *buf, unsigned int len, unsigned int access)
{
	MUST(access & VTX_EMU_ACCESS_READ);
	TRY(memory_op(e, gva, len, 1));
	fill(e->opaque, buf, len);
	return VTX_EMU_DONE;
}

static int fuzz_write(struct vtx_emu *e, u64 gva, const void *buf, unsigned int len)
{
	struct machine *m = e->opaque;
	unsigned int i;

	for (i = 0; i < len; i++) /* an uninitialised or short buffer is for the sanitizers to see */
		m->trace = m->trace * 31 + ((const u8 *)buf)[i];
	return memory_op(e, gva, len, 2);
}

static int fuzz_cmpxchg(struct vtx_emu *e, u64 gva, const void *old, const void *new, unsigned int len)
{
	MUST(len == 1 || len == 2 || len == 4 || len == 8 || len == 16);
	TRY(fuzz_write(e, gva, old, len));
	TRY(fuzz_write(e, gva, new, len));
	return answer(e->opaque) & 1 ? VTX_EMU_MISMATCH : VTX_EMU_DONE;
}

static int fuzz_probe(struct vtx_emu *e, u64 gva, unsigned int len, unsigned int access)
{
	return memory_op(e, gva, len, 3);
}

static int fuzz_read_xmm(struct vtx_emu *e, unsigned int reg, void *buf, unsigned int len)
{
	MUST(reg < (e->insn.mode == 8 ? 16 : 8) && (len == 16 || len == 32));
	fill(e->opaque, buf, len);
	return VTX_EMU_DONE;
}

static int fuzz_write_xmm(struct vtx_emu *e, unsigned int reg, const void *buf, unsigned int len, bool zero_upper)
{
	struct machine *m = e->opaque;
	unsigned int i;

	MUST(reg < (e->insn.mode == 8 ? 16 : 8) && (len == 16 || len == 32));
	for (i = 0; i < len; i++)
		m->trace = m->trace * 31 + ((const u8 *)buf)[i];
	return VTX_EMU_DONE;
}

static int fuzz_read_mmx(struct vtx_emu *e, unsigned int reg, u64 *val)
{
	MUST(reg < 8);
	fill(e->opaque, val, sizeof(*val));
	return VTX_EMU_DONE;
}

static int fuzz_write_mmx(struct vtx_emu *e, unsigned int reg, u64 val)
{
	struct machine *m = e->opaque;

	MUST(reg < 8);
	m->mmx_uses++;
	m->trace = (m->trace * 31 + reg) * 31 + val;
	return VTX_EMU_DONE;
}

static void fuzz_used_mmx(struct vtx_emu *e)
{
	((struct machine *)e->opaque)->mmx_uses++;
}

static int fuzz_pio_in(struct vtx_emu *e, u16 port, unsigned int size, void *buf, unsigned int count)
{
	MUST(count == 1 && (size == 1 || size == 2 || size == 4));
	TRY(any_op(e, port, size, 4));
	fill(e->opaque, buf, size);
	return VTX_EMU_DONE;
}

static int fuzz_pio_out(struct vtx_emu *e, u16 port, unsigned int size, const void *buf, unsigned int count)
{
	MUST(count == 1 && (size == 1 || size == 2 || size == 4));
	return any_op(e, port, size, 5);
}

static int fuzz_pio_allowed(struct vtx_emu *e, u16 port, unsigned int size)
{
	return answer(e->opaque) & 1 ? vtx_emu_fault_error(e, VTX_EXC_GP, 0) : VTX_EMU_DONE;
}

static void fuzz_commit(struct vtx_emu *e)
{
	((struct machine *)e->opaque)->commits++;
}

static const struct vtx_emu_ops ops = {
	.fetch = fuzz_fetch, .read = fuzz_read, .write = fuzz_write, .compare_exchange = fuzz_cmpxchg, .probe = fuzz_probe,
	.read_xmm = fuzz_read_xmm, .write_xmm = fuzz_write_xmm, .pio_in = fuzz_pio_in, .pio_out = fuzz_pio_out,
	.pio_allowed = fuzz_pio_allowed, .read_mmx = fuzz_read_mmx, .write_mmx = fuzz_write_mmx,
	.used_mmx = fuzz_used_mmx, .commit = fuzz_commit,
};

/* Interesting 64-bit numbers from one byte */
static u64 expand(u8 byte)
{
	switch (byte >> 5) {
	case 0:
		return byte & 31;
	case 1:
		return ~(u64)(byte & 31);
	case 2:
		return 1ULL << (2 * (byte & 31));
	case 3:
		return (1ULL << (2 * (byte & 31))) - 1;
	case 4:
		return 0x00007fffffffffffULL - (byte & 31);
	case 5:
		return 0xffff800000000000ULL + (byte & 31);
	default:
		return byte * 0x0123456789abcdefULL;
	}
}

static void set_mode(struct vtx_emu *e, const struct input *in)
{
	unsigned int i;

	for (i = 0; i < VTX_EMU_NR_SEGS; i++) {
		e->seg[i].limit = in->flags & 4 ? in->seg_limit : 0xffffffff;
		e->seg[i].base = in->flags & 8 ? expand(in->regs[i] ^ in->seg_ar[i]) : 0;
		e->seg[i].ar = in->flags & 16 ? (in->seg_ar[i] & 0x1f) | (in->seg_ar[i] & 0x20 ? VTX_EMU_AR_UNUSABLE : 0) : 0x93;
		e->seg[i].ar |= in->seg_ar[i] & 0x40 ? VTX_EMU_AR_DB : 0;
	}
	e->seg[VTX_EMU_CS].ar = 0x9b;
	e->cr0 = X86_CR0_PE | X86_CR0_PG;
	switch (in->mode % 5) {
	case 0: /* real */
		e->cr0 = 0;
		break;
	case 1: /* virtual-8086 */
		e->rflags |= X86_EFLAGS_VM;
		e->cpl = 3;
		break;
	case 2:
		break;
	case 3:
		e->seg[VTX_EMU_CS].ar |= VTX_EMU_AR_DB;
		break;
	case 4:
		e->seg[VTX_EMU_CS].ar |= VTX_EMU_AR_L;
		e->efer = VTX_EFER_LMA;
		break;
	}
}

static void build(struct vtx_emu *e, struct machine *m, const uint8_t *data, size_t size)
{
	const struct input *in = &m->in;
	unsigned int i;

	memset(m, 0, sizeof(*m));
	memset(e, 0, sizeof(*e));
	memcpy(&m->in, data, sizeof(m->in));
	m->answers = data + sizeof(m->in);
	m->len = size - sizeof(m->in);
	e->ops = &ops;
	e->opaque = m;
	e->cpl = in->cpl & 3;
	e->rflags = (in->rflags & 0x7fd5) | 2;
	set_mode(e, in);
	for (i = 0; i < VTX_EMU_NR_REGS; i++)
		e->regs[i] = expand(in->regs[i]);
	e->rip = in->mode & 0x80 ? expand(in->cpu) : 0x1000 - (in->mode >> 4);
	e->cr4 = in->cpl & 4 ? 0 : X86_CR4_OSFXSR | X86_CR4_OSXSAVE;
	e->cr4 |= in->cpl & 8 ? X86_CR4_LA57 : 0;
	e->cr0 |= in->cpl & 16 ? X86_CR0_AM : 0;
	e->rflags |= in->cpl & 32 ? X86_EFLAGS_AC : 0;
	e->xcr0 = 7;
	e->cpu = in->cpl & 64 ? in->cpu : VTX_EMU_CPU_ALL;
	e->max_iterations = in->flags >> 6;
	if (in->flags & 32) {
		e->prefetch_len = in->cpu; /* anything: the decoder must cut it */
		memcpy(e->prefetch, in->code, sizeof(e->prefetch));
	}
}

/* What was executed must be an instruction for Zydis too, and as long. */
static void check_against_zydis(const struct vtx_emu *before, const struct vtx_emu *e)
{
	static ZydisDecoder real;
	ZydisDecodedInstruction insn;

	ZydisDecoderInit(&real, ZYDIS_MACHINE_MODE_REAL_16, ZYDIS_STACK_WIDTH_16);
	if (!(before->cr0 & X86_CR0_PE))
		MUST(ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&real, NULL, e->insn.bytes, e->insn.len, &insn)));
	else
		MUST(oracle_zydis(e->insn.mode, e->insn.bytes, e->insn.len, &insn));
	MUST(insn.length == e->insn.len);
}

static void check_step(const struct vtx_emu *before, const struct vtx_emu *e, const struct machine *m, int ret)
{
	bool changed = memcmp(before->regs, e->regs, sizeof(e->regs)) || before->rip != e->rip || before->rflags != e->rflags;

	MUST(ret >= VTX_EMU_DONE && ret <= VTX_EMU_ERROR);
	if (!e->committed)
		MUST(!changed);
	if (ret != VTX_EMU_DONE || e->again)
		MUST(e->rip == before->rip);
	if (ret == VTX_EMU_FAULT)
		MUST(e->exc.vector < 32);
	if (ret == VTX_EMU_ERROR)
		MUST(e->error < 0);
	MUST(m->mmx_uses <= (ret == VTX_EMU_DONE)); /* x87 state changes once, and only with the instruction */
	MUST(m->commits <= max(e->max_iterations, 1u));
	MUST(e->insn.len <= 15 && e->insn.fetched <= 15);
	MUST(before->cr0 == e->cr0 && before->cpl == e->cpl && !memcmp(before->seg, e->seg, sizeof(e->seg)));
	if (ret == VTX_EMU_DONE) {
		MUST(e->committed || e->again);
		check_against_zydis(before, e);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct vtx_emu e, before;
	static struct machine m;
	u64 trace;
	int ret;

	if (size < sizeof(struct input))
		return 0;
	build(&e, &m, data, size);
	before = e;
	ret = vtx_emu_step(&e);
	check_step(&before, &e, &m, ret);

	/* the same machine again: the same calls in the same order */
	trace = m.trace;
	build(&e, &m, data, size);
	MUST(vtx_emu_step(&e) == ret && m.trace == trace);
	return 0;
}
