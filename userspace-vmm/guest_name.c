// SPDX-License-Identifier: GPL-2.0-only
/* What a guest is called. */
#define _GNU_SOURCE
#include "userspace-vmm/guest_name.h"

#include <stdio.h>
#include <string.h>

/* QEMU: "-name web,debug-threads=on", "-name guest=a,,b": a comma of the name itself is written twice. */
static void vtx_qemu_name(const char *value, char *name, size_t size)
{
	char part[256];
	const char *p = value;

	while (*p) {
		size_t n = 0;

		for (; *p && (*p != ',' || p[1] == ','); p++) {
			if (*p == ',')
				p++;
			if (n + 1 < sizeof(part))
				part[n++] = *p;
		}
		part[n] = 0;
		if (*p == ',')
			p++;
		if (!strncmp(part, "guest=", 6))
			snprintf(name, size, "%s", part + 6);
		else if (!strchr(part, '='))
			snprintf(name, size, "%s", part);
		if (*name)
			return;
	}
}

void vtx_guest_name_from(const char *cmdline, size_t size, char *name, size_t name_size)
{
	const char *end = cmdline + size;

	name[0] = 0;
	for (const char *p = cmdline; p < end; p += strnlen(p, (size_t)(end - p)) + 1) {
		const char *next = p + strnlen(p, (size_t)(end - p)) + 1;

		if (next >= end || memchr(next, 0, (size_t)(end - next)) == NULL)
			return;
		if (!strcmp(p, "-name") || !strcmp(p, "--name")) { /* QEMU; kvmtool and others */
			vtx_qemu_name(next, name, name_size);
			return;
		}
	}
}

void vtx_guest_name(const char *proc, int pid, char *name, size_t size)
{
	char path[256], text[8192];
	size_t n;
	FILE *in;

	name[0] = 0;
	snprintf(path, sizeof(path), "%s/%d/cmdline", proc, pid);
	in = fopen(path, "re");
	if (in) {
		n = fread(text, 1, sizeof(text), in);
		fclose(in);
		vtx_guest_name_from(text, n, name, size);
	}
	if (*name)
		return;
	snprintf(path, sizeof(path), "%s/%d/comm", proc, pid);
	in = fopen(path, "re");
	if (!in)
		return;
	n = fread(text, 1, sizeof(text) - 1, in);
	fclose(in);
	text[n] = 0;
	snprintf(name, size, "%.*s", (int)strcspn(text, "\n"), text);
}
