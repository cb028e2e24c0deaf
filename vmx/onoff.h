/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VT-x on and off: VMXON on every CPU for the first VM, VMXOFF after the last, and what a CPU that comes, goes, sleeps,
 * reboots or crashes needs in between.
 */
#ifndef VTX_VMX_ONOFF_H
#define VTX_VMX_ONOFF_H

#include <linux/types.h>

int vtx_onoff_init(void);	/* module load: hotplug and reboot hooks. errno of their registration */
void vtx_onoff_exit(void);

/**
 * vtx_vmx_get() - one more VM needs VT-x
 * May sleep. Return: 0; -EBUSY: somebody else has CR4.VMXE set on some CPU (one sentence in dmesg says who probably, and what to
 * do); -EIO: VMXON failed on some CPU, or the host is rebooting; -ENOMEM. On error no CPU is left in VMX operation by us.
 */
int vtx_vmx_get(void);
void vtx_vmx_put(void);

/* Is this CPU in VMX operation, by our doing? Preemption off. */
bool vtx_vmx_on_here(void);

/* True once VMX may have been turned off under us by a crash or reboot: VMX instructions then fail harmlessly. */
extern bool vtx_rebooting;

#endif /* VTX_VMX_ONOFF_H */
