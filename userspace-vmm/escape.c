// SPDX-License-Identifier: GPL-2.0-only
/* The escape key's two states. */
#include "userspace-vmm/escape.h"

enum vtx_escape_action vtx_escape_feed(struct vtx_escape *escape, uint8_t byte)
{
	if (!escape->seen) {
		escape->seen = byte == VTX_ESCAPE_KEY;
		return escape->seen ? VTX_ESCAPE_NOTHING : VTX_ESCAPE_SEND;
	}
	escape->seen = false;
	switch (byte) {
	case VTX_ESCAPE_KEY:
		return VTX_ESCAPE_SEND;
	case 'x':
	case 'X':
		return VTX_ESCAPE_QUIT;
	case 'h':
	case '?':
		return VTX_ESCAPE_HELP;
	default:
		return VTX_ESCAPE_NOTHING;
	}
}
