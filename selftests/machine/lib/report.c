// SPDX-License-Identifier: GPL-2.0-only
/* Saving failure reports (lib/report.h). */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/harness.h"
#include "lib/report.h"

void save_report(const char *name, const struct vtx_failure_report *report)
{
	const char *folder = getenv("VTX_SAVE_REPORTS");
	char path[256];
	int fd;

	if (!folder)
		return;
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	CHECK(fd >= 0, "%s", path);
	CHECK_EQ(write(fd, report, sizeof(*report)), sizeof(*report), path);
	close(fd);
}
