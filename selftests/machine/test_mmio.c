// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory accesses where no slot is: every instruction form that real guests use, in 16-, 32- and 64-bit mode (the table
 * in mmio_rows.h), over page borders and the border of memory, with faults, and completion by the program.
 */
#include "lib/guest.h"
#include "lib/vm.h"

enum row_set { COMMON, VECTOR, AVX };

struct mmio_access {
	bool write;
	u32 offset;
	u8 len;
	u64 data;
};

struct mmio_row {
	enum row_set set;
	int bits;
	const char *text;
	const u8 *code, *end;
	u64 answer;		/* what a read gets, instead of the pattern, when not 0 */
	struct mmio_access access[8];
	char check;
	u64 want;
};

/* First pass: the code of each row, under a name made of its line. */
#define GLUE_(a, b) a##b
#define GLUE(a, b) GLUE_(a, b)
#define LABEL GLUE(mmio_code_, __LINE__)
#define LABEL_END GLUE(mmio_end_, __LINE__)
#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
#define ROW_CODE(bits, insn)                                                                                    \
	extern const u8 LABEL[], LABEL_END[];                                                                   \
	asm(".pushsection .rodata\n.globl " TEXT(LABEL) ", " TEXT(LABEL_END) "\n" TEXT(LABEL) ":\n.code" #bits \
	    "\n" insn "\nhlt\n.code64\n" TEXT(LABEL_END) ":\n.popsection");
/* Switches AVX on, all registers as they were. */
#define AVX_ON "mov %cr4, %r9\n or $0x40000, %r9\n mov %r9, %cr4\n push %rax\n push %rcx\n push %rdx\n" \
	       "xor %ecx, %ecx\n xgetbv\n or $7, %eax\n xsetbv\n pop %rdx\n pop %rcx\n pop %rax\n"
#define ROW(bits, insn, ...) ROW_CODE(bits, insn)
#define ROWD(bits, insn, ...) ROW_CODE(bits, insn)
#define ROWV(bits, insn, ...) ROW_CODE(bits, insn)
#define ROWX(bits, insn, ...) ROW_CODE(bits, AVX_ON insn)
#include "mmio_rows.h"
#undef ROW
#undef ROWD
#undef ROWV
#undef ROWX

/* Second pass: the table. */
#define A 0x1122334455667788ULL
#define RD4 0xc3c2c1c0U
#define RD8 0xc7c6c5c4c3c2c1c0ULL
#define W(offset, len, data) { true, offset, len, data }
#define R(offset, len) { false, offset, len, 0 }
#define ROW(bits, insn, ...) { COMMON, bits, insn, LABEL, LABEL_END, 0, __VA_ARGS__ },
#define ROWD(bits, insn, access, answer, ...) { COMMON, bits, insn, LABEL, LABEL_END, answer, access, __VA_ARGS__ },
#define ROWV(bits, insn, ...) { VECTOR, bits, insn, LABEL, LABEL_END, 0, __VA_ARGS__ },
#define ROWX(bits, insn, ...) { AVX, bits, insn, LABEL, LABEL_END, 0, __VA_ARGS__ },

static const struct mmio_row rows[] = {
#include "mmio_rows.h"
};

#define REAL_HOLE 0xa0000UL	/* where real mode finds its MMIO: 128K without slot */
#define REAL_HOLE_END 0xc0000UL

static u64 row_base(const struct mmio_row *row)
{
	return row->bits == 16 ? REAL_HOLE : GUEST_ABSENT;
}

static u8 pattern(u64 offset)
{
	return (u8)(0xc0 + offset);
}

/* The machine of all rows of a mode: one VM, whose registers are set anew for each row. */
static struct vcpu *row_machine(void)
{
	static const u8 branch_target[] = { 0xb8, 0x77, 0, 0, 0, 0xf4 };	/* mov $0x77, %eax; hlt */
	struct vcpu *v = vcpu_new(vm_new(0), 0);
	struct vm *vm = v->vm;

	CHECK_OK(vm_slot(vm, 0, 0, 0, NULL, 0));
	CHECK_OK(vm_slot(vm, 0, 0, REAL_HOLE, vm->mem, 0));
	CHECK_OK(vm_slot(vm, 1, REAL_HOLE_END, vm->size - REAL_HOLE_END, vm->mem + REAL_HOLE_END, 0));
	memcpy(vm->mem + 0x9000, branch_target, sizeof(branch_target));
	return v;
}

static void row_start(struct vcpu *v, const struct mmio_row *row)
{
	u64 ram = row->bits == 16 ? 0 : GUEST_SCRATCH, base = row->bits == 16 ? 0 : GUEST_ABSENT;
	struct kvm_sregs s;
	struct kvm_regs r;

	if (row->bits == 64) {
		vcpu_mode_long(v, (void (*)(u64))GUEST_REAL_CODE, 0);
	} else if (row->bits == 32) {
		vcpu_mode_prot32(v, GUEST_REAL_CODE);
	} else {
		vcpu_mode_real(v, GUEST_REAL_CODE >> 4, 0);
		s = vcpu_sregs(v);
		s.ds.selector = s.es.selector = REAL_HOLE >> 4;
		s.ds.base = s.es.base = REAL_HOLE;
		CHECK_OK(ioctl(v->fd, KVM_SET_SREGS, &s));
	}
	vm_load_code(v->vm, GUEST_REAL_CODE, row->code, row->end);
	for (int i = ram ? -64 : 0; i < 256; i++)
		(v->vm->mem + ram)[i] = (u8)(0x30 + i);
	r = vcpu_regs(v);
	r.rax = A;
	r.rcx = 3;
	r.rdx = 0x99aabbccddeeff00ULL;
	r.rbx = base;
	r.rsi = ram;
	r.rdi = base;
	r.r8 = 0x8080808080808080ULL;
	vcpu_set_regs(v, &r);
}

/* Where in the row's accesses a run has got: the access and the byte of it. */
struct progress {
	unsigned int access, byte;
};

/* Takes one exit to pieces and matches it byte by byte: how accesses are cut into exits is the device's choice. */
static bool take_exit(const struct mmio_row *row, struct kvm_run *run, struct progress *p)
{
	for (u32 i = 0; i < run->mmio.len; i++) {
		const struct mmio_access *a = &row->access[p->access];
		u64 offset = run->mmio.phys_addr + i - row_base(row);

		if (p->access >= ARRAY_SIZE(row->access) || !a->len || a->write != run->mmio.is_write ||
		    a->offset + p->byte != offset)
			return false;
		if (a->write) {
			if (run->mmio.data[i] != (u8)(a->data >> (8 * p->byte)))
				return false;
		} else {
			run->mmio.data[i] = row->answer ? (u8)(row->answer >> (8 * p->byte)) : pattern(offset);
		}
		if (++p->byte == a->len) {
			p->byte = 0;
			p->access++;
		}
	}
	return true;
}

static u64 checked_value(struct vcpu *v, const struct mmio_row *row)
{
	struct kvm_regs r = vcpu_regs(v);
	u64 value = 0;

	switch (row->check) {
	case 'a': value = r.rax; break;
	case 'c': value = r.rcx; break;
	case 'd': value = r.rdx; break;
	case 'S': value = r.rsi; break;
	case 'D': value = r.rdi; break;
	case 'f': value = r.rflags & 0x8c5; break;
	case 'm': memcpy(&value, v->vm->mem + (row->bits == 16 ? 0 : GUEST_SCRATCH), 8); break;
	}
	return row->bits == 64 ? value : (u32)value;
}

/* The row's instructions on one line. */
static const char *row_text(const struct mmio_row *row)
{
	static char text[256];

	snprintf(text, sizeof(text), "%d-bit %s", row->bits, row->text);
	for (char *p = text; *p; p++)
		if (*p == '\n')
			*p = ';';
	return text;
}

/* Runs one row to its HLT; false, with a note, when something was not as the row says. */
static bool run_row(struct vcpu *v, const struct mmio_row *row)
{
	struct progress p = { 0 };
	struct kvm_run *run = v->run;
	u64 value;

	row_start(v, row);
	for (;;) {
		if (ioctl(v->fd, KVM_RUN, 0)) {
			if (errno == EINTR)
				continue;
			note("%s: KVM_RUN: %s", row_text(row), strerror(errno));
			return false;
		}
		if (run->exit_reason == KVM_EXIT_HLT)
			break;
		if (run->exit_reason != KVM_EXIT_MMIO || !take_exit(row, run, &p)) {
			note("%s: access %u byte %u: exit %s %llx %s len %u data %llx", row_text(row),
			     p.access, p.byte, exit_name(run->exit_reason), run->mmio.phys_addr,
			     run->mmio.is_write ? "write" : "read", run->mmio.len, *(u64 *)run->mmio.data + 0ULL);
			return false;
		}
	}
	if (p.byte || (p.access < ARRAY_SIZE(row->access) && row->access[p.access].len)) {
		note("%s: ended after %u accesses", row_text(row), p.access);
		return false;
	}
	value = checked_value(v, row);
	if (value != row->want)
		note("%s: '%c' is %#llx, expected %#llx", row_text(row), row->check ? row->check : '-',
		     (unsigned long long)value, (unsigned long long)row->want);
	return value == row->want;
}

static void run_rows(enum row_set set, int bits)
{
	struct vcpu *v = row_machine();
	unsigned int bad = 0, run = 0;

	test_timeout(8);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].set != set || rows[i].bits != bits)
			continue;
		run++;
		if (run_row(v, &rows[i]))
			continue;
		bad++;
		/* A vCPU in the middle of something is of no further use. */
		vm_free(v->vm);
		vcpu_free(v);
		v = row_machine();
	}
	EXPECT(run && !bad, "%u of %u forms", bad, run);
}

static void forms_64bit(void)
{
	run_rows(COMMON, 64);
}

static void forms_32bit(void)
{
	run_rows(COMMON, 32);
}

static void forms_16bit(void)
{
	run_rows(COMMON, 16);
}

static void forms_sse(void)
{
	run_rows(VECTOR, 64);
}

static void forms_avx(void)
{
	if (!guest_has_avx())
		skip("no AVX in the guest");
	run_rows(AVX, 64);
}

/* The last bytes of a slot and the first behind it, in one access. */
GUEST static void border_guest(u64 end)
{
	*(volatile u64 *)(end - 4) = 0x1122334455667788ULL;
	G_CHECK_EQ(*(volatile u64 *)(end - 4), 0xa3a2a1a055667788ULL);
}

static void border_of_memory(void)
{
	struct vcpu *v = guest_new(0, border_guest, GUEST_MEMORY);
	static const u8 answer[4] = { 0xa0, 0xa1, 0xa2, 0xa3 };

	vcpu_expect(v, KVM_EXIT_MMIO);
	EXPECT(v->run->mmio.is_write && v->run->mmio.phys_addr == GUEST_MEMORY && v->run->mmio.len == 4 &&
	       *(u32 *)v->run->mmio.data == 0x11223344, "%llx, len %u, data %x", v->run->mmio.phys_addr,
	       v->run->mmio.len, *(u32 *)v->run->mmio.data);
	vcpu_expect(v, KVM_EXIT_MMIO);
	EXPECT_EQ(*(u32 *)(v->vm->mem + GUEST_MEMORY - 4), 0x55667788, "the half in memory");
	EXPECT(!v->run->mmio.is_write && v->run->mmio.phys_addr == GUEST_MEMORY && v->run->mmio.len == 4,
	       "%llx, len %u", v->run->mmio.phys_addr, v->run->mmio.len);
	memcpy(v->run->mmio.data, answer, 4);
	CHECK_EQ(vcpu_finish(v), 0, "the result");
}

/* The guest's own page tables rule first: no exit for what they forbid, also for the memory side of a string move. */
GUEST static void faults_guest(u64 page)
{
	u64 c = 1, s = GUEST_ABSENT, d = page;

	G_CHECK_EQ(G_TRY("movsb", : "+c"(c), "+S"(s), "+D"(d) : : "memory"), 14);	/* MMIO to a read-only page */
	G_CHECK_EQ(g_trap.cr2, page);
	G_CHECK_EQ(g_trap.error, 3);
	G_CHECK(s == GUEST_ABSENT && d == page);
	s = page + 4096;
	d = GUEST_ABSENT;
	G_CHECK_EQ(G_TRY("movsb", : "+c"(c), "+S"(s), "+D"(d) : : "memory"), 14);	/* not present to MMIO */
	G_CHECK_EQ(g_trap.cr2, page + 4096);
	G_CHECK_EQ(g_trap.error, 0);
	G_CHECK_EQ(G_TRY("movb $1, (%0)", : : "r"(page + 8192) : "memory"), 14);	/* MMIO mapped read-only */
	G_CHECK_EQ(g_trap.cr2, page + 8192);
	G_CHECK_EQ(g_trap.error, 3);
	g_done(0);
}

static void faults(void)
{
	const u64 page = 0x900000;
	struct vcpu *v = guest_new(0, faults_guest, page);
	struct kvm_sregs s = vcpu_sregs(v);

	s.cr0 |= 1 << 16; /* WP */
	CHECK_OK(ioctl(v->fd, KVM_SET_SREGS, &s));
	vm_map_4k(v->vm, page, page, 5);
	vm_map_4k(v->vm, page + 4096, page + 4096, 0);
	vm_map_4k(v->vm, page + 8192, GUEST_ABSENT, 5);
	for (int i = 0; i < 8; i++) {
		vcpu_run(v);
		/* The read of the first move may come out before its store is tried. */
		if (v->run->exit_reason == KVM_EXIT_MMIO && !v->run->mmio.is_write) {
			v->run->mmio.data[0] = 0x55;
			continue;
		}
		break;
	}
	if (v->run->exit_reason == KVM_EXIT_IO && v->run->io.port == PORT_FAIL)
		note("guest line %llu: %#llx", (unsigned long long)G(v->vm, g_fail_line),
		     (unsigned long long)G(v->vm, g_fail_a));
	CHECK(v->run->exit_reason == KVM_EXIT_IO && v->run->io.port == PORT_DONE, "exit %s",
	      exit_name(v->run->exit_reason));
}

static volatile s32 user_vector;

GUEST static void user_unknown(void)
{
	/* PSHUFB with a memory operand: nobody does this to a device. */
	user_vector = G_TRY(".byte 0x66, 0x0f, 0x38, 0x00, 0x03", : : "b"(GUEST_ABSENT) : "memory");
}

GUEST static void user_guest(u64 arg)
{
	(void)arg;
	g_call_user(user_unknown, 0);
	g_done((u32)user_vector);
}

/* CPL 3 may not end the VM with an instruction that cannot be emulated: it gets #UD. */
static void unknown_at_cpl3(void)
{
	struct vcpu *v = guest_new(0, user_guest, 0);

	CHECK_EQ(vcpu_finish(v), 6, "the exception");
}

GUEST static void kernel_unknown_guest(u64 arg)
{
	(void)arg;
	asm volatile(".byte 0x66, 0x0f, 0x38, 0x00, 0x03" : : "b"(GUEST_ABSENT) : "memory");
}

/* At CPL 0 the program is told. */
static void unknown_at_cpl0(void)
{
	struct vcpu *v = guest_new(0, kernel_unknown_guest, 0);

	vcpu_expect(v, KVM_EXIT_INTERNAL_ERROR);
	EXPECT_EQ(v->run->internal.suberror, KVM_INTERNAL_ERROR_EMULATION, "the suberror");
}

GUEST static void read_guest(u64 arg)
{
	g_done(g_read32(arg));
}

/* An immediate exit completes the pending read and does not enter the guest. */
static void completed_by_immediate_exit(void)
{
	struct vcpu *v = guest_new(0, read_guest, GUEST_ABSENT + 4);

	vcpu_expect(v, KVM_EXIT_MMIO);
	*(u32 *)v->run->mmio.data = 0x0badcafe;
	v->run->immediate_exit = 1;
	EXPECT_ERRNO(ioctl(v->fd, KVM_RUN, 0), EINTR);
	*(u32 *)v->run->mmio.data = 0;
	v->run->immediate_exit = 0;
	CHECK_EQ(vcpu_finish(v), 0x0badcafe, "the word read");
}

static const struct test tests[] = {
	TEST(forms_64bit), TEST(forms_32bit), TEST(forms_16bit), TEST(forms_sse), TEST(forms_avx),
	TEST(border_of_memory), TEST(faults), TEST(unknown_at_cpl3), TEST(unknown_at_cpl0),
	TEST(completed_by_immediate_exit),
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}
