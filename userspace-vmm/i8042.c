// SPDX-License-Identifier: GPL-2.0-only
/*
 * The keyboard controller that is not there.
 *
 * Status 0xff would say "no controller" to some, but its input-full bit makes reset code wait long before it dares
 * to write.  Status 0 makes a driver send a self test and wait half a second for the answer.  So the output buffer
 * seems to hold a few bytes more than the 16 a real one can: Linux's driver flushes 16, sees that they do not end,
 * and leaves; a loop that drains the buffer until it is empty ends as well.
 */
#include "userspace-vmm/i8042.h"

#include "userspace-vmm/status.h"

#define VTX_I8042_JUNK 32
#define STATUS_OUTPUT_FULL 0x01

void vtx_i8042_init(struct vtx_i8042 *kbd, const struct vtx_board *board)
{
	kbd->board = board;
	atomic_init(&kbd->junk, VTX_I8042_JUNK);
}

static uint32_t vtx_i8042_read(void *device, uint16_t port, unsigned int size)
{
	struct vtx_i8042 *kbd = device;
	unsigned int junk = atomic_load(&kbd->junk);

	(void)size;
	if (port == 0x64)
		return junk ? STATUS_OUTPUT_FULL : 0;
	while (junk && !atomic_compare_exchange_weak(&kbd->junk, &junk, junk - 1))
		;
	return 0xff;
}

static void vtx_i8042_write(void *device, uint16_t port, unsigned int size, uint32_t value)
{
	struct vtx_i8042 *kbd = device;

	(void)size;
	/* 0xf0-0xff pulse the output lines whose bit is 0; line 0 is the processor's reset. */
	if (port == 0x64 && (value & 0xf0) == 0xf0 && !(value & 1))
		kbd->board->end(kbd->board->machine, VTX_STATUS_RESET,
				"the guest reset itself through the keyboard controller (port 0x64)");
}

static int vtx_i8042_attach_one(struct vtx_i8042 *kbd, struct vtx_bus *bus, uint16_t port)
{
	return vtx_bus_add(bus, &(struct vtx_port_range){
		.first = port, .count = 1, .max_size = 1, .device = kbd, .read = vtx_i8042_read, .write = vtx_i8042_write,
	});
}

int vtx_i8042_attach(struct vtx_i8042 *kbd, struct vtx_bus *bus)
{
	return vtx_i8042_attach_one(kbd, bus, 0x60) || vtx_i8042_attach_one(kbd, bus, 0x64) ? -1 : 0;
}
