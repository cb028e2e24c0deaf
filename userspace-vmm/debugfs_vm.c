// SPDX-License-Identifier: GPL-2.0-only
/* The VM's folder. */
#define _GNU_SOURCE
#include "userspace-vmm/debugfs_vm.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VTX_DEBUGFS_MAX_FILE (64U << 20)

static int vtx_debugfs_refused(const char *path, int err, struct vtx_error *error)
{
	const char *advice = "see dmesg";

	if (err == EACCES || err == EPERM)
		advice = "debugfs is for root";
	else if (err == ENOENT)
		advice = "is vtx.ko loaded, and debugfs mounted (mount -t debugfs debugfs /sys/kernel/debug)?";
	return vtx_error_set(error, VTX_STATUS_DEVICE, "cannot read %s: %s; %s", path, strerror(err), advice);
}

/* Does the folder called ENTRY answer to NAME?  A process id stands for all its VMs. */
static int vtx_debugfs_matches(const char *entry, const char *name)
{
	size_t len;

	if (!name || !strcmp(entry, name))
		return 1;
	len = strlen(name);
	return name[strspn(name, "0123456789")] == '\0' && !strncmp(entry, name, len) && entry[len] == '-';
}

int vtx_debugfs_vm(const char *root, const char *name, char *folder, size_t size, struct vtx_error *error)
{
	char found[NAME_MAX + 1] = "", list[400] = "";
	unsigned int matches = 0;
	struct dirent *entry;
	struct stat st;
	DIR *dir;

	if (name && strchr(name, '/')) {
		snprintf(folder, size, "%s", name);
		if (stat(folder, &st) || !S_ISDIR(st.st_mode))
			return vtx_error_set(error, VTX_STATUS_DEVICE, "%s is not a VM's folder", name);
		return 0;
	}
	dir = opendir(root);
	if (!dir)
		return vtx_debugfs_refused(root, errno, error);
	while ((entry = readdir(dir))) {
		size_t have = strlen(list);

		if (entry->d_name[0] == '.' || !strchr(entry->d_name, '-'))
			continue;
		snprintf(list + have, sizeof(list) - have, " %s", entry->d_name);
		if (!vtx_debugfs_matches(entry->d_name, name))
			continue;
		snprintf(found, sizeof(found), "%s", entry->d_name);
		matches++;
		if (name && !strcmp(name, found)) { /* exactly: "12-3" is not "12-3.2" */
			matches = 1;
			break;
		}
	}
	closedir(dir);
	if (!matches && !name)
		return vtx_error_set(error, VTX_STATUS_DEVICE, "no VM is there (%s is empty)", root);
	if (!matches)
		return vtx_error_set(error, VTX_STATUS_DEVICE, "there is no VM %s in %s; there are:%s", name, root,
				     list[0] ? list : " none");
	if (matches > 1)
		return vtx_error_set(error, VTX_STATUS_USAGE, "which VM? There are:%s", list);
	snprintf(folder, size, "%s/%s", root, found);
	return 0;
}

char *vtx_debugfs_read(const char *folder, const char *file, size_t *size, struct vtx_error *error)
{
	size_t have = 0, room = 1 << 16;
	char path[PATH_MAX + 64], *data;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		vtx_debugfs_refused(path, errno, error);
		return NULL;
	}
	data = malloc(room + 1);
	while (data && have < VTX_DEBUGFS_MAX_FILE && (n = read(fd, data + have, room - have)) > 0) {
		have += (size_t)n;
		if (have == room) {
			char *more = realloc(data, room * 2 + 1);

			if (!more)
				break;
			data = more;
			room *= 2;
		}
	}
	close(fd);
	if (!data) {
		vtx_error_set(error, VTX_STATUS_HOST_ERROR, "out of memory");
		return NULL;
	}
	data[have] = '\0';
	if (size)
		*size = have;
	return data;
}

unsigned int vtx_debugfs_vcpus(const char *folder)
{
	DIR *dir = opendir(folder);
	unsigned int count = 0, n;
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (sscanf(entry->d_name, "vcpu%u", &n) == 1 && n < 65536 && n >= count)
			count = n + 1;
	if (dir)
		closedir(dir);
	return count;
}
