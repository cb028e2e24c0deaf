// SPDX-License-Identifier: GPL-2.0-only
/*
 * EPT violations: finds the page the process has behind a guest frame, and maps it without keeping a reference.
 *
 * The race with the MMU notifier.  A fault
 *	1. samples ept->invalidate_seq,
 *	2. gets the page from the process's page tables (with a reference, so that it cannot become another page),
 *	3. takes ept->lock; gives up if an invalidation of this address is running or has ended since 1,
 *	4. maps, and drops the lock and the reference.
 * An invalidation takes the lock at its start (running++, zap), changes the page tables, and takes it at its end
 * (seq++, running--).  If it starts after 3, its zap finds our entry.  If it starts between 1 and 3, we see it
 * running, or ended and counted.  If it started before 1 and still runs at 3, we see that; if it ended in between,
 * seq has moved.  So an entry always shows what the page tables say, and from 4 on it is the notifier that keeps it
 * true.
 *
 * Pages without a struct page behind a reference (VM_IO and VM_PFNMAP mappings) are refused with -EFAULT: nothing
 * would keep them from being freed under the guest (CVE-2021-22543).
 *
 * A page is marked dirty when it is mapped writable.  Whoever cleans it later (write-back, MADV_FREE) goes through
 * the notifier first, so the next write faults and marks it again.
 */
#include <linux/mm.h>
#include <linux/cpu.h>
#include <linux/page-flags.h>
#include <linux/pgtable.h>
#include <asm/cpufeature.h>
#include "ept/dirty.h"
#include "ept/table.h"
#include "uapi/refuse.h"
#include "vmx/caps.h"
#include "vmx/vcpu.h"

/* One fault on its way. */
struct fault {
	struct vtx_vcpu *vcpu;
	const struct vtx_slot *slot;
	u64 gfn;
	unsigned long hva;
	bool write, exec;	/* the access */
	bool writable;		/* the process may write there */
	unsigned long seq;
	struct page *page;
};

/*
 * On processors where an instruction fetch from a large page that is being split can end in a machine check (iTLB
 * multihit, CVE-2018-12207) large pages are mapped without execute permission, and executing breaks them up.
 */
static bool large_pages_noexec(void)
{
	return boot_cpu_has_bug(X86_BUG_ITLB_MULTIHIT) && !cpu_mitigations_off();
}

/*
 * Does the process map @hva by a page-table entry of 2M or more? Interrupts off keep the tables from being freed
 * under the walk; the answer may be outdated at once, which step 3 above notices.
 */
static bool host_maps_2m(struct mm_struct *mm, unsigned long hva)
{
	bool large = false;
	unsigned long flags;
	pgd_t pgd;
	p4d_t p4d;
	pud_t pud;
	pmd_t pmd;

	local_irq_save(flags);
	/* Each entry is read once: it may turn from a table into a page while we look. */
	pgd = READ_ONCE(*pgd_offset(mm, hva));
	if (pgd_none(pgd))
		goto out;
	p4d = READ_ONCE(*p4d_offset(&pgd, hva));
	if (p4d_none(p4d) || !p4d_present(p4d))
		goto out;
	pud = READ_ONCE(*pud_offset(&p4d, hva));
	if (pud_none(pud) || !pud_present(pud))
		goto out;
	large = pud_leaf(pud);
	if (large)
		goto out;
	pmd = READ_ONCE(*pmd_offset(&pud, hva));
	large = !pmd_none(pmd) && pmd_present(pmd) && pmd_leaf(pmd);
out:
	local_irq_restore(flags);
	return large;
}

static int choose_level(struct vtx_vm *vm, const struct fault *f)
{
	if (unlikely(vtx_slot_logs(f->slot)))
		return 1;
	if (!vtx_caps.ept_2m || !PageCompound(f->page) || !vtx_slot_fits_2m(f->slot, f->gfn))
		return 1;
	if ((page_to_pfn(f->page) ^ f->gfn) & (vtx_ept_span(2) - 1))
		return 1;
	if (f->exec && large_pages_noexec())
		return 1;
	return host_maps_2m(vm->mm, f->hva) ? 2 : 1;
}

/*
 * A page of a slot that logs (ept/dirty.c): a write is marked before anybody else can have the lock. A page that is only read
 * stays such that the first write becomes known.
 */
static int map_logged(struct vtx_ept *ept, const struct fault *f, struct vtx_ept_mapping *map)
{
	int r;

	if (!f->write && vtx_caps.pml)
		map->clean = true;
	else if (!f->write)
		map->rwx &= ~VTX_EPTE_WRITE;
	r = vtx_ept_map(ept, map);
	if (r == VTX_MAP_DONE && f->write)
		vtx_dirty_mark(f->vcpu->vm, f->vcpu, f->slot, f->gfn);
	return r;
}

/*
 * Steps 3 and 4, with the lock held for writing. Return: enum vtx_map_result, or -EAGAIN: an invalidation was
 * faster.
 */
static int map_locked(struct vtx_ept *ept, const struct fault *f, int level, bool replace)
{
	struct vtx_ept_mapping map = {
		.gfn = f->gfn,
		.pfn = page_to_pfn(f->page),
		.level = level,
		.rwx = VTX_EPTE_READ,
		.needs = vtx_ept_needs(f->write, f->exec),
		.replace = replace,
	};

	if (vtx_ept_invalidated(ept, f->seq, f->hva))
		return -EAGAIN;
	if (f->writable)
		map.rwx |= VTX_EPTE_WRITE;
	if (level == 1 || !large_pages_noexec())
		map.rwx |= VTX_EPTE_EXEC;
	if (unlikely(vtx_slot_logs(f->slot)))
		return map_logged(ept, f, &map);
	return vtx_ept_map(ept, &map);
}

/* Looks up the slot. Return: enum vtx_fault_result; RETRY means go on. */
static int find_slot(struct vtx_vm *vm, u64 gpa, struct fault *f)
{
	f->gfn = gpa >> PAGE_SHIFT;
	f->slot = vtx_slot_find(vm, f->gfn);
	if (!f->slot)
		return VTX_FAULT_MMIO;
	if (f->write && (f->slot->flags & KVM_MEM_READONLY))
		return VTX_FAULT_READONLY;
	f->hva = vtx_slot_hva(f->slot, f->gfn);
	return VTX_FAULT_RETRY;
}

static void sample_seq(struct vtx_ept *ept, struct fault *f)
{
	f->seq = READ_ONCE(ept->invalidate_seq);
	/* The page tables are read after this: pairs with the lock at the end of an invalidation. */
	smp_rmb();
}

/* The page if it is there and needs no sleep; @write: only if it may be written. */
static bool get_page_fast(struct fault *f, bool write)
{
	if (get_user_pages_fast_only(f->hva, 1, write ? FOLL_WRITE : 0, &f->page) != 1)
		return false;
	f->writable = write;
	return true;
}

/* A page that was got for reading: may it be written as well? Saves the fault of the first write. */
static void try_writable(struct fault *f)
{
	struct page *page;

	if (f->slot->flags & KVM_MEM_READONLY || get_user_pages_fast_only(f->hva, 1, FOLL_WRITE, &page) != 1)
		return;
	f->writable = page == f->page;
	put_page(page);
}

/* Step 2. May sleep. */
static int get_page_slow(struct fault *f)
{
	long n;

	/* Not get_user_pages_fast(): vtx_ept_fault_fast() has tried that. */
	n = get_user_pages_unlocked(f->hva, 1, &f->page, f->write ? FOLL_WRITE : 0);
	if (n == -EINTR || n == -ENOMEM)
		return n;
	if (n != 1)
		return fatal_signal_pending(current) ? -EINTR :
			VTX_REFUSE(RUN_MEMORY, VTX_NO_FIELD, f->gfn << PAGE_SHIFT, f->hva);
	f->writable = f->write;
	if (!f->write)
		try_writable(f);
	return 0;
}

int vtx_ept_fault(struct vtx_vcpu *vcpu, u64 gpa, bool write, bool exec)
{
	struct vtx_vm *vm = vcpu->vm;
	struct vtx_ept *ept = &vm->ept;
	struct fault f = { .vcpu = vcpu, .write = write, .exec = exec };
	int r, level;

	r = find_slot(vm, gpa, &f);
	if (r != VTX_FAULT_RETRY)
		return r;
	if (unlikely(current->mm != vm->mm))
		return -EFAULT;
	r = vtx_ept_topup(ept);
	if (r)
		return r;

	sample_seq(ept, &f);
	r = get_page_slow(&f);
	if (r)
		return r;
	level = choose_level(vm, &f);

	write_lock(&ept->lock);
	r = map_locked(ept, &f, level, true);
	write_unlock(&ept->lock);

	if (r == VTX_MAP_DONE && f.writable)
		SetPageDirty(f.page);
	put_page(f.page);
	if (r == VTX_MAP_DONE)
		vcpu->counts.pf_fixed++;
	if (r == VTX_MAP_CONFLICT)
		vtx_ept_flush(vm);
	return VTX_FAULT_RETRY;
}

static int map_trylock(struct vtx_ept *ept, const struct fault *f, int level)
{
	int r;

	if (!write_trylock(&ept->lock))
		return -EAGAIN;
	r = map_locked(ept, f, level, false);
	write_unlock(&ept->lock);
	return r;
}

/* The body of vtx_ept_fault_fast(). Interrupts off, vm->srcu held. */
static bool fault_fast(struct vtx_vm *vm, struct fault *f)
{
	struct vtx_ept *ept = &vm->ept;
	bool writable_slot = !(f->slot->flags & KVM_MEM_READONLY);
	int r, level;

	sample_seq(ept, f);
	if (!(writable_slot && get_page_fast(f, true)) && (f->write || !get_page_fast(f, false)))
		return false;
	level = choose_level(vm, f);

	/*
	 * Not waiting for the lock keeps the time with interrupts off short. Replacing needs a flush, and that
	 * needs interrupts.
	 */
	r = map_trylock(ept, f, level);
	if (r == VTX_MAP_DONE && f->writable)
		SetPageDirty(f->page);
	put_page(f->page);
	return r == VTX_MAP_DONE;
}

int vtx_ept_fault_fast(struct vtx_vcpu *vcpu, u64 gpa, bool write, bool exec)
{
	struct vtx_vm *vm = vcpu->vm;
	struct fault f = { .vcpu = vcpu, .write = write, .exec = exec };
	bool done = false;
	int idx;

	if (current->mm != vm->mm)
		return 0;
	idx = srcu_read_lock(&vm->srcu);
	if (find_slot(vm, gpa, &f) == VTX_FAULT_RETRY)
		done = fault_fast(vm, &f);
	srcu_read_unlock(&vm->srcu, idx);
	if (done)
		vcpu->counts.pf_fixed++;
	return done;
}
