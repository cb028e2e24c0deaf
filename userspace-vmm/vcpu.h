/* SPDX-License-Identifier: GPL-2.0-only */
/* One virtual processor: its KVM file, its thread, its run loop. */
#ifndef VTX_VMM_VCPU_H
#define VTX_VMM_VCPU_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <linux/kvm.h>

#include "userspace-vmm/boot_state.h"
#include "userspace-vmm/kvm.h"
#include "userspace-vmm/message.h"

struct vtx_machine;

/* Returns of KVM_RUN by kind, for -v. */
struct vtx_vcpu_counts {
	uint64_t port_in, port_out, mmio, signal, other;
};

struct vtx_vcpu {
	struct vtx_machine *machine;
	unsigned int index;
	int fd;
	struct kvm_run *run;
	pthread_t thread;
	bool started;
	/* written by its thread, read after it ended */
	struct vtx_vcpu_counts counts;
	_Atomic uint64_t cpu_ns; /* that the thread had of a processor; 0 until it ends */
	uint64_t ticks; /* of the host's TSC, from the first entry to the end */
};

/* Creates vCPU INDEX of CPUS with CPUID, MSRs and local APIC as a guest finds them after reset. */
int vtx_vcpu_create(struct vtx_vcpu *vcpu, struct vtx_machine *machine, unsigned int index, unsigned int cpus,
		    struct vtx_error *error);

/* Gives the boot processor its first state. */
int vtx_vcpu_set_entry(struct vtx_vcpu *vcpu, const struct vtx_entry *entry, struct vtx_error *error);

int vtx_vcpu_start(struct vtx_vcpu *vcpu, struct vtx_error *error);

/* Installs the handler of the signal by which vCPUs are kicked out of the guest; once, before any starts. */
void vtx_vcpu_init_kick(void);

/* Makes KVM_RUN return soon, now or the next time it is called.  Any thread. */
void vtx_vcpu_kick(struct vtx_vcpu *vcpu);

/* Waits for the end of the thread, kicking it again and again.  Returns false if it does not end within 5 seconds. */
bool vtx_vcpu_join(struct vtx_vcpu *vcpu);

#endif
