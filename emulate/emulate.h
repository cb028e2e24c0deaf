/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The instruction emulator: what a caller sees of it.
 *
 * The caller fills a struct vtx_emu with the guest's state, names the operations by which memory, ports and
 * vector registers are reached, and calls vtx_emu_step().  The emulator holds nothing between two calls
 * except what is in that structure; it allocates nothing and takes no lock.
 *
 * Rules between the two sides
 *
 * - Restart.  An op that needs user space returns VTX_EMU_IO.  Registers, flags and RIP are then as they were
 *   before the instruction (before the iteration, for REP), and the caller runs vtx_emu_step() again later.
 *   Within one instruction or REP iteration the ops are called in an order that depends only on the
 *   instruction, the guest state and the data read, so that finished accesses can be answered from a log.
 *   The caller hands the instruction's bytes back in prefetch[], or another CPU could change them in between.
 * - Iterations.  A REP string instruction commits after each iteration and then calls ops->commit(), where the
 *   caller drops its log.  At most max_iterations are done in a call (0 means 1); VTX_EMU_DONE with `again`
 *   set and RIP unchanged says that there is more.  `again` is also how a LOCK-ed operation reports that it
 *   lost its race: nothing has changed, call again (or enter the guest again, which comes to the same).
 * - Events.  The emulator does not look at RFLAGS.TF, DR7, the interrupt shadow or pending events.  After
 *   VTX_EMU_DONE the caller ends the shadow and, if TF was set before the step, delivers a single-step #DB
 *   (`again`: too, for the string instructions; not after a lost race, when `committed` is false).
 * - Linear addresses.  ops get linear addresses; paging is theirs (vtx_walk()).  An access is 1 to 32 bytes
 *   and may cross a page: the op must translate all of it, with the access rights asked for, before it reads
 *   or writes any of it.
 */
#ifndef VTX_EMULATE_EMULATE_H
#define VTX_EMULATE_EMULATE_H

#include "compat/pure.h"
#include "emulate/why.h"

enum vtx_emu_result {
	VTX_EMU_DONE = 0,   /* executed; state updated */
	VTX_EMU_FAULT,      /* exc is filled, state unchanged: inject it */
	VTX_EMU_IO,         /* an op waits for user space; state unchanged: run again later */
	VTX_EMU_UNHANDLED,  /* not an instruction, or a form of one, that we emulate; insn filled as far as known */
	VTX_EMU_ERROR,      /* an op failed; it has put -errno into error */
	VTX_EMU_MISMATCH,   /* of ops->compare_exchange only: memory was not equal to `old`, nothing written */
};

/* Registers and segments are numbered as in the instruction encoding (SDM vol. 2, tables 2-2 and 3-1). */
enum vtx_emu_reg {
	VTX_EMU_RAX, VTX_EMU_RCX, VTX_EMU_RDX, VTX_EMU_RBX, VTX_EMU_RSP, VTX_EMU_RBP, VTX_EMU_RSI, VTX_EMU_RDI,
	VTX_EMU_R8, VTX_EMU_R9, VTX_EMU_R10, VTX_EMU_R11, VTX_EMU_R12, VTX_EMU_R13, VTX_EMU_R14, VTX_EMU_R15,
	VTX_EMU_NR_REGS
};

enum vtx_emu_sreg {
	VTX_EMU_ES, VTX_EMU_CS, VTX_EMU_SS, VTX_EMU_DS, VTX_EMU_FS, VTX_EMU_GS, VTX_EMU_NR_SEGS
};

/* Access rights as the VMCS holds them (SDM vol. 3, 25.4.1); the limit is in bytes, granularity applied. */
#define VTX_EMU_AR_TYPE     0x000f
#define VTX_EMU_AR_S        0x0010
#define VTX_EMU_AR_P        0x0080
#define VTX_EMU_AR_L        0x2000
#define VTX_EMU_AR_DB       0x4000
#define VTX_EMU_AR_UNUSABLE 0x10000

struct vtx_emu_seg {
	u64 base;
	u32 limit;
	u32 ar;
	u16 selector;
};

struct vtx_emu_exception {
	u8 vector;
	bool has_error;
	u32 error;
	u64 cr2; /* with vector 14 */
};

/* How an operand will be used; argument of ops->read and ops->probe. */
#define VTX_EMU_ACCESS_READ  1
#define VTX_EMU_ACCESS_WRITE 2 /* first half of a read-modify-write: check write permission at the read */

/* Instruction sets the processor may lack; where a bit is clear the instruction is #UD, or BSF/BSR. */
#define VTX_EMU_CPU_MOVBE  BIT(0)
#define VTX_EMU_CPU_POPCNT BIT(1)
#define VTX_EMU_CPU_LZCNT  BIT(2)
#define VTX_EMU_CPU_BMI1   BIT(3) /* TZCNT */
#define VTX_EMU_CPU_AVX    BIT(4)
#define VTX_EMU_CPU_AVX2   BIT(5)
#define VTX_EMU_CPU_SSE3   BIT(6) /* LDDQU */
#define VTX_EMU_CPU_SSE41  BIT(7) /* MOVNTDQA */
#define VTX_EMU_CPU_CX16   BIT(8)
#define VTX_EMU_CPU_ALL    0x1ff

struct vtx_emu;

/*
 * All return enum vtx_emu_result.  An op that returns VTX_EMU_FAULT has filled e->exc (with
 * vtx_emu_fault() or by hand); one that returns VTX_EMU_ERROR has set e->error.
 */
struct vtx_emu_ops {
	/*
	 * Instruction bytes at linear address gva, execute access.  len <= 15, never crosses a 4 KiB page.
	 * *got: bytes delivered, 1 to len.  Fewer than len means that the rest cannot be had this way.
	 */
	int (*fetch)(struct vtx_emu *e, u64 gva, void *buf, unsigned int len, unsigned int *got);

	/* Data, 1 to 32 bytes. `access`: VTX_EMU_ACCESS_READ, with _WRITE added for a read-modify-write. */
	int (*read)(struct vtx_emu *e, u64 gva, void *buf, unsigned int len, unsigned int access);
	int (*write)(struct vtx_emu *e, u64 gva, const void *buf, unsigned int len);

	/*
	 * Atomic compare-and-exchange of 1, 2, 4, 8 or 16 bytes, not necessarily aligned; VTX_EMU_MISMATCH when
	 * memory differed from old.  Follows a read of the same bytes with VTX_EMU_ACCESS_WRITE.  On MMIO, a
	 * plain write of `new` is right: a device has no second CPU's store to lose.
	 */
	int (*compare_exchange)(struct vtx_emu *e, u64 gva, const void *old, const void *new, unsigned int len);

	/* Would an access fault?  Only translates.  Used where an I/O port is read before memory is written. */
	int (*probe)(struct vtx_emu *e, u64 gva, unsigned int len, unsigned int access);

	/*
	 * Vector register reg (0-15).  read: the low len bytes, 16 or 32.  write: the low len bytes; what is above them
	 * is zeroed when zero_upper (VEX encodings), else kept (legacy SSE).  Called last, must not fault.
	 */
	int (*read_xmm)(struct vtx_emu *e, unsigned int reg, void *buf, unsigned int len);
	int (*write_xmm)(struct vtx_emu *e, unsigned int reg, const void *buf, unsigned int len, bool zero_upper);

	/*
	 * MMX register reg (0-7), 8 bytes.  read changes nothing, since the store that follows it may fault or wait.
	 * write also does what every MMX instruction does to the x87 state: TOP 0, all tags valid; used does that alone,
	 * after a store.  write and used are called last and must not fail.  emulate/mmx.h has them for an FXSAVE image.
	 */
	int (*read_mmx)(struct vtx_emu *e, unsigned int reg, u64 *val);
	int (*write_mmx)(struct vtx_emu *e, unsigned int reg, u64 val);
	void (*used_mmx)(struct vtx_emu *e);

	/* Ports: size 1, 2 or 4 bytes, count units in buf (1 at present). */
	int (*pio_in)(struct vtx_emu *e, u16 port, unsigned int size, void *buf, unsigned int count);
	int (*pio_out)(struct vtx_emu *e, u16 port, unsigned int size, const void *buf, unsigned int count);

	/*
	 * May CPL > IOPL, or virtual-8086 code, use these ports?  Reads the TSS' I/O bitmap; DONE or
	 * FAULT (#GP(0)).  NULL: such code is UNHANDLED.
	 */
	int (*pio_allowed)(struct vtx_emu *e, u16 port, unsigned int size);

	/* One REP iteration is done and its state committed.  May be NULL. */
	void (*commit)(struct vtx_emu *e);
};

/* The decoded instruction.  bytes[0..len) are valid after VTX_EMU_DONE of decode, bytes[0..fetched) always. */
struct vtx_emu_insn {
	u8 bytes[15];
	u8 fetched;    /* valid bytes in bytes[] */
	u8 pos;        /* of these, how many the decoder has used */
	u8 len;        /* length, 0 while unknown */
	u8 mode;       /* 2, 4 or 8: 16-, 32- or 64-bit code */
	u8 map;        /* enum vtx_opcode_map, emulate/decode.h */
	u8 opcode;
	u8 rep;        /* 0, 0xf2 or 0xf3: the last of them */
	bool lock;
	bool opsize;   /* 66 seen */
	bool vex;      /* VEX or EVEX encoded */
	bool evex;
	u8 rex;        /* REX byte, or 0x40 | W R X B taken from VEX; 0: none */
	u8 vex_v;      /* register in VEX.vvvv, already un-inverted */
	u8 vex_l;
	u8 pp;         /* mandatory prefix of a vector instruction: 0 none, 1 66, 2 f3, 3 f2 */
	u8 op_bytes;   /* operand size 1, 2, 4, 8 */
	u8 addr_bytes; /* address size 2, 4, 8 */
	u8 seg;        /* segment of the memory operand, defaults applied */
	bool seg_override;
	bool has_modrm;
	u8 modrm, sib;
	u8 mod, reg, rm; /* reg and rm extended by REX; rm is a register number when mod == 3 */
	bool rip_relative;
	s32 disp;
	u64 imm;       /* sign- or zero-extended as the instruction asks; moffs and far offsets too */
	u16 imm2;      /* far selector, ENTER's second */
	u64 ea;        /* effective address of the memory operand, when has_modrm && mod != 3 */
	u8 op, form;   /* enum vtx_op, enum vtx_form, emulate/decode.h */
	u16 flags;     /* OF_* of the opcode tables */
};

struct vtx_emu {
	/* Filled by the caller; updated by VTX_EMU_DONE */
	u64 regs[VTX_EMU_NR_REGS];
	u64 rip;
	u64 rflags;

	/* Filled by the caller; not changed */
	u64 cr0, cr3, cr4, efer, xcr0;
	u8 cpl;
	u32 cpu;                 /* VTX_EMU_CPU_* the processor has */
	struct vtx_emu_seg seg[VTX_EMU_NR_SEGS];
	unsigned int max_iterations;
	u8 prefetch[15];         /* instruction bytes already known; used before ops->fetch */
	u8 prefetch_len;
	const struct vtx_emu_ops *ops;
	void *opaque;

	/* Answers */
	struct vtx_emu_insn insn;
	struct vtx_emu_exception exc;
	int error;
	enum vtx_emu_why why;    /* with VTX_EMU_UNHANDLED */
	bool again;              /* DONE, but the same instruction has more to do */
	bool committed;          /* at least one instruction or iteration took effect in this call */

	/* Private to emulate/ */
	u64 saved_regs[VTX_EMU_NR_REGS];
	u64 saved_rflags;
	u64 next_rip;
};

/*
 * vtx_emu_decode - fetch and decode the instruction at CS:RIP into e->insn
 *
 * VTX_EMU_DONE: length and operands are known; the instruction is one that vtx_emu_execute() can try.
 * VTX_EMU_UNHANDLED: insn.len is the length where the tables know it, else 0.  VTX_EMU_FAULT: #PF or #GP of the
 * fetch, #GP(0) for more than 15 bytes, #UD for what the manual calls invalid.  IO, ERROR: as ops->fetch said.
 */
int vtx_emu_decode(struct vtx_emu *e);

/* vtx_emu_execute - execute e->insn as vtx_emu_decode() left it.  Any enum vtx_emu_result except MISMATCH. */
int vtx_emu_execute(struct vtx_emu *e);

/* vtx_emu_step - decode and execute one instruction */
int vtx_emu_step(struct vtx_emu *e);

/*
 * vtx_emu_linear - logical to linear address, with the checks of segmentation
 *
 * seg: enum vtx_emu_sreg.  ea: offset, already cut to the address size.  len: bytes, 1 to 32.
 * access: VTX_EMU_ACCESS_*.  Returns VTX_EMU_DONE with *lin, VTX_EMU_FAULT with #GP(0) or #SS(0) in e->exc, or
 * VTX_EMU_UNHANDLED for an operand that wraps around the end of a 4 GiB linear space.
 */
int vtx_emu_linear(struct vtx_emu *e, unsigned int seg, u64 ea, unsigned int len, unsigned int access, u64 *lin);

/* Is this linear address canonical in the guest's present mode? */
bool vtx_emu_canonical(const struct vtx_emu *e, u64 addr);

/* Fill e->exc; return VTX_EMU_FAULT.  The first for exceptions without error code. */
int vtx_emu_fault(struct vtx_emu *e, u8 vector);
int vtx_emu_fault_error(struct vtx_emu *e, u8 vector, u32 error);
int vtx_emu_page_fault(struct vtx_emu *e, u64 gva, u32 error);

/* Sets e->why; returns VTX_EMU_UNHANDLED. For ops as well. */
int vtx_emu_give_up(struct vtx_emu *e, enum vtx_emu_why why);

#endif /* VTX_EMULATE_EMULATE_H */
