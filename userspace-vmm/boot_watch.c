// SPDX-License-Identifier: GPL-2.0-only
/* The marks between phases. */
#include "userspace-vmm/boot_watch.h"

#include <asm/vmx.h>
#include <string.h>

#define VTX_REAL_MODE_END 0x100000ULL
#define VTX_KERNEL_TEXT 0xffffffff80000000ULL /* Linux: Documentation/arch/x86/x86_64/mm.rst */
#define VTX_COM1 0x3f8
#define VTX_SERIAL_RUN 16 /* a driver that looks for the port writes it a few times; a message is longer */

static void vtx_boot_enter(struct vtx_boot_watch *w, enum vtx_boot_phase phase, uint64_t tsc)
{
	if (w->begun && phase <= w->phase)
		return;
	w->begun = true;
	w->phase = phase;
	w->changed(w->opaque, phase, tsc);
}

void vtx_boot_watch_record(struct vtx_boot_watch *w, const struct vtx_record *r)
{
	if (r->reason == ~0U || r->reason >> 31)
		return; /* no guest ran */
	if (r->rip >= VTX_KERNEL_TEXT)
		vtx_boot_enter(w, VTX_BOOT_EARLY, r->tsc);
	else if ((r->cs & 3) == 3 && w->begun && w->phase >= VTX_BOOT_EARLY && !w->talkative) /* else: a helper, as modprobe */
		vtx_boot_enter(w, VTX_BOOT_USER, r->tsc);
	else if (r->rip >= VTX_REAL_MODE_END)
		vtx_boot_enter(w, VTX_BOOT_DECOMPRESS, r->tsc);
	else if (!w->begun)
		vtx_boot_enter(w, VTX_BOOT_REAL, r->tsc);
}

void vtx_boot_watch_trace(struct vtx_boot_watch *w, const struct vtx_record *r)
{
	uint16_t port = (uint16_t)(r->info >> 16);

	vtx_boot_watch_record(w, r);
	if (r->reason != EXIT_REASON_IO_INSTRUCTION || !w->begun || w->phase != VTX_BOOT_EARLY)
		return;
	if (port < VTX_COM1 || port >= VTX_COM1 + 8) {
		w->serial_run = 0;
		return;
	}
	if (port != VTX_COM1 || r->info & 8) /* the driver asks for the line status in between */
		return;
	if (!w->serial_run++)
		w->serial_tsc = r->tsc;
	if (w->serial_run == VTX_SERIAL_RUN)
		vtx_boot_enter(w, VTX_BOOT_DEVICES, w->serial_tsc);
}

void vtx_boot_watch_console(struct vtx_boot_watch *w, uint8_t byte, uint64_t tsc)
{
	if (byte == '\n' || byte == '\r') {
		w->length = 0;
		return;
	}
	if (w->length < VTX_BOOT_LINE - 1)
		w->line[w->length++] = byte ? (char)byte : ' ';
	w->line[w->length] = '\0';
	vtx_boot_enter(w, VTX_BOOT_DEVICES, tsc);
	if (byte == 'n' && strstr(w->line, "Linux version"))
		w->talkative = true;
	if (byte == 's' && strstr(w->line, "Run /") && strstr(w->line, " as init process"))
		vtx_boot_enter(w, VTX_BOOT_USER, tsc);
	if (*w->until && strstr(w->line, w->until))
		vtx_boot_enter(w, VTX_BOOT_UP, tsc);
}
