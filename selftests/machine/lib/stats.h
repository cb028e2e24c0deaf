/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A statistics file (KVM_GET_STATS_FD) as a program reads it.  All calls end the case when they fail.
 */
#ifndef VTX_SELFTEST_STATS_H
#define VTX_SELFTEST_STATS_H

#include <linux/kvm.h>

#include "lib/harness.h"

struct stats {
	int fd;
	struct kvm_stats_header header;
	char id[64];
	size_t desc_size;
	u8 *descs;
	u64 nr_values;
};

/* Of a VM or a vCPU. */
struct stats *stats_open(int fd);
void stats_close(struct stats *s);

const struct kvm_stats_desc *stats_desc(const struct stats *s, u32 i);
/* By name; NULL: there is none. */
const struct kvm_stats_desc *stats_find(const struct stats *s, const char *name);

/* All numbers at once; desc->offset / 8 is the index of a statistic's first. To be freed. */
u64 *stats_read(const struct stats *s);
/* One statistic's first number, read by itself. */
u64 stats_value(const struct stats *s, const char *name);

/*
 * Kernels that hand out huge pages by themselves would spare guests most of their EPT violations. For memory that is touched from now
 * on; false: as the kernel likes.
 */
void small_pages(bool on);

#endif /* VTX_SELFTEST_STATS_H */
