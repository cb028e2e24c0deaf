// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPUID policy as tables: which bits of the host's leaves a guest may see, which bits vtx adds, and which bits of a
 * vCPU's own table switch something on in the module.
 *
 * A bit is passed on only when the instruction or register behind it works in a guest without help, or with help that
 * vtx gives. What is missing on purpose: VMX, SMX, MONITOR/MWAIT, performance counters (leaf 0xa, PDCM, DS), MPX,
 * Intel PT, SGX, AMX, protection keys and shadow stacks (their state is not switched), LA57 (the EPT has four levels),
 * XSAVES (no IA32_XSS), WAITPKG, thermal and power leaves except ARAT.
 *
 * The bits' names are those of SDM vol. 2, CPUID, tables 3-8 ff.; hypervisor leaves as in the kernel's
 * Documentation/virt/kvm/x86/cpuid.rst.
 */
#include "compat/pure.h"
#include "exits/cpuid_policy.h"
#include <asm/kvm_para.h>

#define ALL 0xffffffffu
#define B(n) (1u << (n))

/* Bits that are used more than once below. */
#define L1_ECX_XSAVE B(26)
#define L1_ECX_OSXSAVE B(27)
#define L1_EDX_APIC B(9)
#define L7_ECX_OSPKE B(4)
#define LD1_EAX_XSAVEC B(1)
#define XCR0_X87_SSE 3ull
#define XCR0_AVX B(2)
#define XCR0_AVX512 0xe0ull

/* Guest-physical addresses have at most this many bits: an EPT of four levels translates no more. */
#define MAX_GPA_BITS 48

/* ------------------------------------------------------------------ what is passed on */

enum reg { EAX, EBX, ECX, EDX };

struct leaf_row {
	u32 leaf, index;
	u32 keep[4];	/* host bits that stay */
	u32 add[4];	/* bits vtx provides whatever the host has */
};

static const struct leaf_row leaf_rows[] = {
	/* 0: EAX is set to the highest leaf of this table that the host has */
	{ 0x0, 0, .keep = { ALL, ALL, ALL, ALL } },
	{ 0x1, 0, .keep = {
		[EAX] = ALL,
		[EBX] = 0x0000ffff,	/* brand index, CLFLUSH size; APIC id and count are the client's */
		[ECX] = B(0) /* SSE3 */ | B(1) /* PCLMULQDQ */ | B(9) /* SSSE3 */ | B(12) /* FMA */ |
			B(13) /* CMPXCHG16B */ | B(17) /* PCID */ | B(19) /* SSE4.1 */ | B(20) /* SSE4.2 */ |
			B(22) /* MOVBE */ | B(23) /* POPCNT */ | B(25) /* AES */ | L1_ECX_XSAVE |
			B(28) /* AVX */ | B(29) /* F16C */ | B(30) /* RDRAND */,
		[EDX] = B(0) /* FPU */ | B(1) /* VME */ | B(2) /* DE */ | B(3) /* PSE */ | B(4) /* TSC */ |
			B(5) /* MSR */ | B(6) /* PAE */ | B(7) /* MCE */ | B(8) /* CX8 */ | L1_EDX_APIC |
			B(11) /* SEP */ | B(12) /* MTRR */ | B(13) /* PGE */ | B(14) /* MCA */ |
			B(15) /* CMOV */ | B(16) /* PAT */ | B(17) /* PSE-36 */ | B(19) /* CLFSH */ |
			B(23) /* MMX */ | B(24) /* FXSR */ | B(25) /* SSE */ | B(26) /* SSE2 */ | B(27) /* SS */ },
	  .add = { [ECX] = B(21) /* x2APIC */ | B(31) /* hypervisor */ } },
	{ 0x2, 0, .keep = { ALL, ALL, ALL, ALL } },
	{ 0x4, 0, .keep = { ALL, ALL, ALL, ALL } },
	{ 0x5, 0, .keep = { 0 } },
	{ 0x6, 0, .add = { [EAX] = B(2) /* ARAT: the APIC timer never stops */ } },
	{ 0x7, 0, .keep = {
		[EAX] = ALL,
		[EBX] = B(0) /* FSGSBASE */ | B(3) /* BMI1 */ | B(4) /* HLE */ | B(5) /* AVX2 */ |
			B(6) /* FDP_EXCPTN_ONLY */ | B(7) /* SMEP */ | B(8) /* BMI2 */ | B(9) /* ERMS */ |
			B(10) /* INVPCID */ | B(11) /* RTM */ | B(13) /* no FCS/FDS */ | B(16) /* AVX512F */ |
			B(17) /* AVX512DQ */ | B(18) /* RDSEED */ | B(19) /* ADX */ | B(20) /* SMAP */ |
			B(21) /* AVX512_IFMA */ | B(23) /* CLFLUSHOPT */ | B(24) /* CLWB */ |
			B(26) /* AVX512PF */ | B(27) /* AVX512ER */ | B(28) /* AVX512CD */ | B(29) /* SHA */ |
			B(30) /* AVX512BW */ | B(31) /* AVX512VL */,
		[ECX] = B(1) /* AVX512_VBMI */ | B(2) /* UMIP */ | B(6) /* AVX512_VBMI2 */ | B(8) /* GFNI */ |
			B(9) /* VAES */ | B(10) /* VPCLMULQDQ */ | B(11) /* AVX512_VNNI */ |
			B(12) /* AVX512_BITALG */ | B(14) /* AVX512_VPOPCNTDQ */ | B(22) /* RDPID */ |
			B(25) /* CLDEMOTE */ | B(27) /* MOVDIRI */ | B(28) /* MOVDIR64B */,
		[EDX] = B(2) /* AVX512_4VNNIW */ | B(3) /* AVX512_4FMAPS */ | B(4) /* fast short REP MOV */ |
			B(8) /* AVX512_VP2INTERSECT */ | B(10) /* MD_CLEAR */ | B(14) /* SERIALIZE */ |
			B(16) /* TSXLDTRK */ | B(23) /* AVX512_FP16 */ | B(26) /* IBRS and IBPB */ |
			B(27) /* STIBP */ | B(29) /* ARCH_CAPABILITIES */ | B(31) /* SSBD */ },
	  .add = { [EBX] = B(1) /* TSC_ADJUST */ } },
	{ 0x7, 1, .keep = { [EAX] = B(4) /* AVX-VNNI */ | B(5) /* AVX512_BF16 */ | B(10) /* fast zero-length MOVSB */ |
				    B(11) /* fast short STOSB */ | B(12) /* fast short CMPSB, SCASB */ } },
	{ 0x7, 2, .keep = { [EDX] = B(0) /* PSFD */ | B(1) /* IPRED_CTRL */ | B(2) /* RRSBA_CTRL */ | B(3) /* DDPD_U */ |
				    B(4) /* BHI_CTRL */ | B(5) /* MCDT_NO */ } },
	{ 0xa, 0, .keep = { 0 } },
	/* 0xb: no topology that vtx knows of; a client that does writes its own */
	{ 0xb, 0, .keep = { 0 } },
	/* 0xd: built by build_xsave() */
	{ 0xd, 0, .keep = { 0 } },
	/*
	 * 0x15 is left out: its crystal clock would be taken for the local APIC timer's (Linux, native_calibrate_tsc()),
	 * and that ticks at 1 GHz here whatever the host's crystal does.
	 */
	{ 0x16, 0, .keep = { 0xffff, 0xffff, 0xffff, 0 } },
	{ 0x80000000, 0, .keep = { ALL, ALL, ALL, ALL } },
	{ 0x80000001, 0, .keep = {
		[EAX] = ALL,
		[ECX] = B(0) /* LAHF */ | B(5) /* LZCNT */ | B(8) /* PREFETCHW */,
		[EDX] = B(11) /* SYSCALL */ | B(20) /* XD */ | B(26) /* 1 GiB pages */ | B(27) /* RDTSCP */ | B(29) /* LM */ } },
	{ 0x80000002, 0, .keep = { ALL, ALL, ALL, ALL } },
	{ 0x80000003, 0, .keep = { ALL, ALL, ALL, ALL } },
	{ 0x80000004, 0, .keep = { ALL, ALL, ALL, ALL } },
	{ 0x80000005, 0, .keep = { 0 } },
	{ 0x80000006, 0, .keep = { [ECX] = ALL } },
	{ 0x80000007, 0, .keep = { [EDX] = B(8) /* invariant TSC */ } },
	{ 0x80000008, 0, .keep = { [EAX] = 0xffff, [EBX] = B(9) /* WBNOINVD */ } },
};

/* Bits that fall when something they need is missing. */
struct need_row {
	u32 leaf, index;
	enum reg reg;
	u32 bits;
	u64 xcr0;		/* all of these state components */
	bool invpcid, rdtscp;	/* the VM-execution control */
};

#define AVX512_EBX (B(16) | B(17) | B(21) | B(26) | B(27) | B(28) | B(30) | B(31))
#define AVX512_ECX (B(1) | B(6) | B(11) | B(12) | B(14))
#define AVX512_EDX (B(2) | B(3) | B(8) | B(23))

static const struct need_row need_rows[] = {
	{ 0x1, 0, ECX, L1_ECX_XSAVE, .xcr0 = XCR0_X87_SSE },
	{ 0x1, 0, ECX, B(12) | B(28) | B(29), .xcr0 = XCR0_AVX },
	{ 0x7, 0, EBX, B(5), .xcr0 = XCR0_AVX },
	{ 0x7, 0, ECX, B(9) | B(10), .xcr0 = XCR0_AVX },
	{ 0x7, 1, EAX, B(4), .xcr0 = XCR0_AVX },
	{ 0x7, 0, EBX, AVX512_EBX, .xcr0 = XCR0_AVX512 },
	{ 0x7, 0, ECX, AVX512_ECX, .xcr0 = XCR0_AVX512 },
	{ 0x7, 0, EDX, AVX512_EDX, .xcr0 = XCR0_AVX512 },
	{ 0x7, 1, EAX, B(5), .xcr0 = XCR0_AVX512 },
	{ 0x7, 0, EBX, B(10), .invpcid = true },
	{ 0x7, 0, ECX, B(22), .rdtscp = true },
	{ 0x80000001, 0, EDX, B(27), .rdtscp = true },
};

struct builder {
	const struct vtx_cpuid_host *host;
	struct kvm_cpuid_entry2 *out;
	u32 n, count;
	u32 max[4];	/* highest leaf of the class leaf >> 30 that the host has */
};

static void emit(struct builder *b, u32 leaf, u32 index, bool indexed, const struct vtx_cpuid_regs *regs)
{
	if (b->count < b->n)
		b->out[b->count] = (struct kvm_cpuid_entry2){
			.function = leaf, .index = index, .flags = indexed ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
			.eax = regs->eax, .ebx = regs->ebx, .ecx = regs->ecx, .edx = regs->edx,
		};
	b->count++;
}

static bool need_met(const struct need_row *need, const struct vtx_cpuid_host *host)
{
	return (host->xcr0 & need->xcr0) == need->xcr0 && (!need->invpcid || host->invpcid) &&
	       (!need->rdtscp || host->rdtscp);
}

/* The host's registers for a row after the row's masks and the needs. */
static void read_row(const struct builder *b, const struct leaf_row *row, u32 index, struct vtx_cpuid_regs *regs)
{
	unsigned int i;

	b->host->read(b->host->opaque, row->leaf, index, regs);
	for (i = 0; i < 4; i++)
		regs->reg[i] = (regs->reg[i] & row->keep[i]) | row->add[i];
	for (i = 0; i < ARRAY_SIZE(need_rows); i++) {
		const struct need_row *need = &need_rows[i];

		if (need->leaf == row->leaf && need->index == row->index && !need_met(need, b->host))
			regs->reg[need->reg] &= ~need->bits;
	}
}

/* The highest leaf that is in our table and that the host has. */
static u32 highest(const struct builder *b, u32 class)
{
	u32 top = class;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(leaf_rows); i++)
		if (leaf_rows[i].leaf >> 30 == class >> 30 && leaf_rows[i].leaf <= b->max[class >> 30])
			top = max(top, leaf_rows[i].leaf);
	return top;
}

/* Leaf 4: cache parameters, a sub-leaf for each cache until one says "no more" (type 0). */
static void build_caches(struct builder *b, const struct leaf_row *row)
{
	struct vtx_cpuid_regs regs;
	u32 index;

	for (index = 0; index < 16; index++) {
		read_row(b, row, index, &regs);
		emit(b, row->leaf, index, true, &regs);
		if (!(regs.eax & 0x1f))
			break;
	}
}

/* Leaf 0xd: XSAVE. Sizes are those for all components that vtx switches; vtx_cpuid_mirror() puts in the current ones. */
static void build_xsave(struct builder *b)
{
	const struct vtx_cpuid_host *host = b->host;
	struct vtx_cpuid_regs regs;
	u32 size = 576, compact = 576;	/* legacy region and header, SDM vol. 1, 13.4 */
	u64 xcr0 = host->xcr0;
	unsigned int i;

	if ((xcr0 & XCR0_X87_SSE) != XCR0_X87_SSE)
		xcr0 = 0;
	for (i = 2; i < 63; i++) {
		if (!(xcr0 & BIT_ULL(i)))
			continue;
		host->read(host->opaque, 0xd, i, &regs);
		size = max(size, regs.ebx + regs.eax);
		if (regs.ecx & 2)
			compact = (compact + 63) & ~63u;
		compact += regs.eax;
	}
	regs = (struct vtx_cpuid_regs){ .eax = xcr0, .edx = xcr0 >> 32 };
	if (xcr0)
		regs.ebx = regs.ecx = size;
	emit(b, 0xd, 0, true, &regs);
	if (!xcr0)
		return;
	host->read(host->opaque, 0xd, 1, &regs);
	regs = (struct vtx_cpuid_regs){ .eax = regs.eax & (B(0) /* XSAVEOPT */ | LD1_EAX_XSAVEC | B(2) /* XGETBV(1) */) };
	if (regs.eax & LD1_EAX_XSAVEC)
		regs.ebx = compact;
	emit(b, 0xd, 1, true, &regs);
	for (i = 2; i < 63; i++) {
		if (!(xcr0 & BIT_ULL(i)))
			continue;
		host->read(host->opaque, 0xd, i, &regs);
		regs.ecx &= 2;		/* aligned in the compacted form; a user component, no XFD */
		regs.edx = 0;
		emit(b, 0xd, i, true, &regs);
	}
}

static void build_row(struct builder *b, const struct leaf_row *row)
{
	struct vtx_cpuid_regs regs;
	u32 phys, subleaves;

	if (row->leaf > b->max[row->leaf >> 30])
		return;
	switch (row->leaf) {
	case 0x4:
		build_caches(b, row);
		return;
	case 0xd:
		build_xsave(b);
		return;
	case 0x7:
		if (row->index) {
			b->host->read(b->host->opaque, 0x7, 0, &regs);
			subleaves = regs.eax;
			if (row->index > subleaves)
				return;
		}
		read_row(b, row, row->index, &regs);
		if (!row->index)
			regs.eax = min(regs.eax, 2u);
		emit(b, row->leaf, row->index, true, &regs);
		return;
	default:
		break;
	}
	read_row(b, row, row->index, &regs);
	switch (row->leaf) {
	case 0x0:
	case 0x80000000:
		regs.eax = highest(b, row->leaf);
		break;
	case 0x80000008:
		phys = min(regs.eax & 0xff, (u32)MAX_GPA_BITS);
		regs.eax = phys | 48 << 8;	/* linear addresses: no LA57 */
		break;
	default:
		break;
	}
	emit(b, row->leaf, row->index, row->leaf == 0xb, &regs);
}

u32 vtx_cpuid_build(const struct vtx_cpuid_host *host, struct kvm_cpuid_entry2 *out, u32 n)
{
	static const struct vtx_cpuid_regs signature = {
		.eax = KVM_CPUID_FEATURES, .ebx = 0x4b4d564b, .ecx = 0x564b4d56, .edx = 0x4d, /* "KVMKVMKVM\0\0\0" */
	};
	/* I/O port delays are pointless here: no port is a real one (KVM_FEATURE_NOP_IO_DELAY). */
	const struct vtx_cpuid_regs pv_features = {
		.eax = B(KVM_FEATURE_CLOCKSOURCE) | B(KVM_FEATURE_NOP_IO_DELAY) | B(KVM_FEATURE_CLOCKSOURCE2) |
		       (host->run_delay ? B(KVM_FEATURE_STEAL_TIME) : 0) | B(KVM_FEATURE_PV_SCHED_YIELD) |
		       B(KVM_FEATURE_CLOCKSOURCE_STABLE_BIT),
	};
	struct builder b = { .host = host, .out = out, .n = n };
	struct vtx_cpuid_regs regs;
	unsigned int i;

	host->read(host->opaque, 0, 0, &regs);
	b.max[0] = regs.eax;
	host->read(host->opaque, 0x80000000, 0, &regs);
	b.max[2] = regs.eax >> 31 ? regs.eax : 0;

	for (i = 0; i < ARRAY_SIZE(leaf_rows); i++)
		build_row(&b, &leaf_rows[i]);
	emit(&b, KVM_CPUID_SIGNATURE, 0, false, &signature);
	emit(&b, KVM_CPUID_FEATURES, 0, false, &pv_features);
	return b.count;
}

/* ------------------------------------------------------------------ what a vCPU's table switches on */

struct feature_row {
	u8 feature;
	u8 reg, bit;
	u32 leaf;
};

static const struct feature_row feature_rows[] = {
	{ VTX_F_X2APIC, ECX, 21, 0x1 },
	{ VTX_F_TSC_DEADLINE, ECX, 24, 0x1 },
	{ VTX_F_XSAVE, ECX, 26, 0x1 },
	{ VTX_F_OSXSAVE_VISIBLE, ECX, 26, 0x1 },
	{ VTX_F_PCID, ECX, 17, 0x1 },
	{ VTX_F_MWAIT, ECX, 3, 0x1 },
	{ VTX_F_MTRR, EDX, 12, 0x1 },
	{ VTX_F_MCE, EDX, 7, 0x1 },
	{ VTX_F_FSGSBASE, EBX, 0, 0x7 },
	{ VTX_F_TSC_ADJUST, EBX, 1, 0x7 },
	{ VTX_F_SMEP, EBX, 7, 0x7 },
	{ VTX_F_INVPCID, EBX, 10, 0x7 },
	{ VTX_F_SMAP, EBX, 20, 0x7 },
	{ VTX_F_UMIP, ECX, 2, 0x7 },
	{ VTX_F_PKU, ECX, 3, 0x7 },
	{ VTX_F_LA57, ECX, 16, 0x7 },
	{ VTX_F_RDPID, ECX, 22, 0x7 },
	{ VTX_F_SPEC_CTRL, EDX, 26, 0x7 },
	{ VTX_F_IBPB, EDX, 26, 0x7 },
	{ VTX_F_ARCH_CAP, EDX, 29, 0x7 },
	{ VTX_F_SYSCALL, EDX, 11, 0x80000001 },
	{ VTX_F_NX, EDX, 20, 0x80000001 },
	{ VTX_F_GBPAGES, EDX, 26, 0x80000001 },
	{ VTX_F_RDTSCP, EDX, 27, 0x80000001 },
	{ VTX_F_LM, EDX, 29, 0x80000001 },
};

/* CR4 bits and the feature each needs; those in CR4_ALWAYS need none (SDM vol. 3, 2.5). */
#define CR4_ALWAYS 0x7ffull	/* VME PVI TSD DE PSE PAE MCE PGE PCE OSFXSR OSXMMEXCPT */

static const struct {
	u8 bit, feature;
} cr4_rows[] = {
	{ 11, VTX_F_UMIP }, { 16, VTX_F_FSGSBASE }, { 17, VTX_F_PCID }, { 18, VTX_F_XSAVE }, { 20, VTX_F_SMEP }, { 21, VTX_F_SMAP },
};

/* IA32_SPEC_CTRL bits by the CPUID bit that enumerates them (SDM vol. 4, table 2-2, 48H). */
static const struct {
	u8 index, bit;
	u16 mask;
} spec_ctrl_rows[] = {
	{ 0, 26, 1 << 0 },	/* IBRS */
	{ 0, 27, 1 << 1 },	/* STIBP */
	{ 0, 31, 1 << 2 },	/* SSBD */
	{ 2, 0, 1 << 7 },	/* PSFD */
	{ 2, 1, 3 << 3 },	/* IPRED_DIS_U, _S */
	{ 2, 2, 3 << 5 },	/* RRSBA_DIS_U, _S */
	{ 2, 3, 1 << 8 },	/* DDPD_U */
	{ 2, 4, 1 << 10 },	/* BHI_DIS_S */
};

static u32 entry_reg(const struct kvm_cpuid_entry2 *e, enum reg reg)
{
	const u32 regs[4] = { e->eax, e->ebx, e->ecx, e->edx };

	return regs[reg];
}

static u32 table_reg(const struct vtx_cpuid *c, u32 leaf, u32 index, enum reg reg)
{
	const struct kvm_cpuid_entry2 *e = vtx_cpuid_find(c, leaf, index);

	return e ? entry_reg(e, reg) : 0;
}

static void set_feature(struct vtx_cpuid *c, enum vtx_feature f)
{
	c->features[f / 64] |= BIT_ULL(f % 64);
}

/* KVM's feature leaf is one above the leaf with KVM's signature, at any base 0x4000_0000 + n * 0x100. */
static u32 pv_features_of(const struct vtx_cpuid *c)
{
	const struct kvm_cpuid_entry2 *e;
	u32 i;

	for (i = 0; i < c->nent; i++) {
		e = &c->entries[i];
		if (e->function >> 28 == 4 && !(e->function & 0xff) && e->ebx == 0x4b4d564b && e->ecx == 0x564b4d56 &&
		    e->edx == 0x4d)
			return table_reg(c, e->function | (KVM_CPUID_FEATURES & 0xff), 0, EAX);
	}
	return 0;
}

static void index_leaves(struct vtx_cpuid *c)
{
	u32 i, low, class;

	memset(c->quick, 0, sizeof(c->quick));
	for (i = 0; i < c->nent; i++) {
		low = c->entries[i].function & 0x3fffffff;
		class = c->entries[i].function >> 30;
		if (low < VTX_CPUID_QUICK && class < 3 && !c->quick[class][low])
			c->quick[class][low] = i + 1;
	}
}

void vtx_cpuid_derive(struct vtx_cpuid *c, const struct vtx_cpuid *host, u64 host_xcr0)
{
	u32 pv, phys;
	unsigned int i;

	index_leaves(c);
	memset(c->features, 0, sizeof(c->features));
	for (i = 0; i < ARRAY_SIZE(feature_rows); i++) {
		const struct feature_row *row = &feature_rows[i];

		if (table_reg(c, row->leaf, 0, row->reg) >> row->bit & 1)
			set_feature(c, row->feature);
	}
	pv = pv_features_of(c);
	if (pv & B(KVM_FEATURE_CLOCKSOURCE))
		set_feature(c, VTX_F_KVMCLOCK);
	if (pv & B(KVM_FEATURE_CLOCKSOURCE2))
		set_feature(c, VTX_F_KVMCLOCK2);
	if (pv & B(KVM_FEATURE_STEAL_TIME))
		set_feature(c, VTX_F_STEAL_TIME);
	if (pv & B(KVM_FEATURE_PV_SCHED_YIELD))
		set_feature(c, VTX_F_PV_SCHED_YIELD);

	c->spec_ctrl_allowed = 0;
	for (i = 0; i < ARRAY_SIZE(spec_ctrl_rows); i++)
		if (table_reg(c, 0x7, spec_ctrl_rows[i].index, EDX) >> spec_ctrl_rows[i].bit & 1)
			c->spec_ctrl_allowed |= spec_ctrl_rows[i].mask;
	if (host) {
		for (i = 0; i < ARRAY_SIZE(c->features); i++)
			c->features[i] &= host->features[i];
		c->spec_ctrl_allowed &= host->spec_ctrl_allowed;
	} else {
		/* A capability, not in the table: QEMU passes that on whole also where the local APIC is its own, which has no such timer. */
		set_feature(c, VTX_F_TSC_DEADLINE);
	}

	phys = table_reg(c, 0x80000000, 0, EAX) >= 0x80000008 && vtx_cpuid_find(c, 0x80000008, 0) ?
		       table_reg(c, 0x80000008, 0, EAX) & 0xff : 36;
	c->maxphyaddr = phys < 32 ? 32 : min(phys, 52u);

	c->xcr0_allowed = table_reg(c, 0xd, 0, EAX) | (u64)table_reg(c, 0xd, 0, EDX) << 32;
	c->xcr0_allowed = (c->xcr0_allowed & host_xcr0) | 1;	/* x87 cannot be switched off */

	c->cr4_reserved = ~CR4_ALWAYS;
	for (i = 0; i < ARRAY_SIZE(cr4_rows); i++)
		if (vtx_cpuid_has(c, cr4_rows[i].feature))
			c->cr4_reserved &= ~BIT_ULL(cr4_rows[i].bit);

	c->efer_allowed = 0;
	if (vtx_cpuid_has(c, VTX_F_SYSCALL) || vtx_cpuid_has(c, VTX_F_LM))
		c->efer_allowed |= BIT_ULL(0);			/* SCE */
	if (vtx_cpuid_has(c, VTX_F_LM))
		c->efer_allowed |= BIT_ULL(8) | BIT_ULL(10);	/* LME, LMA */
	if (vtx_cpuid_has(c, VTX_F_NX))
		c->efer_allowed |= BIT_ULL(11);			/* NXE */
	if (host && !c->nent) {
		/* No table at all: a small client that starts its guest in long mode without one. What the host can do, goes. */
		c->cr4_reserved = host->cr4_reserved;
		c->efer_allowed = host->efer_allowed;
	}
}

/* ------------------------------------------------------------------ what leaves mirror */

/* Bytes of an XSAVE area with the components of @xcr0, by the vCPU's own leaf 0xd. */
static u32 xsave_size(const struct vtx_cpuid *c, u64 xcr0, bool compact)
{
	const struct kvm_cpuid_entry2 *e;
	u32 size = 576;
	unsigned int i;

	for (i = 2; i < 63; i++) {
		e = xcr0 & BIT_ULL(i) ? vtx_cpuid_find(c, 0xd, i) : NULL;
		if (!e)
			continue;
		if (!compact) {
			size = max(size, e->ebx + e->eax);
			continue;
		}
		if (e->ecx & 2)
			size = (size + 63) & ~63u;
		size += e->eax;
	}
	return size;
}

static u32 with_bit(u32 reg, u32 bit, bool on)
{
	return on ? reg | bit : reg & ~bit;
}

void vtx_cpuid_mirror(struct vtx_cpuid *c, const struct vtx_cpuid_state *state)
{
	struct kvm_cpuid_entry2 *e;

	e = vtx_cpuid_find(c, 0x1, 0);
	if (e) {
		e->ecx = with_bit(e->ecx, L1_ECX_OSXSAVE, state->osxsave);
		e->edx = with_bit(e->edx, L1_EDX_APIC, state->apic_enabled);
		if (state->mwait_follows)
			e->ecx = with_bit(e->ecx, VTX_CPUID_1_ECX_MONITOR, state->mwait);
	}
	e = vtx_cpuid_find(c, 0x7, 0);
	if (e)
		e->ecx &= ~L7_ECX_OSPKE;	/* CR4.PKE cannot be set */
	e = vtx_cpuid_find(c, 0xd, 0);
	if (e)
		e->ebx = xsave_size(c, state->xcr0, false);
	e = vtx_cpuid_find(c, 0xd, 1);
	if (e && (e->eax & LD1_EAX_XSAVEC))
		e->ebx = xsave_size(c, state->xcr0, true);
}

/* ------------------------------------------------------------------ the answer to the instruction */

struct kvm_cpuid_entry2 *vtx_cpuid_find(const struct vtx_cpuid *c, u32 leaf, u32 index)
{
	struct kvm_cpuid_entry2 *e;
	u32 i;

	for (i = 0; i < c->nent; i++) {
		e = &c->entries[i];
		if (e->function == leaf && (!(e->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) || e->index == index))
			return e;
	}
	return NULL;
}

static bool amd_table(const struct kvm_cpuid_entry2 *leaf0)
{
	return leaf0->ebx == 0x68747541 /* "Auth" enticAMD */ || leaf0->ebx == 0x6f677948 /* "Hygo" nGenuine */;
}

/*
 * A leaf above the highest of its range gets the data of the highest basic leaf (SDM vol. 2, CPUID, "Inputs for CPUID");
 * with an AMD table, zeros. Hypervisor leaves form a range of their own per 0x100.
 */
static const struct kvm_cpuid_entry2 *out_of_range(const struct vtx_cpuid *c, u32 *leaf, u32 index)
{
	const struct kvm_cpuid_entry2 *basic = vtx_cpuid_find(c, 0, 0), *class;

	if (!basic || amd_table(basic))
		return NULL;
	if (*leaf >> 28 == 4)
		class = vtx_cpuid_find(c, *leaf & ~0xffu, 0);
	else
		class = vtx_cpuid_find(c, *leaf & 0x80000000, 0);
	if (class && *leaf <= class->eax)
		return NULL;
	*leaf = basic->eax;
	return vtx_cpuid_find(c, basic->eax, index);
}

enum vtx_cpuid_source vtx_cpuid_answer(const struct vtx_cpuid *c, u32 leaf, u32 index, struct vtx_cpuid_regs *out)
{
	const struct kvm_cpuid_entry2 *e = vtx_cpuid_find(c, leaf, index);
	enum vtx_cpuid_source source = VTX_CPUID_ENTRY;

	if (!e) {
		e = out_of_range(c, &leaf, index);
		source = VTX_CPUID_BASIC;
	}
	if (e) {
		*out = (struct vtx_cpuid_regs){ .eax = e->eax, .ebx = e->ebx, .ecx = e->ecx, .edx = e->edx };
		return source;
	}
	memset(out, 0, sizeof(*out));
	/* Topology leaves name the sub-leaf and the x2APIC id in every sub-leaf, valid or not (SDM vol. 2, CPUID, 0BH). */
	if (leaf == 0xb || leaf == 0x1f) {
		e = vtx_cpuid_find(c, leaf, 1);
		if (!e)
			e = vtx_cpuid_find(c, leaf, 0);
		if (e) {
			out->ecx = index & 0xff;
			out->edx = e->edx;
		}
	}
	return VTX_CPUID_NONE;
}
