// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where an emulated access goes: guest RAM, else the local APIC's page, else a device in the kernel, else user space.
 *
 * What is not RAM is cut into fragments of at most 8 bytes (KVM_EXIT_MMIO has room for no more). Each fragment is done once,
 * as the log of exits/mmio_log.h sees to; devices in the kernel are logged as well, since reading one may change it.
 */
#include <linux/mm.h>
#include <asm/apicdef.h>
#include <asm/msr-index.h>
#include "emulate/emulate.h"
#include "ept/ept.h"
#include "exits/emulation.h"
#include "exits/exits.h"
#include "exits/guest_mem.h"
#include "exits/mmio_log.h"
#include "irqchip/irqchip.h"
#include "trace/events.h"
#include "vmx/fpu.h"
#include "vmx/vm.h"

struct span {
	u64 gpa;
	unsigned int len;
};

/* ------------------------------------------------------------------ fragments */

static bool is_apic_page(struct vtx_vcpu *vcpu, u64 gpa)
{
	return vcpu->apic && (vcpu->apic_base & MSR_IA32_APICBASE_ENABLE) && !(vcpu->apic_base & X2APIC_ENABLE) &&
	       gpa >> PAGE_SHIFT == vcpu->apic_base >> PAGE_SHIFT;
}

/* Where the APIC's page is while the APIC does not answer there: no device is, until user space wants to be asked. */
static bool is_apic_hole(struct vtx_vcpu *vcpu, u64 gpa)
{
	return vcpu->apic && gpa >> PAGE_SHIFT == vcpu->apic_base >> PAGE_SHIFT && !is_apic_page(vcpu, gpa) &&
	       vtx_quirk(vcpu->vm, KVM_X86_QUIRK_LAPIC_MMIO_HOLE);
}

static void trace_fragment(const struct vtx_mmio_fragment *f)
{
	if (f->port)
		trace_kvm_pio(f->write, f->gpa, f->len, 1, f->data);
	else
		trace_kvm_mmio(f->write ? VTX_TRACE_MMIO_WRITE : VTX_TRACE_MMIO_READ, f->len, f->gpa, f->data);
}

static bool kernel_device(struct vtx_vcpu *vcpu, struct vtx_mmio_fragment *f)
{
	int bus = f->port ? VTX_BUS_PIO : VTX_BUS_MMIO;

	if (!is_power_of_2(f->len))
		return false;
	if (!f->port && is_apic_page(vcpu, f->gpa) && vtx_lapic_mmio(vcpu, f->gpa, f->len, f->data, f->write))
		return true;
	if (!f->port && is_apic_hole(vcpu, f->gpa)) {
		if (!f->write)
			memset(f->data, 0xff, f->len);
		return true;
	}
	if (f->write)
		return !vtx_bus_write(vcpu, bus, f->gpa, f->len, f->data);
	return !vtx_bus_read(vcpu, bus, f->gpa, f->len, f->data);
}

/* Called once for each fragment, so that a write is traced when it is made, whoever gets it. */
bool vtx_mmio_kernel_device(struct vtx_vcpu *vcpu, struct vtx_mmio_fragment *f)
{
	bool handled;

	if (f->write)
		trace_fragment(f);
	handled = kernel_device(vcpu, f);
	if (handled && !f->write)
		trace_fragment(f);
	return handled;
}

static int access_fragment(struct vtx_vcpu *vcpu, u64 gpa, void *data, unsigned int len, bool write, bool port)
{
	struct vtx_io_pending *io = &vcpu->io;

	switch (vtx_log_access(io, gpa, data, len, write, port)) {
	case VTX_LOG_ANSWERED:
		return VTX_EMU_DONE;
	case VTX_LOG_WAIT:
		return VTX_EMU_IO;
	case VTX_LOG_NEW:
		if (!vtx_mmio_kernel_device(vcpu, &io->frag[io->pos]))
			return vtx_log_defer(io) ? VTX_EMU_DONE : VTX_EMU_IO;
		vtx_log_answered_now(io, data);
		return VTX_EMU_DONE;
	default:
		return vtx_emu_give_up(vcpu->emu, VTX_EMU_WHY_DEVICE_ACCESSES);
	}
}

static int access_device(struct vtx_vcpu *vcpu, u64 gpa, void *data, unsigned int len, bool write)
{
	unsigned int n;
	int ret = VTX_EMU_DONE;

	for (; len && ret == VTX_EMU_DONE; gpa += n, data += n, len -= n) {
		n = min(len, 8u);
		ret = access_fragment(vcpu, gpa, data, n, write, false);
	}
	return ret;
}

int vtx_mmio_ask_user(struct vtx_vcpu *vcpu)
{
	struct vtx_mmio_fragment *f = &vcpu->io.frag[vcpu->io.done];
	struct kvm_run *run = vcpu->run;

	if (f->port) {
		if (f->write)
			memcpy(VTX_IO_DATA(vcpu), f->data, f->len);
		return vtx_io_ask_user(vcpu, f->gpa, f->len, 1, !f->write);
	}
	if (!f->write)
		trace_kvm_mmio(VTX_TRACE_MMIO_UNSATISFIED, f->len, f->gpa, NULL);
	run->exit_reason = KVM_EXIT_MMIO;
	run->mmio.phys_addr = f->gpa;
	run->mmio.len = f->len;
	run->mmio.is_write = f->write;
	memcpy(run->mmio.data, f->data, sizeof(run->mmio.data));
	return VTX_EXIT_USER;
}

void vtx_mmio_take_answer(struct vtx_vcpu *vcpu)
{
	const struct vtx_mmio_fragment *f = &vcpu->io.frag[vcpu->io.done];

	vtx_log_answered_later(&vcpu->io, f->port ? VTX_IO_DATA(vcpu) : vcpu->run->mmio.data);
	if (!f->write)
		trace_fragment(f);
}

/* ------------------------------------------------------------------ memory */

int vtx_emulation_translate(struct vtx_emulation *em, u64 gva, unsigned int access, u64 *gpa)
{
	const struct vtx_fault_hint *hint = &em->hint;
	int ret;

	if (hint->valid && !((gva ^ hint->gva) >> PAGE_SHIFT) && !(access & ~hint->access)) {
		*gpa = (hint->gpa & PAGE_MASK) | offset_in_page(gva);
		return VTX_EMU_DONE;
	}
	ret = vtx_gva_to_gpa(em->vcpu, &em->walk, gva, access, gpa, &em->e.exc);
	if (ret == 1)
		return VTX_EMU_FAULT;
	em->e.error = ret;
	return ret ? VTX_EMU_ERROR : VTX_EMU_DONE;
}

/* All of an operand, which may cross one page boundary. Returns VTX_EMU_*; *n spans. */
static int translate_span(struct vtx_emulation *em, u64 gva, unsigned int len, unsigned int access, struct span s[2],
			  unsigned int *n)
{
	unsigned int first = min_t(unsigned int, len, PAGE_SIZE - offset_in_page(gva));
	int ret;

	*n = 1;
	s[0].len = first;
	ret = vtx_emulation_translate(em, gva, access, &s[0].gpa);
	if (ret != VTX_EMU_DONE || first == len)
		return ret;
	*n = 2;
	s[1].len = len - first;
	return vtx_emulation_translate(em, gva + first, access, &s[1].gpa);
}

static bool known_device(struct vtx_emulation *em, u64 gpa)
{
	return em->hint.valid && em->hint.mmio && gpa >> PAGE_SHIFT == em->hint.gpa >> PAGE_SHIFT;
}

static int op_fetch(struct vtx_emu *e, u64 gva, void *buf, unsigned int len, unsigned int *got)
{
	struct vtx_emulation *em = e->opaque;
	int ret;
	u64 gpa;

	if (!vtx_fetch_gpa(em->vcpu, gva, &gpa)) {
		ret = vtx_gva_to_gpa(em->vcpu, &em->walk, gva, VTX_WALK_EXEC, &gpa, &e->exc);
		if (ret == 1)
			return VTX_EMU_FAULT;
		e->error = ret;
		if (ret)
			return VTX_EMU_ERROR;
	}
	*got = len;
	if (!vtx_gpa_read(em->vcpu->vm, gpa, buf, len))
		return VTX_EMU_DONE;
	if (!vtx_gpa_unreadable(em->vcpu->vm, gpa))
		return vtx_emu_give_up(e, VTX_EMU_WHY_CODE_NOT_RAM);
	e->error = -EFAULT;
	return VTX_EMU_ERROR;
}

static unsigned int walk_access(unsigned int access)
{
	return access & VTX_EMU_ACCESS_WRITE ? VTX_WALK_WRITE : VTX_WALK_READ;
}

static int op_read(struct vtx_emu *e, u64 gva, void *buf, unsigned int len, unsigned int access)
{
	struct vtx_emulation *em = e->opaque;
	struct vtx_vcpu *vcpu = em->vcpu;
	unsigned int i, n;
	struct span s[2];
	int ret;

	ret = translate_span(em, gva, len, walk_access(access), s, &n);
	for (i = 0; i < n && ret == VTX_EMU_DONE; buf += s[i].len, i++)
		if (known_device(em, s[i].gpa) || vtx_gpa_read(vcpu->vm, s[i].gpa, buf, s[i].len))
			ret = access_device(vcpu, s[i].gpa, buf, s[i].len, false);
	return ret;
}

static bool is_ram(struct vtx_emulation *em, u64 gpa)
{
	const struct vtx_slot *slot = known_device(em, gpa) ? NULL : vtx_slot_find(em->vcpu->vm, gpa >> PAGE_SHIFT);

	return slot && !(slot->flags & KVM_MEM_READONLY);
}

/*
 * Of an operand that lies half in RAM, half in a device, the device's half goes first: the instruction may stop there and
 * start over, and must not find its own result in RAM then.
 */
static int op_write(struct vtx_emu *e, u64 gva, const void *buf, unsigned int len)
{
	struct vtx_emulation *em = e->opaque;
	struct vtx_vcpu *vcpu = em->vcpu;
	unsigned int i, n, first;
	struct span s[2];
	int ret;

	ret = translate_span(em, gva, len, VTX_WALK_WRITE, s, &n);
	first = n == 2 && is_ram(em, s[0].gpa);
	for (i = 0; i < n && ret == VTX_EMU_DONE; i++) {
		const struct span *now = &s[i ^ first];
		void *data = (void *)buf + (now == &s[1] ? s[0].len : 0);

		if (known_device(em, now->gpa) || vtx_gpa_write(vcpu->vm, now->gpa, data, now->len))
			ret = access_device(vcpu, now->gpa, data, now->len, true);
	}
	return ret;
}

/* Does RAM hold these bytes? What is not RAM compares as equal: reading a device again is no way to find out. */
static bool ram_equals(struct vtx_emulation *em, const struct span *s, unsigned int n, const u8 *old)
{
	u8 seen[16];
	unsigned int i;

	for (i = 0; i < n; old += s[i].len, i++)
		if (!vtx_gpa_read(em->vcpu->vm, s[i].gpa, seen, s[i].len) && memcmp(seen, old, s[i].len))
			return false;
	return true;
}

/*
 * A misaligned operand is compared and written in two steps. Real processors lock the bus for it; nothing but a guest that
 * splits its own locks across threads can tell.
 */
static int op_cmpxchg(struct vtx_emu *e, u64 gva, const void *old, const void *new, unsigned int len)
{
	struct vtx_emulation *em = e->opaque;
	struct span s[2];
	unsigned int n;
	u8 seen[16];
	int ret;

	if (len > sizeof(seen))
		return vtx_emu_give_up(e, VTX_EMU_WHY_WIDE_EXCHANGE);
	ret = translate_span(em, gva, len, VTX_WALK_WRITE, s, &n);
	if (ret != VTX_EMU_DONE)
		return ret;
	if (known_device(em, s[0].gpa))
		return op_write(e, gva, new, len);
	if (is_power_of_2(len) && !(gva & (len - 1))) {
		memcpy(seen, old, len);
		ret = vtx_gpa_cmpxchg(em->vcpu->vm, s[0].gpa, seen, new, len);
		if (ret >= 0)
			return ret ? VTX_EMU_MISMATCH : VTX_EMU_DONE;
	} else if (!ram_equals(em, s, n, old)) {
		return VTX_EMU_MISMATCH;
	}
	return op_write(e, gva, new, len);
}

static int op_probe(struct vtx_emu *e, u64 gva, unsigned int len, unsigned int access)
{
	struct span s[2];
	unsigned int n;

	return translate_span(e->opaque, gva, len, walk_access(access), s, &n);
}

/* ------------------------------------------------------------------ vector registers, ports */

static int op_read_xmm(struct vtx_emu *e, unsigned int reg, void *buf, unsigned int len)
{
	struct vtx_emulation *em = e->opaque;

	vtx_fpu_read_vector(em->vcpu, reg, buf, len);
	return VTX_EMU_DONE;
}

static int op_write_xmm(struct vtx_emu *e, unsigned int reg, const void *buf, unsigned int len, bool zero_upper)
{
	struct vtx_emulation *em = e->opaque;

	vtx_fpu_write_vector(em->vcpu, reg, buf, len, zero_upper);
	return VTX_EMU_DONE;
}

static int op_read_mmx(struct vtx_emu *e, unsigned int reg, u64 *val)
{
	struct vtx_emulation *em = e->opaque;

	*val = vtx_fpu_read_mmx(em->vcpu, reg);
	return VTX_EMU_DONE;
}

static int op_write_mmx(struct vtx_emu *e, unsigned int reg, u64 val)
{
	struct vtx_emulation *em = e->opaque;

	vtx_fpu_write_mmx(em->vcpu, reg, val);
	return VTX_EMU_DONE;
}

static void op_used_mmx(struct vtx_emu *e)
{
	struct vtx_emulation *em = e->opaque;

	vtx_fpu_used_mmx(em->vcpu);
}

static int op_pio_in(struct vtx_emu *e, u16 port, unsigned int size, void *buf, unsigned int count)
{
	struct vtx_emulation *em = e->opaque;

	return count == 1 ? access_fragment(em->vcpu, port, buf, size, false, true) : VTX_EMU_UNHANDLED;
}

static int op_pio_out(struct vtx_emu *e, u16 port, unsigned int size, const void *buf, unsigned int count)
{
	struct vtx_emulation *em = e->opaque;

	return count == 1 ? access_fragment(em->vcpu, port, (void *)buf, size, true, true) : VTX_EMU_UNHANDLED;
}

/*
 * The processor consults the I/O bitmap before an I/O exit (SDM vol. 3, 26.1.1), so a port it exited for is allowed. Any other
 * port means that the instruction was changed in between, by another vCPU, and is nothing to guess about.
 */
static int op_pio_allowed(struct vtx_emu *e, u16 port, unsigned int size)
{
	struct vtx_emulation *em = e->opaque;

	return em->exit_port == (port | size << 16) ? VTX_EMU_DONE : vtx_emu_give_up(e, VTX_EMU_WHY_PORT_RIGHTS);
}

/* One REP iteration is final. */
static void op_commit(struct vtx_emu *e)
{
	struct vtx_emulation *em = e->opaque;

	vtx_log_commit(&em->vcpu->io);
}

const struct vtx_emu_ops vtx_emulation_ops = {
	.fetch = op_fetch,
	.read = op_read,
	.write = op_write,
	.compare_exchange = op_cmpxchg,
	.probe = op_probe,
	.read_xmm = op_read_xmm,
	.write_xmm = op_write_xmm,
	.read_mmx = op_read_mmx,
	.write_mmx = op_write_mmx,
	.used_mmx = op_used_mmx,
	.pio_in = op_pio_in,
	.pio_out = op_pio_out,
	.pio_allowed = op_pio_allowed,
	.commit = op_commit,
};
