/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A 16550A serial port.  Characters leave at once (into the console's buffer), so the transmitter is always empty;
 * received ones wait in a FIFO of 16, which is filled only as far as there is room: the rest stays in the host's
 * stdin, so nothing is overrun.
 */
#ifndef VTX_VMM_UART_H
#define VTX_VMM_UART_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "userspace-vmm/board.h"
#include "userspace-vmm/bus.h"

#define VTX_UART_FIFO 16

struct vtx_uart {
	const struct vtx_board *board;
	uint16_t base;
	unsigned int irq;

	/* Called with the lock held. transmit must not call back; ready says that vtx_uart_room() may have grown. */
	void (*transmit)(void *console, uint8_t byte);
	void (*ready)(void *console);
	void *console;

	pthread_mutex_t lock; /* all below */
	uint8_t ier, lcr, mcr, scr, fcr;
	uint8_t dll, dlm;
	bool thre_pending; /* the "transmitter empty" interrupt waits to be seen */
	int line;	   /* level of the interrupt line, as last told to the board */
	unsigned int idle_polls; /* reads of LSR in a row that found nothing */
	unsigned int count, head;
	uint8_t fifo[VTX_UART_FIFO];
};

void vtx_uart_init(struct vtx_uart *uart, const struct vtx_board *board, uint16_t base, unsigned int irq);

/* Registers the eight ports. */
int vtx_uart_attach(struct vtx_uart *uart, struct vtx_bus *bus);

/*
 * How many bytes the guest can take now.  0 until it listens (receive interrupt enabled, or polling LSR): what a
 * driver finds in the FIFO when it starts, it throws away, and piped input must survive that.
 */
unsigned int vtx_uart_room(struct vtx_uart *uart);

/* Hands over one byte; false if there was no room (see vtx_uart_room()). */
bool vtx_uart_receive(struct vtx_uart *uart, uint8_t byte);

#endif
