// SPDX-License-Identifier: GPL-2.0-only
/*
 * IN and OUT, and the way of port accesses to user space and back.
 *
 * As with KVM, RIP is still at the instruction while user space looks at a KVM_EXIT_IO, and moves when KVM_RUN is called
 * again; a program that moves RIP itself (a reset through port 0xcf9, say) finds its own RIP respected. The one exception is
 * KVM's as well: after OUT to port 0x7e RIP is already behind it, for firmware interfaces built on that.
 */
#include <linux/mm.h>
#include <linux/srcu.h>
#include "exits/emulation.h"
#include "exits/exits.h"
#include "trace/recorder.h"
#include "irqchip/irqchip.h"
#include "trace/events.h"
#include "vmx/regs.h"
#include "vmx/vm.h"

/* Exit qualification for I/O instructions, SDM vol. 3, table 28-5. */
#define QUAL_SIZE   0x7		/* minus one */
#define QUAL_IN	    BIT(3)
#define QUAL_STRING BIT(4)
#define QUAL_PORT_SHIFT 16

#define PORT_SKIPS_EARLY 0x7e

/* IN: 8 and 16 bits leave the rest of RAX alone, 32 bits clear the upper half (SDM vol. 1, 3.4.1.1). */
static void merge_rax(struct vtx_vcpu *vcpu, u32 value, unsigned int size)
{
	u64 mask = size == 4 ? ~0ULL : GENMASK_ULL(8 * size - 1, 0);

	if (size < 4)
		value &= mask;
	vcpu->regs[VTX_RAX] = (vcpu->regs[VTX_RAX] & ~mask) | value;
}

int vtx_io_ask_user(struct vtx_vcpu *vcpu, u16 port, unsigned int size, u32 count, bool in)
{
	struct kvm_run *run = vcpu->run;

	if (in)
		memset(VTX_IO_DATA(vcpu), 0, size * count); /* nobody is to see what was there */
	run->exit_reason = KVM_EXIT_IO;
	run->io.direction = in ? KVM_EXIT_IO_IN : KVM_EXIT_IO_OUT;
	run->io.size = size;
	run->io.port = port;
	run->io.count = count;
	run->io.data_offset = PAGE_SIZE;
	return VTX_EXIT_USER;
}

static int to_user(struct vtx_vcpu *vcpu, u16 port, unsigned int size, bool in)
{
	struct vtx_io_pending *io = &vcpu->io;

	io->kind = VTX_IO_PORT;
	io->port = port;
	io->size = size;
	io->in = in;
	io->skipped = false;
	if (!in) {
		memcpy(VTX_IO_DATA(vcpu), &vcpu->regs[VTX_RAX], size);
		if (port == PORT_SKIPS_EARLY && vtx_quirk(vcpu->vm, KVM_X86_QUIRK_OUT_7E_INC_RIP)) {
			io->skipped = true;
			vtx_skip_insn(vcpu);
		}
	}
	io->linear_rip = vtx_linear_rip(vcpu);
	return vtx_io_ask_user(vcpu, port, size, 1, in);
}

static bool kernel_device(struct vtx_vcpu *vcpu, u16 port, unsigned int size, bool in, u32 *value)
{
	int idx = srcu_read_lock(&vcpu->vm->srcu), ret;

	if (in)
		ret = vtx_bus_read(vcpu, VTX_BUS_PIO, port, size, value);
	else
		ret = vtx_bus_write(vcpu, VTX_BUS_PIO, port, size, value);
	srcu_read_unlock(&vcpu->vm->srcu, idx);
	return !ret;
}

/* All but the string forms: answered by a device in the kernel or prepared for user space; neither needs sleep. */
int vtx_fast_io(struct vtx_vcpu *vcpu)
{
	u64 qual = vtx_qualification(vcpu);
	unsigned int size = (qual & QUAL_SIZE) + 1;
	u16 port = qual >> QUAL_PORT_SHIFT;
	bool in = qual & QUAL_IN;
	u32 value = in ? 0 : vcpu->regs[VTX_RAX];

	vtx_exit_note_io(vcpu);
	if (qual & QUAL_STRING)
		return VTX_EXIT_SLOW;
	if (!in)
		trace_kvm_pio(true, port, size, 1, &value);
	if (!kernel_device(vcpu, port, size, in, &value))
		return to_user(vcpu, port, size, in);
	if (in) {
		trace_kvm_pio(false, port, size, 1, &value);
		merge_rax(vcpu, value, size);
	}
	vtx_skip_insn(vcpu);
	return VTX_EXIT_RESUME;
}

int vtx_exit_io(struct vtx_vcpu *vcpu)
{
	u64 qual = vtx_qualification(vcpu);

	if (!(qual & QUAL_STRING))
		return vtx_fast_io(vcpu);
	vcpu->counts.insn_emulation++; /* also where vtx_io_string() does it without the emulator */
	return vtx_io_string(vcpu, qual);
}

static int complete_port(struct vtx_vcpu *vcpu)
{
	struct vtx_io_pending *io = &vcpu->io;
	u32 value = 0;

	if (io->skipped)
		return VTX_EXIT_RESUME;
	if (io->in) {
		memcpy(&value, VTX_IO_DATA(vcpu), io->size);
		trace_kvm_pio(false, io->port, io->size, 1, &value);
		merge_rax(vcpu, value, io->size);
	}
	vtx_skip_insn(vcpu);
	return VTX_EXIT_RESUME;
}

int vtx_complete_io(struct vtx_vcpu *vcpu)
{
	struct vtx_io_pending *io = &vcpu->io;
	enum vtx_io_kind kind = io->kind;

	if (kind == VTX_IO_NONE)
		return VTX_EXIT_RESUME;
	io->kind = VTX_IO_NONE;
	if (vtx_linear_rip(vcpu) != io->linear_rip)
		return VTX_EXIT_RESUME; /* user space has moved the vCPU elsewhere: that instruction never was */

	switch (kind) {
	case VTX_IO_PORT:
		return complete_port(vcpu);
	case VTX_IO_HYPERCALL:
		return vtx_hypercall_answered(vcpu);
	case VTX_IO_MSR:
		return vtx_msr_answered(vcpu);
	case VTX_IO_PORT_STRING:
		return vtx_io_string_complete(vcpu);
	case VTX_IO_MMIO_LOAD:
		return vtx_mmio_fast_answered(vcpu);
	default:
		return vtx_emulation_answered(vcpu, kind == VTX_IO_MMIO_POSTED);
	}
}
