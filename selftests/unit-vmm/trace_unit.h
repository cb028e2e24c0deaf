/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tests of traces, reports and pictures share: files in a folder of their own, synthetic rings, and a real JSON parser. */
#ifndef VTX_UNIT_VMM_TRACE_UNIT_H
#define VTX_UNIT_VMM_TRACE_UNIT_H

#include <stdio.h>
#include <unistd.h>
#include <fcntl.h>
#include <sys/wait.h>

#include "unit.h"
#include "uapi/vtx.h"

static char test_folder[] = "/tmp/vtx-unit.XXXXXX";

static inline int test_folder_make(void **state)
{
	(void)state;
	return mkdtemp(test_folder) ? 0 : -1;
}

static inline int test_folder_remove(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", test_folder);
	return system(command) ? -1 : 0;
}

/* The path of NAME in the folder; good for 64 calls. */
static inline const char *test_path(const char *name)
{
	static char paths[64][128];
	static unsigned int n;

	n = (n + 1) % 64;
	snprintf(paths[n], sizeof(paths[n]), "%s/%s", test_folder, name);
	return paths[n];
}

static inline const char *test_file(const char *name, const void *data, size_t size)
{
	const char *path = test_path(name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, size, f), size);
	assert_int_equal(fclose(f), 0);
	return path;
}

/* Python's parser reads TEXT and must find all that EXPRESSION says about `d`. */
static inline void test_json(const char *text, const char *expression)
{
	const char *path = test_file("check.json", text, strlen(text));
	char command[1024];

	snprintf(command, sizeof(command), "python3 -c 'import json,sys; d=json.load(open(sys.argv[1])); assert (%s)' %s", expression,
		 path);
	if (system(command))
		fail_msg("not JSON, or not %s:\n%s", expression, text);
}

static inline void test_contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in:\n%s", part, text);
}

/* A flight recorder of RECORDS places after HEAD exits, in memory from malloc(). */
static inline uint8_t *test_ring_new(uint32_t records, uint64_t head, size_t *size)
{
	struct vtx_ring ring = {
		.magic = VTX_RING_MAGIC, .version = VTX_RING_VERSION, .records = records, .record_size = sizeof(struct vtx_record),
		.head = head, .vcpu_id = 3, .tsc_khz = 1000000, .data_offset = 4096,
	};
	uint8_t *data;

	*size = 4096 + records * sizeof(struct vtx_record);
	data = calloc(1, *size);
	memcpy(data, &ring, sizeof(ring));
	for (uint64_t n = head > records ? head - records : 0; n < head; n++) {
		struct vtx_record r = {
			.tsc = 1000000 + n * 1000, .rip = 0xffffffff81000000 + n, .reason = 10, .ticks = 60, .by = VTX_BY_FAST,
			.seq = (uint32_t)n, .cs = 0x10, .info = n,
		};

		memcpy(data + 4096 + n % records * sizeof(r), &r, sizeof(r));
	}
	return data;
}

/* The same sequence on each run. */
static inline uint32_t test_random(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

#endif
