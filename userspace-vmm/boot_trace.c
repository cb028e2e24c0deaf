// SPDX-License-Identifier: GPL-2.0-only
/*
 * The boot report of a saved trace.  A trace does not say when KVM_RUN was called again after it had returned, so the time from
 * there to the next exit counts as user space's; after HLT it counts as idle.
 */
#define _GNU_SOURCE
#include "userspace-vmm/boot_trace.h"

#include <asm/vmx.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "userspace-vmm/boot_watch.h"
#include "userspace-vmm/decode.h"
#include "userspace-vmm/trace_format.h"
#include "userspace-vmm/trace_source.h"

struct vtx_boot_entries {
	struct vtx_trace_entry *entry;
	size_t count, room;
	uint32_t tsc_khz;
	uint64_t lost;
};

static int vtx_boot_keep(struct vtx_boot_entries *all, const struct vtx_trace_entry *entry)
{
	if (all->count == all->room) {
		size_t room = all->room ? all->room * 2 : 16384;
		struct vtx_trace_entry *more = realloc(all->entry, room * sizeof(*more));

		if (!more)
			return -1;
		all->entry = more;
		all->room = room;
	}
	all->lost += entry->lost;
	if (!vtx_trace_is_loss(entry))
		all->entry[all->count++] = *entry;
	return 0;
}

static int vtx_boot_load(struct vtx_boot_entries *all, const char *path, struct vtx_error *error)
{
	struct vtx_trace_source *source = malloc(sizeof(*source));
	int fd = open(path, O_RDONLY | O_CLOEXEC), result;
	struct vtx_trace_entry entry;

	if (fd < 0 || !source) {
		vtx_error_set(error, VTX_STATUS_IMAGE, "cannot open %s: %s", path, strerror(errno));
		free(source);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	vtx_trace_source_init(source, fd, path);
	while ((result = vtx_trace_next(source, &entry, error)) == VTX_TRACE_ENTRY)
		if (vtx_boot_keep(all, &entry)) {
			result = vtx_error_set(error, VTX_STATUS_HOST_ERROR, "out of memory");
			break;
		}
	all->tsc_khz = source->tsc_khz;
	vtx_trace_source_close(source);
	free(source);
	return result == VTX_TRACE_END ? 0 : -1;
}

static void vtx_boot_trace_phase(void *opaque, enum vtx_boot_phase phase, uint64_t tsc)
{
	struct vtx_boot_report *report = opaque;

	report->row[phase].seen = true;
	report->row[phase].start = tsc;
}

/* Phases end where the next begins; the last with the last exit. */
static void vtx_boot_trace_ends(struct vtx_boot_report *report, uint64_t end)
{
	for (int i = VTX_BOOT_PHASES - 1; i >= 0; i--) {
		if (!report->row[i].seen)
			continue;
		if (end < report->row[i].start)
			end = report->row[i].start;
		report->row[i].end = end;
		end = report->row[i].start;
	}
}

static struct vtx_boot_row *vtx_boot_row_at(struct vtx_boot_report *report, uint64_t tsc)
{
	struct vtx_boot_row *row = NULL;

	for (unsigned int i = 0; i < VTX_BOOT_PHASES; i++)
		if (report->row[i].seen && (!row || tsc >= report->row[i].start))
			row = &report->row[i];
	return row;
}

/* PREVIOUS is an exit of the same vCPU, GAP the ticks from its end to the next one. */
static void vtx_boot_account(struct vtx_boot_report *report, const struct vtx_record *previous, uint64_t gap)
{
	struct vtx_boot_row *row = vtx_boot_row_at(report, previous->tsc);
	struct vtx_boot_reason *reason = row ? vtx_boot_reason(&row->counters, vtx_decode_reason(previous)) : NULL;

	if (!reason)
		return;
	reason->count++;
	if (previous->by != VTX_BY_NONE)
		reason->ticks += previous->ticks;
	if (previous->by == VTX_BY_USER)
		reason->user_ticks += gap;
	else if (previous->reason == EXIT_REASON_HLT && previous->by != VTX_BY_FAST)
		row->counters.idle += gap;
}

static void vtx_boot_account_all(struct vtx_boot_report *report, const struct vtx_boot_entries *all)
{
	static const struct vtx_record *previous[65536]; /* by vCPU */

	memset(previous, 0, sizeof(previous));
	for (size_t i = 0; i < all->count; i++) {
		const struct vtx_record *r = &all->entry[i].record, **p = &previous[all->entry[i].vcpu_id & 0xffff];
		uint64_t over;

		if (*p) {
			over = (*p)->tsc + (*p)->ticks;
			vtx_boot_account(report, *p, r->tsc > over ? r->tsc - over : 0);
		} else {
			report->cpus++;
		}
		*p = r;
	}
	for (size_t i = 0; i < 65536; i++)
		if (previous[i])
			vtx_boot_account(report, previous[i], 0);
}

int vtx_boot_from_trace(struct vtx_boot_report *report, const char *path, uint32_t tsc_khz, struct vtx_error *error)
{
	struct vtx_boot_watch watch = { .until = "", .changed = vtx_boot_trace_phase, .opaque = report };
	struct vtx_boot_entries all = { .count = 0 };
	uint64_t end = 0;

	if (vtx_boot_load(&all, path, error)) {
		free(all.entry);
		return -1;
	}
	if (!tsc_khz)
		tsc_khz = all.tsc_khz;
	if (!tsc_khz || !all.count) {
		free(all.entry);
		return vtx_error_set(error, VTX_STATUS_IMAGE, tsc_khz ? "%s: no exits are in it" :
				     "%s does not say how long a tick is; give --tsc-khz N", path);
	}
	report->tsc_khz = tsc_khz;
	report->has_exits = true;
	for (size_t i = 0; i < all.count; i++) {
		const struct vtx_record *r = &all.entry[i].record;

		vtx_boot_watch_trace(&watch, r);
		if (r->tsc > end)
			end = r->tsc;
	}
	vtx_boot_trace_ends(report, end);
	vtx_boot_account_all(report, &all);
	for (unsigned int i = 0; i < VTX_BOOT_PHASES; i++) {
		vtx_boot_sort(&report->row[i].counters);
		if (report->row[i].seen)
			vtx_boot_fill(&report->row[i], report->cpus);
	}
	snprintf(report->note, sizeof(report->note), "From a trace (%llu records lost): \"user\" is the time from KVM_RUN's return to the "
		 "next exit, the guest's part of it included.", (unsigned long long)all.lost);
	free(all.entry);
	return 0;
}
