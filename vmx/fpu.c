// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's x87/SSE/AVX/AVX-512 state by our own XSAVE/XRSTOR path.
 *
 * While the guest's state is in the registers this CPU is inside kernel_fpu_begin()/end(): the kernel has saved the
 * user's state, reloads it before user space runs again, and knows that nobody else may use the FPU until we end; that holds for the
 * softirqs too that run when interrupts are opened in the inner loop.
 *
 * A host kernel that runs without XSAVE (an old processor, or one whose XSAVE size the kernel distrusts) is served by FXSAVE and
 * FXRSTOR on the same area: x87 and SSE are its first 512 bytes in both.
 *
 * PKRU is not part of it: protection keys are not offered to guests, so XRSTOR never touches the component.
 */
#include <linux/slab.h>
#include <asm/fpu/api.h>
#include <asm/fpu/types.h>
#include <asm/fpu/xcr.h>
#include "emulate/mmx.h"
#include "uapi/refuse.h"
#include "vmx/fpu.h"
#include "vmx/regs.h"
#include "vmx/vcpu.h"

/* The components a guest may use, where the host has them. */
#define OFFERED_XCR0                                                                                   \
	(XFEATURE_MASK_FP | XFEATURE_MASK_SSE | XFEATURE_MASK_YMM | XFEATURE_MASK_OPMASK |             \
	 XFEATURE_MASK_ZMM_Hi256 | XFEATURE_MASK_Hi16_ZMM)
#define AVX512_XCR0 (XFEATURE_MASK_OPMASK | XFEATURE_MASK_ZMM_Hi256 | XFEATURE_MASK_Hi16_ZMM)

#define MXCSR_RESET 0x1f80
#define FCW_RESET 0x37f
#define LEGACY_SIZE 512
#define YMM_COMPONENT 2

struct component {
	u32 offset, size;
};

static bool use_xsave;
static u64 supported;		/* XCR0 bits offered to guests */
static u64 host_xcr0;
static u32 area_size;
static u32 mxcsr_mask;
static struct component components[64];

u32 vtx_fpu_size(void)
{
	return area_size;
}

u64 vtx_fpu_supported_xcr0(void)
{
	return supported;
}

static void put_init_legacy(struct xregs_state *area, u64 missing)
{
	if (missing & XFEATURE_MASK_FP) {
		/* bytes 0..23 without MXCSR (24..31), and the x87 registers */
		memset(&area->i387, 0, offsetof(struct fxregs_state, mxcsr));
		memset(area->i387.st_space, 0, sizeof(area->i387.st_space));
		area->i387.cwd = FCW_RESET;
	}
	if (missing & XFEATURE_MASK_SSE)
		memset(area->i387.xmm_space, 0, sizeof(area->i387.xmm_space));
}

/*
 * Components whose XSTATE_BV bit is clear are in their init state, whatever bytes the area holds. Gives them those bytes and sets
 * the bits, so that the area can be read and edited as plain memory.
 */
static void settle(struct xregs_state *area)
{
	u64 missing = supported & ~area->header.xfeatures;
	int i;

	put_init_legacy(area, missing);
	if (!(area->header.xfeatures & (XFEATURE_MASK_SSE | XFEATURE_MASK_YMM)))
		area->i387.mxcsr = area->i387.mxcsr ? area->i387.mxcsr : MXCSR_RESET;
	for (i = YMM_COMPONENT; i < 64; i++)
		if (missing & BIT_ULL(i))
			memset((u8 *)area + components[i].offset, 0, components[i].size);
	area->header.xfeatures |= supported;
}

static void save(struct xregs_state *area)
{
	u32 lo = supported, hi = supported >> 32;

	if (!use_xsave) {
		asm volatile("fxsave64 (%0)" ::"r"(area) : "memory");
		area->header.xfeatures = supported;
		return;
	}
	asm volatile("xsave64 (%0)" ::"r"(area), "a"(lo), "d"(hi) : "memory");
}

/* A fault here would mean that vtx_fpu_set_xsave() let an impossible header through. */
static bool restore(struct xregs_state *area)
{
	u32 lo = supported, hi = supported >> 32;
	bool failed;

	if (!use_xsave) {
		settle(area);
		asm volatile("clc\n"
			     "1: fxrstor64 (%1)\n"
			     "jmp 3f\n"
			     "2: stc\n"
			     "3:\n" _ASM_EXTABLE(1b, 2b)
			     : "=@ccc"(failed)
			     : "r"(area)
			     : "memory");
		return !failed;
	}
	asm volatile("clc\n"
		     "1: xrstor64 (%1)\n"
		     "jmp 3f\n"
		     "2: stc\n"
		     "3:\n" _ASM_EXTABLE(1b, 2b)
		     : "=@ccc"(failed)
		     : "r"(area), "a"(lo), "d"(hi)
		     : "memory");
	return !failed;
}

int vtx_fpu_setup(void)
{
	u32 eax, ebx, ecx, edx;
	u8 *probe;
	int i;

	if (!boot_cpu_has(X86_FEATURE_FXSR) || !boot_cpu_has(X86_FEATURE_XMM))
		return -EOPNOTSUPP;
	use_xsave = boot_cpu_has(X86_FEATURE_XSAVE);
	host_xcr0 = use_xsave ? xgetbv(XCR_XFEATURE_ENABLED_MASK) : XFEATURE_MASK_FP | XFEATURE_MASK_SSE;
	supported = host_xcr0 & OFFERED_XCR0;
	if ((supported & AVX512_XCR0) != AVX512_XCR0)
		supported &= ~AVX512_XCR0;

	area_size = LEGACY_SIZE + sizeof(struct xstate_header);
	for (i = YMM_COMPONENT; i < 64; i++) {
		if (!(supported & BIT_ULL(i)))
			continue;
		cpuid_count(0xd, i, &eax, &ebx, &ecx, &edx);
		components[i].size = eax;
		components[i].offset = ebx;
		area_size = max(area_size, eax + ebx);
	}

	/* The processor writes its MXCSR mask into every area it saves; 0 means the default (SDM vol. 1, 11.6.6). */
	probe = kzalloc(area_size + 64, GFP_KERNEL);
	if (!probe)
		return -ENOMEM;
	kernel_fpu_begin_mask(0);
	save((struct xregs_state *)PTR_ALIGN(probe, 64));
	kernel_fpu_end();
	mxcsr_mask = ((struct fxregs_state *)PTR_ALIGN(probe, 64))->mxcsr_mask;
	if (!mxcsr_mask)
		mxcsr_mask = 0xffbf;
	kfree(probe);
	return 0;
}

static struct xregs_state *area_of(struct vtx_vcpu *vcpu)
{
	return vcpu->fpu.area;
}

void vtx_fpu_reset(struct vtx_vcpu *vcpu)
{
	struct xregs_state *area = area_of(vcpu);

	memset(area, 0, area_size);
	area->i387.cwd = FCW_RESET;
	area->i387.mxcsr = MXCSR_RESET;
	area->i387.mxcsr_mask = mxcsr_mask;
}

int vtx_fpu_alloc(struct vtx_vcpu *vcpu)
{
	/* kmalloc aligns a power of two to itself, and XSAVE wants 64 bytes. */
	vcpu->fpu.area = kzalloc(roundup_pow_of_two(area_size), GFP_KERNEL_ACCOUNT);
	if (!vcpu->fpu.area)
		return -ENOMEM;
	vtx_fpu_reset(vcpu);
	return 0;
}

void vtx_fpu_free(struct vtx_vcpu *vcpu)
{
	kfree(vcpu->fpu.area);
	vcpu->fpu.area = NULL;
}

void vtx_fpu_enter(struct vtx_vcpu *vcpu)
{
	kernel_fpu_begin_mask(0);
	if (!restore(vcpu->fpu.area)) {
		vtx_vm_fail(vcpu->vm, vcpu, "XRSTOR of the guest's FPU state faulted (XSTATE_BV 0x%llx)",
			    area_of(vcpu)->header.xfeatures);
		vtx_fpu_reset(vcpu);
		restore(vcpu->fpu.area);
	}
	vcpu->fpu.loaded = true;
	if (use_xsave && vcpu->xcr0 != host_xcr0 && (vcpu->cr4 & X86_CR4_OSXSAVE))
		xsetbv(XCR_XFEATURE_ENABLED_MASK, vcpu->xcr0);
}

void vtx_fpu_leave(struct vtx_vcpu *vcpu)
{
	if (use_xsave && xgetbv(XCR_XFEATURE_ENABLED_MASK) != host_xcr0)
		xsetbv(XCR_XFEATURE_ENABLED_MASK, host_xcr0);
	save(vcpu->fpu.area);
	vcpu->fpu.loaded = false;
	kernel_fpu_end();
}

/* ------------------------------------------------------------------ KVM_GET/SET_FPU, KVM_GET/SET_XSAVE */

void vtx_fpu_get_fpu(struct vtx_vcpu *vcpu, struct kvm_fpu *out)
{
	struct fxregs_state *fx = &area_of(vcpu)->i387;

	settle(area_of(vcpu));
	memset(out, 0, sizeof(*out));
	memcpy(out->fpr, fx->st_space, sizeof(out->fpr));
	out->fcw = fx->cwd;
	out->fsw = fx->swd;
	out->ftwx = fx->twd;
	out->last_opcode = fx->fop;
	out->last_ip = fx->rip;
	out->last_dp = fx->rdp;
	memcpy(out->xmm, fx->xmm_space, sizeof(out->xmm));
	out->mxcsr = fx->mxcsr;
}

int vtx_fpu_set_fpu(struct vtx_vcpu *vcpu, const struct kvm_fpu *in)
{
	struct fxregs_state *fx = &area_of(vcpu)->i387;

	settle(area_of(vcpu));
	memcpy(fx->st_space, in->fpr, sizeof(in->fpr));
	fx->cwd = in->fcw;
	fx->swd = in->fsw;
	fx->twd = in->ftwx;
	fx->fop = in->last_opcode;
	fx->rip = in->last_ip;
	fx->rdp = in->last_dp;
	memcpy(fx->xmm_space, in->xmm, sizeof(fx->xmm_space));
	/* KVM_SET_FPU has no way to refuse; reserved MXCSR bits would make XRSTOR fault. */
	fx->mxcsr = in->mxcsr & mxcsr_mask;
	return 0;
}

void vtx_fpu_get_xsave(struct vtx_vcpu *vcpu, void *out, u32 size)
{
	settle(area_of(vcpu));
	memset(out, 0, size);
	memcpy(out, vcpu->fpu.area, min(size, area_size));
}

int vtx_fpu_set_xsave(struct vtx_vcpu *vcpu, const struct kvm_xsave *in)
{
	const struct xregs_state *from = (const void *)in;
	const u8 *rest;
	size_t i;

	static_assert(sizeof(*in) >= sizeof(*from));
	if (from->header.xfeatures & ~supported)
		return VTX_REFUSE(XSAVE_FEATURES, offsetof(struct xregs_state, header.xfeatures), from->header.xfeatures,
				  supported);
	rest = (const u8 *)&from->header + sizeof(from->header.xfeatures);
	for (i = 0; i < sizeof(from->header) - sizeof(from->header.xfeatures); i++)
		if (rest[i]) /* compacted form, or reserved bytes */
			return VTX_REFUSE(XSAVE_HEADER, offsetof(struct xregs_state, header.xcomp_bv) + i, rest[i], 0);
	if (from->i387.mxcsr & ~mxcsr_mask)
		return VTX_REFUSE(XSAVE_MXCSR, offsetof(struct xregs_state, i387.mxcsr), from->i387.mxcsr, mxcsr_mask);

	memset(vcpu->fpu.area, 0, area_size);
	memcpy(vcpu->fpu.area, in, min_t(u32, sizeof(*in), area_size));
	area_of(vcpu)->i387.mxcsr_mask = mxcsr_mask;
	return 0;
}

/* ------------------------------------------------------------------ vector and MMX registers for the emulator */

void vtx_fpu_read_vector(struct vtx_vcpu *vcpu, unsigned int reg, void *out, unsigned int len)
{
	struct xregs_state *area = area_of(vcpu);
	u8 *high = (u8 *)area + components[YMM_COMPONENT].offset;

	settle(area);
	memcpy(out, (u8 *)area->i387.xmm_space + 16 * reg, min(len, 16u));
	if (len > 16)
		memcpy((u8 *)out + 16, high + 16 * reg, len - 16);
}

void vtx_fpu_write_vector(struct vtx_vcpu *vcpu, unsigned int reg, const void *in, unsigned int len, bool zero_upper)
{
	struct xregs_state *area = area_of(vcpu);
	u8 *high = (u8 *)area + components[YMM_COMPONENT].offset;
	bool ymm = supported & XFEATURE_MASK_YMM;

	settle(area);
	memcpy((u8 *)area->i387.xmm_space + 16 * reg, in, min(len, 16u));
	if (len > 16 && ymm)
		memcpy(high + 16 * reg, (const u8 *)in + 16, len - 16);
	else if (zero_upper && ymm)
		memset(high + 16 * reg, 0, 16);
	if (zero_upper && (supported & XFEATURE_MASK_ZMM_Hi256))
		memset((u8 *)area + components[XFEATURE_ZMM_Hi256].offset + 32 * reg, 0, 32);
}

u64 vtx_fpu_read_mmx(struct vtx_vcpu *vcpu, unsigned int reg)
{
	struct xregs_state *area = area_of(vcpu);

	settle(area);
	return vtx_mmx_read(&area->i387, reg);
}

void vtx_fpu_write_mmx(struct vtx_vcpu *vcpu, unsigned int reg, u64 val)
{
	struct xregs_state *area = area_of(vcpu);

	settle(area);
	vtx_mmx_write(&area->i387, reg, val);
}

void vtx_fpu_used_mmx(struct vtx_vcpu *vcpu)
{
	struct xregs_state *area = area_of(vcpu);

	settle(area);
	vtx_mmx_used(&area->i387);
}
