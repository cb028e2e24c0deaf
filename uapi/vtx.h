/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * What vtx adds to KVM's interface.  Everything else is <linux/kvm.h>: open /dev/vtx instead of /dev/kvm.
 *
 * At present this is one capability, by which a program can tell vtx from KVM:
 *
 *	int version = ioctl(fd, KVM_CHECK_EXTENSION, VTX_CAP_VTX);
 *
 * on the device or a VM answers VTX_INTERFACE_VERSION or a later, larger number; KVM answers 0.  Names here begin with VTX_;
 * an ioctl that vtx adds one day gets the type VTX_IOC_TYPE, which is not KVM's 0xAE.
 */
#ifndef VTX_UAPI_VTX_H
#define VTX_UAPI_VTX_H

#include <linux/ioctl.h>
#include <linux/kvm.h>

/* "vtx" and 1; KVM counts its capabilities up from 0. */
#define VTX_CAP_VTX 0x76747801

/* Grows when something is added to this file. */
#define VTX_INTERFACE_VERSION 1

#define VTX_IOC_TYPE 0xBD

#endif /* VTX_UAPI_VTX_H */
