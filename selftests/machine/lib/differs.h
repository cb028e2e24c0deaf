/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The table of cases that are not run on some device, each with the reason: kvm_intel is the oracle of these
 * programs, so every place where it disagrees with a test has to be argued here.
 */
#ifndef VTX_SELFTEST_DIFFERS_H
#define VTX_SELFTEST_DIFFERS_H

enum device_kind {
	DEVICE_VTX,		/* vtx.ko, under whatever name */
	DEVICE_KVM_INTEL,	/* the kernel's own KVM on VT-x: the oracle */
	DEVICE_OTHER,		/* some other implementation of KVM's ABI: basics only */
};

/* Path of the device under test: $VTX_DEV, else /dev/vtx. */
const char *device_path(void);

/* What answers behind the path, found through sysfs. */
enum device_kind device_kind(void);

/* Why this case of this program is not run on this device, or NULL. */
const char *differs_reason(const char *program, const char *name);

#endif /* VTX_SELFTEST_DIFFERS_H */
