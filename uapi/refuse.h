/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Refusing a call: `return VTX_REFUSE(SLOT_FLAGS, offset, found, allowed);` says why, and is the errno that belongs to it.
 *
 * The code names a row of uapi/refuse_table.c. @offset is that of the field in the ioctl's argument (VTX_NO_FIELD: the argument
 * itself, or the moment of the call), @found what is there, @allowed the mask or limit that the row's sentence speaks of.
 * For what ends the ioctl only, not for what a guest is denied and goes on: KVM_RUN would return later with a reason that is not
 * its own.
 *
 * Pure code may use it: there the errno is all that is left.
 */
#ifndef VTX_UAPI_REFUSE_H
#define VTX_UAPI_REFUSE_H

#include "compat/pure.h"
#include "uapi/refuse_table.h"

#define VTX_NO_FIELD (~0U)

#define VTX_REFUSE(name, offset, found, allowed) vtx_refuse(VTX_ERROR_##name, offset, found, allowed)

#ifdef __KERNEL__
/* uapi/ext_error.c. Any context; notes the reason when the current task is in an ioctl whose caller wants to know. */
int __cold vtx_refuse(enum vtx_error_code code, u32 offset, u64 found, u64 allowed);
/* What was just refused is a part of the ioctl's argument that begins at @offset, and its check did not know that. Task context. */
void __cold vtx_refused_within(u32 offset);
#else
static inline int vtx_refuse(enum vtx_error_code code, u32 offset, u64 found, u64 allowed)
{
	(void)offset, (void)found, (void)allowed;
	return -vtx_refuse_row(code)->error;
}
#endif

#endif /* VTX_UAPI_REFUSE_H */
