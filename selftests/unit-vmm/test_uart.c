// SPDX-License-Identifier: GPL-2.0-only
/* The 16550: registers, interrupts, FIFO, loopback, and what Linux's and others' probes look at. */
#include "unit.h"

#include "board_stub.h"
#include "userspace-vmm/uart.h"

static struct board_stub stub;
static struct vtx_uart uart;
static struct vtx_bus bus;
static char sent[256];
static unsigned int sent_count, ready_count;

static void transmit(void *console, uint8_t byte)
{
	(void)console;
	sent[sent_count++ % sizeof(sent)] = (char)byte;
}

static void ready(void *console)
{
	(void)console;
	ready_count++;
}

static int setup(void **state)
{
	(void)state;
	stub_init(&stub);
	memset(&bus, 0, sizeof(bus));
	vtx_uart_init(&uart, &stub.board, 0x3f8, 4);
	uart.transmit = transmit;
	uart.ready = ready;
	sent_count = ready_count = 0;
	return vtx_uart_attach(&uart, &bus);
}

static uint8_t in(unsigned int reg)
{
	return (uint8_t)vtx_bus_read(&bus, (uint16_t)(0x3f8 + reg), 1);
}

static void out(unsigned int reg, uint8_t value)
{
	vtx_bus_write(&bus, (uint16_t)(0x3f8 + reg), 1, value);
}

static void test_reset_state(void **state)
{
	(void)state;
	assert_int_equal(in(5), 0x60);
	assert_int_equal(in(2), 0x01);
	assert_int_equal(in(6), 0xb0);
	assert_int_equal(in(1), 0);
	assert_int_equal(in(0), 0);
}

static void test_sends_in_order(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++) {
		assert_int_equal(in(5) & 0x20, 0x20);
		out(0, (uint8_t)(i + 1));
	}
	assert_int_equal(sent_count, 100);
	for (int i = 0; i < 100; i++)
		assert_int_equal(sent[i], i + 1);
}

static void test_divisor_latch(void **state)
{
	(void)state;
	out(3, 0x83);
	out(0, 0x34);
	out(1, 0x12);
	assert_int_equal(in(0), 0x34);
	assert_int_equal(in(1), 0x12);
	out(3, 0x03);
	assert_int_equal(sent_count, 0);
	assert_int_equal(in(1), 0);
	assert_int_equal(in(3), 0x03);
}

static void test_probe_of_16550a(void **state)
{
	(void)state;
	/* interrupt enable has four bits */
	out(1, 0xff);
	assert_int_equal(in(1), 0x0f);
	out(1, 0);
	/* loopback connects the modem lines: RTS to CTS, OUT2 to DCD */
	out(4, 0x1a);
	assert_int_equal(in(6) & 0xf0, 0x90);
	out(4, 0);
	/* FIFO bits */
	assert_int_equal(in(2) >> 6, 0);
	out(2, 1);
	assert_int_equal(in(2) >> 6, 3);
	out(2, 0);
	assert_int_equal(in(2) >> 6, 0);
	/* not a 16750: bit 5 stays off */
	out(3, 0x80);
	out(2, 0x21);
	assert_int_equal(in(2) & 0x20, 0);
	out(3, 0);
	/* scratch */
	out(7, 0xa5);
	assert_int_equal(in(7), 0xa5);
}

static void test_thre_interrupt(void **state)
{
	(void)state;
	out(4, 0x08);
	assert_int_equal(stub.level, 0);
	out(1, 2); /* empty now: interrupts at once */
	assert_int_equal(stub.level, 1);
	assert_int_equal(stub.irq, 4);
	assert_int_equal(in(2), 0x02);
	assert_int_equal(stub.level, 0); /* reading IIR acknowledged it */
	assert_int_equal(in(2), 0x01);
	out(0, 'a'); /* sent and empty again */
	assert_int_equal(stub.level, 1);
	out(0, 'b'); /* no second edge while one waits */
	assert_int_equal(stub.edges, 2);
	assert_int_equal(in(2), 0x02);
	out(1, 0);
	out(1, 2); /* enabling it again raises it again */
	assert_int_equal(in(2), 0x02);
}

static void test_out2_gates_the_line(void **state)
{
	(void)state;
	out(1, 2);
	assert_int_equal(stub.level, 0);
	out(4, 0x08);
	assert_int_equal(stub.level, 1);
	out(4, 0);
	assert_int_equal(stub.level, 0);
}

static void test_receive(void **state)
{
	(void)state;
	assert_int_equal(vtx_uart_room(&uart), 0); /* nobody listens yet */
	assert_false(vtx_uart_receive(&uart, 'x'));
	out(1, 0x0f); /* a probe: all interrupts, but the line gated off */
	assert_false(vtx_uart_receive(&uart, 'x'));
	assert_int_equal(ready_count, 0);
	out(1, 0);
	out(2, 0x81); /* FIFO, trigger at 8 */
	out(4, 0x08);
	out(1, 1);
	assert_int_equal(ready_count > 0, 1);
	assert_int_equal(vtx_uart_room(&uart), 16);
	assert_true(vtx_uart_receive(&uart, 'a'));
	assert_int_equal(stub.level, 1);
	assert_int_equal(in(2), 0xcc); /* below the trigger: timeout */
	for (int i = 1; i < 8; i++)
		assert_true(vtx_uart_receive(&uart, (uint8_t)('a' + i)));
	assert_int_equal(in(2), 0xc4); /* at the trigger: data */
	for (int i = 8; i < 16; i++)
		assert_true(vtx_uart_receive(&uart, (uint8_t)('a' + i)));
	assert_int_equal(vtx_uart_room(&uart), 0);
	assert_false(vtx_uart_receive(&uart, 'z'));
	ready_count = 0;
	for (int i = 0; i < 16; i++) {
		assert_int_equal(in(5), 0x61);
		assert_int_equal(in(0), 'a' + i);
	}
	assert_int_equal(ready_count, 1);
	assert_int_equal(in(5), 0x60);
	assert_int_equal(stub.level, 0);
	assert_int_equal(stub.edges, 1);
}

static void test_receive_beats_transmit(void **state)
{
	(void)state;
	out(4, 0x08);
	out(1, 3);
	assert_true(vtx_uart_receive(&uart, 'a'));
	assert_int_equal(in(2), 0x04); /* no FIFO: one byte is the trigger */
	assert_false(vtx_uart_receive(&uart, 'b'));
	assert_int_equal(in(0), 'a');
	assert_int_equal(stub.level, 1); /* transmit still waits */
	assert_int_equal(in(2), 0x02);
	assert_int_equal(stub.level, 0);
}

static void test_polling_guest_gets_input(void **state)
{
	(void)state;
	/* one that waits for room to send is no listener */
	for (int i = 0; i < 1000; i++) {
		in(5);
		out(0, 'x');
	}
	assert_int_equal(vtx_uart_room(&uart), 0);
	/* nor is a driver that looks at everything in turn, however often */
	for (int i = 0; i < 1000; i++)
		in(5 + (unsigned int)(i & 1));
	assert_int_equal(vtx_uart_room(&uart), 0);
	assert_int_equal(ready_count, 0);
	in(7);
	for (int i = 0; i < 64; i++)
		in(5);
	assert_int_equal(ready_count, 1);
	assert_int_equal(vtx_uart_room(&uart), 1);
	assert_true(vtx_uart_receive(&uart, 'q'));
	assert_int_equal(in(5), 0x61);
	assert_int_equal(in(0), 'q');
}

static void test_clear_receiver(void **state)
{
	(void)state;
	out(2, 1);
	out(1, 1);
	out(4, 0x08);
	vtx_uart_receive(&uart, 'a');
	out(2, 3);
	assert_int_equal(in(5), 0x60);
	assert_int_equal(vtx_uart_room(&uart), 16);
	vtx_uart_receive(&uart, 'b');
	out(2, 0); /* back to the mode without FIFO: cleared */
	assert_int_equal(in(5), 0x60);
	vtx_uart_receive(&uart, 'c');
	out(2, 1); /* the byte in the holding register stays */
	assert_int_equal(in(5), 0x61);
	assert_int_equal(in(0), 'c');
}

static void test_loopback(void **state)
{
	(void)state;
	out(1, 1);
	out(4, 0x18);
	out(0, 'L');
	assert_int_equal(sent_count, 0);
	assert_int_equal(in(5), 0x61);
	assert_int_equal(in(0), 'L');
	assert_int_equal(vtx_uart_room(&uart), 0); /* the outside is cut off */
	assert_false(vtx_uart_receive(&uart, 'x'));
	for (int i = 0; i < 100; i++) /* overrun loses, it does not overflow */
		out(0, (uint8_t)i);
	assert_int_equal(in(0), 0);
}

/* Any sequence of accesses keeps the invariants: bounded FIFO, line level as told last. */
static void test_random_accesses(void **state)
{
	(void)state;
	srand(3);
	for (int i = 0; i < 200000; i++) {
		switch (rand() % 3) {
		case 0:
			in((unsigned int)rand() % 8);
			break;
		case 1:
			out((unsigned int)rand() % 8, (uint8_t)rand());
			break;
		case 2:
			vtx_uart_receive(&uart, (uint8_t)rand());
			break;
		}
		assert_true(uart.count <= VTX_UART_FIFO);
		assert_int_equal(stub.level, uart.line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_reset_state, setup),
		cmocka_unit_test_setup(test_sends_in_order, setup),
		cmocka_unit_test_setup(test_divisor_latch, setup),
		cmocka_unit_test_setup(test_probe_of_16550a, setup),
		cmocka_unit_test_setup(test_thre_interrupt, setup),
		cmocka_unit_test_setup(test_out2_gates_the_line, setup),
		cmocka_unit_test_setup(test_receive, setup),
		cmocka_unit_test_setup(test_receive_beats_transmit, setup),
		cmocka_unit_test_setup(test_polling_guest_gets_input, setup),
		cmocka_unit_test_setup(test_clear_receiver, setup),
		cmocka_unit_test_setup(test_loopback, setup),
		cmocka_unit_test_setup(test_random_accesses, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
