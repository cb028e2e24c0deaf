/* SPDX-License-Identifier: GPL-2.0-only */
/* The terminal, through ncurses: shows a struct vtx_text and reads keys.  A build without ncurses refuses to open. */
#ifndef VTX_VMM_SCREEN_H
#define VTX_VMM_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

#include "userspace-vmm/message.h"
#include "userspace-vmm/text.h"

/* 0, or -1 with ERROR filled.  From then on until the close, nothing else may write to the terminal. */
int vtx_screen_open(struct vtx_error *error);
void vtx_screen_close(void);

void vtx_screen_size(int *rows, int *cols);
void vtx_screen_show(const struct vtx_text *text);

#define VTX_KEY_NONE -1		/* nothing came in that time */
#define VTX_KEY_RESIZE -2
#define VTX_KEY_QUIT -3		/* q, Ctrl-c, or the terminal is gone */
/* Waits for a key at most so long. */
int vtx_screen_key(unsigned int milliseconds);
/* Shows PROMPT on ROW and lets the user type a line; false: given up with Escape. */
bool vtx_screen_ask(int row, const char *prompt, char *answer, size_t size);

#endif
