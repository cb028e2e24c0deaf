// SPDX-License-Identifier: GPL-2.0-only
/* Messages on stderr, right also while the terminal is raw, each written by one write() so that lines stay whole. */
#include "userspace-vmm/message.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

bool vtx_be_verbose;
volatile bool vtx_terminal_is_raw;

int vtx_error_set(struct vtx_error *error, enum vtx_status status, const char *format, ...)
{
	va_list args;

	error->status = status;
	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	return -1;
}

static void vtx_say_list(const char *format, va_list args)
{
	char plain[4096], out[8192];
	size_t n = 0;

	vsnprintf(plain, sizeof(plain), format, args);
	n += (size_t)snprintf(out, sizeof(out), "vtx: ");
	for (const char *p = plain; *p && n < sizeof(out) - 4; p++) {
		if (*p == '\n' && vtx_terminal_is_raw)
			out[n++] = '\r';
		out[n++] = *p;
	}
	if (vtx_terminal_is_raw)
		out[n++] = '\r';
	out[n++] = '\n';
	if (write(STDERR_FILENO, out, n) < 0)
		return; /* nobody is left to tell */
}

void vtx_say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vtx_say_list(format, args);
	va_end(args);
}

void vtx_verbose(const char *format, ...)
{
	va_list args;

	if (!vtx_be_verbose)
		return;
	va_start(args, format);
	vtx_say_list(format, args);
	va_end(args);
}
