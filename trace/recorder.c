// SPDX-License-Identifier: GPL-2.0-only
/*
 * The flight recorder's memory, and reading it while the vCPU goes on (trace/recorder.h).
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include <asm/tsc.h>
#include "exits/exits.h"
#include "trace/recorder.h"

static_assert(sizeof(struct vtx_record) == 64);
static_assert(VTX_RING_SIZE % PAGE_SIZE == 0);
static_assert(VTX_NR_EXIT_REASONS == VTX_STAT_OTHER && VTX_NR_EXIT_STATS == VTX_STAT_OTHER + 1);

DEFINE_STATIC_KEY_FALSE(vtx_streaming);

#ifdef VTX_NO_RECORDER

int vtx_recorder_alloc(struct vtx_vcpu *vcpu)
{
	return 0;
}

void vtx_recorder_free(struct vtx_vcpu *vcpu)
{
}

struct page *vtx_recorder_page(struct vtx_vcpu *vcpu, unsigned long page_nr)
{
	return NULL;
}

void vtx_recorder_freeze(struct vtx_vcpu *vcpu)
{
}

unsigned int vtx_recorder_copy(struct vtx_vcpu *vcpu, struct vtx_record *out, unsigned int max, u64 *first)
{
	return 0;
}

#else

int vtx_recorder_alloc(struct vtx_vcpu *vcpu)
{
	vcpu->stats = kvzalloc(sizeof(*vcpu->stats), GFP_KERNEL_ACCOUNT);
	vcpu->ring = __vmalloc(VTX_RING_SIZE, GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!vcpu->stats || !vcpu->ring)
		return -ENOMEM;
	for (int i = 0; i < VTX_NR_EXIT_STATS; i++)
		vcpu->stats->exits[i].min = U32_MAX;
	for (int i = 0; i < VTX_NR_TOPS; i++)
		vtx_top_init(&vcpu->stats->tops[i]);
	vcpu->ring->magic = VTX_RING_MAGIC;
	vcpu->ring->version = VTX_RING_VERSION;
	vcpu->ring->records = VTX_RING_RECORDS;
	vcpu->ring->record_size = sizeof(struct vtx_record);
	vcpu->ring->vcpu_id = vcpu->id;
	vcpu->ring->tsc_khz = tsc_khz;
	vcpu->ring->data_offset = PAGE_SIZE;
	return 0;
}

/* Pages that a program has mapped stay until it unmaps them: the mapping holds references. */
void vtx_recorder_free(struct vtx_vcpu *vcpu)
{
	vfree(vcpu->ring);
	kvfree(vcpu->stats);
	kvfree(vcpu->stats_then);
}

struct page *vtx_recorder_page(struct vtx_vcpu *vcpu, unsigned long page_nr)
{
	if (page_nr >= VTX_RING_SIZE / PAGE_SIZE)
		return NULL;
	return vmalloc_to_page((u8 *)vcpu->ring + page_nr * PAGE_SIZE);
}

void vtx_recorder_freeze(struct vtx_vcpu *vcpu)
{
	WRITE_ONCE(vcpu->ring->frozen, 1);
}

static const struct vtx_record *record_at(const struct vtx_ring *ring, u64 number)
{
	return (const struct vtx_record *)((const u8 *)ring + PAGE_SIZE) + number % VTX_RING_RECORDS;
}

unsigned int vtx_recorder_copy(struct vtx_vcpu *vcpu, struct vtx_record *out, unsigned int max, u64 *first)
{
	struct vtx_ring *ring = vcpu->ring;
	u64 head = smp_load_acquire(&ring->head); /* pairs with vtx_exit_open() */
	u64 from, n, overtaken;

	/* The place of the oldest record may be being written already. */
	n = min_t(u64, max, min_t(u64, head, VTX_RING_RECORDS - 1));
	from = head - n;
	for (u64 i = 0; i < n; i++)
		memcpy(&out[i], record_at(ring, from + i), sizeof(*out));
	/* The copies before the look at how far the vCPU has come. */
	smp_rmb();
	head = READ_ONCE(ring->head);
	overtaken = head >= VTX_RING_RECORDS ? head - (VTX_RING_RECORDS - 1) : 0;
	if (overtaken > from) {
		overtaken = min(overtaken - from, n);
		memmove(out, out + overtaken, (n - overtaken) * sizeof(*out));
		from += overtaken;
		n -= overtaken;
	}
	*first = from;
	return n;
}

#endif /* VTX_NO_RECORDER */
