// SPDX-License-Identifier: GPL-2.0-only
/* Samples of vtx's counters in debugfs. */
#define _GNU_SOURCE
#include "userspace-vmm/counters.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

/* Makes room for one more element; returns it, zeroed, or NULL. */
static void *vtx_grow(void **array, size_t *count, size_t size)
{
	void *bigger = realloc(*array, (*count + 1) * size);
	char *element;

	if (!bigger)
		return NULL;
	*array = bigger;
	element = (char *)bigger + *count * size;
	memset(element, 0, size);
	++*count;
	return element;
}

#define GROW(array, count) ((__typeof__(array))vtx_grow((void **)&(array), &(count), sizeof(*(array))))

/* ------------------------------------------------------------------ text */

/* The next word of a line, at most LEN - 1 characters of it; moves *TEXT behind it.  False at the line's end. */
static bool vtx_next_word(const char **text, char *word, size_t len)
{
	const char *p = *text;
	size_t n;

	while (*p == ' ' || *p == '\t')
		p++;
	n = strcspn(p, " \t\n");
	*text = p + n;
	if (!n)
		return false;
	snprintf(word, len, "%.*s", (int)n, p);
	return true;
}

static const char *vtx_next_line(const char *text)
{
	const char *end = strchr(text, '\n');

	return end ? end + 1 : text + strlen(text);
}

static bool vtx_word_number(const char *word, uint64_t *value)
{
	char *end;

	if (!isdigit((unsigned char)*word))
		return false;
	errno = 0;
	*value = strtoull(word, &end, 0);
	return !errno && !*end;
}

#define MAX_COLUMNS 16

/* Which field of struct vtx_exit_count each column is; -1: one this program does not know. */
static unsigned int vtx_exit_columns(const char *header, int *column)
{
	static const struct {
		const char *name;
		size_t offset;
	} fields[] = {
		{ "count", offsetof(struct vtx_exit_count, count) },
		{ "ticks", offsetof(struct vtx_exit_count, ticks) },
		{ "user_ticks", offsetof(struct vtx_exit_count, user_ticks) },
		{ "min", offsetof(struct vtx_exit_count, min) },
		{ "max", offsetof(struct vtx_exit_count, max) },
	};
	unsigned int n = 0;
	char word[32];

	while (n < MAX_COLUMNS && vtx_next_word(&header, word, sizeof(word))) {
		column[n] = -1;
		for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
			if (!strcmp(word, fields[i].name))
				column[n] = (int)fields[i].offset;
		n++;
	}
	return n;
}

int vtx_parse_exits(struct vtx_vcpu_sample *vcpu, const char *text, struct vtx_error *error)
{
	int column[MAX_COLUMNS];
	unsigned int columns = vtx_exit_columns(text, column);

	if (columns < 2 || strncmp(text, "name ", 5))
		return vtx_error_set(error, VTX_STATUS_HOST_ERROR, "exits: the header line is not one of vtx: %.40s", text);
	for (text = vtx_next_line(text); *text; text = vtx_next_line(text)) {
		struct vtx_exit_count *e;
		char word[VTX_REASON_LEN];
		uint64_t value;

		if (*text == '\n' || !vtx_next_word(&text, word, sizeof(word)))
			continue;
		e = GROW(vcpu->exit, vcpu->exits);
		if (!e)
			return vtx_error_set(error, VTX_STATUS_HOST_ERROR, "out of memory");
		strcpy(e->reason, word);
		for (unsigned int i = 1; i < columns; i++) {
			if (!vtx_next_word(&text, word, sizeof(word)) || !vtx_word_number(word, &value))
				return vtx_error_set(error, VTX_STATUS_HOST_ERROR, "exits: the line of %s has no number in column %u",
						     e->reason, i + 1);
			if (column[i] >= 0)
				memcpy((char *)e + column[i], &value, sizeof(value));
		}
	}
	return 0;
}

int vtx_parse_hots(struct vtx_vcpu_sample *vcpu, const char *text, struct vtx_error *error)
{
	if (strncmp(text, "table key count", 15))
		return vtx_error_set(error, VTX_STATUS_HOST_ERROR, "top: the header line is not one of vtx: %.40s", text);
	for (text = vtx_next_line(text); *text; text = vtx_next_line(text)) {
		struct vtx_hot_count *h;
		char table[sizeof(h->table)], key[sizeof(h->key)], count[24];
		uint64_t value;

		if (!vtx_next_word(&text, table, sizeof(table)))
			continue;
		if (!vtx_next_word(&text, key, sizeof(key)) || !vtx_next_word(&text, count, sizeof(count)) ||
		    !vtx_word_number(count, &value))
			return vtx_error_set(error, VTX_STATUS_HOST_ERROR, "top: a line of table %s is not \"table key count\"", table);
		h = GROW(vcpu->hot, vcpu->hots);
		if (!h)
			return vtx_error_set(error, VTX_STATUS_HOST_ERROR, "out of memory");
		strcpy(h->table, table);
		strcpy(h->key, key);
		h->count = value;
	}
	return 0;
}

void vtx_parse_memory(struct vtx_vm_sample *vm, const char *text)
{
	for (; *text; text = vtx_next_line(text)) {
		sscanf(text, "pages_4k %" SCNu64, &vm->pages_4k);
		sscanf(text, "pages_2m %" SCNu64, &vm->pages_2m);
		sscanf(text, "pages_1g %" SCNu64, &vm->pages_1g);
	}
}

/* ------------------------------------------------------------------ files */

/* All of a file, as a string to be freed; NULL if it is gone or empty. */
static char *vtx_read_all(int dir, const char *name)
{
	size_t size = 0, have = 0;
	char *text = NULL, *bigger;
	ssize_t n = 1;
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return NULL;
	while (n > 0) {
		if (have + 4096 > size) {
			size = size ? 2 * size : 16384;
			bigger = realloc(text, size + 1);
			if (!bigger)
				break;
			text = bigger;
		}
		n = read(fd, text + have, size - have);
		have += n > 0 ? (size_t)n : 0;
	}
	close(fd);
	if (n != 0 || !have) {
		free(text);
		return NULL;
	}
	text[have] = 0;
	return text;
}

static int vtx_take_vcpu(struct vtx_vm_sample *vm, int dir, unsigned int id, struct vtx_error *error)
{
	struct vtx_vcpu_sample *vcpu;
	char name[32], *text;
	int r;

	snprintf(name, sizeof(name), "vcpu%u/exits", id);
	text = vtx_read_all(dir, name);
	if (!text)
		return 0;
	vcpu = GROW(vm->vcpu, vm->vcpus);
	if (!vcpu) {
		free(text);
		return vtx_error_set(error, VTX_STATUS_HOST_ERROR, "out of memory");
	}
	vcpu->id = id;
	r = vtx_parse_exits(vcpu, text, error);
	free(text);
	snprintf(name, sizeof(name), "vcpu%u/top", id);
	text = r ? NULL : vtx_read_all(dir, name);
	if (text)
		r = vtx_parse_hots(vcpu, text, error);
	free(text);
	return r;
}

static int vtx_compare_vcpus(const void *a, const void *b)
{
	unsigned int x = ((const struct vtx_vcpu_sample *)a)->id, y = ((const struct vtx_vcpu_sample *)b)->id;

	return (x > y) - (x < y);
}

static int vtx_take_vm(struct vtx_sample *sample, int vtx_dir, const char *name, struct vtx_error *error)
{
	int fd = openat(vtx_dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct vtx_vm_sample *vm;
	struct dirent *entry;
	char *text;

	if (!dir)
		return 0; /* ended, or a file beside the folders */
	vm = GROW(sample->vm, sample->vms);
	if (!vm) {
		closedir(dir);
		return vtx_error_set(error, VTX_STATUS_HOST_ERROR, "out of memory");
	}
	memcpy(vm->name, name, strnlen(name, sizeof(vm->name) - 1));
	vm->pid = atoi(name);
	while (!r && (entry = readdir(dir))) {
		char *end;
		unsigned long id;

		if (strncmp(entry->d_name, "vcpu", 4) || !isdigit((unsigned char)entry->d_name[4]))
			continue;
		id = strtoul(entry->d_name + 4, &end, 10);
		if (!*end && id <= INT_MAX)
			r = vtx_take_vcpu(vm, fd, (unsigned int)id, error);
	}
	text = vtx_read_all(fd, "memory");
	vtx_parse_memory(vm, text ? text : "");
	free(text);
	text = vtx_read_all(fd, "failure");
	vm->failed = text && *text;
	free(text);
	closedir(dir);
	if (vm->vcpus)
		qsort(vm->vcpu, vm->vcpus, sizeof(*vm->vcpu), vtx_compare_vcpus);
	return r;
}

static int vtx_compare_vms(const void *a, const void *b)
{
	const struct vtx_vm_sample *x = a, *y = b;

	return x->pid != y->pid ? (x->pid > y->pid) - (x->pid < y->pid) : strcmp(x->name, y->name);
}

static int vtx_no_debugfs(const char *root, int reason, struct vtx_error *error)
{
	char path[PATH_MAX];
	DIR *dir = opendir(root);
	unsigned int entries = 0;

	if (reason == EACCES || reason == EPERM || (!dir && (errno == EACCES || errno == EPERM))) {
		if (dir)
			closedir(dir);
		return vtx_error_set(error, VTX_STATUS_DEVICE, "%s/vtx can't be read: debugfs is root's. Run this as root", root);
	}
	if (!dir)
		return vtx_error_set(error, VTX_STATUS_DEVICE, "%s: %s", root, strerror(errno));
	while (readdir(dir))
		entries++;
	closedir(dir);
	snprintf(path, sizeof(path), "%s", root);
	if (entries <= 2 && !strcmp(path, VTX_DEBUGFS))
		return vtx_error_set(error, VTX_STATUS_DEVICE, "debugfs is not mounted: mount -t debugfs debugfs %s", VTX_DEBUGFS);
	return vtx_error_set(error, VTX_STATUS_DEVICE, "there is no %s/vtx: the module vtx is not loaded (insmod vtx.ko; vtx doctor "
			     "says whether it can be)", root);
}

int vtx_sample_take(struct vtx_sample *sample, const char *root, struct vtx_error *error)
{
	char path[PATH_MAX];
	struct timespec now;
	struct dirent *entry;
	DIR *dir;
	int r = 0;

	vtx_sample_free(sample);
	snprintf(path, sizeof(path), "%s/vtx", root);
	dir = opendir(path);
	if (!dir)
		return vtx_no_debugfs(root, errno, error);
	clock_gettime(CLOCK_MONOTONIC, &now);
	sample->seconds = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
	sample->tsc = __rdtsc();
	while (!r && (entry = readdir(dir)))
		if (isdigit((unsigned char)entry->d_name[0]))
			r = vtx_take_vm(sample, dirfd(dir), entry->d_name, error);
	closedir(dir);
	if (sample->vms)
		qsort(sample->vm, sample->vms, sizeof(*sample->vm), vtx_compare_vms);
	return r;
}

void vtx_sample_free(struct vtx_sample *sample)
{
	for (size_t i = 0; i < sample->vms; i++) {
		for (size_t j = 0; j < sample->vm[i].vcpus; j++) {
			free(sample->vm[i].vcpu[j].exit);
			free(sample->vm[i].vcpu[j].hot);
		}
		free(sample->vm[i].vcpu);
	}
	free(sample->vm);
	memset(sample, 0, sizeof(*sample));
}

/* ------------------------------------------------------------------ the same in another sample */

const struct vtx_vm_sample *vtx_sample_vm(const struct vtx_sample *other, const char *name)
{
	for (size_t i = 0; other && i < other->vms; i++)
		if (!strcmp(other->vm[i].name, name))
			return &other->vm[i];
	return NULL;
}

const struct vtx_vcpu_sample *vtx_sample_vcpu(const struct vtx_vm_sample *other, unsigned int id)
{
	for (size_t i = 0; other && i < other->vcpus; i++)
		if (other->vcpu[i].id == id)
			return &other->vcpu[i];
	return NULL;
}

const struct vtx_exit_count *vtx_sample_exit(const struct vtx_vcpu_sample *other, const char *reason)
{
	for (size_t i = 0; other && i < other->exits; i++)
		if (!strcmp(other->exit[i].reason, reason))
			return &other->exit[i];
	return NULL;
}
