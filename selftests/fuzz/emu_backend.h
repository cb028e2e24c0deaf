/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest of one piece for the emulator's tests: 16 KiB of memory at linear address 0x10000, code at its start, all
 * ops recorded.  The second page from the end is read-only, the last one is not present; a window inside is "MMIO".
 */
#ifndef VTX_SELFTESTS_EMU_BACKEND_H
#define VTX_SELFTESTS_EMU_BACKEND_H

#include "emulate/exec.h"
#include "emulate/mmx.h"

#define MEM_BASE 0x10000
#define MEM_SIZE 0x4000
#define MEM_RO   (MEM_BASE + 0x2000)
#define MEM_NP   (MEM_BASE + 0x3000)
#define MEM_DATA (MEM_BASE + 0x1000)

enum op_kind { DID_READ, DID_WRITE, DID_CMPXCHG, DID_PROBE, DID_IN, DID_OUT };

struct op_record {
	u8 kind, len;
	u64 addr;
};

#define MAX_OPS 64

struct guest {
	struct vtx_emu e;
	u8 mem[MEM_SIZE];
	u64 ymm[16][4];
	u8 fx[512];               /* FXSAVE image, for MMX */
	struct op_record ops[MAX_OPS];
	unsigned int nr_ops;      /* calls since the last guest_step() began */
	unsigned int fail_op;     /* this call (from 1) returns fail_result; 0: none */
	int fail_result;
	unsigned int mismatches;  /* so many cmpxchg lose their race */
	unsigned int commits;
	u32 port_in;              /* what ports read as */
	u32 port_out;             /* last value written */
	bool ports_denied;
};

static inline struct guest *guest_of(struct vtx_emu *e)
{
	return e->opaque;
}

/* Every op passes here: record it, fail when asked to. */
static int guest_op(struct vtx_emu *e, enum op_kind kind, u64 addr, unsigned int len)
{
	struct guest *g = guest_of(e);

	if (g->nr_ops < MAX_OPS)
		g->ops[g->nr_ops] = (struct op_record){ kind, len, addr };
	g->nr_ops++;
	if (g->nr_ops != g->fail_op)
		return VTX_EMU_DONE;
	if (g->fail_result == VTX_EMU_FAULT)
		return vtx_emu_page_fault(e, addr, 2);
	if (g->fail_result == VTX_EMU_ERROR)
		e->error = -EFAULT;
	return g->fail_result;
}

static int guest_check(struct vtx_emu *e, u64 gva, unsigned int len, unsigned int access)
{
	bool write = access & VTX_EMU_ACCESS_WRITE;
	u64 a;

	for (a = gva; a != gva + len; a++) {
		if (a < MEM_BASE || a >= MEM_NP)
			return vtx_emu_page_fault(e, a, write ? 2 : 0);
		if (write && a >= MEM_RO)
			return vtx_emu_page_fault(e, a, 3);
	}
	return VTX_EMU_DONE;
}

static int guest_fetch(struct vtx_emu *e, u64 gva, void *buf, unsigned int len, unsigned int *got)
{
	TRY(guest_check(e, gva, len, VTX_EMU_ACCESS_READ));
	memcpy(buf, guest_of(e)->mem + gva - MEM_BASE, len);
	*got = len;
	return VTX_EMU_DONE;
}

static int guest_read(struct vtx_emu *e, u64 gva, void *buf, unsigned int len, unsigned int access)
{
	TRY(guest_op(e, DID_READ, gva, len));
	TRY(guest_check(e, gva, len, access));
	memcpy(buf, guest_of(e)->mem + gva - MEM_BASE, len);
	return VTX_EMU_DONE;
}

static int guest_write(struct vtx_emu *e, u64 gva, const void *buf, unsigned int len)
{
	TRY(guest_op(e, DID_WRITE, gva, len));
	TRY(guest_check(e, gva, len, VTX_EMU_ACCESS_WRITE));
	memcpy(guest_of(e)->mem + gva - MEM_BASE, buf, len);
	return VTX_EMU_DONE;
}

static int guest_cmpxchg(struct vtx_emu *e, u64 gva, const void *old, const void *new, unsigned int len)
{
	struct guest *g = guest_of(e);

	TRY(guest_op(e, DID_CMPXCHG, gva, len));
	TRY(guest_check(e, gva, len, VTX_EMU_ACCESS_WRITE));
	if (g->mismatches) {
		g->mismatches--;
		return VTX_EMU_MISMATCH;
	}
	if (memcmp(g->mem + gva - MEM_BASE, old, len))
		return VTX_EMU_MISMATCH;
	memcpy(g->mem + gva - MEM_BASE, new, len);
	return VTX_EMU_DONE;
}

static int guest_probe(struct vtx_emu *e, u64 gva, unsigned int len, unsigned int access)
{
	TRY(guest_op(e, DID_PROBE, gva, len));
	return guest_check(e, gva, len, access);
}

static int guest_read_xmm(struct vtx_emu *e, unsigned int reg, void *buf, unsigned int len)
{
	memcpy(buf, guest_of(e)->ymm[reg], len);
	return VTX_EMU_DONE;
}

static int guest_write_xmm(struct vtx_emu *e, unsigned int reg, const void *buf, unsigned int len, bool zero_upper)
{
	u64 *ymm = guest_of(e)->ymm[reg];

	if (zero_upper)
		memset(ymm, 0, 32);
	memcpy(ymm, buf, len);
	return VTX_EMU_DONE;
}

static int guest_read_mmx(struct vtx_emu *e, unsigned int reg, u64 *val)
{
	*val = vtx_mmx_read(guest_of(e)->fx, reg);
	return VTX_EMU_DONE;
}

static int guest_write_mmx(struct vtx_emu *e, unsigned int reg, u64 val)
{
	vtx_mmx_write(guest_of(e)->fx, reg, val);
	return VTX_EMU_DONE;
}

static void guest_used_mmx(struct vtx_emu *e)
{
	vtx_mmx_used(guest_of(e)->fx);
}

static int guest_pio_in(struct vtx_emu *e, u16 port, unsigned int size, void *buf, unsigned int count)
{
	TRY(guest_op(e, DID_IN, port, size));
	memcpy(buf, &guest_of(e)->port_in, size);
	return VTX_EMU_DONE;
}

static int guest_pio_out(struct vtx_emu *e, u16 port, unsigned int size, const void *buf, unsigned int count)
{
	TRY(guest_op(e, DID_OUT, port, size));
	guest_of(e)->port_out = 0;
	memcpy(&guest_of(e)->port_out, buf, size);
	return VTX_EMU_DONE;
}

static int guest_pio_allowed(struct vtx_emu *e, u16 port, unsigned int size)
{
	return guest_of(e)->ports_denied ? vtx_emu_fault_error(e, VTX_EXC_GP, 0) : VTX_EMU_DONE;
}

static void guest_commit(struct vtx_emu *e)
{
	guest_of(e)->commits++;
}

static const struct vtx_emu_ops guest_ops = {
	.fetch = guest_fetch, .read = guest_read, .write = guest_write, .compare_exchange = guest_cmpxchg, .probe = guest_probe,
	.read_xmm = guest_read_xmm, .write_xmm = guest_write_xmm, .pio_in = guest_pio_in, .pio_out = guest_pio_out,
	.pio_allowed = guest_pio_allowed, .read_mmx = guest_read_mmx, .write_mmx = guest_write_mmx,
	.used_mmx = guest_used_mmx, .commit = guest_commit,
};

/*
 * mode: 1 real mode, 2, 4, 8 protected mode of that size.  Supervisor; segments are flat, or of 64 KiB at MEM_BASE in
 * modes 1 and 2.  Data pointers in RBX, RSI, RDI and the stack in RSP point to MEM_DATA, relative to the segment.
 */
static inline void guest_init(struct guest *g, unsigned int mode)
{
	struct vtx_emu *e = &g->e;
	u64 base = mode <= 2 ? MEM_BASE : 0;
	unsigned int i;

	memset(g, 0, sizeof(*g));
	e->ops = &guest_ops;
	e->opaque = g;
	e->cpu = VTX_EMU_CPU_ALL;
	e->rip = MEM_BASE - base;
	e->rflags = 2;
	e->cr0 = mode == 1 ? 0 : X86_CR0_PE | X86_CR0_PG;
	e->cr4 = X86_CR4_OSFXSR | X86_CR4_OSXSAVE;
	e->xcr0 = 7;
	e->efer = mode == 8 ? VTX_EFER_LMA : 0;
	for (i = 0; i < VTX_EMU_NR_SEGS; i++) {
		e->seg[i].base = base;
		e->seg[i].limit = mode <= 2 ? 0xffff : 0xffffffff;
		e->seg[i].ar = 0x93;
		if (mode == 4 || mode == 8)
			e->seg[i].ar |= VTX_EMU_AR_DB;
	}
	e->seg[VTX_EMU_CS].ar = mode == 8 ? 0xa09b : mode == 4 ? 0xc09b : 0x9b;
	e->regs[VTX_EMU_RBX] = e->regs[VTX_EMU_RSI] = e->regs[VTX_EMU_RDI] = MEM_DATA - base;
	e->regs[VTX_EMU_RSP] = MEM_DATA + 0x800 - base;
}

#endif /* VTX_SELFTESTS_EMU_BACKEND_H */
