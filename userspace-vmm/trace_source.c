// SPDX-License-Identifier: GPL-2.0-only
/* The reader of traces. */
#include "userspace-vmm/trace_source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "userspace-vmm/ring.h"

#define VTX_MAX_REASON 127 /* above every basic exit reason of the manual, with room */
#define VTX_MAX_VCPU_ID 65535

void vtx_trace_source_init(struct vtx_trace_source *s, int fd, const char *name)
{
	memset(s, 0, sizeof(*s));
	s->fd = fd;
	s->name = name;
}

void vtx_trace_source_close(struct vtx_trace_source *s)
{
	free(s->ring);
	s->ring = NULL;
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

/* Reads until at least WANT bytes wait in the buffer.  ENTRY: they do; END: the file is at its end. */
static enum vtx_trace_result vtx_source_fill(struct vtx_trace_source *s, size_t want, struct vtx_error *error)
{
	memmove(s->buffer, s->buffer + s->used, s->have - s->used);
	s->have -= s->used;
	s->used = 0;
	while (s->have < want) {
		ssize_t n = read(s->fd, s->buffer + s->have, sizeof(s->buffer) - s->have);

		if (n > 0)
			s->have += (size_t)n;
		else if (n == 0 || errno == ENODEV) /* a stream whose VM is gone */
			return VTX_TRACE_END;
		else if (errno == EAGAIN || errno == EINTR)
			return VTX_TRACE_WAIT;
		else
			return (enum vtx_trace_result)vtx_error_set(error, VTX_STATUS_IMAGE, "reading %s: %s", s->name,
								    strerror(errno));
	}
	return VTX_TRACE_ENTRY;
}

/* ------------------------------------------------------------------ flight recorder */

/* All that is left of the file, however long, up to LIMIT. */
static uint8_t *vtx_source_slurp(struct vtx_trace_source *s, size_t limit, size_t *size)
{
	size_t have = s->have, room = limit;
	uint8_t *data = malloc(room);
	ssize_t n = 1;

	if (!data)
		return NULL;
	memcpy(data, s->buffer, have);
	while (have < room && (n > 0 || (n < 0 && errno == EINTR))) {
		n = read(s->fd, data + have, room - have);
		if (n > 0)
			have += (size_t)n;
	}
	*size = have;
	return data;
}

static enum vtx_trace_result vtx_source_ring(struct vtx_trace_source *s, struct vtx_error *error)
{
	size_t limit, size;
	struct vtx_ring ring;
	uint8_t *data;

	memcpy(&ring, s->buffer, sizeof(ring));
	if (ring.records > VTX_RING_MAX_RECORDS || ring.data_offset > (1U << 20)) /* before memory is asked for */
		return (enum vtx_trace_result)vtx_error_set(error, VTX_STATUS_IMAGE,
							    "%s: the header of the flight recorder makes no sense", s->name);
	limit = ring.data_offset + (size_t)ring.records * sizeof(struct vtx_record);
	if (limit < s->have)
		limit = s->have;
	data = vtx_source_slurp(s, limit, &size);
	s->ring = calloc(ring.records ? ring.records : 1, sizeof(*s->ring));
	if (!data || !s->ring || vtx_ring_check(data, size, s->name, error)) {
		if (!data || !s->ring)
			vtx_error_set(error, VTX_STATUS_HOST_ERROR, "out of memory");
		free(data);
		return VTX_TRACE_ERROR;
	}
	s->ring_count = vtx_ring_newest(data, s->ring, ring.records, &s->ring_lost);
	s->ring_vcpu = ring.vcpu_id;
	s->tsc_khz = ring.tsc_khz;
	free(data);
	return VTX_TRACE_ENTRY;
}

/* ------------------------------------------------------------------ the start */

static enum vtx_trace_result vtx_source_start(struct vtx_trace_source *s, struct vtx_error *error)
{
	struct vtx_trace_file header;
	enum vtx_trace_result result = vtx_source_fill(s, sizeof(struct vtx_trace_entry), error);

	if (result == VTX_TRACE_ERROR || result == VTX_TRACE_WAIT)
		return result;
	s->started = true;
	if (s->have < sizeof(header))
		return VTX_TRACE_ENTRY;
	if (vtx_is_ring(s->buffer, s->have))
		return vtx_source_ring(s, error);
	memcpy(&header, s->buffer, sizeof(header));
	if (header.magic != VTX_TRACE_FILE_MAGIC)
		return VTX_TRACE_ENTRY;
	if (header.version != VTX_TRACE_FILE_VERSION || header.entry_size != sizeof(struct vtx_trace_entry))
		return (enum vtx_trace_result)vtx_error_set(
			error, VTX_STATUS_IMAGE, "%s is a trace of version %u with entries of %u bytes; this program knows "
			"version %u with %zu", s->name, header.version, header.entry_size, VTX_TRACE_FILE_VERSION,
			sizeof(struct vtx_trace_entry));
	s->tsc_khz = header.tsc_khz;
	s->used = s->offset = sizeof(header);
	return VTX_TRACE_ENTRY;
}

/* ------------------------------------------------------------------ entries */

/* A file without a magic is believed as long as each entry could be one. */
static bool vtx_entry_plausible(const struct vtx_trace_entry *e)
{
	const struct vtx_record *r = &e->record;

	return e->vcpu_id <= VTX_MAX_VCPU_ID && r->by <= VTX_BY_USER && !(r->flags & ~(VTX_RECORD_GPA | VTX_RECORD_GLA)) &&
	       (r->reason == ~0U || (r->reason & 0xffff) <= VTX_MAX_REASON);
}

static enum vtx_trace_result vtx_ring_next(struct vtx_trace_source *s, struct vtx_trace_entry *entry)
{
	if (s->ring_next == s->ring_count)
		return VTX_TRACE_END;
	*entry = (struct vtx_trace_entry){ .vcpu_id = s->ring_vcpu, .record = s->ring[s->ring_next] };
	if (s->ring_next++ == 0)
		entry->lost = s->ring_lost;
	return VTX_TRACE_ENTRY;
}

enum vtx_trace_result vtx_trace_next(struct vtx_trace_source *s, struct vtx_trace_entry *entry, struct vtx_error *error)
{
	enum vtx_trace_result result;

	if (!s->started) {
		result = vtx_source_start(s, error);
		if (result != VTX_TRACE_ENTRY)
			return result;
	}
	if (s->ring)
		return vtx_ring_next(s, entry);
	if (s->have - s->used < sizeof(*entry)) {
		result = vtx_source_fill(s, sizeof(*entry), error);
		if (result == VTX_TRACE_END && s->have)
			return (enum vtx_trace_result)vtx_error_set(
				error, VTX_STATUS_IMAGE, "%s ends in the middle of an entry (%zu of %zu bytes at offset %llu)",
				s->name, s->have, sizeof(*entry), (unsigned long long)s->offset);
		if (result != VTX_TRACE_ENTRY)
			return result;
	}
	memcpy(entry, s->buffer + s->used, sizeof(*entry));
	if (!vtx_entry_plausible(entry))
		return (enum vtx_trace_result)vtx_error_set(error, VTX_STATUS_IMAGE, "%s is not a trace: no exit is at offset %llu",
							    s->name, (unsigned long long)s->offset);
	s->used += sizeof(*entry);
	s->offset += sizeof(*entry);
	return VTX_TRACE_ENTRY;
}
