// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest memory by linear address: builds the input of the guest's page walk from the vCPU and reads and writes through it.
 */
#include <linux/mm.h>
#include <linux/sched.h>
#include <asm/trap_pf.h>
#include "emulate/walk.h"
#include "ept/ept.h"
#include "exits/guest_mem.h"
#include "vmx/event.h"
#include "vmx/regs.h"

#define WALK_TRIES 4

/* Memory that is there and that the host cannot read just now is no fault of the guest's. */
bool vtx_gpa_unreadable(struct vtx_vm *vm, u64 gpa)
{
	return vtx_slot_find(vm, gpa >> PAGE_SHIFT);
}

static int read_pte(void *opaque, u64 gpa, unsigned int size, u64 *pte)
{
	struct vtx_vm *vm = opaque;

	*pte = 0;
	if (!vtx_gpa_read(vm, gpa, pte, size))
		return 0;
	return vtx_gpa_unreadable(vm, gpa) ? -EFAULT : -ENXIO;
}

/*
 * Accessed and dirty flags. Tables in a read-only slot keep theirs: a guest that runs from ROM expects no more, and KVM
 * does the same.
 */
static int cmpxchg_pte(void *opaque, u64 gpa, unsigned int size, u64 old, u64 new)
{
	struct vtx_vm *vm = opaque;

	return vtx_gpa_cmpxchg(vm, gpa, &old, &new, size) == 1 ? -EAGAIN : 0;
}

static const struct vtx_walk_ops walk_ops = {
	.read_pte = read_pte,
	.cmpxchg_pte = cmpxchg_pte,
};

void vtx_walk_cpu_fill(struct vtx_vcpu *vcpu, struct vtx_walk_cpu *cpu)
{
	unsigned int i;

	cpu->cr0 = vtx_cr0(vcpu);
	cpu->cr3 = vtx_cr3(vcpu);
	cpu->cr4 = vtx_cr4(vcpu);
	cpu->efer = vcpu->efer;
	cpu->rflags_ac = vtx_rflags(vcpu) & X86_EFLAGS_AC;
	cpu->cpl = vtx_cpl(vcpu);
	cpu->maxphyaddr = vcpu->cpuid.maxphyaddr ?: 36;
	cpu->gbpages = vtx_cpuid_has(&vcpu->cpuid, VTX_F_GBPAGES);

	/* With EPT the processor loads the PAE pointers by itself and keeps them in the VMCS (SDM vol. 3, 27.3.2.4). */
	if ((cpu->cr0 & X86_CR0_PG) && (cpu->cr4 & X86_CR4_PAE) && !vtx_in_long_mode(vcpu))
		for (i = 0; i < 4; i++)
			cpu->pdptrs[i] = vtx_vmread64(GUEST_PDPTR0 + 2 * i);
}

int vtx_gva_to_gpa(struct vtx_vcpu *vcpu, const struct vtx_walk_cpu *cpu, u64 gva, unsigned int access, u64 *gpa,
		   struct vtx_emu_exception *exc)
{
	struct vtx_walk_result res = {};
	unsigned int tries;
	int ret;

	for (tries = 0; tries < WALK_TRIES; tries++) {
		ret = vtx_walk(cpu, &walk_ops, vcpu->vm, gva, access, &res);
		if (ret != -EAGAIN)
			break;
		cond_resched();
	}
	if (ret == -EAGAIN || ret == -EFAULT)
		return ret;
	if (!ret && !res.fault) {
		*gpa = res.gpa;
		return 0;
	}

	if (ret) {
		bool user = cpu->cpl == 3 && !(access & VTX_WALK_IMPLICIT);

		res.error_code = (access & VTX_WALK_WRITE ? X86_PF_WRITE : 0) | (user ? X86_PF_USER : 0);
		if ((access & VTX_WALK_EXEC) && ((cpu->efer & EFER_NX) || (cpu->cr4 & X86_CR4_SMEP)))
			res.error_code |= X86_PF_INSTR;
	}
	*exc = (struct vtx_emu_exception){
		.vector = X86_TRAP_PF, .has_error = true, .error = res.error_code, .cr2 = gva,
	};
	return 1;
}

#define PTE_NEEDED (BIT_ULL(0) | BIT_ULL(5))	/* present, accessed */
#define PTE_US	   BIT_ULL(2)
#define PTE_PS	   BIT_ULL(7)
#define PTE_XD	   BIT_ULL(63)

bool vtx_fetch_gpa(struct vtx_vcpu *vcpu, u64 gva, u64 *gpa)
{
	u64 width = GENMASK_ULL((vcpu->cpuid.maxphyaddr ?: 36) - 1, 0), refused = PTE_XD | (GENMASK_ULL(51, 0) & ~width);
	u64 cr4 = vtx_cr4(vcpu), table = vtx_cr3(vcpu) & width & PAGE_MASK, all = ~0ULL, pte, offset;
	const struct vtx_slot *slot = NULL;
	unsigned int shift = 39;

	if (!vtx_in_long_mode(vcpu) || (cr4 & X86_CR4_LA57))
		return false;
	for (;; shift -= 9) {
		if (vtx_gpa_read_pte(vcpu->vm, table + (gva >> shift & 511) * 8, &pte, &slot))
			return false;
		if ((pte & PTE_NEEDED) != PTE_NEEDED || (pte & refused))
			return false;
		all &= pte;
		if (shift == 12)
			break;
		if (pte & PTE_PS) {
			if (shift != 21 || (pte & GENMASK_ULL(20, 13)))
				return false;
			break;
		}
		table = pte & width & PAGE_MASK;
	}
	if (vtx_cpl(vcpu) == 3 ? !(all & PTE_US) : (all & PTE_US) && (cr4 & X86_CR4_SMEP))
		return false;
	offset = GENMASK_ULL(shift - 1, 0);
	*gpa = (pte & width & ~offset) | (gva & offset);
	return true;
}

/* Both pages of an access that may cross one page boundary. *first: bytes in the first page. */
static int translate_both(struct vtx_vcpu *vcpu, const struct vtx_walk_cpu *cpu, u64 gva, unsigned int len,
			  unsigned int access, u64 gpa[2], unsigned int *first, struct vtx_emu_exception *exc)
{
	u64 next = gva;
	int ret;

	if (WARN_ON_ONCE(len > PAGE_SIZE))
		return -EFAULT;
	*first = min_t(unsigned int, len, PAGE_SIZE - offset_in_page(gva));
	ret = vtx_gva_to_gpa(vcpu, cpu, gva, access, &gpa[0], exc);
	if (ret || *first == len)
		return ret;
	next += *first;
	if (!(cpu->efer & EFER_LMA))
		next = (u32)next;
	return vtx_gva_to_gpa(vcpu, cpu, next, access, &gpa[1], exc);
}

int vtx_gva_read(struct vtx_vcpu *vcpu, const struct vtx_walk_cpu *cpu, u64 gva, void *buf, unsigned int len,
		 unsigned int access, struct vtx_emu_exception *exc)
{
	unsigned int first;
	u64 gpa[2];
	int ret;

	ret = translate_both(vcpu, cpu, gva, len, access, gpa, &first, exc);
	if (!ret)
		ret = vtx_gpa_read(vcpu->vm, gpa[0], buf, first);
	if (!ret && first < len)
		ret = vtx_gpa_read(vcpu->vm, gpa[1], buf + first, len - first);
	return ret;
}

int vtx_gva_write(struct vtx_vcpu *vcpu, const struct vtx_walk_cpu *cpu, u64 gva, const void *buf, unsigned int len,
		  unsigned int access, struct vtx_emu_exception *exc)
{
	unsigned int first;
	u64 gpa[2];
	int ret;

	ret = translate_both(vcpu, cpu, gva, len, access | VTX_WALK_WRITE, gpa, &first, exc);
	if (!ret)
		ret = vtx_gpa_write(vcpu->vm, gpa[0], buf, first);
	if (!ret && first < len)
		ret = vtx_gpa_write(vcpu->vm, gpa[1], buf + first, len - first);
	return ret;
}

void vtx_inject_emu_exception(struct vtx_vcpu *vcpu, const struct vtx_emu_exception *exc)
{
	if (exc->vector == X86_TRAP_PF)
		vtx_inject_page_fault(vcpu, exc->cr2, exc->error);
	else if (exc->has_error)
		vtx_inject_exception_error(vcpu, exc->vector, exc->error);
	else
		vtx_inject_exception(vcpu, exc->vector);
}
