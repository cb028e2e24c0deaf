/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The calls of test_refusals that vtx must refuse: the world that each of them wants, and one function for each subject, which makes
 * the call for a code of uapi/vtx_errors.h and returns what the call returned.
 */
#ifndef VTX_TEST_PROVOKE_H
#define VTX_TEST_PROVOKE_H

#include "../../../compat/kvm_uapi.h"
#include "../lib/ext_error.h"
#include "../lib/guest.h"
#include "../lib/vm.h"

#define MAX_GSI 4095
#define OF(type, field) offsetof(struct type, field)

#define CR0_PE (1ull << 0)
#define CR0_NW (1ull << 29)
#define CR0_CD (1ull << 30)
#define CR0_PG (1ull << 31)
#define CR4_PAE (1ull << 5)
#define CR4_VMXE (1ull << 13)
#define EFER_LME (1ull << 8)
#define EFER_LMA (1ull << 10)

enum fd { DEV, VM, VCPU, NR_FDS };

enum {
	IRQCHIP = 1,	/* with interrupt controllers and PIT in the kernel */
	NO_VCPU = 2,
	GUEST_RUNS = 4,	/* memory, and guest code that touches GUEST_FREE */
	SPLIT = 8,	/* with local APICs in the kernel */
};

struct world {
	struct vm *vm;
	struct vcpu *v;
	int fd[NR_FDS];
	struct vtx_ext_error why[NR_FDS];
	/* What a row cannot know beforehand; DYNAMIC there. */
	u64 found, allowed;
};

void world_new(struct world *w, unsigned int flags);
void world_free(struct world *w);

int provoke_provoke(struct world *w, u32 code);
int provoke_any(struct world *w, u32 code);
int provoke_enable_cap(struct world *w, u32 code);
int provoke_vm_wide(struct world *w, u32 code);
int provoke_slots(struct world *w, u32 code);
int provoke_dirty_logs(struct world *w, u32 code);
int provoke_dirty_caps(struct world *w, u32 code);
int provoke_chips(struct world *w, u32 code);
int provoke_routes(struct world *w, u32 code);
int provoke_irqfds(struct world *w, u32 code);
int provoke_ioeventfds(struct world *w, u32 code);
int provoke_zones(struct world *w, u32 code);
int provoke_sregs(struct world *w, u32 code);
int provoke_state(struct world *w, u32 code);
int provoke_events(struct world *w, u32 code);
int provoke_run(struct world *w, u32 code);
int provoke_pre_fault(struct world *w, u32 code);
int provoke_cpuid(struct world *w, u32 code);
int provoke_attr(struct world *w, u32 code);
int provoke_msrs(struct world *w, u32 code);

#endif
