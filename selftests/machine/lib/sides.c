// SPDX-License-Identifier: GPL-2.0-only
/*
 * Statistics before and after, and the flight recorder as their witness (see sides.h).
 */
#include "lib/sides.h"

#include <stdlib.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

/* Numbers of SDM vol. 3, appendix C, to find the reasons in the flight recorder. */
const struct stat_reason stat_reasons[] = {
	{ "exit_exception_nmi", 0 }, { "exit_external_interrupt", 1 }, { "exit_triple_fault", 2 },
	{ "exit_interrupt_window", 7 }, { "exit_nmi_window", 8 }, { "exit_task_switch", 9 }, { "exit_cpuid", 10 },
	{ "exit_getsec", 11 }, { "exit_hlt", 12 }, { "exit_invd", 13 }, { "exit_invlpg", 14 }, { "exit_rdpmc", 15 },
	{ "exit_rsm", 17 }, { "exit_vmcall", 18 }, { "exit_vmclear", 19 }, { "exit_vmlaunch", 20 }, { "exit_vmptrld", 21 },
	{ "exit_vmptrst", 22 }, { "exit_vmread", 23 }, { "exit_vmresume", 24 }, { "exit_vmwrite", 25 }, { "exit_vmoff", 26 },
	{ "exit_vmon", 27 }, { "exit_cr_access", 28 }, { "exit_dr_access", 29 }, { "exit_io_instruction", 30 },
	{ "exit_msr_read", 31 }, { "exit_msr_write", 32 }, { "exit_invalid_state", 33 }, { "exit_mwait_instruction", 36 },
	{ "exit_monitor_instruction", 39 }, { "exit_pause_instruction", 40 }, { "exit_tpr_below_threshold", 43 },
	{ "exit_apic_access", 44 }, { "exit_eoi_induced", 45 }, { "exit_apic_write", 56 },
	{ "exit_ept_violation", 48 }, { "exit_ept_misconfig", 49 }, { "exit_invept", 50 }, { "exit_preemption_timer", 52 },
	{ "exit_invvpid", 53 }, { "exit_wbinvd", 54 }, { "exit_xsetbv", 55 }, { "exit_vmfunc", 59 }, { "exit_encls", 60 }, { "exit_pml_full", 62 },
	{ "exit_xsaves", 63 }, { "exit_xrstors", 64 }, { "exit_pconfig", 65 }, { "exit_umwait", 67 }, { "exit_tpause", 68 },
	{ "exit_loadiwkey", 69 }, { "exit_enclv", 70 }, { "exit_other", ~0u },
};

const size_t nr_stat_reasons = ARRAY_SIZE(stat_reasons);

const struct stat_reason *stat_reason(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(stat_reasons); i++)
		if (!strcmp(stat_reasons[i].name, name))
			return &stat_reasons[i];
	return NULL;
}


/* ------------------------------------------------------------------ the flight recorder as witness */

struct witness {
	u64 count, ticks, min, max, latency[33];
};

static const struct vtx_ring *map_ring(struct vcpu *v)
{
	void *ring = mmap(NULL, VTX_RING_SIZE, PROT_READ, MAP_SHARED, v->fd, VTX_RING_MMAP_OFFSET);

	CHECK(ring != MAP_FAILED, "the flight recorder's mapping");
	return ring;
}

/* The records of one reason from number @from on. */
static struct witness witness(const struct vtx_ring *ring, u64 from, u32 reason)
{
	struct witness w = { .min = ~0ULL };

	CHECK(ring->head - from < ring->records, "%llu records", (unsigned long long)(ring->head - from));
	for (u64 n = from; n < ring->head; n++) {
		const struct vtx_record *r = (const void *)((const u8 *)ring + ring->data_offset + n % ring->records * ring->record_size);
		u32 ticks = r->ticks;

		if ((reason == ~0u ? r->reason : r->reason & 0xffff) != reason)
			continue;
		w.count++;
		w.ticks += ticks;
		w.min = ticks < w.min ? ticks : w.min;
		w.max = ticks > w.max ? ticks : w.max;
		w.latency[ticks ? 64 - __builtin_clzll(ticks) : 0]++;
	}
	return w;
}

/* ------------------------------------------------------------------ numbers before and after */

void sides_then(struct sides *s, struct vcpu *v)
{
	s->v = v;
	s->vm = stats_open(v->vm->fd);
	s->vcpu = stats_open(v->fd);
	s->ring = map_ring(v);
	s->head = s->ring->head;
	s->vm_then = stats_read(s->vm);
	s->vcpu_then = stats_read(s->vcpu);
}

void sides_now(struct sides *s)
{
	s->vm_now = stats_read(s->vm);
	s->vcpu_now = stats_read(s->vcpu);
}

void sides_free(struct sides *s)
{
	free(s->vm_then);
	free(s->vm_now);
	free(s->vcpu_then);
	free(s->vcpu_now);
	munmap((void *)s->ring, VTX_RING_SIZE);
	stats_close(s->vm);
	stats_close(s->vcpu);
	vm_free(s->v->vm);
	vcpu_free(s->v);
}

u64 sides_moved(const struct sides *s, const char *name, u32 i)
{
	const struct kvm_stats_desc *desc = stats_find(s->vcpu, name);

	CHECK(desc && i < desc->size, "there is no %s", name);
	return s->vcpu_now[desc->offset / 8 + i] - s->vcpu_then[desc->offset / 8 + i];
}

static u64 now(const struct sides *s, const char *name)
{
	return s->vcpu_now[stats_find(s->vcpu, name)->offset / 8];
}

void sides_check_reason(const struct sides *s, const struct stat_reason *reason)
{
	struct witness w = witness(s->ring, s->head, reason->number);
	struct witness ever = witness(s->ring, 0, reason->number);
	char name[64];

	EXPECT_EQ(sides_moved(s, reason->name, 0), w.count, reason->name);
	snprintf(name, sizeof(name), "%s_ticks", reason->name);
	EXPECT_EQ(sides_moved(s, name, 0), w.ticks, name);
	snprintf(name, sizeof(name), "%s_min", reason->name);
	EXPECT_EQ(now(s, name), ever.count ? ever.min : 0, name);
	snprintf(name, sizeof(name), "%s_max", reason->name);
	EXPECT_EQ(now(s, name), ever.max, name);
	snprintf(name, sizeof(name), "%s_latency", reason->name);
	for (u32 i = 0; i < 33; i++)
		EXPECT(sides_moved(s, name, i) == w.latency[i], "%s[%u] moved by %llu, not %llu", name, i,
		       (unsigned long long)sides_moved(s, name, i), (unsigned long long)w.latency[i]);
}

void stay_here(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	CHECK_OK(sched_setaffinity(0, sizeof(set), &set));
}
