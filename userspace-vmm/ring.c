// SPDX-License-Identifier: GPL-2.0-only
/* The reader of flight recorders. */
#include "userspace-vmm/ring.h"

#include <string.h>

bool vtx_is_ring(const void *data, size_t size)
{
	struct vtx_ring ring;

	if (size < sizeof(ring))
		return false;
	memcpy(&ring, data, sizeof(ring));
	return ring.magic == VTX_RING_MAGIC;
}

int vtx_ring_check(const void *data, size_t size, const char *name, struct vtx_error *error)
{
	struct vtx_ring ring;

	if (!vtx_is_ring(data, size))
		return vtx_error_set(error, VTX_STATUS_IMAGE, "%s is not a flight recorder", name);
	memcpy(&ring, data, sizeof(ring));
	if (ring.version != VTX_RING_VERSION || ring.record_size != sizeof(struct vtx_record))
		return vtx_error_set(error, VTX_STATUS_IMAGE, "%s is a flight recorder of version %u with records of %u bytes; this "
				     "program knows version %u with %zu", name, ring.version, ring.record_size,
				     VTX_RING_VERSION, sizeof(struct vtx_record));
	if (!ring.records || ring.records > VTX_RING_MAX_RECORDS || ring.data_offset < sizeof(ring))
		return vtx_error_set(error, VTX_STATUS_IMAGE, "%s: the header of the flight recorder makes no sense", name);
	if (ring.data_offset > size || (size - ring.data_offset) / sizeof(struct vtx_record) < ring.records)
		return vtx_error_set(error, VTX_STATUS_IMAGE, "%s: the flight recorder is cut short (%zu bytes for %u records)", name,
				     size, ring.records);
	return 0;
}

size_t vtx_ring_newest(const void *data, struct vtx_record *records, size_t max, uint32_t *lost)
{
	struct vtx_ring ring;
	uint64_t first, n;
	size_t count = 0;

	*lost = 0;
	memcpy(&ring, data, sizeof(ring));
	n = ring.head < ring.records ? ring.head : ring.records;
	if (n > max)
		n = max;
	for (first = ring.head - n; first != ring.head; first++) {
		struct vtx_record *r = &records[count];

		memcpy(r, (const char *)data + ring.data_offset + (first % ring.records) * sizeof(*r), sizeof(*r));
		if (r->seq == (uint32_t)first)
			count++;
		else
			*lost += count > 0; /* a live ring went on while it was copied; its oldest place is always being written */
	}
	return count;
}
