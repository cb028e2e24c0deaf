/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What programs look for under KVM's name when vtx serves as /dev/kvm: the trace system `kvm` and /sys/kernel/debug/kvm.
 */
#ifndef VTX_TRACE_KVM_NAMES_H
#define VTX_TRACE_KVM_NAMES_H

struct vtx_vm;

/*
 * Once, when the device node is /dev/kvm. Neither of them can fail in a way that matters: what cannot be had is said in the
 * kernel's log and is not there. The kernel itself takes the events away when it unloads the module.
 */
void vtx_kvm_events_init(void);		/* trace/kvm_events.c */
void vtx_kvm_events_exit(void);		/* also if never initialised */
void vtx_kvm_debugfs_init(void);	/* trace/kvm_debugfs.c */
void vtx_kvm_debugfs_exit(void);	/* also if never initialised */

/* A VM comes and goes, as in trace/stats.h; nothing happens where there is no /sys/kernel/debug/kvm. May sleep. */
void vtx_kvm_debugfs_vm_created(struct vtx_vm *vm);
void vtx_kvm_debugfs_vm_destroyed(struct vtx_vm *vm);

#endif /* VTX_TRACE_KVM_NAMES_H */
