/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The user's terminal: raw while a guest runs, and as it was afterwards, however the run ends.  Three nets: the
 * normal path and atexit(); handlers for the signals of a crash; and a guard process, which restores the terminal
 * when this process is gone without having said goodbye (SIGKILL).
 */
#ifndef VTX_VMM_TERM_H
#define VTX_VMM_TERM_H

#include <stdbool.h>

#include "userspace-vmm/message.h"

/*
 * Remembers the state of the terminal on stdin and starts the guard.  Call early: the guard is a fork and would keep
 * alive whatever is open or mapped before.  Nothing happens, and *IS_TERMINAL is false, where stdin is no terminal.
 */
int vtx_term_open(bool *is_terminal, struct vtx_error *error);

/* Raw mode, and handlers for SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT. */
int vtx_term_raw(struct vtx_error *error);

/* Back to how it was; safe in a signal handler, harmless when called twice. */
void vtx_term_restore(void);

/* vtx_term_restore(), and the guard is dismissed. */
void vtx_term_close(void);

#endif
