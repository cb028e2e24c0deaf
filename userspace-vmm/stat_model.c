// SPDX-License-Identifier: GPL-2.0-only
/* `vtx stat`: fields and their values. */
#define _GNU_SOURCE
#include "userspace-vmm/stat_model.h"

#include <asm/vmx.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	uint32_t number;
	const char *name;
} vtx_stat_reasons[] = { VMX_EXIT_REASONS };

/* KVM's statistic, and the exit reason that counts the same on VMX; NULL: all of them. */
static const struct {
	const char *name, *reason;
} vtx_stat_debugfs[] = {
	{ "exits", NULL },
	{ "halt_exits", "HLT" },
	{ "hypercalls", "VMCALL" },
	{ "invlpg", "INVLPG" },
	{ "io_exits", "IO_INSTRUCTION" },
	{ "irq_exits", "EXTERNAL_INTERRUPT" },
	{ "irq_window_exits", "INTERRUPT_WINDOW" },
	{ "nmi_window_exits", "NMI_WINDOW" },
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

bool vtx_stat_is_child(const char *name)
{
	return strchr(name, '(') != NULL;
}

int vtx_stat_set_filter(struct vtx_stat *s, const char *text, struct vtx_error *error)
{
	char anchored[sizeof(s->filter_text) + 8], why[128];
	regex_t filter;
	int r;

	if (strlen(text) >= sizeof(s->filter_text))
		return vtx_error_set(error, VTX_STATUS_USAGE, "-f: the regular expression is longer than %zu characters", sizeof(s->filter_text) - 1);
	/* Alone first: "a)(b" must not become right by the parentheses put around it. */
	r = regcomp(&filter, text, REG_EXTENDED | REG_NOSUB);
	if (!r) {
		regfree(&filter);
		snprintf(anchored, sizeof(anchored), "^(%s)", text);
		r = *text ? regcomp(&filter, anchored, REG_EXTENDED | REG_NOSUB) : 0;
	}
	if (r) {
		regerror(r, &filter, why, sizeof(why));
		return vtx_error_set(error, VTX_STATUS_USAGE, "-f %s: not a regular expression: %s", text, why);
	}
	if (s->filtered)
		regfree(&s->filter);
	s->filtered = *text;
	if (*text)
		s->filter = filter;
	strcpy(s->filter_text, text);
	vtx_stat_reset(s);
	return 0;
}

void vtx_stat_reset(struct vtx_stat *s)
{
	free(s->field);
	s->field = NULL;
	s->fields = 0;
	s->started = false;
}

void vtx_stat_free(struct vtx_stat *s)
{
	vtx_stat_reset(s);
	if (s->filtered)
		regfree(&s->filter);
	s->filtered = false;
}

/* ------------------------------------------------------------------ one interval */

static bool vtx_stat_wanted(const struct vtx_stat *s, const char *name)
{
	if (s->no_children && vtx_stat_is_child(name))
		return false;
	return !s->filtered || regexec(&s->filter, name, 0, NULL, 0) == 0;
}

/* Counts AMOUNT more; makes the field if it is wanted.  -1 without memory. */
static int vtx_stat_count(struct vtx_stat *s, const char *name, int64_t amount, int64_t past)
{
	struct vtx_stat_field *f = NULL, *bigger;

	for (size_t i = 0; i < s->fields && !f; i++)
		if (!strcmp(s->field[i].name, name))
			f = &s->field[i];
	if (!f) {
		if ((s->fixed && s->started) || !vtx_stat_wanted(s, name))
			return 0;
		bigger = realloc(s->field, (s->fields + 1) * sizeof(*bigger));
		if (!bigger)
			return -1;
		s->field = bigger;
		f = &s->field[s->fields++];
		memset(f, 0, sizeof(*f));
		snprintf(f->name, sizeof(f->name), "%s", name);
	}
	if (!s->started && s->past)
		f->value += past;
	f->value += amount;
	f->delta += amount;
	return 0;
}

static int vtx_stat_reason(struct vtx_stat *s, const char *reason, uint64_t exits, uint64_t total)
{
	char name[48];
	int r = 0;

	if (s->tracepoints) {
		snprintf(name, sizeof(name), "kvm_exit(%s)", reason);
		r |= vtx_stat_count(s, name, (int64_t)exits, (int64_t)total);
	}
	for (size_t i = 0; s->debugfs && i < COUNT(vtx_stat_debugfs); i++)
		if (vtx_stat_debugfs[i].reason && !strcmp(reason, vtx_stat_debugfs[i].reason))
			r |= vtx_stat_count(s, vtx_stat_debugfs[i].name, (int64_t)exits, (int64_t)total);
	return r;
}

static int vtx_stat_sum(struct vtx_stat *s, uint64_t exits, uint64_t total)
{
	int r = 0;

	if (s->tracepoints)
		r |= vtx_stat_count(s, "kvm_exit", (int64_t)exits, (int64_t)total);
	if (s->debugfs)
		r |= vtx_stat_count(s, "exits", (int64_t)exits, (int64_t)total);
	return r;
}

/* Pages are a level, not a count: the value is what is mapped now, and it may fall. */
static int vtx_stat_pages(struct vtx_stat *s, const struct vtx_sample *before, const struct vtx_sample *after)
{
	static const struct {
		const char *name;
		size_t offset;
	} pages[] = {
		{ "pages_4k", offsetof(struct vtx_vm_sample, pages_4k) },
		{ "pages_2m", offsetof(struct vtx_vm_sample, pages_2m) },
		{ "pages_1g", offsetof(struct vtx_vm_sample, pages_1g) },
	};
	int r = 0;

	for (size_t i = 0; i < COUNT(pages); i++) {
		int64_t sum[2] = { 0, 0 };

		for (int j = 0; j < 2; j++) {
			const struct vtx_sample *at = j ? after : before;

			for (size_t k = 0; at && k < at->vms; k++)
				if (!s->pid || at->vm[k].pid == s->pid)
					sum[j] += *(const int64_t *)((const char *)&at->vm[k] + pages[i].offset);
		}
		r |= vtx_stat_count(s, pages[i].name, before ? sum[1] - sum[0] : 0, 0);
		for (size_t k = 0; k < s->fields; k++)
			if (!strcmp(s->field[k].name, pages[i].name))
				s->field[k].value = sum[1];
	}
	return r;
}

static int vtx_stat_compare(const void *a, const void *b)
{
	return strcmp(((const struct vtx_stat_field *)a)->name, ((const struct vtx_stat_field *)b)->name);
}

/* Nothing but one process's VMs: a shallow copy, whose array alone is its own. */
static int vtx_stat_narrow(struct vtx_sample *narrow, const struct vtx_sample *all, int pid)
{
	*narrow = *all;
	narrow->vms = 0;
	narrow->vm = calloc(all->vms + 1, sizeof(*all->vm));
	if (!narrow->vm)
		return -1;
	for (size_t i = 0; i < all->vms; i++)
		if (!pid || all->vm[i].pid == pid)
			narrow->vm[narrow->vms++] = all->vm[i];
	return 0;
}

static int vtx_stat_take(struct vtx_stat *s, const struct vtx_top_table *t)
{
	int r = 0;

	for (size_t i = 0; i < s->fields; i++)
		s->field[i].delta = 0;
	if (!s->by_guest) {
		r |= vtx_stat_sum(s, t->sum.exits, t->sum.total);
		for (size_t i = 0; i < COUNT(vtx_stat_reasons); i++)
			r |= vtx_stat_reason(s, vtx_stat_reasons[i].name, 0, 0);
	}
	for (size_t i = 0; i < t->lines; i++) {
		const struct vtx_top_line *line = &t->line[i];

		if (s->by_guest)
			r |= vtx_stat_count(s, line->vm, (int64_t)line->exits, (int64_t)line->total);
		else
			r |= vtx_stat_reason(s, line->reason, line->exits, line->total);
	}
	return r;
}

int vtx_stat_update(struct vtx_stat *s, const struct vtx_sample *before, const struct vtx_sample *after, struct vtx_error *error)
{
	struct vtx_sample then = { 0 }, now = { 0 };
	struct vtx_top_table table = { 0 };
	int r;

	if (!s->started)
		before = NULL;
	r = vtx_stat_narrow(&now, after, s->pid);
	if (!r && before)
		r = vtx_stat_narrow(&then, before, s->pid);
	if (!r)
		r = vtx_top_compute(&table, before ? &then : NULL, &now, s->by_guest ? VTX_TOP_BY_VM : VTX_TOP_BY_REASON, VTX_TOP_SORT_NAME, error);
	if (!r)
		r = vtx_stat_take(s, &table);
	if (!r && s->debugfs && !s->by_guest)
		r = vtx_stat_pages(s, before, after);
	s->started = true;
	if (s->fields)
		qsort(s->field, s->fields, sizeof(*s->field), vtx_stat_compare);
	vtx_top_free(&table);
	free(now.vm);
	free(then.vm);
	return r ? vtx_error_set(error, VTX_STATUS_HOST_ERROR, "out of memory") : 0;
}
