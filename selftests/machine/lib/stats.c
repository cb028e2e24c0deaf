// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading a statistics file (see stats.h).
 */
#include "lib/stats.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

struct stats *stats_open(int fd)
{
	struct stats *s = calloc(1, sizeof(*s));
	size_t size;

	s->fd = (int)CHECK_OK(ioctl(fd, KVM_GET_STATS_FD, NULL));
	CHECK_EQ(read(s->fd, &s->header, sizeof(s->header)), sizeof(s->header), "the header read");
	CHECK(s->header.name_size && s->header.name_size <= sizeof(s->id), "name_size %u", s->header.name_size);
	CHECK_EQ(pread(s->fd, s->id, s->header.name_size, s->header.id_offset), s->header.name_size, "the id read");
	CHECK(memchr(s->id, 0, s->header.name_size), "the id ends");
	s->desc_size = sizeof(struct kvm_stats_desc) + s->header.name_size;
	size = s->desc_size * s->header.num_desc;
	s->descs = malloc(size);
	CHECK_EQ(pread(s->fd, s->descs, size, s->header.desc_offset), size, "the descriptors read");
	for (u32 i = 0; i < s->header.num_desc; i++)
		s->nr_values += stats_desc(s, i)->size;
	return s;
}

void stats_close(struct stats *s)
{
	close(s->fd);
	free(s->descs);
	free(s);
}

const struct kvm_stats_desc *stats_desc(const struct stats *s, u32 i)
{
	return (const struct kvm_stats_desc *)(s->descs + i * s->desc_size);
}

const struct kvm_stats_desc *stats_find(const struct stats *s, const char *name)
{
	for (u32 i = 0; i < s->header.num_desc; i++)
		if (!strcmp(stats_desc(s, i)->name, name))
			return stats_desc(s, i);
	return NULL;
}

u64 *stats_read(const struct stats *s)
{
	u64 *data = malloc(8 * s->nr_values);

	CHECK_EQ(pread(s->fd, data, 8 * s->nr_values, s->header.data_offset), 8 * s->nr_values, "the numbers read");
	return data;
}

u64 stats_value(const struct stats *s, const char *name)
{
	const struct kvm_stats_desc *desc = stats_find(s, name);
	u64 value;

	CHECK(desc, "there is no statistic %s", name);
	CHECK_EQ(pread(s->fd, &value, 8, s->header.data_offset + desc->offset), 8, name);
	return value;
}

void small_pages(bool on)
{
	CHECK_OK(prctl(PR_SET_THP_DISABLE, on, 0, 0, 0));
}
