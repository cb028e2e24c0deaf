// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a client switches by KVM_ENABLE_CAP, seen from the guest: the quirks of KVM_CAP_DISABLE_QUIRKS2 on and off, hypercalls that are the
 * client's (KVM_CAP_EXIT_HYPERCALL), exits for instructions that cannot be emulated, and the triple fault as an event. And the TSC's
 * offset as an attribute of the vCPU.
 */
#include <linux/kvm_para.h>

#include "lib/guest.h"
#include "lib/vm.h"

static struct vcpu *start(u32 cap, unsigned int flags, void (*guest)(u64), u64 arg)
{
	if (dev_has((int)cap) <= 0)
		skip("no capability %u", cap);
	return guest_new(flags, guest, arg);
}

/* ------------------------------------------------------------------ quirks */

static struct vcpu *without_quirk(u32 quirk, unsigned int flags, void (*guest)(u64), u64 arg)
{
	struct vcpu *v;

	if (!(dev_has(KVM_CAP_DISABLE_QUIRKS2) & (int)quirk))
		skip("KVM_CAP_DISABLE_QUIRKS2 is %#x", dev_has(KVM_CAP_DISABLE_QUIRKS2));
	v = guest_new(flags, guest, arg);
	CHECK_OK(enable_cap(v->vm, KVM_CAP_DISABLE_QUIRKS2, quirk));
	return v;
}

GUEST static void port_7e(u64 arg)
{
	(void)arg;
	asm volatile("outb %%al, $0x7e\n" : : "a"(0));
	g_done(0);
}

static void out_7e(void)
{
	struct vcpu *v = start(KVM_CAP_DISABLE_QUIRKS2, 0, port_7e, 0), *w = without_quirk(KVM_X86_QUIRK_OUT_7E_INC_RIP, 0, port_7e, 0);
	u64 after;

	vcpu_expect(v, KVM_EXIT_IO);
	after = vcpu_regs(v).rip;
	CHECK_EQ(vcpu_finish(v), 0, "the result");
	vcpu_expect(w, KVM_EXIT_IO);
	CHECK_EQ(vcpu_regs(w).rip, after - 2, "RIP, without the quirk at the instruction");
	CHECK_EQ(vcpu_finish(w), 0, "the result");
}

GUEST static void monitor(u64 arg)
{
	u64 mwait = arg;
	u32 leaf[4];

	g_say((u32)(G_TRY("monitor", : : "a"(&g_fixup), "c"(0), "d"(0) : "memory") & 0xff) << 8 |
	      (u32)(G_TRY("mwait", : : "a"(0), "c"(0) : "memory") & 0xff));
	(void)g_try_wrmsr(0x1a0, g_rdmsr(0x1a0) | mwait << 18);
	g_cpuid(1, 0, leaf);
	g_say(leaf[2] >> 3 & 1);
	g_done((u32)(G_TRY("monitor", : : "a"(&g_fixup), "c"(0), "d"(0) : "memory") & 0xff));
}

/* Without the quirks MONITOR and MWAIT exist when CPUID says so, and CPUID says what IA32_MISC_ENABLE does. */
static void mwait_quirks(void)
{
	struct vcpu *v = start(KVM_CAP_DISABLE_QUIRKS2, 0, monitor, 1);

	CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 0xffff, "exceptions");
	CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 0, "MONITOR in CPUID");
	CHECK_EQ(vcpu_finish(v), 0xff, "the exception");
	v = without_quirk(KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS, 0, monitor, 1);
	CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 0x0606, "exceptions");
	CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 0, "MONITOR in CPUID");
	CHECK_EQ(vcpu_finish(v), 6, "the exception");
	v = without_quirk(KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS | KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT, 0, monitor, 1);
	CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 0x0606, "exceptions");
	CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 1, "MONITOR in CPUID");
	CHECK_EQ(vcpu_finish(v), 0xff, "the exception");
}

GUEST static void lint0(u64 arg)
{
	(void)arg;
	g_done(*(volatile u32 *)0xfee00350UL);
}

/* The boot processor's LINT0 after RESET, which is when the vCPU is created: for the quirk's end the VM is told before. */
static void lint0_after_reset(void)
{
	struct vcpu *v = start(KVM_CAP_DISABLE_QUIRKS2, VM_IRQCHIP, lint0, 0);
	struct vm *vm = vm_new(VM_IRQCHIP);

	CHECK_EQ(vcpu_finish(v), 0x700, "LINT0");
	CHECK_OK(enable_cap(vm, KVM_CAP_DISABLE_QUIRKS2, KVM_X86_QUIRK_LINT0_REENABLED));
	v = vcpu_new(vm, 0);
	vcpu_mode_long(v, lint0, 0);
	CHECK_EQ(vcpu_finish(v), 0x10000, "LINT0 without the quirk");
}

static void apic_page(struct vcpu *v)
{
	struct kvm_sregs s = vcpu_sregs(v);

	s.apic_base |= 0xc00;
	CHECK_OK(ioctl(v->fd, KVM_SET_SREGS, &s));
}

GUEST static void read_apic_page(u64 arg)
{
	(void)arg;
	*(volatile u32 *)0xfee00080UL = 0x20;
	g_done(*(volatile u32 *)0xfee00030UL);
}

/* The APIC's page in x2APIC mode: nothing is there, or the program's device. */
static void lapic_hole(void)
{
	struct vcpu *v = start(KVM_CAP_DISABLE_QUIRKS2, VM_IRQCHIP, read_apic_page, 0);

	apic_page(v);
	CHECK_EQ(vcpu_finish(v), 0xffffffff, "what is read");
	v = without_quirk(KVM_X86_QUIRK_LAPIC_MMIO_HOLE, VM_IRQCHIP, read_apic_page, 0);
	apic_page(v);
	vcpu_expect(v, KVM_EXIT_MMIO);
	CHECK_EQ(v->run->mmio.is_write, 1, "the write");
	vcpu_expect(v, KVM_EXIT_MMIO);
	CHECK_EQ(v->run->mmio.phys_addr, 0xfee00030, "the read's address");
	memcpy(v->run->mmio.data, "\x44\x33\x22\x11", 4);
	CHECK_EQ(vcpu_finish(v), 0x11223344, "what is read");
}

/* ------------------------------------------------------------------ VMMCALL */

extern const u8 amd_call[];
s64 vmmcall(u64 nr);
asm(".text\n.globl vmmcall, amd_call\nvmmcall: movq %rdi, %rax\namd_call: .byte 0x0f, 0x01, 0xd9\nret\n");

GUEST static void calls(u64 arg)
{
	(void)arg;
	g_done((u32)vmmcall(KVM_HC_VAPIC_POLL_IRQ) | (u32)vmmcall(KVM_HC_VAPIC_POLL_IRQ));
}

GUEST static void calls_undefined(u64 arg)
{
	(void)arg;
	G_CHECK_EQ(G_TRY(".byte 0x0f, 0x01, 0xd9", : : "a"(1) : "memory"), 6);
	G_CHECK_EQ(G_TRY("ud2", : : : "memory"), 6);
	g_done(0);
}

static u8 *code_at(struct vcpu *v, const u8 *label)
{
	return v->vm->mem + (u64)(uintptr_t)label;
}

static void vmmcall_patched(void)
{
	struct vcpu *v = start(KVM_CAP_DISABLE_QUIRKS2, VM_IRQCHIP, calls, 0);

	CHECK_EQ(vcpu_finish(v), 0, "the answers");
	CHECK(!memcmp(code_at(v, amd_call), "\x0f\x01\xc1", 3), "the instruction has become VMCALL");
	v = without_quirk(KVM_X86_QUIRK_FIX_HYPERCALL_INSN, VM_IRQCHIP, calls_undefined, 0);
	CHECK_EQ(vcpu_finish(v), 0, "the result");
	CHECK(!memcmp(code_at(v, amd_call), "\x0f\x01\xd9", 3), "the instruction is what it was");
}

static volatile u64 fault_error;

GUEST static void on_fault(struct g_frame *frame)
{
	fault_error = frame->error;
	g_done((u32)frame->rip == (u32)(u64)amd_call ? 14 : 0);
}

GUEST static void call_of_readonly_page(u64 arg)
{
	(void)arg;
	g_handler[14] = on_fault;
	asm volatile("mov %%cr0, %%rax\n\torl $0x10000, %%eax\n\tmov %%rax, %%cr0" : : : "rax");	/* WP */
	(void)vmmcall(KVM_HC_VAPIC_POLL_IRQ);
	g_done(1);
}

/* Code that the guest must not write is not written, and the guest learns why. */
static void vmmcall_in_readonly_page(void)
{
	struct vcpu *v = start(KVM_CAP_DISABLE_QUIRKS2, 0, call_of_readonly_page, 0);
	u64 page = (u64)(uintptr_t)amd_call & ~(PAGE_SIZE - 1);

	vm_map_4k(v->vm, page, page, 1);
	vm_map_4k(v->vm, page + PAGE_SIZE, page + PAGE_SIZE, 3);
	CHECK_EQ(vcpu_finish(v), 14, "the exception, at the instruction");
	CHECK_EQ(G(v->vm, fault_error), 3, "its error code: a write, protection");
	CHECK(!memcmp(code_at(v, amd_call), "\x0f\x01\xd9", 3), "the instruction is what it was");
}

static void quirks_refused(void)
{
	struct vm *vm = vm_new(VM_NO_MEMORY);

	if (dev_has(KVM_CAP_DISABLE_QUIRKS2) <= 0)
		skip("no KVM_CAP_DISABLE_QUIRKS2");
	EXPECT_ERRNO(enable_cap(vm, KVM_CAP_DISABLE_QUIRKS2, 1ULL << 40), EINVAL);
	CHECK_OK(enable_cap(vm, KVM_CAP_DISABLE_QUIRKS2, 0));
	CHECK_OK(enable_cap(vm, KVM_CAP_DISABLE_QUIRKS, 1ULL << 40));	/* the older one never looked */
}

/* ------------------------------------------------------------------ hypercalls */

G_INLINE s64 vmcall(u64 nr, u64 a, u64 b, u64 c)
{
	s64 ret;

	asm volatile("vmcall" : "=a"(ret) : "a"(nr), "b"(a), "c"(b), "d"(c) : "memory");
	return ret;
}

GUEST static void map_range(u64 arg)
{
	(void)arg;
	G_CHECK_EQ(vmcall(KVM_HC_MAP_GPA_RANGE, 0x100000, 16, 0x10), -KVM_ENOSYS);
	g_say(0);
	G_CHECK_EQ(vmcall(KVM_HC_MAP_GPA_RANGE, 0x100000, 16, 0x10), -14);
	G_CHECK_EQ(vmcall(KVM_HC_MAP_GPA_RANGE, 0x100800, 16, 0x10), -KVM_EINVAL);
	G_CHECK_EQ(vmcall(KVM_HC_MAP_GPA_RANGE, 0x100000, 0, 0x10), -KVM_EINVAL);
	G_CHECK_EQ(vmcall(KVM_HC_MAP_GPA_RANGE, 0x100000, ~0ULL, 0x10), -KVM_EINVAL);
	g_done(0);
}

static void hypercall_exit(void)
{
	struct vcpu *v = start(KVM_CAP_EXIT_HYPERCALL, 0, map_range, 0);

	CHECK_EQ(dev_has(KVM_CAP_EXIT_HYPERCALL), 1 << KVM_HC_MAP_GPA_RANGE, "KVM_CAP_EXIT_HYPERCALL");
	vcpu_expect_port(v, PORT_SAY);
	CHECK(enable_cap(v->vm, KVM_CAP_EXIT_HYPERCALL, 1) == -1 && errno == EINVAL, "another hypercall");
	CHECK_OK(enable_cap(v->vm, KVM_CAP_EXIT_HYPERCALL, 1 << KVM_HC_MAP_GPA_RANGE));
	vcpu_expect(v, KVM_EXIT_HYPERCALL);
	CHECK_EQ(v->run->hypercall.nr, KVM_HC_MAP_GPA_RANGE, "nr");
	CHECK_EQ(v->run->hypercall.args[0], 0x100000, "the address");
	CHECK_EQ(v->run->hypercall.args[1], 16, "the pages");
	CHECK_EQ(v->run->hypercall.args[2], 0x10, "what they are to be");
	CHECK_EQ(v->run->hypercall.longmode, 1, "longmode");
	v->run->hypercall.ret = (u64)-14;
	CHECK_EQ(vcpu_finish(v), 0, "the result");
}

GUEST static void yields(u64 arg)
{
	(void)arg;
	G_CHECK_EQ(vmcall(KVM_HC_SCHED_YIELD, 0, 0, 0), 0);	/* itself */
	G_CHECK_EQ(vmcall(KVM_HC_SCHED_YIELD, 1, 0, 0), 0);	/* one that does not run */
	G_CHECK_EQ(vmcall(KVM_HC_SCHED_YIELD, 77, 0, 0), 0);	/* nobody */
	g_done(0);
}

GUEST static void no_yield(u64 arg)
{
	(void)arg;
	G_CHECK_EQ(vmcall(KVM_HC_SCHED_YIELD, 0, 0, 0), -KVM_ENOSYS);
	g_done(0);
}

/* The hypercall and what CPUID says of it: an enforced lack is one. */
static void sched_yield_call(void)
{
	struct vcpu *v = start(KVM_CAP_ENFORCE_PV_FEATURE_CPUID, VM_IRQCHIP, yields, 0);

	CHECK(cpuid_find(cpuid_supported(), KVM_CPUID_FEATURES, 0)->eax >> KVM_FEATURE_PV_SCHED_YIELD & 1, "PV_SCHED_YIELD in CPUID");
	vcpu_new(v->vm, 1);
	CHECK_EQ(vcpu_finish(v), 0, "the result");
	v = guest_new(VM_IRQCHIP, no_yield, 0);
	vcpu_hide_kvm_feature(v, KVM_FEATURE_PV_SCHED_YIELD);
	CHECK(enable_vcpu_cap(v, KVM_CAP_ENFORCE_PV_FEATURE_CPUID + 1000, 1) == -1 && errno == EINVAL, "an unknown capability");
	CHECK_OK(enable_vcpu_cap(v, KVM_CAP_ENFORCE_PV_FEATURE_CPUID, 1));
	CHECK_EQ(vcpu_finish(v), 0, "the result");
}

/* ------------------------------------------------------------------ instructions that cannot be emulated */

GUEST static void fld_of_mmio(void)
{
	asm volatile("flds (%0)" : : "c"((u64)GUEST_ABSENT));
}

GUEST static void user_fld(u64 arg)
{
	(void)arg;
	g_call_user(fld_of_mmio, 0);
	g_done(7);
}

GUEST static void on_ud(struct g_frame *frame)
{
	g_done(frame->vector == 6 ? 6 : 0);
	(void)frame;
}

GUEST static void user_fld_ud(u64 arg)
{
	g_handler[6] = on_ud;
	user_fld(arg);
}

/* Of the guest's user: #UD, or an exit after which the program goes on behind the instruction. */
static void emulation_failure(void)
{
	struct vcpu *v = start(KVM_CAP_EXIT_ON_EMULATION_FAILURE, 0, user_fld_ud, 0);
	struct kvm_regs regs;

	CHECK_EQ(vcpu_finish(v), 6, "the exception");
	v = guest_new(0, user_fld_ud, 0);
	CHECK(enable_cap(v->vm, KVM_CAP_EXIT_ON_EMULATION_FAILURE, 2) == -1 && errno == EINVAL, "neither on nor off");
	CHECK_OK(enable_cap(v->vm, KVM_CAP_EXIT_ON_EMULATION_FAILURE, 1));
	vcpu_run(v);
	CHECK_EQ(v->run->exit_reason, KVM_EXIT_INTERNAL_ERROR, "exit reason");
	CHECK_EQ(v->run->emulation_failure.suberror, KVM_INTERNAL_ERROR_EMULATION, "suberror");
	CHECK(v->run->emulation_failure.flags & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES, "the instruction is there");
	CHECK(v->run->emulation_failure.insn_bytes[0] == 0xd9, "its first byte is %#x", v->run->emulation_failure.insn_bytes[0]);
	regs = vcpu_regs(v);
	regs.rip += 2;	/* D9 01 */
	vcpu_set_regs(v, &regs);
	CHECK_EQ(vcpu_finish(v), 7, "the result");
}

/* ------------------------------------------------------------------ triple faults */

GUEST static void nothing(u64 arg)
{
	(void)arg;
	g_say(0);
	g_done(5);
}

static void triple_fault(void)
{
	struct vcpu *v = start(KVM_CAP_X86_TRIPLE_FAULT_EVENT, 0, nothing, 0);
	struct kvm_vcpu_events events = { 0 };

	vcpu_expect_port(v, PORT_SAY);
	CHECK_OK(ioctl(v->fd, KVM_GET_VCPU_EVENTS, &events));
	CHECK_EQ(events.flags & KVM_VCPUEVENT_VALID_TRIPLE_FAULT, 0, "flags without the capability");
	events.flags |= KVM_VCPUEVENT_VALID_TRIPLE_FAULT;
	EXPECT_ERRNO(ioctl(v->fd, KVM_SET_VCPU_EVENTS, &events), EINVAL);
	CHECK_OK(enable_cap(v->vm, KVM_CAP_X86_TRIPLE_FAULT_EVENT, 1));
	CHECK_OK(ioctl(v->fd, KVM_GET_VCPU_EVENTS, &events));
	CHECK(events.flags & KVM_VCPUEVENT_VALID_TRIPLE_FAULT, "flags");
	CHECK_EQ(events.triple_fault.pending, 0, "a triple fault");
	events.triple_fault.pending = 1;
	CHECK_OK(ioctl(v->fd, KVM_SET_VCPU_EVENTS, &events));
	memset(&events, 0, sizeof(events));
	CHECK_OK(ioctl(v->fd, KVM_GET_VCPU_EVENTS, &events));
	CHECK_EQ(events.triple_fault.pending, 1, "the triple fault that was set");
	events.triple_fault.pending = 0;
	CHECK_OK(ioctl(v->fd, KVM_SET_VCPU_EVENTS, &events));
	CHECK_EQ(vcpu_finish(v), 5, "the result of a guest that was spared it");
	v = guest_new(0, nothing, 0);
	CHECK_OK(enable_cap(v->vm, KVM_CAP_X86_TRIPLE_FAULT_EVENT, 1));
	events.triple_fault.pending = 1;
	events.flags = KVM_VCPUEVENT_VALID_TRIPLE_FAULT;
	CHECK_OK(ioctl(v->fd, KVM_SET_VCPU_EVENTS, &events));
	vcpu_run(v);
	CHECK_EQ(v->run->exit_reason, KVM_EXIT_SHUTDOWN, "exit reason");
}

/* ------------------------------------------------------------------ the TSC's offset */

GUEST static void tell_tsc(u64 arg)
{
	for (;;) {
		*(volatile u64 *)arg = g_rdtsc();
		g_say(0);
	}
}

static int attribute(struct vcpu *v, unsigned long call, u32 group, u64 attr, void *data)
{
	struct kvm_device_attr in = { .group = group, .attr = attr, .addr = (uintptr_t)data };

	return ioctl(v->fd, call, &in);
}

static void tsc_offset(void)
{
	struct vcpu *v = start(KVM_CAP_VCPU_ATTRIBUTES, 0, tell_tsc, GUEST_SCRATCH);
	volatile u64 *tsc = (volatile u64 *)(v->vm->mem + GUEST_SCRATCH);
	u64 offset = 0, ahead, before;

	CHECK_OK(attribute(v, KVM_HAS_DEVICE_ATTR, KVM_VCPU_TSC_CTRL, KVM_VCPU_TSC_OFFSET, NULL));
	CHECK_OK(attribute(v, KVM_GET_DEVICE_ATTR, KVM_VCPU_TSC_CTRL, KVM_VCPU_TSC_OFFSET, &offset));
	vcpu_expect_port(v, PORT_SAY);
	before = *tsc;
	CHECK(before - (g_rdtsc() + offset) > 1ULL << 63, "the guest's TSC is the host's and the offset");
	ahead = offset + (1ULL << 50);
	CHECK_OK(attribute(v, KVM_SET_DEVICE_ATTR, KVM_VCPU_TSC_CTRL, KVM_VCPU_TSC_OFFSET, &ahead));
	vcpu_expect_port(v, PORT_SAY);
	CHECK(*tsc - before >= 1ULL << 50 && *tsc - before < 1ULL << 51, "the guest's TSC moved by %#llx", (unsigned long long)(*tsc - before));
	CHECK_OK(attribute(v, KVM_GET_DEVICE_ATTR, KVM_VCPU_TSC_CTRL, KVM_VCPU_TSC_OFFSET, &offset));
	CHECK_EQ(offset, ahead, "the offset");
	EXPECT_ERRNO(attribute(v, KVM_HAS_DEVICE_ATTR, 7, KVM_VCPU_TSC_OFFSET, NULL), ENXIO);
	EXPECT_ERRNO(attribute(v, KVM_HAS_DEVICE_ATTR, KVM_VCPU_TSC_CTRL, 7, NULL), ENXIO);
	EXPECT_ERRNO(attribute(v, KVM_GET_DEVICE_ATTR, KVM_VCPU_TSC_CTRL, 7, &offset), ENXIO);
	EXPECT_ERRNO(attribute(v, KVM_SET_DEVICE_ATTR, 7, KVM_VCPU_TSC_OFFSET, &offset), ENXIO);
	EXPECT_ERRNO(attribute(v, KVM_GET_DEVICE_ATTR, KVM_VCPU_TSC_CTRL, KVM_VCPU_TSC_OFFSET, (void *)8), EFAULT);
	EXPECT_ERRNO(attribute(v, KVM_SET_DEVICE_ATTR, KVM_VCPU_TSC_CTRL, KVM_VCPU_TSC_OFFSET, (void *)8), EFAULT);
}

static const struct test tests[] = {
	TEST(out_7e), TEST(mwait_quirks), TEST(lint0_after_reset), TEST(lapic_hole), TEST(vmmcall_patched), TEST(vmmcall_in_readonly_page),
	TEST(quirks_refused), TEST(hypercall_exit), TEST(sched_yield_call), TEST(emulation_failure), TEST(triple_fault), TEST(tsc_offset),
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}
