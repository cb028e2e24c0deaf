/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Messages to the user and errors on their way up.  A function that can fail takes a struct vtx_error, fills it
 * with vtx_error_set() and returns -1; only the command prints it, so nothing below prints and gives up at once.
 */
#ifndef VTX_VMM_MESSAGE_H
#define VTX_VMM_MESSAGE_H

#include <stdbool.h>

#include "userspace-vmm/status.h"

struct vtx_error {
	enum vtx_status status;
	char text[768];
};

/* Fills ERROR; always returns -1, so that callers can `return vtx_error_set(...)`. */
int vtx_error_set(struct vtx_error *error, enum vtx_status status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* With -v: everything vtx_verbose() says goes to stderr, otherwise nowhere. */
extern bool vtx_be_verbose;
/* The terminal is raw: each line feed needs a carriage return before it. */
extern volatile bool vtx_terminal_is_raw;

/* One line (or several) on stderr that begins with "vtx: ".  Any thread. */
void vtx_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void vtx_verbose(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
