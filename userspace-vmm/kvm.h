/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Opening a KVM device and creating a VM on it, with refusals that say what to do.  The same calls work on /dev/vtx
 * and on /dev/kvm.
 */
#ifndef VTX_VMM_KVM_H
#define VTX_VMM_KVM_H

#include <stdbool.h>
#include <stddef.h>

#include "userspace-vmm/message.h"
#include "userspace-vmm/ram.h"

struct vtx_kvm {
	const char *path;
	int device;
	int vm;
	size_t run_size; /* of a vCPU's mapping */
	bool has_irqchip;
	bool tsc_deadline;
};

/* Opens PATH and creates a VM with the interrupt controllers (unless NO_IRQCHIP) and the memory of RAM. */
int vtx_kvm_open(struct vtx_kvm *kvm, const char *path, struct vtx_error *error);
int vtx_kvm_create_vm(struct vtx_kvm *kvm, const struct vtx_ram *ram, unsigned int cpus, bool no_irqchip,
		      struct vtx_error *error);
void vtx_kvm_close(struct vtx_kvm *kvm);

/* KVM_CHECK_EXTENSION; 0 also on error. */
int vtx_kvm_capability(const struct vtx_kvm *kvm, int capability);

void vtx_kvm_set_irq(const struct vtx_kvm *kvm, unsigned int irq, int level);

#endif
