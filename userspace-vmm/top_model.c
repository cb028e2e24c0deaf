// SPDX-License-Identifier: GPL-2.0-only
/* `vtx top`: differences of two samples, grouped and sorted. */
#define _GNU_SOURCE
#include "userspace-vmm/top_model.h"

#include <stdlib.h>
#include <stdio.h>
#include <string.h>

static const char *const vtx_top_groups[] = { "reason", "vm", "vcpu", "all" };
static const char *const vtx_top_sorts[] = { "exits", "ticks", "total", "name" };

static int vtx_find_name(const char *const *names, int count, const char *name)
{
	for (int i = 0; i < count; i++)
		if (!strcmp(names[i], name))
			return i;
	return -1;
}

const char *vtx_top_group_name(enum vtx_top_group group)
{
	return vtx_top_groups[group];
}

const char *vtx_top_sort_name(enum vtx_top_sort sort)
{
	return vtx_top_sorts[sort];
}

int vtx_top_group_find(const char *name)
{
	return vtx_find_name(vtx_top_groups, VTX_TOP_GROUPS, name);
}

int vtx_top_sort_find(const char *name)
{
	return vtx_find_name(vtx_top_sorts, VTX_TOP_SORTS, name);
}

double vtx_percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

/* ------------------------------------------------------------------ lines */

static void vtx_top_add(struct vtx_top_line *line, const struct vtx_exit_count *now, const struct vtx_exit_count *then, bool interval)
{
	static const struct vtx_exit_count zero;

	if (!then)
		then = &zero;
	line->total += now->count;
	if (now->max && (!line->max || now->min < line->min))
		line->min = now->min;
	if (now->max > line->max)
		line->max = now->max;
	if (!interval)
		return;
	line->exits += vtx_counter_delta(now->count, then->count);
	line->ticks += vtx_counter_delta(now->ticks, then->ticks);
	line->user_ticks += vtx_counter_delta(now->user_ticks, then->user_ticks);
}

/* The line of this key, made if there is none yet; NULL without memory. */
static struct vtx_top_line *vtx_top_line(struct vtx_top_table *t, const struct vtx_vm_sample *vm, unsigned int vcpu,
					 const char *reason, enum vtx_top_group group)
{
	struct vtx_top_line key = { .vcpu = -1 }, *bigger;

	if (group != VTX_TOP_BY_REASON) {
		strcpy(key.vm, vm->name);
		key.failed = vm->failed;
	}
	if (group == VTX_TOP_BY_VCPU || group == VTX_TOP_BY_ALL)
		key.vcpu = (int)vcpu;
	if (group == VTX_TOP_BY_REASON || group == VTX_TOP_BY_ALL)
		strcpy(key.reason, reason);
	for (size_t i = 0; i < t->lines; i++)
		if (t->line[i].vcpu == key.vcpu && !strcmp(t->line[i].vm, key.vm) && !strcmp(t->line[i].reason, key.reason))
			return &t->line[i];
	bigger = realloc(t->line, (t->lines + 1) * sizeof(*bigger));
	if (!bigger)
		return NULL;
	t->line = bigger;
	t->line[t->lines] = key;
	return &t->line[t->lines++];
}

static int vtx_top_vcpu(struct vtx_top_table *t, const struct vtx_vm_sample *vm, const struct vtx_vcpu_sample *vcpu,
			const struct vtx_vcpu_sample *then, bool interval, enum vtx_top_group group)
{
	/* A vCPU or VM without exits yet has its line all the same. */
	if (group != VTX_TOP_BY_REASON && group != VTX_TOP_BY_ALL && !vtx_top_line(t, vm, vcpu->id, "", group))
		return -1;
	for (size_t i = 0; i < vcpu->exits; i++) {
		const struct vtx_exit_count *now = &vcpu->exit[i], *old = vtx_sample_exit(then, now->reason);
		struct vtx_top_line *line = vtx_top_line(t, vm, vcpu->id, now->reason, group);

		if (!line)
			return -1;
		vtx_top_add(line, now, old, interval);
		vtx_top_add(&t->sum, now, old, interval);
	}
	return 0;
}

/* ------------------------------------------------------------------ hot keys */

static int vtx_top_hots(struct vtx_top_table *t, const struct vtx_vcpu_sample *vcpu, const struct vtx_vcpu_sample *then, bool interval)
{
	for (size_t i = 0; i < vcpu->hots; i++) {
		const struct vtx_hot_count *now = &vcpu->hot[i];
		struct vtx_top_hot *hot = NULL, *bigger;
		uint64_t old = 0;

		for (size_t j = 0; then && j < then->hots; j++)
			if (!strcmp(then->hot[j].table, now->table) && !strcmp(then->hot[j].key, now->key))
				old = then->hot[j].count;
		for (size_t j = 0; j < t->hots && !hot; j++)
			if (!strcmp(t->hot[j].table, now->table) && !strcmp(t->hot[j].key, now->key))
				hot = &t->hot[j];
		if (!hot) {
			bigger = realloc(t->hot, (t->hots + 1) * sizeof(*bigger));
			if (!bigger)
				return -1;
			t->hot = bigger;
			hot = &t->hot[t->hots++];
			memset(hot, 0, sizeof(*hot));
			strcpy(hot->table, now->table);
			strcpy(hot->key, now->key);
		}
		hot->total += now->count;
		if (interval)
			hot->count += vtx_counter_delta(now->count, old);
	}
	return 0;
}

/* ------------------------------------------------------------------ order */

#define MORE(a, b) (((a) < (b)) - ((a) > (b))) /* larger ones first */

static int vtx_top_by_name(const void *a, const void *b)
{
	const struct vtx_top_line *x = a, *y = b;
	int r = strverscmp(x->vm, y->vm);

	if (!r)
		r = x->vcpu - y->vcpu;
	return r ? r : strcmp(x->reason, y->reason);
}

static int vtx_top_by_total(const void *a, const void *b)
{
	const struct vtx_top_line *x = a, *y = b;
	int r = MORE(x->total, y->total);

	return r ? r : vtx_top_by_name(a, b);
}

static int vtx_top_by_exits(const void *a, const void *b)
{
	const struct vtx_top_line *x = a, *y = b;
	int r = MORE(x->exits, y->exits);

	return r ? r : vtx_top_by_total(a, b);
}

static int vtx_top_by_ticks(const void *a, const void *b)
{
	const struct vtx_top_line *x = a, *y = b;
	int r = MORE(x->ticks, y->ticks);

	return r ? r : vtx_top_by_exits(a, b);
}

static int vtx_top_hot_order(const void *a, const void *b)
{
	const struct vtx_top_hot *x = a, *y = b;
	int r = strcmp(x->table, y->table);

	if (!r)
		r = MORE(x->count, y->count);
	if (!r)
		r = MORE(x->total, y->total);
	return r ? r : strcmp(x->key, y->key);
}

int vtx_top_compute(struct vtx_top_table *t, const struct vtx_sample *before, const struct vtx_sample *after,
		    enum vtx_top_group group, enum vtx_top_sort sort, struct vtx_error *error)
{
	static int (*const orders[])(const void *, const void *) = { vtx_top_by_exits, vtx_top_by_ticks, vtx_top_by_total,
								       vtx_top_by_name };

	vtx_top_free(t);
	t->sum.vcpu = -1;
	if (before) {
		t->seconds = after->seconds - before->seconds;
		t->tsc = after->tsc - before->tsc;
	}
	for (size_t i = 0; i < after->vms; i++) {
		const struct vtx_vm_sample *vm = &after->vm[i], *then = vtx_sample_vm(before, vm->name);

		t->vms++;
		t->failed += vm->failed;
		for (size_t j = 0; j < vm->vcpus; j++) {
			const struct vtx_vcpu_sample *vcpu = &vm->vcpu[j], *old = vtx_sample_vcpu(then, vcpu->id);

			t->vcpus++;
			if (vtx_top_vcpu(t, vm, vcpu, old, before != NULL, group) || vtx_top_hots(t, vcpu, old, before != NULL))
				return vtx_error_set(error, VTX_STATUS_HOST_ERROR, "out of memory");
		}
	}
	if (t->lines)
		qsort(t->line, t->lines, sizeof(*t->line), orders[sort]);
	if (t->hots)
		qsort(t->hot, t->hots, sizeof(*t->hot), vtx_top_hot_order);
	return 0;
}

void vtx_top_free(struct vtx_top_table *t)
{
	free(t->line);
	free(t->hot);
	memset(t, 0, sizeof(*t));
}
