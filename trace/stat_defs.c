// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of statistics.
 *
 * Names are KVM's where vtx counts exactly what KVM counts; what differs is said in docs/tracing.md, which has the same rows.  The
 * statistics of the exit reasons are made from exits/table.c when the module is loaded.
 */
#include <linux/kernel.h>
#include <linux/kvm.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/string_helpers.h>
#include <asm/vmx.h>
#include "exits/exits.h"
#include "trace/stat_defs.h"
#include "vmx/vcpu.h"

struct vtx_stat_list vtx_vm_stat_list, vtx_vcpu_stat_list;

/* ------------------------------------------------------------------ places */

static void read_vm(const struct vtx_stat_def *def, struct vtx_vm *vm, struct vtx_vcpu *vcpu, u64 *out)
{
	out[0] = atomic64_read((atomic64_t *)((u8 *)vm + def->arg));
}

static void read_count(const struct vtx_stat_def *def, struct vtx_vm *vm, struct vtx_vcpu *vcpu, u64 *out)
{
	const u64 *count = (const u64 *)((u8 *)&vcpu->counts + def->arg);

	for (unsigned int i = 0; i < def->size; i++)
		out[i] = READ_ONCE(count[i]);
}

#ifndef VTX_NO_RECORDER

static void read_reason(const struct vtx_stat_def *def, struct vtx_vm *vm, struct vtx_vcpu *vcpu, u64 *out)
{
	out[0] = READ_ONCE(vcpu->stats->exits[def->arg].count);
}

static void read_all_reasons(const struct vtx_stat_def *def, struct vtx_vm *vm, struct vtx_vcpu *vcpu, u64 *out)
{
	for (unsigned int i = 0; i < VTX_NR_EXIT_STATS; i++)
		out[0] += READ_ONCE(vcpu->stats->exits[i].count);
}

enum exit_field { COUNT, TICKS, USER_TICKS, MIN, MAX, LATENCY };

static void add_field(const struct vtx_exit_stat *stat, enum exit_field field, u64 *out)
{
	u32 min;

	switch (field) {
	case COUNT:
		out[0] += READ_ONCE(stat->count);
		break;
	case TICKS:
		out[0] += READ_ONCE(stat->ticks);
		break;
	case USER_TICKS:
		out[0] += READ_ONCE(stat->user_ticks);
		break;
	case MIN:
		min = READ_ONCE(stat->min);
		if (min != U32_MAX && (!out[0] || min < out[0]))
			out[0] = min;
		break;
	case MAX:
		out[0] = max_t(u64, out[0], READ_ONCE(stat->max));
		break;
	case LATENCY:
		/* KVM's bucket n is [2^(n-1), 2^n), ours [2^n, 2^(n+1)); no exit takes 0 ticks. */
		for (unsigned int i = 0; i < VTX_NR_BUCKETS; i++)
			out[i + 1] += READ_ONCE(stat->buckets[i]);
		break;
	}
}

/*
 * Reasons that can come have statistics of their own: those with a handler, and the failed entry for the guest's state. All others
 * stop the vCPU when they come nevertheless, and are counted together.
 */
static bool has_own(unsigned int reason)
{
	return reason < VTX_NR_EXIT_REASONS &&
	       (vtx_exit_table[reason].fast || vtx_exit_table[reason].slow || reason == EXIT_REASON_INVALID_STATE);
}

static void read_exit(const struct vtx_stat_def *def, struct vtx_vm *vm, struct vtx_vcpu *vcpu, u64 *out)
{
	const struct vtx_exit_stat *exits = vcpu->stats->exits;

	if (def->arg != VTX_STAT_OTHER) {
		add_field(&exits[def->arg], def->field, out);
		return;
	}
	for (unsigned int i = 0; i < VTX_NR_EXIT_STATS; i++)
		if (!has_own(i))
			add_field(&exits[i], def->field, out);
}

#endif /* VTX_NO_RECORDER */

/* ------------------------------------------------------------------ the table */

#define DEF(name_, type, unit, exponent_, size_, kvm, read_, arg_, text)                                        \
	{ .name = name_, .sentence = text, .exponent = exponent_, .size = size_, .in_kvm = kvm, .read = read_,  \
	  .arg = arg_, .flags = KVM_STATS_TYPE_##type | KVM_STATS_UNIT_##unit | KVM_STATS_BASE_POW10 }
#define VM(name, type, place, text) DEF(name, type, NONE, 0, 1, true, read_vm, offsetof(struct vtx_vm, place), text)
#define VTX_VM(name, type, place, text) DEF(name, type, NONE, 0, 1, false, read_vm, offsetof(struct vtx_vm, place), text)
#define PLACE(field) offsetof(struct vtx_vcpu_counts, field)
#define VCPU(name, place, text) DEF(name, CUMULATIVE, NONE, 0, 1, true, read_count, PLACE(place), text)
#define VCPU_NS(name, place, text) DEF(name, CUMULATIVE, SECONDS, -9, 1, true, read_count, PLACE(place), text)
#define VCPU_NS_HIST(name, place, n, text) DEF(name, LOG_HIST, SECONDS, -9, n, true, read_count, PLACE(place), text)
#define VCPU_FLAG(name, place, text) DEF(name, INSTANT, BOOLEAN, 0, 1, true, read_count, PLACE(place), text)
#define REASON(name, reason, text) DEF(name, CUMULATIVE, NONE, 0, 1, true, read_reason, EXIT_REASON_##reason, text)
#define REASONS(name, text) DEF(name, CUMULATIVE, NONE, 0, 1, true, read_all_reasons, 0, text)

static const struct vtx_stat_def vm_defs[] = {
	VM("remote_tlb_flush", CUMULATIVE, remote_tlb_flush, "Flushes for which CPUs in guest mode had to be interrupted"),
	VM("remote_tlb_flush_requests", CUMULATIVE, remote_tlb_flush_requests, "Times EPT entries were taken away and the TLBs had to follow"),
	VM("pages_4k", INSTANT, ept.pages[0], "4K pages that the EPT maps"),
	VM("pages_2m", INSTANT, ept.pages[1], "2M pages that the EPT maps"),
	VM("pages_1g", INSTANT, ept.pages[2], "1G pages that the EPT maps"),
	VTX_VM("ept_tables", INSTANT, ept.tables, "Pages of memory that are tables of the EPT"),
	VTX_VM("ept_tables_reclaimed", CUMULATIVE, ept.reclaimed, "Tables of the EPT that were given back because the host was short of memory"),
};

/* Read as 64 bits, which long is here. */
static_assert(sizeof(atomic_long_t) == sizeof(atomic64_t));

static const struct vtx_stat_def vcpu_defs[] = {
	VCPU("mmio_exits", mmio_exits, "Emulated instructions for which user space was asked with KVM_EXIT_MMIO"),
	VCPU("signal_exits", signal_exits, "Times KVM_RUN ended because a signal was pending"),
	VCPU("request_irq_exits", request_irq_exits, "Returns to user space with KVM_EXIT_IRQ_WINDOW_OPEN"),
	VCPU("insn_emulation", insn_emulation, "Instructions that vtx decoded and executed itself"),
	VCPU("insn_emulation_fail", insn_emulation_fail, "Instructions that it could not emulate"),
	VCPU("irq_injections", irq_injections, "Interrupts put into a VM entry, again after an exit cut the delivery short"),
	VCPU("nmi_injections", nmi_injections, "NMIs put into a VM entry, likewise"),
	VCPU("pf_fixed", pf_fixed, "EPT violations that ended with the page mapped"),
	VCPU("pf_emulate", pf_emulate, "EPT violations without memory behind them, or by writes to read-only memory"),
	VCPU("tlb_flush", tlb_flush, "INVEPT and INVVPID executed for this vCPU"),
	VCPU("halt_attempted_poll", halt_attempted_poll, "Times a vCPU in HLT polled for an event before it slept"),
	VCPU("halt_successful_poll", halt_successful_poll, "Times the event came while it polled"),
	VCPU_NS("halt_poll_success_ns", halt_poll_success_ns, "Time polled when the event came"),
	VCPU_NS("halt_poll_fail_ns", halt_poll_fail_ns, "Time polled in vain"),
	VCPU_NS_HIST("halt_poll_success_hist", halt_poll_success_hist, VTX_HALT_BUCKETS, "Polls until the event came by their length"),
	VCPU_NS_HIST("halt_poll_fail_hist", halt_poll_fail_hist, VTX_HALT_BUCKETS, "Polls in vain by their length"),
	DEF("halt_wakeup", CUMULATIVE, NONE, 0, 1, true, read_count, PLACE(halt_wakeup), "Times another thread or a timer woke the sleeping vCPU"),
	VCPU_NS("halt_wait_ns", halt_wait_ns, "Time asleep in HLT"),
	VCPU_NS_HIST("halt_wait_hist", halt_wait_hist, VTX_HALT_BUCKETS, "Sleeps in HLT by their length"),
	VCPU("directed_yield_attempted", directed_yield_attempted, "Times a spinning vCPU chose another one that should run instead"),
	VCPU("directed_yield_successful", directed_yield_successful, "Times the scheduler followed"),
	VCPU_FLAG("blocking", blocking, "The vCPU waits for an event, or for INIT and SIPI"),
#ifndef VTX_NO_RECORDER
	REASONS("exits", "VM exits"),
	REASON("io_exits", IO_INSTRUCTION, "VM exits by IN, OUT, INS and OUTS"),
	REASON("irq_exits", EXTERNAL_INTERRUPT, "VM exits by interrupts of the host"),
	REASON("irq_window_exits", INTERRUPT_WINDOW, "VM exits because the guest could take an interrupt that waited"),
	REASON("nmi_window_exits", NMI_WINDOW, "VM exits because the guest could take an NMI that waited"),
	REASON("halt_exits", HLT, "VM exits by HLT"),
	REASON("hypercalls", VMCALL, "VM exits by VMCALL"),
	REASON("pf_taken", EPT_VIOLATION, "EPT violations"),
#endif
};

/* ------------------------------------------------------------------ exit reasons */

#ifndef VTX_NO_RECORDER

static const struct exit_field_row {
	const char *suffix;
	u32 flags;
	u16 size;
	const char *sentence;
} exit_fields[] = {
	[COUNT] = { "", KVM_STATS_TYPE_CUMULATIVE, 1, "VM exits for this reason" },
	[TICKS] = { "_ticks", KVM_STATS_TYPE_CUMULATIVE | KVM_STATS_UNIT_CYCLES, 1,
		    "TSC ticks from the exit to the next entry or the return to user space, sleep in HLT left out" },
	[USER_TICKS] = { "_user_ticks", KVM_STATS_TYPE_CUMULATIVE | KVM_STATS_UNIT_CYCLES, 1,
			 "TSC ticks from the return to user space to the next entry" },
	[MIN] = { "_min", KVM_STATS_TYPE_INSTANT | KVM_STATS_UNIT_CYCLES, 1, "Fewest ticks of one exit, 0 before the first" },
	[MAX] = { "_max", KVM_STATS_TYPE_PEAK | KVM_STATS_UNIT_CYCLES, 1, "Most ticks of one exit" },
	[LATENCY] = { "_latency", KVM_STATS_TYPE_LOG_HIST | KVM_STATS_UNIT_CYCLES, VTX_LATENCY_SIZE, "Exits by their ticks" },
};

#define NR_FIELDS ARRAY_SIZE(exit_fields)

static char (*exit_names)[VTX_STAT_NAME_SIZE];

static void define_exit(struct vtx_stat_def *defs, char (*names)[VTX_STAT_NAME_SIZE], unsigned int reason)
{
	char lower[32];

	string_lower(lower, reason == VTX_STAT_OTHER ? "OTHER" : vtx_exit_table[reason].name);
	for (unsigned int i = 0; i < NR_FIELDS; i++) {
		snprintf(names[i], sizeof(names[i]), "exit_%s%s", lower, exit_fields[i].suffix);
		defs[i] = (struct vtx_stat_def){
			.name = names[i], .sentence = exit_fields[i].sentence, .flags = exit_fields[i].flags,
			.size = exit_fields[i].size, .read = read_exit, .arg = reason, .field = i,
		};
	}
}

/* The vCPU's list: the table above, then the exit reasons. */
static int make_vcpu_list(void)
{
	unsigned int nr = ARRAY_SIZE(vcpu_defs), own = 1, n = 0;
	struct vtx_stat_def *defs;

	for (unsigned int reason = 0; reason < VTX_STAT_OTHER; reason++)
		own += has_own(reason);
	defs = kcalloc(nr + own * NR_FIELDS, sizeof(*defs), GFP_KERNEL);
	exit_names = kcalloc(own * NR_FIELDS, sizeof(*exit_names), GFP_KERNEL);
	if (!defs || !exit_names) {
		kfree(defs);
		kfree(exit_names);
		return -ENOMEM;
	}
	memcpy(defs, vcpu_defs, sizeof(vcpu_defs));
	for (unsigned int reason = 0; reason <= VTX_STAT_OTHER; reason++) {
		if (reason != VTX_STAT_OTHER && !has_own(reason))
			continue;
		define_exit(defs + nr + n, exit_names + n, reason);
		n += NR_FIELDS;
	}
	vtx_vcpu_stat_list = (struct vtx_stat_list){ defs, nr + own * NR_FIELDS };
	return 0;
}

static void free_vcpu_list(void)
{
	kfree(vtx_vcpu_stat_list.defs);
	kfree(exit_names);
}

#else

static int make_vcpu_list(void)
{
	vtx_vcpu_stat_list = (struct vtx_stat_list){ vcpu_defs, ARRAY_SIZE(vcpu_defs) };
	return 0;
}

static void free_vcpu_list(void)
{
}

#endif /* VTX_NO_RECORDER */

/* ------------------------------------------------------------------ the lists */

static void count_values(struct vtx_stat_list *list)
{
	for (unsigned int i = 0; i < list->nr; i++)
		list->nr_values += list->defs[i].size;
}

int vtx_stat_defs_init(void)
{
	int r = make_vcpu_list();

	if (r)
		return r;
	vtx_vm_stat_list = (struct vtx_stat_list){ vm_defs, ARRAY_SIZE(vm_defs) };
	count_values(&vtx_vm_stat_list);
	count_values(&vtx_vcpu_stat_list);
	return 0;
}

void vtx_stat_defs_exit(void)
{
	free_vcpu_list();
}

void vtx_stat_read(const struct vtx_stat_def *def, struct vtx_vm *vm, struct vtx_vcpu *vcpu, u64 *out)
{
	memset(out, 0, def->size * sizeof(*out));
	def->read(def, vm, vcpu, out);
}

static_assert(VTX_LATENCY_SIZE == VTX_NR_BUCKETS + 1 && VTX_LATENCY_SIZE >= VTX_HALT_BUCKETS);

u64 vtx_stat_value(const struct vtx_stat_def *def, struct vtx_vm *vm, struct vtx_vcpu *vcpu)
{
	u64 out[VTX_LATENCY_SIZE], sum = 0;

	vtx_stat_read(def, vm, vcpu, out);
	for (unsigned int i = 0; i < def->size; i++)
		sum += out[i];
	return sum;
}

/* ------------------------------------------------------------------ as text */

static void show_list(struct seq_file *file, const char *scope, const struct vtx_stat_list *list)
{
	static const char *const types[] = { "cumulative", "instant", "peak", "linear", "log2" };
	static const char *const units[] = { "-", "bytes", "seconds", "cycles", "boolean" };

	for (unsigned int i = 0; i < list->nr; i++) {
		const struct vtx_stat_def *def = &list->defs[i];

		seq_printf(file, "%s %s %u %s %s", scope, def->name, def->size,
			   types[(def->flags & KVM_STATS_TYPE_MASK) >> KVM_STATS_TYPE_SHIFT],
			   units[(def->flags & KVM_STATS_UNIT_MASK) >> KVM_STATS_UNIT_SHIFT]);
		if (def->exponent)
			seq_printf(file, "*10^%d", def->exponent);
		seq_printf(file, " %s\n", def->sentence);
	}
}

void vtx_stat_defs_show(struct seq_file *file)
{
	seq_puts(file, "scope name numbers type unit what\n");
	show_list(file, "vm", &vtx_vm_stat_list);
	show_list(file, "vcpu", &vtx_vcpu_stat_list);
}
