/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Trace events of the interrupt controllers; see trace/events.h.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM vtx

#if !defined(VTX_TRACE_EVENTS_IRQ_H) || defined(TRACE_HEADER_MULTI_READ)
#define VTX_TRACE_EVENTS_IRQ_H

#include <linux/kvm.h>
#include <linux/tracepoint.h>
#include <asm/apicdef.h>

#ifndef VTX_TRACE_EVENTS_IRQ_ONCE
#define VTX_TRACE_EVENTS_IRQ_ONCE
struct vtx_apic_msg;
#endif

#define vtx_delivery_modes                                                                                    \
	{ 0, "Fixed" }, { 1, "LowPrio" }, { 2, "SMI" }, { 3, "Res3" }, { 4, "NMI" }, { 5, "INIT" }, { 6, "SIPI" }, \
	{ 7, "ExtINT" }

/* ------------------------------------------------------------------ lines and messages */

TRACE_EVENT(kvm_set_irq,
	TP_PROTO(unsigned int gsi, int level, int source),
	TP_ARGS(gsi, level, source),
	TP_STRUCT__entry(
		__field(unsigned int, gsi)
		__field(int, level)
		__field(int, irq_source_id)
	),
	TP_fast_assign(
		__entry->gsi = gsi;
		__entry->level = level;
		__entry->irq_source_id = source;
	),
	TP_printk("gsi %u level %d source %d", __entry->gsi, __entry->level, __entry->irq_source_id)
);

TRACE_EVENT(kvm_pic_set_irq,
	TP_PROTO(u8 chip, u8 pin, u8 elcr, u8 imr, bool coalesced),
	TP_ARGS(chip, pin, elcr, imr, coalesced),
	TP_STRUCT__entry(
		__field(__u8, chip)
		__field(__u8, pin)
		__field(__u8, elcr)
		__field(__u8, imr)
		__field(bool, coalesced)
	),
	TP_fast_assign(
		__entry->chip = chip;
		__entry->pin = pin;
		__entry->elcr = elcr;
		__entry->imr = imr;
		__entry->coalesced = coalesced;
	),
	TP_printk("chip %u pin %u (%s%s)%s", __entry->chip, __entry->pin,
		  __entry->elcr >> __entry->pin & 1 ? "level" : "edge", __entry->imr >> __entry->pin & 1 ? "|masked" : "",
		  __entry->coalesced ? " (coalesced)" : "")
);

TRACE_EVENT(kvm_ioapic_set_irq,
	TP_PROTO(u64 redirection, int pin, bool coalesced),
	TP_ARGS(redirection, pin, coalesced),
	TP_STRUCT__entry(
		__field(__u64, e)
		__field(int, pin)
		__field(bool, coalesced)
	),
	TP_fast_assign(
		__entry->e = redirection;
		__entry->pin = pin;
		__entry->coalesced = coalesced;
	),
	TP_printk("pin %u dst %x vec %u (%s|%s|%s%s)%s", __entry->pin, (u8)(__entry->e >> 56), (u8)__entry->e,
		  __print_symbolic(__entry->e >> 8 & 7, vtx_delivery_modes), __entry->e >> 11 & 1 ? "logical" : "physical",
		  __entry->e >> 15 & 1 ? "level" : "edge", __entry->e >> 16 & 1 ? "|masked" : "",
		  __entry->coalesced ? " (coalesced)" : "")
);

TRACE_EVENT(kvm_msi_set_irq,
	TP_PROTO(u64 address, u64 data),
	TP_ARGS(address, data),
	TP_STRUCT__entry(
		__field(__u64, address)
		__field(__u64, data)
	),
	TP_fast_assign(
		__entry->address = address;
		__entry->data = data;
	),
	TP_printk("dst %llx vec %u (%s|%s|%s%s)",
		  (u8)(__entry->address >> 12) | (__entry->address >> 32 & 0xffffff00), (u8)__entry->data,
		  __print_symbolic(__entry->data >> 8 & 7, vtx_delivery_modes),
		  __entry->address >> 2 & 1 ? "logical" : "physical", __entry->data >> 15 & 1 ? "level" : "edge",
		  __entry->address >> 3 & 1 ? "|rh" : "")
);

TRACE_EVENT(kvm_ack_irq,
	TP_PROTO(unsigned int chip, unsigned int pin),
	TP_ARGS(chip, pin),
	TP_STRUCT__entry(
		__field(unsigned int, irqchip)
		__field(unsigned int, pin)
	),
	TP_fast_assign(
		__entry->irqchip = chip;
		__entry->pin = pin;
	),
	TP_printk("irqchip %s pin %u",
		  __print_symbolic(__entry->irqchip, { KVM_IRQCHIP_PIC_MASTER, "PIC master" },
				   { KVM_IRQCHIP_PIC_SLAVE, "PIC slave" }, { KVM_IRQCHIP_IOAPIC, "IOAPIC" }), __entry->pin)
);

/* ------------------------------------------------------------------ local APIC */

#define vtx_apic_reg(name) { APIC_##name, "APIC_" #name }
#define vtx_apic_regs                                                                                                  \
	vtx_apic_reg(ID), vtx_apic_reg(LVR), vtx_apic_reg(TASKPRI), vtx_apic_reg(ARBPRI), vtx_apic_reg(PROCPRI),       \
	vtx_apic_reg(EOI), vtx_apic_reg(RRR), vtx_apic_reg(LDR), vtx_apic_reg(DFR), vtx_apic_reg(SPIV),                \
	vtx_apic_reg(ISR), vtx_apic_reg(TMR), vtx_apic_reg(IRR), vtx_apic_reg(ESR), vtx_apic_reg(ICR),                 \
	vtx_apic_reg(ICR2), vtx_apic_reg(LVTT), vtx_apic_reg(LVTTHMR), vtx_apic_reg(LVTPC), vtx_apic_reg(LVT0),        \
	vtx_apic_reg(LVT1), vtx_apic_reg(LVTERR), vtx_apic_reg(TMICT), vtx_apic_reg(TMCCT), vtx_apic_reg(TDCR),        \
	vtx_apic_reg(SELF_IPI)

TRACE_EVENT(kvm_apic,
	TP_PROTO(bool write, u32 offset, u64 value),
	TP_ARGS(write, offset, value),
	TP_STRUCT__entry(
		__field(unsigned int, rw)
		__field(unsigned int, reg)
		__field(u64, val)
	),
	TP_fast_assign(
		__entry->rw = write;
		__entry->reg = offset;
		__entry->val = value;
	),
	TP_printk("apic_%s %s = 0x%llx", __entry->rw ? "write" : "read", __print_symbolic(__entry->reg, vtx_apic_regs),
		  __entry->val)
);

TRACE_EVENT(kvm_apic_ipi,
	TP_PROTO(const struct vtx_apic_msg *msg, u32 dest),
	TP_ARGS(msg, dest),
	TP_STRUCT__entry(
		__field(__u32, icr_low)
		__field(__u32, dest_id)
	),
	TP_fast_assign(
		__entry->icr_low = msg->vector | msg->mode << 8 | msg->logical << 11 | msg->assert << 14 | msg->level << 15 |
				   msg->shorthand << 18;
		__entry->dest_id = dest;
	),
	TP_printk("dst %x vec %u (%s|%s|%s|%s|%s)", __entry->dest_id, (u8)__entry->icr_low,
		  __print_symbolic(__entry->icr_low >> 8 & 7, vtx_delivery_modes),
		  __entry->icr_low >> 11 & 1 ? "logical" : "physical", __entry->icr_low >> 14 & 1 ? "assert" : "de-assert",
		  __entry->icr_low >> 15 & 1 ? "level" : "edge",
		  __print_symbolic(__entry->icr_low >> 18 & 3, { 0, "dst" }, { 1, "self" }, { 2, "all" }, { 3, "all-but-self" }))
);

TRACE_EVENT(kvm_apic_accept_irq,
	TP_PROTO(u32 apic_id, u8 mode, bool level, u8 vector),
	TP_ARGS(apic_id, mode, level, vector),
	TP_STRUCT__entry(
		__field(__u32, apicid)
		__field(__u16, dm)
		__field(__u16, tm)
		__field(__u8, vec)
	),
	TP_fast_assign(
		__entry->apicid = apic_id;
		__entry->dm = mode << 8;
		__entry->tm = level;
		__entry->vec = vector;
	),
	TP_printk("apicid %x vec %u (%s|%s)", __entry->apicid, __entry->vec,
		  __print_symbolic(__entry->dm >> 8 & 7, vtx_delivery_modes), __entry->tm ? "level" : "edge")
);

TRACE_EVENT(kvm_eoi,
	TP_PROTO(u32 apic_id, int vector),
	TP_ARGS(apic_id, vector),
	TP_STRUCT__entry(
		__field(__u32, apicid)
		__field(int, vector)
	),
	TP_fast_assign(
		__entry->apicid = apic_id;
		__entry->vector = vector;
	),
	TP_printk("apicid %x vector %d", __entry->apicid, __entry->vector)
);

#endif /* VTX_TRACE_EVENTS_IRQ_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH trace
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE events_irq
#include <trace/define_trace.h>
