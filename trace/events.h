/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Trace events of the vCPU: entry, exit, what exits are about, injection, memory.
 *
 * Names, fields, their types and order, and the text are those of KVM's events of the same name: tools are written for these.
 * TP_PROTO is free and vtx's own, with one exception: the first argument of kvm_exit is the exit reason, where bcc's kvmexit
 * looks for it (KVM moved it away in 5.17, and the tool shows nothing there since).
 * docs/tracing.md lists the events, and those of KVM that have no place in vtx.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM vtx

#if !defined(VTX_TRACE_EVENTS_H) || defined(TRACE_HEADER_MULTI_READ)
#define VTX_TRACE_EVENTS_H

#include <linux/kvm.h>
#include <linux/tracepoint.h>
#include <asm/pvclock-abi.h>
#include <asm/vmx.h>

#ifndef VTX_TRACE_EVENTS_ONCE
#define VTX_TRACE_EVENTS_ONCE
struct vtx_vcpu;
struct vtx_emu;
/* What the field isa says: an exit of VMX. */
#define VTX_TRACE_ISA 1
/* kvm_mmio's types; kvm_pio, kvm_cr and kvm_apic have 0 read, 1 write. */
enum { VTX_TRACE_MMIO_UNSATISFIED, VTX_TRACE_MMIO_READ, VTX_TRACE_MMIO_WRITE };
#endif

/* ------------------------------------------------------------------ entry and exit */

TRACE_EVENT(kvm_entry,
	TP_PROTO(struct vtx_vcpu *vcpu),
	TP_ARGS(vcpu),
	TP_STRUCT__entry(
		__field(unsigned int, vcpu_id)
		__field(unsigned long, rip)
		__field(bool, immediate_exit)
	),
	TP_fast_assign(
		__entry->vcpu_id = vcpu->id;
		__entry->rip = vtx_rip(vcpu);
		__entry->immediate_exit = false; /* vtx never enters only to leave at once */
	),
	TP_printk("vcpu %u, rip 0x%lx%s", __entry->vcpu_id, __entry->rip, __entry->immediate_exit ? "[immediate exit]" : "")
);

TRACE_EVENT(kvm_exit,
	TP_PROTO(unsigned int reason, struct vtx_vcpu *vcpu),
	TP_ARGS(reason, vcpu),
	TP_STRUCT__entry(
		__field(unsigned int, exit_reason)
		__field(unsigned long, guest_rip)
		__field(u32, isa)
		__field(u64, info1)
		__field(u64, info2)
		__field(u32, intr_info)
		__field(u32, error_code)
		__field(unsigned int, vcpu_id)
	),
	TP_fast_assign(
		__entry->exit_reason = reason;
		__entry->guest_rip = vtx_rip(vcpu);
		__entry->isa = VTX_TRACE_ISA;
		__entry->vcpu_id = vcpu->id;
		__entry->info1 = vtx_qualification(vcpu);
		vtx_trace_exit_info(reason, &__entry->info2, &__entry->intr_info, &__entry->error_code);
	),
	TP_printk("vcpu %u reason %s%s%s rip 0x%lx info1 0x%016llx info2 0x%016llx intr_info 0x%08x error_code 0x%08x",
		  __entry->vcpu_id, __print_symbolic(__entry->exit_reason & 0xffff, VMX_EXIT_REASONS),
		  __entry->exit_reason & ~0xffff ? " " : "",
		  __print_flags(__entry->exit_reason & ~0xffff, " ", VMX_EXIT_REASON_FLAGS), __entry->guest_rip,
		  __entry->info1, __entry->info2, __entry->intr_info, __entry->error_code)
);

#define vtx_user_reason(name) { KVM_EXIT_##name, "KVM_EXIT_" #name }
#define vtx_print_user_reason(reason)                                                                             \
	__print_symbolic(reason,                                                                                  \
		vtx_user_reason(UNKNOWN), vtx_user_reason(EXCEPTION), vtx_user_reason(IO),                        \
		vtx_user_reason(HYPERCALL), vtx_user_reason(DEBUG), vtx_user_reason(HLT), vtx_user_reason(MMIO),  \
		vtx_user_reason(IRQ_WINDOW_OPEN), vtx_user_reason(SHUTDOWN), vtx_user_reason(FAIL_ENTRY),         \
		vtx_user_reason(INTR), vtx_user_reason(SET_TPR), vtx_user_reason(TPR_ACCESS),                     \
		vtx_user_reason(NMI), vtx_user_reason(INTERNAL_ERROR), vtx_user_reason(SYSTEM_EVENT),             \
		vtx_user_reason(IOAPIC_EOI), vtx_user_reason(HYPERV), vtx_user_reason(X86_RDMSR),                 \
		vtx_user_reason(X86_WRMSR))

TRACE_EVENT(kvm_userspace_exit,
	TP_PROTO(u32 reason, int error),
	TP_ARGS(reason, error),
	TP_STRUCT__entry(
		__field(__u32, reason)
		__field(int, errno)
	),
	TP_fast_assign(
		__entry->reason = reason;
		__entry->errno = error;
	),
	TP_printk("reason %s (%d)",
		  __entry->errno >= 0 ? vtx_print_user_reason(__entry->reason) :
		  __entry->errno == -EINTR ? "restart" : "error",
		  __entry->errno >= 0 ? __entry->reason : -__entry->errno)
);

TRACE_EVENT(kvm_vcpu_wakeup,
	TP_PROTO(u64 ns, bool waited),
	TP_ARGS(ns, waited),
	TP_STRUCT__entry(
		__field(__u64, ns)
		__field(bool, waited)
		__field(bool, valid)
	),
	TP_fast_assign(
		__entry->ns = ns;
		__entry->waited = waited;
		__entry->valid = true;
	),
	TP_printk("%s time %lld ns, polling %s", __entry->waited ? "wait" : "poll", __entry->ns,
		  __entry->valid ? "valid" : "invalid")
);

TRACE_EVENT(kvm_halt_poll_ns,
	TP_PROTO(bool grow, unsigned int vcpu_id, unsigned int new, unsigned int old),
	TP_ARGS(grow, vcpu_id, new, old),
	TP_STRUCT__entry(
		__field(bool, grow)
		__field(unsigned int, vcpu_id)
		__field(unsigned int, new)
		__field(unsigned int, old)
	),
	TP_fast_assign(
		__entry->grow = grow;
		__entry->vcpu_id = vcpu_id;
		__entry->new = new;
		__entry->old = old;
	),
	TP_printk("vcpu %u: halt_poll_ns %u (%s %u)", __entry->vcpu_id, __entry->new, __entry->grow ? "grow" : "shrink",
		  __entry->old)
);

TRACE_EVENT(kvm_fpu,
	TP_PROTO(bool load),
	TP_ARGS(load),
	TP_STRUCT__entry(
		__field(u32, load)
	),
	TP_fast_assign(
		__entry->load = load;
	),
	TP_printk("%s", __print_symbolic(__entry->load, { 0, "unload" }, { 1, "load" }))
);

/* ------------------------------------------------------------------ what exits are about */

TRACE_EVENT(kvm_cpuid,
	TP_PROTO(u32 leaf, u32 index, const u64 *regs, bool found, bool used_max_basic),
	TP_ARGS(leaf, index, regs, found, used_max_basic),
	TP_STRUCT__entry(
		__field(unsigned int, function)
		__field(unsigned int, index)
		__field(unsigned long, rax)
		__field(unsigned long, rbx)
		__field(unsigned long, rcx)
		__field(unsigned long, rdx)
		__field(bool, found)
		__field(bool, used_max_basic)
	),
	TP_fast_assign(
		__entry->function = leaf;
		__entry->index = index;
		__entry->rax = regs[VTX_RAX];
		__entry->rbx = regs[VTX_RBX];
		__entry->rcx = regs[VTX_RCX];
		__entry->rdx = regs[VTX_RDX];
		__entry->found = found;
		__entry->used_max_basic = used_max_basic;
	),
	TP_printk("func %x idx %x rax %lx rbx %lx rcx %lx rdx %lx, cpuid entry %s%s", __entry->function, __entry->index,
		  __entry->rax, __entry->rbx, __entry->rcx, __entry->rdx, __entry->found ? "found" : "not found",
		  __entry->used_max_basic ? ", used max basic" : "")
);

TRACE_EVENT(kvm_hypercall,
	TP_PROTO(const u64 *regs, u64 mask),
	TP_ARGS(regs, mask),
	TP_STRUCT__entry(
		__field(unsigned long, nr)
		__field(unsigned long, a0)
		__field(unsigned long, a1)
		__field(unsigned long, a2)
		__field(unsigned long, a3)
	),
	TP_fast_assign(
		__entry->nr = regs[VTX_RAX] & mask;
		__entry->a0 = regs[VTX_RBX] & mask;
		__entry->a1 = regs[VTX_RCX] & mask;
		__entry->a2 = regs[VTX_RDX] & mask;
		__entry->a3 = regs[VTX_RSI] & mask;
	),
	TP_printk("nr 0x%lx a0 0x%lx a1 0x%lx a2 0x%lx a3 0x%lx", __entry->nr, __entry->a0, __entry->a1, __entry->a2,
		  __entry->a3)
);

TRACE_EVENT(kvm_pio,
	TP_PROTO(bool write, u16 port, unsigned int size, unsigned int count, const void *data),
	TP_ARGS(write, port, size, count, data),
	TP_STRUCT__entry(
		__field(unsigned int, rw)
		__field(unsigned int, port)
		__field(unsigned int, size)
		__field(unsigned int, count)
		__field(unsigned int, val)
	),
	TP_fast_assign(
		__entry->rw = write;
		__entry->port = port;
		__entry->size = size;
		__entry->count = count;
		__entry->val = 0;
		memcpy(&__entry->val, data, min_t(unsigned int, size, sizeof(__entry->val)));
	),
	TP_printk("pio_%s at 0x%x size %d count %d val 0x%x %s", __entry->rw ? "write" : "read", __entry->port,
		  __entry->size, __entry->count, __entry->val, __entry->count > 1 ? "(...)" : "")
);

TRACE_EVENT(kvm_mmio,
	TP_PROTO(int type, unsigned int len, u64 gpa, const void *data),
	TP_ARGS(type, len, gpa, data),
	TP_STRUCT__entry(
		__field(u32, type)
		__field(u32, len)
		__field(u64, gpa)
		__field(u64, val)
	),
	TP_fast_assign(
		__entry->type = type;
		__entry->len = len;
		__entry->gpa = gpa;
		__entry->val = 0;
		if (data)
			memcpy(&__entry->val, data, min_t(unsigned int, len, sizeof(__entry->val)));
	),
	TP_printk("mmio %s len %u gpa 0x%llx val 0x%llx",
		  __print_symbolic(__entry->type, { 0, "unsatisfied-read" }, { 1, "read" }, { 2, "write" }), __entry->len,
		  __entry->gpa, __entry->val)
);

TRACE_EVENT(kvm_msr,
	TP_PROTO(bool write, u32 index, u64 data, bool refused),
	TP_ARGS(write, index, data, refused),
	TP_STRUCT__entry(
		__field(unsigned, write)
		__field(u32, ecx)
		__field(u64, data)
		__field(u8, exception)
	),
	TP_fast_assign(
		__entry->write = write;
		__entry->ecx = index;
		__entry->data = data;
		__entry->exception = refused;
	),
	TP_printk("msr_%s %x = 0x%llx%s", __entry->write ? "write" : "read", __entry->ecx, __entry->data,
		  __entry->exception ? " (#GP)" : "")
);

TRACE_EVENT(kvm_cr,
	TP_PROTO(bool write, unsigned int cr, u64 value),
	TP_ARGS(write, cr, value),
	TP_STRUCT__entry(
		__field(unsigned int, rw)
		__field(unsigned int, cr)
		__field(unsigned long, val)
	),
	TP_fast_assign(
		__entry->rw = write;
		__entry->cr = cr;
		__entry->val = value;
	),
	TP_printk("cr_%s %x = 0x%lx", __entry->rw ? "write" : "read", __entry->cr, __entry->val)
);

/* Flags: 1 protected mode, 2 virtual-8086, 4 CS.D, 8 CS.L. */
#define vtx_print_insn_mode(flags) \
	__print_symbolic(flags, { 0, "real" }, { 3, "vm16" }, { 1, "prot16" }, { 5, "prot32" }, { 9, "prot64" })

TRACE_EVENT(kvm_emulate_insn,
	TP_PROTO(const struct vtx_emu *e, u64 rip, bool failed),
	TP_ARGS(e, rip, failed),
	TP_STRUCT__entry(
		__field(__u64, rip)
		__field(__u32, csbase)
		__field(__u8, len)
		__array(__u8, insn, 15)
		__field(__u8, flags)
		__field(__u8, failed)
	),
	TP_fast_assign(
		__entry->rip = rip;
		__entry->csbase = e->seg[VTX_EMU_CS].base;
		__entry->len = vtx_trace_insn_len(e);
		memcpy(__entry->insn, e->insn.bytes, sizeof(__entry->insn));
		__entry->flags = vtx_trace_insn_flags(e);
		__entry->failed = failed;
	),
	TP_printk("%x:%llx:%s (%s)%s", __entry->csbase, __entry->rip, __print_hex(__entry->insn, __entry->len),
		  vtx_print_insn_mode(__entry->flags), __entry->failed ? " failed" : "")
);

/* ------------------------------------------------------------------ injection */

TRACE_EVENT(kvm_inj_virq,
	TP_PROTO(u8 vector, bool soft, bool again),
	TP_ARGS(vector, soft, again),
	TP_STRUCT__entry(
		__field(unsigned int, vector)
		__field(bool, soft)
		__field(bool, reinjected)
	),
	TP_fast_assign(
		__entry->vector = vector;
		__entry->soft = soft;
		__entry->reinjected = again;
	),
	TP_printk("%s 0x%x%s", __entry->soft ? "Soft/INTn" : "IRQ", __entry->vector,
		  __entry->reinjected ? " [reinjected]" : "")
);

#define vtx_vector(name) { name##_VECTOR, "#" #name }
#define vtx_print_vector(vector)                                                                                   \
	__print_symbolic(vector, vtx_vector(DE), vtx_vector(DB), vtx_vector(BP), vtx_vector(OF), vtx_vector(BR),   \
			 vtx_vector(UD), vtx_vector(NM), vtx_vector(DF), vtx_vector(TS), vtx_vector(NP),           \
			 vtx_vector(SS), vtx_vector(GP), vtx_vector(PF), vtx_vector(MF), vtx_vector(AC), vtx_vector(MC))

TRACE_EVENT(kvm_inj_exception,
	TP_PROTO(u8 vector, bool has_error, u32 error, bool again),
	TP_ARGS(vector, has_error, error, again),
	TP_STRUCT__entry(
		__field(u8, exception)
		__field(u8, has_error)
		__field(u32, error_code)
		__field(bool, reinjected)
	),
	TP_fast_assign(
		__entry->exception = vector;
		__entry->has_error = has_error;
		__entry->error_code = error;
		__entry->reinjected = again;
	),
	/* A list without names makes a number in hexadecimal of the error code. */
	TP_printk("%s%s%s%s%s", vtx_print_vector(__entry->exception), __entry->has_error ? " (" : "",
		  __entry->has_error ? __print_symbolic(__entry->error_code, { }) : "", __entry->has_error ? ")" : "",
		  __entry->reinjected ? " [reinjected]" : "")
);

/* ------------------------------------------------------------------ memory */

TRACE_EVENT(kvm_page_fault,
	TP_PROTO(struct vtx_vcpu *vcpu, u64 gpa, u64 qualification),
	TP_ARGS(vcpu, gpa, qualification),
	TP_STRUCT__entry(
		__field(unsigned int, vcpu_id)
		__field(unsigned long, guest_rip)
		__field(u64, fault_address)
		__field(u64, error_code)
	),
	TP_fast_assign(
		__entry->vcpu_id = vcpu->id;
		__entry->guest_rip = vtx_rip(vcpu);
		__entry->fault_address = gpa;
		__entry->error_code = qualification;
	),
	TP_printk("vcpu %u rip 0x%lx address 0x%016llx error_code 0x%llx", __entry->vcpu_id, __entry->guest_rip,
		  __entry->fault_address, __entry->error_code)
);

TRACE_EVENT(kvm_unmap_hva_range,
	TP_PROTO(unsigned long start, unsigned long end),
	TP_ARGS(start, end),
	TP_STRUCT__entry(
		__field(unsigned long, start)
		__field(unsigned long, end)
	),
	TP_fast_assign(
		__entry->start = start;
		__entry->end = end;
	),
	TP_printk("mmu notifier unmap range: %#016lx -- %#016lx", __entry->start, __entry->end)
);

TRACE_EVENT(kvm_age_hva,
	TP_PROTO(unsigned long start, unsigned long end),
	TP_ARGS(start, end),
	TP_STRUCT__entry(
		__field(unsigned long, start)
		__field(unsigned long, end)
	),
	TP_fast_assign(
		__entry->start = start;
		__entry->end = end;
	),
	TP_printk("mmu notifier age hva: %#016lx -- %#016lx", __entry->start, __entry->end)
);

TRACE_EVENT(kvm_test_age_hva,
	TP_PROTO(unsigned long hva),
	TP_ARGS(hva),
	TP_STRUCT__entry(
		__field(unsigned long, hva)
	),
	TP_fast_assign(
		__entry->hva = hva;
	),
	TP_printk("mmu notifier test age hva: %#016lx", __entry->hva)
);

/* ------------------------------------------------------------------ time */

TRACE_EVENT(kvm_write_tsc_offset,
	TP_PROTO(unsigned int vcpu_id, u64 before, u64 after),
	TP_ARGS(vcpu_id, before, after),
	TP_STRUCT__entry(
		__field(unsigned int, vcpu_id)
		__field(__u64, previous_tsc_offset)
		__field(__u64, next_tsc_offset)
	),
	TP_fast_assign(
		__entry->vcpu_id = vcpu_id;
		__entry->previous_tsc_offset = before;
		__entry->next_tsc_offset = after;
	),
	TP_printk("vcpu=%u prev=%llu next=%llu", __entry->vcpu_id, __entry->previous_tsc_offset, __entry->next_tsc_offset)
);

TRACE_EVENT(kvm_pvclock_update,
	TP_PROTO(unsigned int vcpu_id, const struct pvclock_vcpu_time_info *info),
	TP_ARGS(vcpu_id, info),
	TP_STRUCT__entry(
		__field(unsigned int, vcpu_id)
		__field(__u32, version)
		__field(__u64, tsc_timestamp)
		__field(__u64, system_time)
		__field(__u32, tsc_to_system_mul)
		__field(__s8, tsc_shift)
		__field(__u8, flags)
	),
	TP_fast_assign(
		__entry->vcpu_id = vcpu_id;
		__entry->version = info->version;
		__entry->tsc_timestamp = info->tsc_timestamp;
		__entry->system_time = info->system_time;
		__entry->tsc_to_system_mul = info->tsc_to_system_mul;
		__entry->tsc_shift = info->tsc_shift;
		__entry->flags = info->flags;
	),
	TP_printk("vcpu_id %u, pvclock { version %u, tsc_timestamp 0x%llx, system_time 0x%llx, tsc_to_system_mul 0x%x, tsc_shift %d, flags 0x%x }",
		  __entry->vcpu_id, __entry->version, __entry->tsc_timestamp, __entry->system_time,
		  __entry->tsc_to_system_mul, __entry->tsc_shift, __entry->flags)
);

#endif /* VTX_TRACE_EVENTS_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH trace
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE events
#include <trace/define_trace.h>
