/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VTX_SET_EXT_ERROR as the tests use it: a buffer for a descriptor, and the trace of a buffer that nobody wrote.
 */
#ifndef VTX_SELFTEST_EXT_ERROR_H
#define VTX_SELFTEST_EXT_ERROR_H

#include <sys/ioctl.h>

#include "../../../uapi/vtx.h"
#include "lib/harness.h"

#define NO_FIELD (~0u)

static inline int ext_error_register(int fd, const volatile void *at, u32 size, u32 flags)
{
	struct vtx_ext_error_buffer buffer = { .address = (uintptr_t)at, .size = size, .flags = flags };

	return ioctl(fd, VTX_SET_EXT_ERROR, &buffer);
}

/* What vtx never writes: it ends all strings and fills the rest with 0. */
static inline void ext_error_poison(struct vtx_ext_error *e)
{
	memset(e, 0xa5, sizeof(*e));
}

static inline bool ext_error_untouched(const struct vtx_ext_error *e)
{
	struct vtx_ext_error poison;

	ext_error_poison(&poison);
	return !memcmp(e, &poison, sizeof(poison));
}

#endif /* VTX_SELFTEST_EXT_ERROR_H */
