// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's side of the library: the landing place of exceptions, and how a guest reports a failure.
 */
#include "lib/guest.h"

volatile struct g_trap g_trap = { .vector = -1 };
volatile u64 g_fixup;
void (*volatile g_handler[256])(struct g_frame *frame);
const char *volatile g_fail_text;
volatile u64 g_fail_line, g_fail_a, g_fail_b;
volatile u64 g_user_rsp;

/*
 * Called by the stubs in entry.S.  A handler of the test's own comes first; then the end of g_call_user(); then
 * the fix-up of G_TRY; an exception that nobody waits for ends the guest.
 */
GUEST void g_trap_entry(struct g_frame *frame)
{
	void (*handler)(struct g_frame *) = g_handler[frame->vector & 0xff];

	if (handler) {
		handler(frame);
		return;
	}
	if (frame->vector == 0x80 && (frame->cs & 3)) {
		frame->rip = (u64)g_user_back;
		frame->cs = 0x08;
		frame->ss = 0x10;
		frame->rsp = g_user_rsp;
		return;
	}
	g_trap.vector = (s32)frame->vector;
	g_trap.error = frame->error;
	g_trap.rip = frame->rip;
	g_trap.rflags = frame->rflags;
	g_trap.cr2 = G_READ_CR(2);
	g_trap.count++;
	if (g_fixup) {
		frame->rip = g_fixup;
		g_fixup = 0;
		return;
	}
	for (;;)
		g_outl(PORT_TRAP, (u32)frame->vector);
}

GUEST void g_fail(const char *text, u64 line, u64 a, u64 b)
{
	g_fail_text = text;
	g_fail_line = line;
	g_fail_a = a;
	g_fail_b = b;
	for (;;)
		g_outl(PORT_FAIL, (u32)line);
}

GUEST void g_return(void)
{
	for (;;)
		g_done(0);
}
