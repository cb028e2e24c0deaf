/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inside exits/: the emulator with a vCPU around it, shared by emulation.c, mmio.c and io_string.c.
 */
#ifndef VTX_EXITS_EMULATION_H
#define VTX_EXITS_EMULATION_H

#include "emulate/emulate.h"
#include "emulate/walk.h"
#include "exits/io_pending.h"
#include "vmx/vcpu.h"

/* A translation that the processor itself did for the access that faulted: saves the walk. */
struct vtx_fault_hint {
	bool valid;
	bool mmio;		/* no slot there: do not ask for RAM */
	unsigned int access;	/* VTX_WALK_WRITE if the processor checked for a write */
	u64 gva, gpa;
};

struct vtx_emulation {
	struct vtx_emu e;	/* first: vcpu->emu points to it */
	struct vtx_vcpu *vcpu;
	struct vtx_walk_cpu walk;
	struct vtx_fault_hint hint;
	u32 exit_port;		/* of an I/O exit: the processor has checked permission for port | size << 16; else 0 */
};

static inline struct vtx_emulation *vtx_emulation(struct vtx_vcpu *vcpu)
{
	return container_of(vcpu->emu, struct vtx_emulation, e);
}

/* Takes the vCPU's registers, segments and paging state over into the emulator. */
struct vtx_emulation *vtx_emulation_load(struct vtx_vcpu *vcpu);

/* CS base + RIP, for "is it still the same instruction?": in 64-bit code too, where the constant base does no harm. */
u64 vtx_linear_rip(struct vtx_vcpu *vcpu);

/*
 * Emulates after an EPT violation (@hint) or an I/O exit (@exit_port, see above). With neither: vtx_emulate().
 * Return: enum vtx_exit_result or -errno.
 */
int vtx_emulate_fault(struct vtx_vcpu *vcpu, const struct vtx_fault_hint *hint);
int vtx_emulate_port(struct vtx_vcpu *vcpu, u16 port, unsigned int size);
/* User space has answered frag[done]. @posted: it was a write of an instruction that is done (VTX_IO_MMIO_POSTED). */
int vtx_emulation_answered(struct vtx_vcpu *vcpu, bool posted);

/* One address for the emulator: VTX_EMU_DONE, FAULT (e.exc filled) or ERROR. @access: VTX_WALK_* */
int vtx_emulation_translate(struct vtx_emulation *em, u64 gva, unsigned int access, u64 *gpa);

/* mmio.c */
extern const struct vtx_emu_ops vtx_emulation_ops;
/* Tells user space about frag[done]. Return VTX_EXIT_USER. */
int vtx_mmio_ask_user(struct vtx_vcpu *vcpu);
/* Is there a device in the kernel for the fragment? Then it has answered. */
bool vtx_mmio_kernel_device(struct vtx_vcpu *vcpu, struct vtx_mmio_fragment *f);
/* Takes its answer. */
void vtx_mmio_take_answer(struct vtx_vcpu *vcpu);

/*
 * mmio_fast.c: the plain moves. Return: enum vtx_exit_result; VTX_EXIT_SLOW when the instruction is none, nothing changed.
 * Then the end of a load that user space has answered (VTX_IO_MMIO_LOAD).
 */
int vtx_mmio_fast(struct vtx_vcpu *vcpu, const struct vtx_fault_hint *hint);
int vtx_mmio_fast_answered(struct vtx_vcpu *vcpu);

/* io.c, io_string.c */
int vtx_io_string(struct vtx_vcpu *vcpu, u64 qualification);
int vtx_io_string_complete(struct vtx_vcpu *vcpu);
/* Fills kvm_run for KVM_EXIT_IO. Return VTX_EXIT_USER. */
int vtx_io_ask_user(struct vtx_vcpu *vcpu, u16 port, unsigned int size, u32 count, bool in);

#define VTX_IO_DATA(vcpu) ((u8 *)(vcpu)->run + PAGE_SIZE)

#endif /* VTX_EXITS_EMULATION_H */
