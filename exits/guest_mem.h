/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guest memory by linear address: the guest's page walk (emulate/walk.h) joined to guest-physical access (ept/ept.h).
 *
 * All functions may sleep; the caller has the vCPU loaded and holds vm->srcu for reading.
 */
#ifndef VTX_EXITS_GUEST_MEM_H
#define VTX_EXITS_GUEST_MEM_H

#include "emulate/emulate.h"
#include "emulate/walk.h"
#include "vmx/vcpu.h"

/* What a walk depends on: control registers, EFER, CPL, EFLAGS.AC, CPUID's widths, the PAE directory pointers. */
void vtx_walk_cpu_fill(struct vtx_vcpu *vcpu, struct vtx_walk_cpu *cpu);

/**
 * vtx_gva_to_gpa() - translates one linear address
 * @cpu: as vtx_walk_cpu_fill() left it
 * @access: VTX_WALK_*
 * @gpa: guest-physical address, when 0 is returned
 * @exc: the #PF for the guest, when 1 is returned
 *
 * Page tables outside guest memory give #PF as if their entries were not present, which is what KVM answers.
 * Return: 0, 1 (fault), -EAGAIN (the guest changes its tables all the time: enter it and try again), -EFAULT (tables in memory that
 * the host cannot read: the program's business, not the guest's).
 */
int vtx_gva_to_gpa(struct vtx_vcpu *vcpu, const struct vtx_walk_cpu *cpu, u64 gva, unsigned int access, u64 *gpa,
		   struct vtx_emu_exception *exc);

/* After vtx_gpa_read() has failed: is it memory that the host cannot read (true), or none at all? */
bool vtx_gpa_unreadable(struct vtx_vm *vm, u64 gpa);

/*
 * vtx_fetch_gpa() - the usual case of an instruction fetch: 4-level paging, entries present, accessed, without any bit that needs
 * a thought.  False: ask vtx_gva_to_gpa(), which knows the others and the faults.
 */
bool vtx_fetch_gpa(struct vtx_vcpu *vcpu, u64 gva, u64 *gpa);

/**
 * vtx_gva_read(), vtx_gva_write() - memory access at a linear address; RAM only
 * @len: at most 4096 bytes; may cross into the next page. All of it is translated before any of it is accessed.
 * @access: VTX_WALK_IMPLICIT, VTX_WALK_EXEC or 0; the write adds VTX_WALK_WRITE itself
 *
 * Return: as vtx_gva_to_gpa(), or -EFAULT (no memory there; a write may have done its first page).
 */
int vtx_gva_read(struct vtx_vcpu *vcpu, const struct vtx_walk_cpu *cpu, u64 gva, void *buf, unsigned int len,
		 unsigned int access, struct vtx_emu_exception *exc);
int vtx_gva_write(struct vtx_vcpu *vcpu, const struct vtx_walk_cpu *cpu, u64 gva, const void *buf, unsigned int len,
		  unsigned int access, struct vtx_emu_exception *exc);

/* Puts an exception of the emulator or of a walk on its way into the guest. */
void vtx_inject_emu_exception(struct vtx_vcpu *vcpu, const struct vtx_emu_exception *exc);

#endif /* VTX_EXITS_GUEST_MEM_H */
