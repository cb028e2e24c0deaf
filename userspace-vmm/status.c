// SPDX-License-Identifier: GPL-2.0-only
/* The table of exit statuses. */
#include "userspace-vmm/status.h"

#include <stddef.h>

static const struct {
	int status;
	const char *text;
} vtx_statuses[] = {
	{ VTX_STATUS_SHUTDOWN, "the guest shut down (ACPI S5, or HLT with --no-irqchip), or Ctrl-a x" },
	{ VTX_STATUS_HOST_ERROR, "host error: memory, threads, files, a KVM call that failed" },
	{ VTX_STATUS_USAGE, "bad usage: an unknown option or a value that makes no sense" },
	{ VTX_STATUS_DEVICE, "the device cannot be opened, is no KVM device, or refuses to create a VM" },
	{ VTX_STATUS_IMAGE, "the kernel, initrd or flat image cannot be read, is malformed or does not fit" },
	{ VTX_STATUS_RESET, "the guest reset itself (port 0x64, port 0xcf9)" },
	{ VTX_STATUS_TRIPLE_FAULT, "triple fault (how Linux reboots with reboot=t, the default here)" },
	{ VTX_STATUS_ENTRY_FAILURE, "VM entry failed: the processor refused the guest state" },
	{ VTX_STATUS_INTERNAL_ERROR, "internal error: emulation failed, or an exit nobody knows" },
	{ VTX_STATUS_GUEST_CRASH, "the guest reported a crash through a system event" },
};

void vtx_status_print(FILE *out)
{
	for (size_t i = 0; i < sizeof(vtx_statuses) / sizeof(vtx_statuses[0]); i++)
		fprintf(out, "  %3d  %s\n", vtx_statuses[i].status, vtx_statuses[i].text);
}

const char *vtx_status_text(int status)
{
	for (size_t i = 0; i < sizeof(vtx_statuses) / sizeof(vtx_statuses[0]); i++)
		if (vtx_statuses[i].status == status)
			return vtx_statuses[i].text;
	return "unknown status";
}
