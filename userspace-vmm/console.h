/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest's console on stdin and stdout.  Two threads: one writes out what the UART sent, one brings in what the
 * user typed.  Output is collected for a millisecond before it is written: one write() for a line instead of one
 * for each character.  Nothing is dropped: a full buffer stops the guest until stdout takes more.
 */
#ifndef VTX_VMM_CONSOLE_H
#define VTX_VMM_CONSOLE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "userspace-vmm/board.h"
#include "userspace-vmm/escape.h"
#include "userspace-vmm/message.h"
#include "userspace-vmm/uart.h"

#define VTX_CONSOLE_BUFFER 65536

struct vtx_console {
	struct vtx_uart *uart;
	const struct vtx_board *board;
	bool escapes; /* Ctrl-a means something: stdin is a terminal */
	struct vtx_escape escape;

	/* Sees each byte of output as it leaves the UART; NULL: nobody. Set before the start. */
	void (*tap)(void *tap_data, uint8_t byte);
	void *tap_data;

	pthread_t input, output;
	bool input_started, output_started;
	int wake;		 /* eventfd: there may be room in the UART, or stop */
	atomic_bool wants_room;	 /* the input thread waits for wake */
	atomic_bool stop_input;

	pthread_mutex_t lock; /* all below */
	pthread_cond_t more, less;
	bool stopping, broken, done;
	unsigned int head, count;
	uint8_t buffer[VTX_CONSOLE_BUFFER];
};

/* Connects CONSOLE with UART and starts the threads. */
int vtx_console_start(struct vtx_console *console, struct vtx_uart *uart, const struct vtx_board *board, bool escapes,
		      struct vtx_error *error);

/* Lets a vCPU that waits for room in the buffer go on (what it sends then is lost): the run is over. */
void vtx_console_release(struct vtx_console *console);

/* Writes what is left (two seconds at most: stdout may be stuck) and ends the threads. */
void vtx_console_stop(struct vtx_console *console);

#endif
