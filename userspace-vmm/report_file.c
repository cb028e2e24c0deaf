// SPDX-License-Identifier: GPL-2.0-only
/* Reports as files. */
#define _GNU_SOURCE
#include "userspace-vmm/report_data.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "userspace-vmm/loader.h"
#include "userspace-vmm/ring.h"

int vtx_report_write(const char *path, const struct vtx_report_saved *saved, struct vtx_error *error)
{
	struct vtx_report_file header = {
		.magic = VTX_REPORT_MAGIC, .version = VTX_REPORT_VERSION,
		.data_size = sizeof(saved->data), .ring_size = saved->ring ? (uint32_t)saved->ring_size : 0,
	};
	FILE *f = fopen(path, "we");
	int bad;

	if (!f)
		return vtx_error_set(error, VTX_STATUS_HOST_ERROR, "cannot write %s: %s", path, strerror(errno));
	fwrite(&header, sizeof(header), 1, f);
	fwrite(&saved->data, sizeof(saved->data), 1, f);
	if (header.ring_size)
		fwrite(saved->ring, header.ring_size, 1, f);
	bad = ferror(f);
	if (fclose(f) || bad)
		return vtx_error_set(error, VTX_STATUS_HOST_ERROR, "cannot write %s: %s", path, strerror(errno));
	return 0;
}

/* A string that is printed must end, and must not move somebody's cursor. */
static void vtx_clean_text(char *text, size_t size)
{
	text[size - 1] = '\0';
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || (unsigned char)*p >= 0x7f)
			*p = *p == '\n' ? ' ' : '?';
}

static uint32_t vtx_at_most(uint32_t value, size_t limit)
{
	return value < limit ? value : (uint32_t)limit;
}

static void vtx_clean_failure(struct vtx_failure_report *f)
{
	f->nr_faults = vtx_at_most(f->nr_faults, VTX_MAX_FAULTS);
	f->insn_len = vtx_at_most(f->insn_len, sizeof(f->insn));
	vtx_clean_text(f->text, sizeof(f->text));
	for (unsigned int i = 0; i < VTX_MAX_RULES; i++) {
		vtx_clean_text(f->rules[i].id, sizeof(f->rules[i].id));
		vtx_clean_text(f->rules[i].section, sizeof(f->rules[i].section));
		vtx_clean_text(f->rules[i].field, sizeof(f->rules[i].field));
		vtx_clean_text(f->rules[i].text, sizeof(f->rules[i].text));
	}
	for (unsigned int i = 0; i < VTX_MAX_FAULTS; i++)
		f->faults[i].insn_len = (uint8_t)vtx_at_most(f->faults[i].insn_len, sizeof(f->faults[i].insn));
}

static int vtx_report_parse(const struct vtx_image *image, struct vtx_report_saved *saved, struct vtx_error *error)
{
	struct vtx_report_file header = { .magic = 0 };

	if (image->size >= sizeof(header))
		memcpy(&header, image->data, sizeof(header));
	if (header.magic != VTX_REPORT_MAGIC && image->size == sizeof(saved->data.failure)) {
		memcpy(&saved->data.failure, image->data, sizeof(saved->data.failure));
		if (saved->data.failure.kind > VTX_FAILURE_VM_DEAD)
			return vtx_error_set(error, VTX_STATUS_IMAGE, "%s is not a report of a failure", image->name);
		saved->data.has = VTX_REPORT_HAS_FAILURE;
		saved->data.vcpu = saved->data.failure.vcpu_id;
		return 0;
	}
	if (header.magic != VTX_REPORT_MAGIC)
		return vtx_error_set(error, VTX_STATUS_IMAGE, "%s is not a report of a failure; `vtx run --report FILE` writes them",
				     image->name);
	if (header.version != VTX_REPORT_VERSION || header.data_size != sizeof(saved->data))
		return vtx_error_set(error, VTX_STATUS_IMAGE, "%s is a report of version %u with %u bytes; this program knows "
				     "version %u with %zu", image->name, header.version, header.data_size, VTX_REPORT_VERSION,
				     sizeof(saved->data));
	if (image->size - sizeof(header) < header.data_size ||
	    image->size - sizeof(header) - header.data_size != header.ring_size)
		return vtx_error_set(error, VTX_STATUS_IMAGE, "%s is cut short, or something was added to it", image->name);
	memcpy(&saved->data, image->data + sizeof(header), sizeof(saved->data));
	if (!header.ring_size)
		return 0;
	saved->ring = malloc(header.ring_size);
	if (!saved->ring)
		return vtx_error_set(error, VTX_STATUS_HOST_ERROR, "out of memory");
	saved->ring_size = header.ring_size;
	memcpy(saved->ring, image->data + sizeof(header) + sizeof(saved->data), header.ring_size);
	return vtx_ring_check(saved->ring, saved->ring_size, image->name, error);
}

int vtx_report_read(const char *path, struct vtx_report_saved *saved, struct vtx_error *error)
{
	struct vtx_image image = { .data = NULL };
	int ret;

	memset(saved, 0, sizeof(*saved));
	if (vtx_image_open(&image, path, "report", error))
		return -1;
	ret = vtx_report_parse(&image, saved, error);
	vtx_image_close(&image);
	vtx_clean_text(saved->data.headline, sizeof(saved->data.headline));
	vtx_clean_failure(&saved->data.failure);
	return ret;
}

void vtx_report_free(struct vtx_report_saved *saved)
{
	free(saved->ring);
	saved->ring = NULL;
}
