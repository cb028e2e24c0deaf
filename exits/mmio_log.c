// SPDX-License-Identifier: GPL-2.0-only
/*
 * The log of an emulated instruction's device accesses: 0 <= done <= noted, and frag[done..noted) waits for user space.
 */
#include "compat/pure.h"
#include "exits/mmio_log.h"

void vtx_log_clear(struct vtx_io_pending *io)
{
	io->done = 0;
	io->noted = 0;
	io->pos = 0;
	io->final = false;
}

void vtx_log_rewind(struct vtx_io_pending *io)
{
	io->pos = 0;
}

void vtx_log_commit(struct vtx_io_pending *io)
{
	if (vtx_log_pending(io))
		io->final = true;
	else
		vtx_log_clear(io);
}

static bool same(const struct vtx_mmio_fragment *f, u64 addr, unsigned int len, bool write, bool port)
{
	return f->gpa == addr && f->len == len && f->write == write && f->port == port;
}

/*
 * Where the log does not fit (guest memory, or registers set by user space, changed since), the rest of it is worthless and
 * the access is made anew. A new access waits for the writes before it: it may be to a device in the kernel, and overtake them.
 */
enum vtx_log_result vtx_log_access(struct vtx_io_pending *io, u64 addr, void *data, unsigned int len, bool write,
				   bool port)
{
	struct vtx_mmio_fragment *f;

	if (io->final)
		return VTX_LOG_WAIT;
	if (io->pos >= VTX_MMIO_FRAGMENTS || len > sizeof(f->data))
		return VTX_LOG_FULL;
	f = &io->frag[io->pos];
	if (io->pos < io->noted && same(f, addr, len, write, port)) {
		if (!write && io->pos >= io->done)
			return VTX_LOG_WAIT;
		if (!write)
			memcpy(data, f->data, len);
		io->pos++;
		return VTX_LOG_ANSWERED;
	}
	io->noted = io->pos;
	io->done = min(io->done, io->noted);
	if (vtx_log_pending(io))
		return VTX_LOG_WAIT;
	*f = (struct vtx_mmio_fragment){ .gpa = addr, .len = len, .write = write, .port = port };
	if (write)
		memcpy(f->data, data, len);
	return VTX_LOG_NEW;
}

void vtx_log_answered_now(struct vtx_io_pending *io, void *data)
{
	const struct vtx_mmio_fragment *f = &io->frag[io->pos];

	if (!f->write)
		memcpy(data, f->data, f->len);
	io->pos++;
	io->noted = io->pos;
	io->done = io->pos;
}

bool vtx_log_defer(struct vtx_io_pending *io)
{
	bool write = io->frag[io->pos].write;

	io->noted = io->pos + 1;
	if (write)
		io->pos++;
	return write;
}

void vtx_log_answered_later(struct vtx_io_pending *io, const void *data)
{
	struct vtx_mmio_fragment *f = &io->frag[io->done];

	if (!f->write)
		memcpy(f->data, data, f->len);
	io->done++;
}
