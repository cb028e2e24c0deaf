/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The table of refusals: a row for each code of uapi/vtx_errors.h.
 */
#ifndef VTX_UAPI_REFUSE_TABLE_H
#define VTX_UAPI_REFUSE_TABLE_H

#include "uapi/vtx_errors.h"

struct vtx_refuse_row {
	const char *name;	/* NULL: no such code */
	const char *text;	/* a sentence: what is wrong, what is allowed, what to do */
	int error;		/* positive errno */
};

/* Never NULL: a code that has no row gives an empty one with EINVAL. */
const struct vtx_refuse_row *vtx_refuse_row(unsigned int code);

#endif /* VTX_UAPI_REFUSE_TABLE_H */
