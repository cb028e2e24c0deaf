// SPDX-License-Identifier: GPL-2.0-only
/* The 16550A's registers and interrupts (National Semiconductor PC16550D data sheet, section 8). */
#include "userspace-vmm/uart.h"

#include <string.h>

#define REG_DATA 0 /* RBR, THR; divisor low with DLAB */
#define REG_IER 1  /* divisor high with DLAB */
#define REG_IIR_FCR 2
#define REG_LCR 3
#define REG_MCR 4
#define REG_LSR 5
#define REG_MSR 6
#define REG_SCR 7

#define IER_RECEIVE 0x01
#define IER_TRANSMIT 0x02
#define IER_MASK 0x0f
#define IIR_NONE 0x01
#define IIR_TRANSMIT 0x02
#define IIR_RECEIVE 0x04
#define IIR_TIMEOUT 0x0c
#define IIR_FIFO 0xc0
#define FCR_ENABLE 0x01
#define FCR_CLEAR_RECEIVE 0x02
#define FCR_TRIGGER_SHIFT 6
#define LCR_DLAB 0x80
#define MCR_DTR 0x01
#define MCR_RTS 0x02
#define MCR_OUT1 0x04
#define MCR_OUT2 0x08 /* gates the interrupt line on PCs */
#define MCR_LOOP 0x10
#define MCR_MASK 0x1f
#define LSR_DATA 0x01
#define LSR_EMPTY 0x60 /* holding register and shift register */
#define MSR_CTS 0x10
#define MSR_DSR 0x20
#define MSR_RI 0x40
#define MSR_DCD 0x80

/*
 * A guest that reads LSR so often in a row, and nothing else, waits for input: one that waits to send finds room at
 * once.  Any other access begins the count anew, or the reads of a driver's start would add up.
 */
#define VTX_UART_POLLS 64

static unsigned int vtx_uart_depth(const struct vtx_uart *u)
{
	return u->fcr & FCR_ENABLE ? VTX_UART_FIFO : 1;
}

/* Probing drivers switch on all interrupts for a moment, with the line gated off: they do not listen yet. */
static bool vtx_uart_wants_interrupts(const struct vtx_uart *u)
{
	return (u->ier & IER_RECEIVE) && (u->mcr & MCR_OUT2) && !(u->mcr & MCR_LOOP);
}

static bool vtx_uart_listens(const struct vtx_uart *u)
{
	return vtx_uart_wants_interrupts(u) || (u->idle_polls >= VTX_UART_POLLS && !(u->mcr & MCR_LOOP));
}

/* The interrupt identification without the FIFO bits; highest priority first. */
static uint8_t vtx_uart_identify(const struct vtx_uart *u)
{
	static const uint8_t trigger[] = { 1, 4, 8, 14 };
	unsigned int level = u->fcr & FCR_ENABLE ? trigger[u->fcr >> FCR_TRIGGER_SHIFT] : 1;

	if ((u->ier & IER_RECEIVE) && u->count)
		return u->count >= level ? IIR_RECEIVE : IIR_TIMEOUT;
	if ((u->ier & IER_TRANSMIT) && u->thre_pending)
		return IIR_TRANSMIT;
	return IIR_NONE;
}

static void vtx_uart_update_irq(struct vtx_uart *u)
{
	int line = vtx_uart_identify(u) != IIR_NONE && (u->mcr & MCR_OUT2) && !(u->mcr & MCR_LOOP);

	if (line == u->line)
		return;
	u->line = line;
	u->board->set_irq(u->board->machine, u->irq, line);
}

static bool vtx_uart_push(struct vtx_uart *u, uint8_t byte)
{
	if (u->count >= vtx_uart_depth(u))
		return false;
	u->fifo[(u->head + u->count++) % VTX_UART_FIFO] = byte;
	return true;
}

static uint8_t vtx_uart_pop(struct vtx_uart *u)
{
	uint8_t byte;

	if (!u->count)
		return 0;
	byte = u->fifo[u->head];
	u->head = (u->head + 1) % VTX_UART_FIFO;
	u->count--;
	if (!u->count && u->ready)
		u->ready(u->console);
	return byte;
}

static uint8_t vtx_uart_line_status(struct vtx_uart *u)
{
	if (u->count)
		return LSR_EMPTY | LSR_DATA;
	if (u->idle_polls < VTX_UART_POLLS && ++u->idle_polls == VTX_UART_POLLS && u->ready)
		u->ready(u->console);
	return LSR_EMPTY;
}

static uint8_t vtx_uart_modem_status(const struct vtx_uart *u)
{
	uint8_t msr = 0;

	if (!(u->mcr & MCR_LOOP))
		return MSR_CTS | MSR_DSR | MSR_DCD;
	if (u->mcr & MCR_RTS)
		msr |= MSR_CTS;
	if (u->mcr & MCR_DTR)
		msr |= MSR_DSR;
	if (u->mcr & MCR_OUT1)
		msr |= MSR_RI;
	if (u->mcr & MCR_OUT2)
		msr |= MSR_DCD;
	return msr;
}

static uint8_t vtx_uart_read_iir(struct vtx_uart *u)
{
	uint8_t iir = vtx_uart_identify(u);

	if (iir == IIR_TRANSMIT) /* reading it is what acknowledges it */
		u->thre_pending = false;
	return (uint8_t)(iir | (u->fcr & FCR_ENABLE ? IIR_FIFO : 0));
}

static uint32_t vtx_uart_read(void *device, uint16_t port, unsigned int size)
{
	struct vtx_uart *u = device;
	bool dlab = u->lcr & LCR_DLAB;
	uint8_t value = 0xff;

	(void)size;
	pthread_mutex_lock(&u->lock);
	if (port - u->base != REG_LSR)
		u->idle_polls = 0;
	switch (port - u->base) {
	case REG_DATA:
		value = dlab ? u->dll : vtx_uart_pop(u);
		break;
	case REG_IER:
		value = dlab ? u->dlm : u->ier;
		break;
	case REG_IIR_FCR:
		value = vtx_uart_read_iir(u);
		break;
	case REG_LCR:
		value = u->lcr;
		break;
	case REG_MCR:
		value = u->mcr;
		break;
	case REG_LSR:
		value = vtx_uart_line_status(u);
		break;
	case REG_MSR:
		value = vtx_uart_modem_status(u);
		break;
	case REG_SCR:
		value = u->scr;
		break;
	}
	vtx_uart_update_irq(u);
	pthread_mutex_unlock(&u->lock);
	return value;
}

static void vtx_uart_send(struct vtx_uart *u, uint8_t byte)
{
	if (u->mcr & MCR_LOOP)
		vtx_uart_push(u, byte); /* a full receiver loses it, as the hardware's would */
	else if (u->transmit)
		u->transmit(u->console, byte);
	u->thre_pending = true; /* empty again already */
}

static void vtx_uart_write_ier(struct vtx_uart *u, uint8_t value)
{
	uint8_t before = u->ier;

	u->ier = value & IER_MASK;
	/* Enabling the transmit interrupt while the transmitter is empty raises it. */
	if (!(before & IER_TRANSMIT) && (u->ier & IER_TRANSMIT))
		u->thre_pending = true;
}

static void vtx_uart_write_fcr(struct vtx_uart *u, uint8_t value)
{
	bool was_enabled = u->fcr & FCR_ENABLE;

	u->fcr = value & FCR_ENABLE ? value & 0xc1 : 0;
	/*
	 * Leaving FIFO mode clears the FIFO.  Entering it does not touch the byte that waits in the holding register:
	 * Linux enables receive interrupts first and the FIFO a moment later.
	 */
	if ((was_enabled && !(value & FCR_ENABLE)) || value & FCR_CLEAR_RECEIVE) {
		u->count = 0;
		if (u->ready)
			u->ready(u->console);
	}
}

static void vtx_uart_write(void *device, uint16_t port, unsigned int size, uint32_t wide)
{
	struct vtx_uart *u = device;
	uint8_t value = (uint8_t)wide;
	bool dlab = u->lcr & LCR_DLAB, wanted;

	(void)size;
	pthread_mutex_lock(&u->lock);
	wanted = vtx_uart_wants_interrupts(u);
	u->idle_polls = 0;
	switch (port - u->base) {
	case REG_DATA:
		if (dlab)
			u->dll = value;
		else
			vtx_uart_send(u, value);
		break;
	case REG_IER:
		if (dlab)
			u->dlm = value;
		else
			vtx_uart_write_ier(u, value);
		break;
	case REG_IIR_FCR:
		vtx_uart_write_fcr(u, value);
		break;
	case REG_LCR:
		u->lcr = value;
		break;
	case REG_MCR:
		u->mcr = value & MCR_MASK;
		break;
	case REG_SCR:
		u->scr = value;
		break;
	}
	if (!wanted && vtx_uart_wants_interrupts(u) && u->ready)
		u->ready(u->console);
	vtx_uart_update_irq(u);
	pthread_mutex_unlock(&u->lock);
}

void vtx_uart_init(struct vtx_uart *uart, const struct vtx_board *board, uint16_t base, unsigned int irq)
{
	memset(uart, 0, sizeof(*uart));
	uart->board = board;
	uart->base = base;
	uart->irq = irq;
	uart->dll = 1; /* 115200 baud */
	pthread_mutex_init(&uart->lock, NULL);
}

int vtx_uart_attach(struct vtx_uart *uart, struct vtx_bus *bus)
{
	return vtx_bus_add(bus, &(struct vtx_port_range){
		.first = uart->base, .count = 8, .max_size = 1, .device = uart,
		.read = vtx_uart_read, .write = vtx_uart_write,
	});
}

unsigned int vtx_uart_room(struct vtx_uart *uart)
{
	unsigned int room = 0;

	pthread_mutex_lock(&uart->lock);
	if (vtx_uart_listens(uart))
		room = vtx_uart_depth(uart) - uart->count;
	pthread_mutex_unlock(&uart->lock);
	return room;
}

bool vtx_uart_receive(struct vtx_uart *uart, uint8_t byte)
{
	bool taken;

	pthread_mutex_lock(&uart->lock);
	taken = vtx_uart_listens(uart) && vtx_uart_push(uart, byte);
	vtx_uart_update_irq(uart);
	pthread_mutex_unlock(&uart->lock);
	return taken;
}
