// SPDX-License-Identifier: GPL-2.0-only
/*
 * Port I/O that ends in user space: all sizes, immediate and DX form, string instructions with REP over page borders,
 * backwards, with faults in the middle, in all three modes; and the state a program may see or change between exit and
 * re-entry.
 */
#include "lib/guest.h"
#include "lib/vm.h"

#define PORT 0x5a0

GUEST static void sizes_guest(u64 arg)
{
	u64 value;

	(void)arg;
	asm volatile("outb %%al, %%dx" : : "a"(0x1122334455667788ULL), "d"(PORT));
	asm volatile("outw %%ax, %%dx" : : "a"(0x1122334455667788ULL), "d"(PORT));
	asm volatile("outl %%eax, %%dx" : : "a"(0x1122334455667788ULL), "d"(PORT | 0xffff0000));
	asm volatile("outb %%al, $0xa1" : : "a"(0x99));
	asm volatile("outw %%ax, $0xa1" : : "a"(0x99aa));
	asm volatile("outl %%eax, $0xff" : : "a"(0x99aabbcc));
	/* IN of 1 and 2 bytes leaves the rest of RAX alone, IN of 4 clears it (SDM vol. 1, 3.4.1.1). */
	asm volatile("inb %%dx, %%al" : "=a"(value) : "a"(0x1122334455667788ULL), "d"(PORT));
	G_CHECK_EQ(value, 0x11223344556677a0ULL);
	asm volatile("inw %%dx, %%ax" : "=a"(value) : "a"(0x1122334455667788ULL), "d"(PORT));
	G_CHECK_EQ(value, 0x112233445566a1a0ULL);
	asm volatile("inl %%dx, %%eax" : "=a"(value) : "a"(0x1122334455667788ULL), "d"(PORT));
	G_CHECK_EQ(value, 0xa3a2a1a0ULL);
	asm volatile("inb $0xa1, %%al" : "=a"(value) : "a"(~0ULL));
	G_CHECK_EQ(value, 0xffffffffffffffa0ULL);
	asm volatile("inl $0xff, %%eax" : "=a"(value) : "a"(~0ULL));
	G_CHECK_EQ(value, 0xa3a2a1a0ULL);
}

static void expect_io(struct vcpu *v, u8 direction, u16 port, u8 size, u32 value)
{
	struct kvm_run *run = v->run;
	u8 *data = (u8 *)run;

	vcpu_expect(v, KVM_EXIT_IO);
	data += run->io.data_offset;
	EXPECT_EQ(run->io.direction, direction, "the direction");
	EXPECT_EQ(run->io.port, port, "the port");
	EXPECT_EQ(run->io.size, size, "the size");
	EXPECT_EQ(run->io.count, 1, "the count");
	EXPECT(run->io.data_offset >= sizeof(*run) / 2 && run->io.data_offset + size <= run_size(), "data_offset %llu",
	       run->io.data_offset);
	if (direction == KVM_EXIT_IO_OUT) {
		u32 got = 0;

		memcpy(&got, data, size);
		EXPECT_EQ(got, value, "the data");
	} else {
		for (u8 i = 0; i < size; i++)
			data[i] = (u8)(0xa0 + i);
	}
}

static void sizes(void)
{
	struct vcpu *v = guest_new(0, sizes_guest, 0);

	expect_io(v, KVM_EXIT_IO_OUT, PORT, 1, 0x88);
	expect_io(v, KVM_EXIT_IO_OUT, PORT, 2, 0x7788);
	expect_io(v, KVM_EXIT_IO_OUT, PORT, 4, 0x55667788);
	expect_io(v, KVM_EXIT_IO_OUT, 0xa1, 1, 0x99);
	expect_io(v, KVM_EXIT_IO_OUT, 0xa1, 2, 0x99aa);
	expect_io(v, KVM_EXIT_IO_OUT, 0xff, 4, 0x99aabbcc);
	expect_io(v, KVM_EXIT_IO_IN, PORT, 1, 0);
	expect_io(v, KVM_EXIT_IO_IN, PORT, 2, 0);
	expect_io(v, KVM_EXIT_IO_IN, PORT, 4, 0);
	expect_io(v, KVM_EXIT_IO_IN, 0xa1, 1, 0);
	expect_io(v, KVM_EXIT_IO_IN, 0xff, 4, 0);
	CHECK_EQ(vcpu_finish(v), 0, "the result");
}

/* The stream of a string instruction, however the device cuts it into exits. */
struct stream {
	u8 data[8192];
	u32 bytes;
	u32 exits;
};

/* Collects OUT data, or answers IN with a running pattern, until the guest says PORT_SAY. */
static void collect(struct vcpu *v, u8 direction, u8 size, struct stream *s)
{
	struct kvm_run *run = v->run;

	s->bytes = 0;
	s->exits = 0;
	for (;;) {
		u32 len;
		u8 *data;

		vcpu_expect(v, KVM_EXIT_IO);
		if (run->io.port == PORT_SAY)
			return;
		CHECK_EQ(run->io.port, PORT, "the port");
		CHECK_EQ(run->io.direction, direction, "the direction");
		CHECK_EQ(run->io.size, size, "the size");
		len = run->io.size * run->io.count;
		CHECK(run->io.count && s->bytes + len <= sizeof(s->data), "count %u after %u bytes", run->io.count,
		      s->bytes);
		data = (u8 *)run + run->io.data_offset;
		for (u32 i = 0; i < len; i++) {
			if (direction == KVM_EXIT_IO_IN)
				data[i] = (u8)((s->bytes + i) * 13 + 7);
			s->data[s->bytes + i] = data[i];
		}
		s->bytes += len;
		s->exits++;
	}
}

static u64 after[3];	/* RCX, RSI, RDI as the guest has them afterwards */

#define STRING(insn, c, s, d)                                                                                   \
	({                                                                                                      \
		u64 c_ = (c), s_ = (s), d_ = (d);                                                               \
		asm volatile(insn "\n\tcld" : "+c"(c_), "+S"(s_), "+D"(d_) : "d"(PORT) : "memory", "cc");       \
		*(volatile u64 *)&after[0] = c_;                                                                \
		*(volatile u64 *)&after[1] = s_;                                                                \
		*(volatile u64 *)&after[2] = d_;                                                                \
		g_say(0);                                                                                       \
	})

GUEST static void outs_guest(u64 base)
{
	STRING("outsb", 77, base, 0);
	STRING("rep outsb", 0, base, 0);
	STRING("rep outsb", 100, base, 0);
	STRING("rep outsw", 50, base + 4096 - 11, 0);		/* a word over the page border */
	STRING("rep outsl", 40, base + 4096 - 10, 0);
	STRING("rep outsl", 2000, base, 0);			/* two pages */
	STRING("std\n\trep outsb", 30, base + 4096 + 10, 0);	/* backwards over the border */
	STRING("addr32 rep outsb", 0xffffffff00000005ULL, 0xffffffff00000000ULL | base, 0);
	g_done(0);
}

static void expect_after(struct vcpu *v, u64 c, u64 s, u64 d)
{
	EXPECT_EQ(G(v->vm, after[0]), c, "RCX");
	EXPECT_EQ(G(v->vm, after[1]), s, "RSI");
	EXPECT_EQ(G(v->vm, after[2]), d, "RDI");
}

static void expect_stream(struct stream *s, const u8 *from, u32 bytes, const char *what)
{
	EXPECT(s->bytes == bytes && !memcmp(s->data, from, bytes), "%s: %u bytes in %u exits, expected %u", what,
	       s->bytes, s->exits, bytes);
}

static void outs(void)
{
	struct vcpu *v = guest_new(0, outs_guest, GUEST_SCRATCH);
	u8 *mem = v->vm->mem + GUEST_SCRATCH, back[30];
	static struct stream s;

	for (int i = 0; i < 4 * 4096; i++)
		mem[i] = (u8)(i * 37 + (i >> 8));
	collect(v, KVM_EXIT_IO_OUT, 1, &s);
	expect_stream(&s, mem, 1, "outsb");
	expect_after(v, 77, GUEST_SCRATCH + 1, 0);
	collect(v, KVM_EXIT_IO_OUT, 1, &s);
	expect_stream(&s, mem, 0, "rep outsb of 0");
	expect_after(v, 0, GUEST_SCRATCH, 0);
	collect(v, KVM_EXIT_IO_OUT, 1, &s);
	expect_stream(&s, mem, 100, "rep outsb");
	expect_after(v, 0, GUEST_SCRATCH + 100, 0);
	collect(v, KVM_EXIT_IO_OUT, 2, &s);
	expect_stream(&s, mem + 4096 - 11, 100, "rep outsw over a page border");
	collect(v, KVM_EXIT_IO_OUT, 4, &s);
	expect_stream(&s, mem + 4096 - 10, 160, "rep outsl over a page border");
	collect(v, KVM_EXIT_IO_OUT, 4, &s);
	expect_stream(&s, mem, 8000, "rep outsl of two pages");
	expect_after(v, 0, GUEST_SCRATCH + 8000, 0);
	collect(v, KVM_EXIT_IO_OUT, 1, &s);
	for (int i = 0; i < 30; i++)
		back[i] = mem[4096 + 10 - i];
	expect_stream(&s, back, 30, "rep outsb backwards");
	expect_after(v, 0, GUEST_SCRATCH + 4096 + 10 - 30, 0);
	collect(v, KVM_EXIT_IO_OUT, 1, &s);
	expect_stream(&s, mem, 5, "addr32 rep outsb");
	EXPECT_EQ((u32)G(v->vm, after[0]), 0, "ECX");
	EXPECT_EQ((u32)G(v->vm, after[1]), GUEST_SCRATCH + 5, "ESI");
	CHECK_EQ(vcpu_finish(v), 0, "the result");
}

GUEST static void ins_guest(u64 base)
{
	STRING("insb", 77, 0, base);
	STRING("rep insb", 0, 0, base);
	STRING("rep insb", 100, 0, base);
	STRING("rep insw", 50, 0, base + 4096 - 11);
	STRING("rep insl", 40, 0, base + 4096 - 10);
	STRING("rep insl", 1500, 0, base);
	g_done(0);
}

static void ins(void)
{
	static const struct {
		u8 size;
		u32 count, at;
	} steps[] = { { 1, 1, 0 }, { 1, 0, 0 }, { 1, 100, 0 }, { 2, 50, 4096 - 11 }, { 4, 40, 4096 - 10 }, { 4, 1500, 0 } };
	struct vcpu *v = guest_new(0, ins_guest, GUEST_SCRATCH);
	u8 *mem = v->vm->mem + GUEST_SCRATCH;
	static struct stream s;

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		u32 bytes = steps[i].size * steps[i].count;

		memset(mem, 0xcc, 4 * 4096);
		collect(v, KVM_EXIT_IO_IN, steps[i].size, &s);
		EXPECT_EQ(s.bytes, bytes, "the bytes read");
		EXPECT(!memcmp(mem + steps[i].at, s.data, s.bytes), "step %zu: the data in memory", i);
		EXPECT(mem[steps[i].at + bytes] == 0xcc && (!steps[i].at || mem[steps[i].at - 1] == 0xcc),
		       "step %zu: bytes around the data", i);
		expect_after(v, i ? 0 : 77, 0, GUEST_SCRATCH + steps[i].at + bytes);
	}
	CHECK_EQ(vcpu_finish(v), 0, "the result");
}

/* A source or destination that is not mapped: #PF with the address, elements before it done, none after. */
GUEST static void string_fault_guest(u64 page)
{
	u64 c = 16, s = page - 8;

	G_CHECK_EQ(G_TRY("rep outsb", : "+c"(c), "+S"(s) : "d"(PORT) : "memory"), 14);
	G_CHECK_EQ(c, 8);
	G_CHECK_EQ(s, page);
	G_CHECK_EQ(g_trap.cr2, page);
	g_say(0);
	c = 16;
	s = page - 8;
	G_CHECK_EQ(G_TRY("rep insb", : "+c"(c), "+D"(s) : "d"(PORT) : "memory"), 14);
	G_CHECK_EQ(c, 8);
	G_CHECK_EQ(s, page);
	G_CHECK_EQ(g_trap.cr2, page);
	G_CHECK_EQ(g_trap.error, 2);
	g_say(0);
	g_done(0);
}

static void string_fault(void)
{
	const u64 page = GUEST_SCRATCH + 4096;
	struct vcpu *v = guest_new(0, string_fault_guest, page);
	static struct stream s;

	vm_map_4k(v->vm, page, page, 0);	/* not present */
	memset(v->vm->mem + page - 8, 0x5a, 8);
	collect(v, KVM_EXIT_IO_OUT, 1, &s);
	expect_stream(&s, v->vm->mem + page - 8, 8, "rep outsb");
	collect(v, KVM_EXIT_IO_IN, 1, &s);
	/* KVM asks for the next page's share before it tries the store; a CPU would not. */
	EXPECT(s.bytes == 8 || s.bytes == 16, "%u bytes read", s.bytes);
	EXPECT(!memcmp(v->vm->mem + page - 8, s.data, 8), "the data in memory");
	CHECK_EQ(vcpu_finish(v), 0, "the result");
}

/* OUTS honours a segment override, INS never does: FS with a base, in 64-bit mode. */
GUEST static void override_guest(u64 base)
{
	g_wrmsr(0xc0000100, 0x100);
	STRING("fs rep outsb", 10, base, 0);
	STRING("fs rep insb", 10, 0, base);
	g_done(0);
}

static void segment_override(void)
{
	struct vcpu *v = guest_new(0, override_guest, GUEST_SCRATCH);
	u8 *mem = v->vm->mem + GUEST_SCRATCH;
	static struct stream s;

	memset(mem, 1, 0x100);
	memset(mem + 0x100, 2, 0x100);
	collect(v, KVM_EXIT_IO_OUT, 1, &s);
	expect_stream(&s, mem + 0x100, 10, "fs rep outsb");
	collect(v, KVM_EXIT_IO_IN, 1, &s);
	EXPECT(s.bytes == 10 && !memcmp(mem, s.data, 10) && mem[0x100] == 2, "the data goes to ES:RDI");
	CHECK_EQ(vcpu_finish(v), 0, "the result");
}

GUEST_CODE(real_io, 16,
	   "movw $0x5a0, %dx\n movw $0x1234, %ax\n outw %ax, %dx\n inb %dx, %al\n outb %al, %dx\n"
	   "movw $0x1000, %ax\n movw %ax, %ds\n movw %ax, %es\n"
	   "xorw %si, %si\n movw $4, %cx\n cld\n rep outsb\n"
	   "movw $0x100, %di\n movw $2, %cx\n rep insw\n"
	   "movl $0x99aabbcc, %eax\n outl %eax, %dx\n hlt");

static void real_mode(void)
{
	struct vcpu *v = vcpu_new(vm_new(0), 0);
	struct kvm_run *run = v->run;
	u32 bytes = 0;

	vm_load_code(v->vm, GUEST_REAL_CODE, real_io, real_io_end);
	vcpu_mode_real(v, GUEST_REAL_CODE >> 4, 0);
	memcpy(v->vm->mem + 0x10000, "wxyz", 4);
	expect_io(v, KVM_EXIT_IO_OUT, PORT, 2, 0x1234);
	expect_io(v, KVM_EXIT_IO_IN, PORT, 1, 0);
	expect_io(v, KVM_EXIT_IO_OUT, PORT, 1, 0xa0);
	while (bytes < 4) {
		vcpu_expect(v, KVM_EXIT_IO);
		EXPECT(!memcmp((u8 *)run + run->io.data_offset, &"wxyz"[bytes], run->io.count), "the string");
		bytes += run->io.count;
	}
	for (bytes = 0; bytes < 4; bytes += run->io.count * 2) {
		vcpu_expect(v, KVM_EXIT_IO);
		CHECK_EQ(run->io.direction, KVM_EXIT_IO_IN, "the direction");
		memcpy((u8 *)run + run->io.data_offset, &"abcd"[bytes], run->io.count * 2);
	}
	expect_io(v, KVM_EXIT_IO_OUT, PORT, 4, 0x99aabbcc);
	EXPECT(!memcmp(v->vm->mem + 0x10100, "abcd", 4), "the string read");
	vcpu_expect(v, KVM_EXIT_HLT);
}

GUEST_CODE(prot_io, 32,
	   "movl $0xffff05a0, %edx\n movl $0x12345678, %eax\n outl %eax, %dx\n inw %dx, %ax\n outl %eax, %dx\n"
	   "movl $0x300000, %esi\n movl $3, %ecx\n cld\n rep outsl\n hlt");

static void protected_mode(void)
{
	struct vcpu *v = vcpu_new(vm_new(0), 0);
	struct kvm_run *run = v->run;
	u32 bytes = 0;

	vm_load_code(v->vm, GUEST_REAL_CODE, prot_io, prot_io_end);
	vcpu_mode_prot32(v, GUEST_REAL_CODE);
	memcpy(v->vm->mem + GUEST_SCRATCH, "ABCDEFGHIJKL", 12);
	expect_io(v, KVM_EXIT_IO_OUT, PORT, 4, 0x12345678);
	expect_io(v, KVM_EXIT_IO_IN, PORT, 2, 0);
	expect_io(v, KVM_EXIT_IO_OUT, PORT, 4, 0x1234a1a0);
	while (bytes < 12) {
		vcpu_expect(v, KVM_EXIT_IO);
		EXPECT(!memcmp((u8 *)run + run->io.data_offset, &"ABCDEFGHIJKL"[bytes], run->io.count * 4),
		       "the string");
		bytes += run->io.count * 4;
	}
	vcpu_expect(v, KVM_EXIT_HLT);
}

GUEST static void in_guest(u64 arg)
{
	u64 rbx = arg;
	u8 al;

	asm volatile("inb %%dx, %%al" : "=a"(al), "+b"(rbx) : "d"(PORT));
	g_say(al);
	g_done((u32)rbx);
}

/* Between an IN's exit and its completion registers can be read and changed; an immediate exit only completes. */
static void state_between(void)
{
	struct vcpu *v = guest_new(0, in_guest, 5);
	struct kvm_regs r;
	u64 rip;

	vcpu_expect(v, KVM_EXIT_IO);
	*((u8 *)v->run + v->run->io.data_offset) = 0x42;
	r = vcpu_regs(v);
	rip = r.rip;
	EXPECT_EQ(r.rbx, 5, "RBX");
	EXPECT_EQ(r.rdx & 0xffff, PORT, "DX");
	r.rbx = 9;
	vcpu_set_regs(v, &r);
	v->run->immediate_exit = 1;
	EXPECT_ERRNO(ioctl(v->fd, KVM_RUN, 0), EINTR);
	v->run->immediate_exit = 0;
	EXPECT_EQ(vcpu_regs(v).rax & 0xff, 0x42, "AL after completion");
	EXPECT(vcpu_regs(v).rip == rip || vcpu_regs(v).rip == rip + 1, "RIP after completion");
	CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 0x42, "AL");
	CHECK_EQ(vcpu_finish(v), 9, "RBX");
}

GUEST static void nothing(u64 arg)
{
	(void)arg;
}

/* RCX and RDI changed under a REP INS: no more than what the guest's registers then say, and no complaint. */
static void string_state_changed(void)
{
	struct vcpu *v = guest_new(0, ins_guest, GUEST_SCRATCH);
	struct kvm_regs r;

	vcpu_expect(v, KVM_EXIT_IO);	/* the single INSB */
	do {
		vcpu_expect(v, KVM_EXIT_IO);
	} while (v->run->io.port != PORT);
	r = vcpu_regs(v);
	r.rcx = 1000000;
	r.rdi = 0xffff800000000000ULL;
	vcpu_set_regs(v, &r);
	/* Whatever happens is the program's own fault; it has to end here. */
	for (int i = 0; i < 5; i++)
		if (ioctl(v->fd, KVM_RUN, 0) && errno != EINTR)
			break;
	guest_passes(0, nothing, 0);
}

GUEST static void port_sweep_guest(u64 arg)
{
	u32 sum = 0;

	(void)arg;
	for (u32 port = 0; port < 0x10000; port += 0x101)
		if (port < 0x3e0 || port > 0x3f0) {
			g_outb((u16)port, 1);
			sum += g_inb((u16)port);
		}
	g_done(sum);
}

/* No port is kept from the program: none of the host's is passed through, 80h included. */
static void every_port_comes_out(void)
{
	struct vcpu *v = guest_new(0, port_sweep_guest, 0);
	struct kvm_run *run = v->run;
	u32 outs = 0, ins = 0;

	for (;;) {
		vcpu_expect(v, KVM_EXIT_IO);
		if (run->io.port == PORT_DONE)
			break;
		if (run->io.direction == KVM_EXIT_IO_OUT)
			outs++;
		else
			*((u8 *)run + run->io.data_offset) = (u8)(ins++ & 1);
	}
	EXPECT_EQ(outs, 256, "the OUTs");
	EXPECT_EQ(ins, outs, "the INs");
	EXPECT_EQ(*(u32 *)((u8 *)run + run->io.data_offset), ins / 2, "the sum of what was read");
}

static const struct test tests[] = {
	TEST(sizes), TEST(outs), TEST(ins), TEST(string_fault), TEST(segment_override), TEST(real_mode),
	TEST(protected_mode), TEST(state_between), TEST(string_state_changed), TEST(every_port_comes_out),
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}
