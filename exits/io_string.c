// SPDX-License-Identifier: GPL-2.0-only
/*
 * INS and OUTS, with REP or without: as many elements at once as lie in one guest page.
 *
 * The registers move after the elements have been transferred, so a page fault finds them at the element that faulted, and a
 * program that looks at an exit sees the state before the batch. An element that crosses a page, is not in RAM, or whose
 * operand the processor does not describe (no IA32_VMX_BASIC bit 54) goes to the emulator, one element at a time.
 */
#include <linux/mm.h>
#include <asm/msr.h>
#include "ept/ept.h"
#include "exits/emulation.h"
#include "exits/exits.h"
#include "exits/guest_mem.h"
#include "exits/io_batch.h"
#include "irqchip/irqchip.h"
#include "trace/events.h"
#include "vmx/event.h"
#include "vmx/guest_debug.h"
#include "vmx/regs.h"
#include "vmx/vm.h"

/* Exit qualification, SDM vol. 3, table 28-5, and instruction information, table 28-8. */
#define QUAL_SIZE   0x7
#define QUAL_IN	    BIT(3)
#define QUAL_REP    BIT(5)
#define QUAL_PORT_SHIFT 16
#define INFO_ADDR_SIZE(info) (2u << ((info) >> 7 & 7))
#define INFO_SEG(info)	     ((info) >> 15 & 7)

#define BASIC_INOUT_INFO BIT_ULL(54)

/* One exit's batch. */
struct batch {
	u16 port;
	unsigned int size;
	unsigned int addr_bytes;
	unsigned int seg;
	u32 count;
	bool in, rep, down;
	u64 gpa;		/* of the first element */
};

static bool have_instruction_info(void)
{
	u64 basic;

	return !rdmsrl_safe(MSR_IA32_VMX_BASIC, &basic) && (basic & BASIC_INOUT_INFO);
}

static void add_to_register(struct vtx_vcpu *vcpu, unsigned int reg, u64 n, unsigned int addr_bytes)
{
	vtx_set_gpr(vcpu, reg, vtx_io_add(vtx_gpr(vcpu, reg), n, addr_bytes));
}

/*
 * @count elements are done. The instruction ends when no more are left; else RIP stays and the guest executes it
 * again, which is how the processor itself treats an interrupted REP. TF traps after each iteration.
 */
static void advance(struct vtx_vcpu *vcpu, const struct batch *b, u32 count)
{
	u64 bytes = (u64)count * b->size;

	add_to_register(vcpu, b->in ? VTX_RDI : VTX_RSI, b->down ? -bytes : bytes, b->addr_bytes);
	if (b->rep) {
		add_to_register(vcpu, VTX_RCX, -(u64)count, b->addr_bytes);
		if (vcpu->regs[VTX_RCX] & vtx_addr_mask(b->addr_bytes)) {
			if (vtx_rflags(vcpu) & X86_EFLAGS_TF)
				vtx_debug_stepped(vcpu);
			return;
		}
	}
	vtx_skip_insn(vcpu);
}

/* Segmentation and paging for the batch; sets count and gpa. VTX_EMU_DONE, FAULT, ERROR; UNHANDLED: for the emulator. */
static int locate(struct vtx_emulation *em, struct batch *b, u64 wanted)
{
	unsigned int access = b->in ? VTX_EMU_ACCESS_WRITE : VTX_EMU_ACCESS_READ;
	u64 mask = vtx_addr_mask(b->addr_bytes);
	u64 ea = em->e.regs[b->in ? VTX_RDI : VTX_RSI] & mask, last, lin, lin_last;
	int ret;

	ret = vtx_emu_linear(&em->e, b->seg, ea, b->size, access, &lin);
	if (ret != VTX_EMU_DONE)
		return ret;
	if (offset_in_page(lin) + b->size > PAGE_SIZE)
		return VTX_EMU_UNHANDLED;
	if (em->e.cpl == 3 && (em->e.cr0 & X86_CR0_AM) && (em->e.rflags & X86_EFLAGS_AC) && (lin & (b->size - 1)))
		return VTX_EMU_UNHANDLED;

	b->count = vtx_io_batch_room(ea, lin, b->size, b->addr_bytes, b->down, wanted);
	if (b->count > 1) {
		last = (u64)(b->count - 1) * b->size;
		last = b->down ? ea - last : ea + last;
		if (vtx_emu_linear(&em->e, b->seg, last, b->size, access, &lin_last) != VTX_EMU_DONE)
			b->count = 1; /* the limit is somewhere in between: find it element by element */
	}
	return vtx_emulation_translate(em, lin, b->in ? VTX_WALK_WRITE : VTX_WALK_READ, &b->gpa);
}

static u64 element_gpa(const struct batch *b, u32 i)
{
	u64 offset = (u64)i * b->size;

	return b->down ? b->gpa - offset : b->gpa + offset;
}

/* Between guest memory and the data page. Upwards the batch is one block, downwards each element goes by itself. */
static int copy_batch(struct vtx_vcpu *vcpu, const struct batch *b)
{
	u8 *data = VTX_IO_DATA(vcpu);
	unsigned int step = b->down ? b->size : b->size * b->count;
	u32 i, n = b->down ? b->count : 1;
	int ret = 0;

	for (i = 0; i < n && !ret; i++, data += step)
		ret = b->in ? vtx_gpa_write(vcpu->vm, element_gpa(b, i), data, step) :
			      vtx_gpa_read(vcpu->vm, element_gpa(b, i), data, step);
	return ret;
}

/* Devices in the kernel. Returns how many elements were done: 0 where there is no such device. */
static u32 kernel_device(struct vtx_vcpu *vcpu, const struct batch *b)
{
	u32 i, value;

	for (i = 0; i < b->count; i++) {
		value = 0;
		if (b->in) {
			if (vtx_bus_read(vcpu, VTX_BUS_PIO, b->port, b->size, &value) ||
			    vtx_gpa_write(vcpu->vm, element_gpa(b, i), &value, b->size))
				break;
		} else if (vtx_gpa_read(vcpu->vm, element_gpa(b, i), &value, b->size) ||
			   vtx_bus_write(vcpu, VTX_BUS_PIO, b->port, b->size, &value)) {
			break;
		}
		trace_kvm_pio(!b->in, b->port, b->size, 1, &value);
	}
	return i;
}

static int to_user(struct vtx_vcpu *vcpu, const struct batch *b)
{
	struct vtx_io_pending *io = &vcpu->io;

	if (!b->in && copy_batch(vcpu, b))
		return vtx_emulate_port(vcpu, b->port, b->size);
	if (!b->in)
		trace_kvm_pio(true, b->port, b->size, b->count, VTX_IO_DATA(vcpu));
	io->kind = VTX_IO_PORT_STRING;
	io->port = b->port;
	io->size = b->size;
	io->in = b->in;
	io->addr_bytes = b->addr_bytes;
	io->down = b->down;
	io->rep = b->rep;
	io->count = b->count;
	io->gpa = b->gpa;
	io->linear_rip = vtx_linear_rip(vcpu);
	return vtx_io_ask_user(vcpu, b->port, b->size, b->count, b->in);
}

/* Is the destination of INS memory at all? Asked before the port is read: what a device gave cannot be put back. */
static bool destination_is_ram(struct vtx_vcpu *vcpu, const struct batch *b)
{
	const struct vtx_slot *slot = vtx_slot_find(vcpu->vm, b->gpa >> PAGE_SHIFT);

	return slot && !(slot->flags & KVM_MEM_READONLY);
}

int vtx_io_string(struct vtx_vcpu *vcpu, u64 qual)
{
	struct batch b = {
		.port = qual >> QUAL_PORT_SHIFT,
		.size = (qual & QUAL_SIZE) + 1,
		.in = qual & QUAL_IN,
		.rep = qual & QUAL_REP,
		.down = vtx_rflags(vcpu) & X86_EFLAGS_DF,
	};
	struct vtx_emulation *em;
	u64 wanted = 1;
	u32 info, done;
	int ret;

	if (!have_instruction_info())
		return vtx_emulate_port(vcpu, b.port, b.size);
	info = vtx_vmread32(VMX_INSTRUCTION_INFO);
	b.addr_bytes = min(INFO_ADDR_SIZE(info), 8u);
	b.seg = b.in ? VTX_ES : INFO_SEG(info);
	if (b.seg > VTX_GS)
		return vtx_emulate_port(vcpu, b.port, b.size);
	if (b.rep)
		wanted = vcpu->regs[VTX_RCX] & vtx_addr_mask(b.addr_bytes);
	if (!wanted) {
		vtx_skip_insn(vcpu);
		return VTX_EXIT_RESUME;
	}
	if (vtx_rflags(vcpu) & X86_EFLAGS_TF)
		wanted = 1;

	em = vtx_emulation_load(vcpu);
	em->hint.valid = false;
	ret = locate(em, &b, wanted);
	if (ret == VTX_EMU_FAULT) {
		vtx_inject_emu_exception(vcpu, &em->e.exc);
		return VTX_EXIT_RESUME;
	}
	if (ret == VTX_EMU_ERROR)
		return em->e.error == -EAGAIN ? VTX_EXIT_RESUME : em->e.error;
	if (ret != VTX_EMU_DONE || (b.in && !destination_is_ram(vcpu, &b)))
		return vtx_emulate_port(vcpu, b.port, b.size);

	done = kernel_device(vcpu, &b);
	if (!done)
		return to_user(vcpu, &b);
	advance(vcpu, &b, done);
	return VTX_EXIT_RESUME;
}

/*
 * User space has answered. It may have changed RCX, RDI or RSI meanwhile: then it gets what it asked for, a batch that
 * ends early or somewhere else, and the guest's memory is written where the exit found it.
 */
int vtx_io_string_complete(struct vtx_vcpu *vcpu)
{
	const struct vtx_io_pending *io = &vcpu->io;
	struct batch b = {
		.port = io->port, .size = io->size, .addr_bytes = io->addr_bytes, .count = io->count,
		.in = io->in, .rep = io->rep, .down = io->down, .gpa = io->gpa,
	};
	u64 left = vcpu->regs[VTX_RCX] & vtx_addr_mask(b.addr_bytes);

	if (b.in)
		trace_kvm_pio(false, b.port, b.size, b.count, VTX_IO_DATA(vcpu));
	if (b.in)
		copy_batch(vcpu, &b); /* fails only where the slot has gone meanwhile: the data has nowhere to go */
	if (b.rep && left < b.count)
		b.count = left;
	advance(vcpu, &b, b.count);
	return VTX_EXIT_RESUME;
}
