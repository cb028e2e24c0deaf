/* SPDX-License-Identifier: GPL-2.0-only */
/* The escape key: Ctrl-a and what the next key makes of it. */
#ifndef VTX_VMM_ESCAPE_H
#define VTX_VMM_ESCAPE_H

#include <stdbool.h>
#include <stdint.h>

#define VTX_ESCAPE_KEY 0x01 /* Ctrl-a */

enum vtx_escape_action {
	VTX_ESCAPE_SEND,    /* the byte goes to the guest */
	VTX_ESCAPE_NOTHING, /* swallowed */
	VTX_ESCAPE_QUIT,
	VTX_ESCAPE_HELP,
};

struct vtx_escape {
	bool seen;
};

/* One byte from the terminal; what to do about it. */
enum vtx_escape_action vtx_escape_feed(struct vtx_escape *escape, uint8_t byte);

#endif
