// SPDX-License-Identifier: GPL-2.0-only
/*
 * MMIO by the plain moves of drivers, without the emulator: the processor has done segmentation, paging and permissions for the
 * access that exited, so what is left is the instruction's length and its register.
 */
#include <linux/mm.h>
#include "ept/ept.h"
#include "exits/emulation.h"
#include "exits/exits.h"
#include "exits/guest_mem.h"
#include "exits/mmio_log.h"
#include "exits/mov_decode.h"
#include "vmx/regs.h"

#define MAX_LEN 15
#define USUAL_LEN 8	/* enough for nearly all moves, and read by one load */

static bool decode(struct vtx_vcpu *vcpu, struct vtx_mov *m)
{
	u64 rip = vtx_rip(vcpu), gpa;
	unsigned int n = min_t(unsigned int, MAX_LEN, PAGE_SIZE - offset_in_page(rip));
	u8 bytes[MAX_LEN];

	if (!vtx_fetch_gpa(vcpu, rip, &gpa))
		return false;
	if (n >= USUAL_LEN && !vtx_gpa_read(vcpu->vm, gpa, bytes, USUAL_LEN) && vtx_mov_decode(bytes, USUAL_LEN, m))
		return true;
	return !vtx_gpa_read(vcpu->vm, gpa, bytes, n) && vtx_mov_decode(bytes, n, m);
}

static void finish_load(struct vtx_vcpu *vcpu, const struct vtx_mov *m, const u8 *bytes)
{
	u64 data = 0;

	memcpy(&data, bytes, m->size);
	vtx_set_gpr(vcpu, m->reg, vtx_mov_load_value(m, vtx_gpr(vcpu, m->reg), data));
	vtx_skip_bytes(vcpu, m->len);
}

static int ask_user(struct vtx_vcpu *vcpu, const struct vtx_mov *m)
{
	struct vtx_io_pending *io = &vcpu->io;

	if (m->store) {
		vtx_skip_bytes(vcpu, m->len);
		vtx_log_commit(io);
		io->kind = VTX_IO_MMIO_POSTED;
	} else {
		io->mov = *m;
		io->kind = VTX_IO_MMIO_LOAD;
	}
	io->linear_rip = vtx_linear_rip(vcpu);
	return vtx_mmio_ask_user(vcpu);
}

int vtx_mmio_fast(struct vtx_vcpu *vcpu, const struct vtx_fault_hint *hint)
{
	struct vtx_io_pending *io = &vcpu->io;
	struct vtx_mmio_fragment *f = &io->frag[0];
	struct vtx_mov m;
	u64 value = 0;

	if (!hint->valid || !hint->mmio || !vtx_in_64bit_code(vcpu) || !decode(vcpu, &m))
		return VTX_EXIT_SLOW;
	vtx_rsp(vcpu); /* into regs[] */
	/* The second half of an operand across two pages faults by itself, elsewhere than the operand begins. */
	if (vtx_mov_address(&m, vcpu->regs, vtx_rip(vcpu)) != hint->gva || offset_in_page(hint->gva) + m.size > PAGE_SIZE ||
	    m.store != !!(hint->access & VTX_WALK_WRITE))
		return VTX_EXIT_SLOW;

	vcpu->counts.insn_emulation++;
	vtx_log_clear(io);
	if (m.store)
		value = vtx_mov_store_value(&m, vcpu->regs);
	vtx_log_access(io, hint->gpa, &value, m.size, m.store, false);
	if (!vtx_mmio_kernel_device(vcpu, f)) {
		vtx_log_defer(io);
		vcpu->counts.mmio_exits++;
		return ask_user(vcpu, &m);
	}
	if (m.store)
		vtx_skip_bytes(vcpu, m.len);
	else
		finish_load(vcpu, &m, f->data);
	return VTX_EXIT_RESUME;
}

int vtx_mmio_fast_answered(struct vtx_vcpu *vcpu)
{
	vtx_mmio_take_answer(vcpu);
	finish_load(vcpu, &vcpu->io.mov, vcpu->io.frag[0].data);
	vtx_log_clear(&vcpu->io);
	return VTX_EXIT_RESUME;
}
