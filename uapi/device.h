/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The device node, as the module's start and end see it.
 */
#ifndef VTX_UAPI_DEVICE_H
#define VTX_UAPI_DEVICE_H

#include <linux/types.h>

/* Makes the device of the module parameter devname. -EINVAL (another name), -EBUSY (kvm.ko has it), both said in dmesg; -ENOMEM. */
int vtx_device_init(void);
void vtx_device_exit(void);
/* Is it /dev/kvm? After vtx_device_init() has succeeded. */
bool vtx_device_is_kvm(void);

#endif /* VTX_UAPI_DEVICE_H */
