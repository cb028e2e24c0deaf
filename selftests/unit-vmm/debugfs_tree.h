/* SPDX-License-Identifier: GPL-2.0-only */
/* A made-up debugfs: files below a temporary folder. */
#ifndef VTX_UNIT_VMM_DEBUGFS_TREE_H
#define VTX_UNIT_VMM_DEBUGFS_TREE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char tree[64];

static inline void tree_new(void)
{
	strcpy(tree, "/tmp/vtx-tree.XXXXXX");
	assert_non_null(mkdtemp(tree));
}

static inline void tree_end(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r %s", tree);
	assert_int_equal(system(command), 0);
}

static inline void tree_put(const char *path, const char *text)
{
	char full[512], *slash;
	FILE *out;

	snprintf(full, sizeof(full), "%s/%s", tree, path);
	for (slash = full + strlen(tree) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = 0;
		mkdir(full, 0755);
		*slash = '/';
	}
	out = fopen(full, "w");
	assert_non_null(out);
	fputs(text, out);
	fclose(out);
}

static inline void tree_remove(const char *path)
{
	char command[512];

	snprintf(command, sizeof(command), "rm -r %s/%s", tree, path);
	assert_int_equal(system(command), 0);
}

#endif
