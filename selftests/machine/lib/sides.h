/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The statistics of a VM and its vCPU before and after something was done; and the flight recorder, which tells from other memory what
 * the statistics of the exit reasons have to be.
 */
#ifndef VTX_SELFTEST_SIDES_H
#define VTX_SELFTEST_SIDES_H

#include "../../uapi/vtx.h"
#include "lib/stats.h"
#include "lib/vm.h"

/* The statistics "exit_..." and their numbers in the flight recorder; ~0: VMLAUNCH or VMRESUME itself failed. */
struct stat_reason {
	const char *name;
	u32 number;
};

extern const struct stat_reason stat_reasons[];
extern const size_t nr_stat_reasons;
const struct stat_reason *stat_reason(const char *name);	/* or NULL */

struct sides {
	struct vcpu *v;
	struct stats *vm, *vcpu;
	u64 *vm_then, *vcpu_then, *vm_now, *vcpu_now;
	const struct vtx_ring *ring;
	u64 head;
};

void sides_then(struct sides *s, struct vcpu *v);
void sides_now(struct sides *s);
void sides_free(struct sides *s);	/* the VM as well */

/* Number @i of a vCPU's statistic: by how much it moved. */
u64 sides_moved(const struct sides *s, const char *name, u32 i);
/* All six statistics of a reason against the records, which do not come from the same counters. At most 1,023 exits in between. */
void sides_check_reason(const struct sides *s, const struct stat_reason *reason);

/* A vCPU thread that changes the CPU flushes its translations, which is a number as well. */
void stay_here(void);

#endif /* VTX_SELFTEST_SIDES_H */
