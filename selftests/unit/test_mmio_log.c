// SPDX-License-Identifier: GPL-2.0-only
/*
 * The log of device accesses (exits/mmio_log.c) under the real emulator: an instruction that stops at each access for user
 * space and starts over must end as one whose devices answer at once, and no device may see an access twice or in
 * another order.  Random instructions over a memory that is half RAM, half devices, and a device whose every read
 * gives another value.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include "compat/pure.h"
#include "emulate/emulate.h"
#include "emulate/mmx.h"
#include "exits/mmio_log.h"

#define RAM_SIZE 0x4000
#define MAX_TRACE 4096

struct access {
	u64 addr;
	u8 len;
	bool write, port;
	u64 data;
};

struct world {
	u8 ram[RAM_SIZE];
	u8 xmm[16][32];
	u8 fx[512];		/* FXSAVE image, for MMX */
	struct vtx_io_pending io;
	struct vtx_emu e;
	bool at_once;		/* devices answer in the op, else only after VTX_EMU_IO */
	struct access trace[MAX_TRACE];
	unsigned int n;
	int stops, runs;
};

static u64 seed = 0x853c49e6748fea9b;

static u64 rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* A device sees an access. */
static void device(struct world *w, struct vtx_mmio_fragment *f)
{
	struct access *a = &w->trace[w->n];
	u64 value = (w->n + 1) * 0x9e3779b97f4a7c15ULL;

	assert_true(w->n < MAX_TRACE);
	w->n++;
	if (!f->write)
		memcpy(f->data, &value, sizeof(f->data));
	*a = (struct access){ .addr = f->gpa, .len = f->len, .write = f->write, .port = f->port };
	memcpy(&a->data, f->data, f->len);
}

/* Half of the pages belong to devices in the kernel. */
static bool in_kernel(const struct world *w, u64 addr)
{
	return w->at_once || (addr >> 12 & 1);
}

static int fragment(struct world *w, u64 addr, void *data, unsigned int len, bool write, bool port)
{
	switch (vtx_log_access(&w->io, addr, data, len, write, port)) {
	case VTX_LOG_ANSWERED:
		return VTX_EMU_DONE;
	case VTX_LOG_WAIT:
		return VTX_EMU_IO;
	case VTX_LOG_NEW:
		if (!in_kernel(w, addr))
			return vtx_log_defer(&w->io) ? VTX_EMU_DONE : VTX_EMU_IO;
		device(w, &w->io.frag[w->io.pos]);
		vtx_log_answered_now(&w->io, data);
		return VTX_EMU_DONE;
	default:
		fail_msg("log is full");
		return VTX_EMU_UNHANDLED;
	}
}

static bool is_ram(u64 gva)
{
	return gva < RAM_SIZE;
}

static int access_part(struct world *w, u64 gva, u8 *buf, unsigned int len, bool write)
{
	int ret = VTX_EMU_DONE;
	unsigned int i, n;

	if (is_ram(gva)) {
		if (write)
			memcpy(w->ram + gva, buf, len);
		else
			memcpy(buf, w->ram + gva, len);
		return VTX_EMU_DONE;
	}
	for (i = 0; i < len && ret == VTX_EMU_DONE; i += n) {
		n = min(len - i, 8u);
		ret = fragment(w, gva + i, buf + i, n, write, false);
	}
	return ret;
}

/* As exits/mmio.c: a write does the device's half before RAM's. */
static int access_memory(struct world *w, u64 gva, u8 *buf, unsigned int len, bool write)
{
	unsigned int first = min_t(unsigned int, len, 4096 - (gva & 4095));
	bool swap = write && first < len && is_ram(gva);
	int ret = VTX_EMU_DONE;

	for (int i = 0; i < 2 && ret == VTX_EMU_DONE; i++) {
		if (i == swap)
			ret = access_part(w, gva, buf, first, write);
		else if (first < len)
			ret = access_part(w, gva + first, buf + first, len - first, write);
	}
	return ret;
}

static int op_fetch(struct vtx_emu *e, u64 gva, void *buf, unsigned int len, unsigned int *got)
{
	return VTX_EMU_UNHANDLED; /* all instruction bytes are in prefetch[] */
}

static int op_read(struct vtx_emu *e, u64 gva, void *buf, unsigned int len, unsigned int access)
{
	return access_memory(e->opaque, gva, buf, len, false);
}

static int op_write(struct vtx_emu *e, u64 gva, const void *buf, unsigned int len)
{
	return access_memory(e->opaque, gva, (u8 *)buf, len, true);
}

static int op_cmpxchg(struct vtx_emu *e, u64 gva, const void *old, const void *new, unsigned int len)
{
	struct world *w = e->opaque;

	if (is_ram(gva) && is_ram(gva + len - 1) && memcmp(w->ram + gva, old, len))
		return VTX_EMU_MISMATCH;
	return op_write(e, gva, new, len);
}

static int op_probe(struct vtx_emu *e, u64 gva, unsigned int len, unsigned int access)
{
	return VTX_EMU_DONE;
}

static int op_read_xmm(struct vtx_emu *e, unsigned int reg, void *buf, unsigned int len)
{
	struct world *w = e->opaque;

	memcpy(buf, w->xmm[reg], len);
	return VTX_EMU_DONE;
}

static int op_write_xmm(struct vtx_emu *e, unsigned int reg, const void *buf, unsigned int len, bool zero_upper)
{
	struct world *w = e->opaque;

	memcpy(w->xmm[reg], buf, len);
	if (zero_upper)
		memset(w->xmm[reg] + len, 0, 32 - len);
	return VTX_EMU_DONE;
}

static int op_read_mmx(struct vtx_emu *e, unsigned int reg, u64 *val)
{
	struct world *w = e->opaque;

	*val = vtx_mmx_read(w->fx, reg);
	return VTX_EMU_DONE;
}

static int op_write_mmx(struct vtx_emu *e, unsigned int reg, u64 val)
{
	struct world *w = e->opaque;

	vtx_mmx_write(w->fx, reg, val);
	return VTX_EMU_DONE;
}

static void op_used_mmx(struct vtx_emu *e)
{
	struct world *w = e->opaque;

	vtx_mmx_used(w->fx);
}

static int op_pio_in(struct vtx_emu *e, u16 port, unsigned int size, void *buf, unsigned int count)
{
	return fragment(e->opaque, port, buf, size, false, true);
}

static int op_pio_out(struct vtx_emu *e, u16 port, unsigned int size, const void *buf, unsigned int count)
{
	return fragment(e->opaque, port, (void *)buf, size, true, true);
}

static void op_commit(struct vtx_emu *e)
{
	struct world *w = e->opaque;

	vtx_log_commit(&w->io);
}

static const struct vtx_emu_ops ops = {
	.fetch = op_fetch, .read = op_read, .write = op_write, .compare_exchange = op_cmpxchg, .probe = op_probe,
	.read_xmm = op_read_xmm, .write_xmm = op_write_xmm, .pio_in = op_pio_in, .pio_out = op_pio_out,
	.read_mmx = op_read_mmx, .write_mmx = op_write_mmx, .used_mmx = op_used_mmx, .commit = op_commit,
};

static void tell_user(struct world *w)
{
	struct vtx_mmio_fragment answer = w->io.frag[w->io.done];

	assert_true(w->io.done < w->io.noted && w->io.noted <= VTX_MMIO_FRAGMENTS);
	device(w, &answer);
	vtx_log_answered_later(&w->io, answer.data);
	w->stops++;
}

/* Runs the instruction to its end, as exits/emulation.c does. */
static int run(struct world *w)
{
	int ret;

	vtx_log_clear(&w->io);
	for (;;) {
		vtx_log_rewind(&w->io);
		ret = vtx_emu_step(&w->e);
		w->runs++;
		if (ret != VTX_EMU_IO)
			break;
		assert_true(vtx_log_pending(&w->io));
		while (vtx_log_pending(&w->io))
			tell_user(w);
		if (w->io.final)
			vtx_log_clear(&w->io);
	}
	if (ret == VTX_EMU_DONE && w->e.committed)
		vtx_log_commit(&w->io);
	while (w->io.final && vtx_log_pending(&w->io))
		tell_user(w);
	return ret;
}

/* An address in the middle of RAM, of devices, or where they meet; pages' ends are frequent. */
static u64 random_address(void)
{
	static const u64 places[] = { 0x800, 0x1000, 0x2ff8, RAM_SIZE - 4, RAM_SIZE, RAM_SIZE + 0x100, RAM_SIZE + 0xffc, 0xfee00000 };

	return places[rnd() % ARRAY_SIZE(places)] + rnd() % 17;
}

/* Opcodes with a memory operand, by one or two bytes; what is not emulated is no harm. */
static unsigned int random_instruction(u8 *bytes)
{
	static const u8 one[] = { 0x00, 0x01, 0x08, 0x09, 0x11, 0x21, 0x29, 0x31, 0x39, 0x03, 0x2b, 0x3b, 0x80, 0x81, 0x83, 0x84, 0x85,
				  0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b, 0x63, 0x8f, 0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad,
				  0xae, 0xaf, 0x6c, 0x6d, 0x6e, 0x6f, 0xc0, 0xc1, 0xd0, 0xd1, 0xd3, 0xc6, 0xc7, 0xf6, 0xf7, 0xfe,
				  0xff, 0xec, 0xee, 0xa1, 0xa3 };
	static const u8 two[] = { 0x10, 0x11, 0x28, 0x29, 0x6f, 0x7f, 0xb0, 0xb1, 0xb6, 0xb7, 0xbe, 0xbf, 0xc0, 0xc1, 0xc7, 0xa3, 0xab,
				  0xb3, 0xbb, 0xba, 0xa4, 0xa5, 0xac, 0x94, 0x44, 0xbc, 0xbd, 0xb8, 0xe7, 0xd6, 0x7e, 0xc3, 0xaf };
	unsigned int n = 0;

	if (rnd() % 4 == 0)
		bytes[n++] = 0x66;
	if (rnd() % 3 == 0)
		bytes[n++] = rnd() & 1 ? 0xf2 : 0xf3;
	else if (rnd() % 8 == 0)
		bytes[n++] = 0xf0;
	if (rnd() & 1)
		bytes[n++] = 0x40 | (rnd() & 15);
	if (rnd() & 1) {
		bytes[n++] = 0x0f;
		bytes[n++] = two[rnd() % ARRAY_SIZE(two)];
	} else {
		bytes[n++] = one[rnd() % ARRAY_SIZE(one)];
	}
	bytes[n++] = rnd() & 0x3f;	/* mod 0: [reg], [rip + disp], SIB */
	while (n < 15)
		bytes[n++] = rnd() % 4 ? 0 : rnd();
	return n;
}

static void prepare(struct world *w)
{
	struct vtx_emu *e = &w->e;

	memset(w, 0, sizeof(*w));
	for (unsigned int i = 0; i < sizeof(w->ram); i += 8)
		memcpy(w->ram + i, &(u64){ rnd() }, 8);
	for (unsigned int i = 0; i < sizeof(w->xmm); i++)
		((u8 *)w->xmm)[i] = rnd() >> 20;
	for (unsigned int i = 0; i < sizeof(w->fx); i++)
		w->fx[i] = rnd() >> 20;
	for (int i = 0; i < VTX_EMU_NR_REGS; i++)
		e->regs[i] = random_address();
	e->regs[VTX_EMU_RCX] = rnd() % 6;
	if (rnd() & 1)
		e->regs[VTX_EMU_RAX] = rnd();
	e->rip = 0x1000;
	e->rflags = 0x2 | (rnd() & 0x8d5) | (rnd() & 0x400);
	e->cr0 = 0x80010033;
	e->cr4 = 0x606a0;
	e->efer = 0xd01;
	e->xcr0 = 7;
	e->cpu = VTX_EMU_CPU_ALL;
	e->seg[VTX_EMU_CS].ar = 0x209b;
	e->max_iterations = 1000;
	e->prefetch_len = random_instruction(e->prefetch);
	e->ops = &ops;
}

static void restarts_change_nothing(void **state)
{
	static struct world once, stopped;
	int with_stops = 0, several = 0, done = 0;

	for (int round = 0; round < 100000; round++) {
		int a, b, user = 0;

		prepare(&once);
		memcpy(&stopped, &once, sizeof(once));
		once.at_once = true;
		once.e.opaque = &once;
		stopped.e.opaque = &stopped;
		a = run(&once);
		b = run(&stopped);

		assert_int_equal(a, b);
		assert_int_equal(once.n, stopped.n);
		for (unsigned int i = 0; i < stopped.n; i++)
			user += !in_kernel(&stopped, stopped.trace[i].addr);
		assert_int_equal(stopped.stops, user);
		assert_memory_equal(once.trace, stopped.trace, once.n * sizeof(once.trace[0]));
		assert_memory_equal(once.ram, stopped.ram, sizeof(once.ram));
		assert_memory_equal(once.xmm, stopped.xmm, sizeof(once.xmm));
		assert_memory_equal(once.fx, stopped.fx, sizeof(once.fx));
		assert_memory_equal(once.e.regs, stopped.e.regs, sizeof(once.e.regs));
		assert_true(once.e.rip == stopped.e.rip && once.e.rflags == stopped.e.rflags);
		done += a == VTX_EMU_DONE;
		with_stops += stopped.stops > 0;
		several += stopped.stops > 1;
	}
	assert_true(done > 30000 && with_stops > 20000 && several > 5000);
}

/* ------------------------------------------------------------------ the log alone */

/* A store needs no second run of the instruction; a read, and what follows a store, does. */
static void one_run_for_a_store(void **state)
{
	static struct world w;
	static const u8 store[] = { 0x89, 0x03 }, load[] = { 0x8b, 0x03 }, sse[] = { 0x0f, 0x11, 0x03 };

	prepare(&w);
	w.e.opaque = &w;
	w.e.regs[VTX_EMU_RBX] = 0x10000;
	memcpy(w.e.prefetch, store, w.e.prefetch_len = sizeof(store));
	assert_int_equal(run(&w), VTX_EMU_DONE);
	assert_true(w.stops == 1 && w.runs == 1 && w.e.rip == 0x1002);

	w.stops = w.runs = 0;
	memcpy(w.e.prefetch, load, w.e.prefetch_len = sizeof(load));
	assert_int_equal(run(&w), VTX_EMU_DONE);
	assert_true(w.stops == 1 && w.runs == 2);

	w.stops = w.runs = 0;
	memcpy(w.e.prefetch, sse, w.e.prefetch_len = sizeof(sse));
	assert_int_equal(run(&w), VTX_EMU_DONE);
	assert_true(w.stops == 2 && w.runs == 2);
}

static void replay_and_mismatch(void **state)
{
	struct vtx_io_pending io = { 0 };
	u32 data = 0, answer = 0x11223344;

	assert_int_equal(vtx_log_access(&io, 0x1000, &data, 4, false, false), VTX_LOG_NEW);
	assert_false(vtx_log_defer(&io));
	vtx_log_rewind(&io);
	assert_int_equal(vtx_log_access(&io, 0x1000, &data, 4, false, false), VTX_LOG_WAIT);
	vtx_log_answered_later(&io, &answer);
	vtx_log_rewind(&io);
	assert_int_equal(vtx_log_access(&io, 0x1000, &data, 4, false, false), VTX_LOG_ANSWERED);
	assert_int_equal(data, 0x11223344);
	data = 0x55;
	assert_int_equal(vtx_log_access(&io, 0x2000, &data, 4, true, false), VTX_LOG_NEW);
	assert_true(vtx_log_defer(&io));
	assert_int_equal(io.frag[1].data[0], 0x55);
	assert_int_equal(vtx_log_access(&io, 0x3000, &data, 4, true, false), VTX_LOG_WAIT);
	vtx_log_answered_later(&io, NULL);

	/* Another address, length, direction or space than before: asked anew, and what came after is forgotten. */
	for (int i = 0; i < 4; i++) {
		struct vtx_io_pending copy = io;

		vtx_log_rewind(&copy);
		assert_int_equal(vtx_log_access(&copy, i == 0 ? 0x1004 : 0x1000, &data, i == 1 ? 2 : 4, i == 2, i == 3), VTX_LOG_NEW);
		assert_int_equal(copy.done, 0);
		assert_int_equal(copy.noted, 0);
	}
	vtx_log_clear(&io);
	assert_int_equal(vtx_log_access(&io, 0x1000, &data, 4, false, false), VTX_LOG_NEW);
}

/* What an iteration wrote is told before anything of the next one happens. */
static void final_writes_first(void **state)
{
	struct vtx_io_pending io = { 0 };
	u32 data = 7;

	assert_int_equal(vtx_log_access(&io, 0x1000, &data, 4, true, false), VTX_LOG_NEW);
	assert_true(vtx_log_defer(&io));
	vtx_log_commit(&io);
	assert_true(io.final);
	assert_int_equal(vtx_log_access(&io, 0x1000, &data, 4, true, false), VTX_LOG_WAIT);
	vtx_log_answered_later(&io, NULL);
	assert_false(vtx_log_pending(&io));
	vtx_log_commit(&io);
	assert_false(io.final);
	assert_int_equal(io.noted, 0);
}

static void bounds(void **state)
{
	struct vtx_io_pending io = { 0 };
	u8 data[16] = { 0 };

	assert_int_equal(vtx_log_access(&io, 0, data, 9, true, false), VTX_LOG_FULL);
	for (int i = 0; i < VTX_MMIO_FRAGMENTS; i++) {
		assert_int_equal(vtx_log_access(&io, i * 8, data, 8, true, false), VTX_LOG_NEW);
		vtx_log_answered_now(&io, data);
	}
	assert_int_equal(vtx_log_access(&io, 0x1000, data, 8, true, false), VTX_LOG_FULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(restarts_change_nothing),
		cmocka_unit_test(one_run_for_a_store),
		cmocka_unit_test(replay_and_mismatch),
		cmocka_unit_test(final_writes_first),
		cmocka_unit_test(bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
