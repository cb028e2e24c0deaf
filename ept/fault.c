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
 * The level of the page-table entry by which the process maps @hva: 1, 2 (2M) or 3 (1G). Interrupts off keep the tables from being
 * freed under the walk; the answer may be outdated at once, which step 3 above notices.
 */
static int host_level(struct mm_struct *mm, unsigned long hva)
{
	unsigned long flags;
	int level = 1;
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
	if (pud_leaf(pud)) {
		level = 3;
		goto out;
	}
	pmd = READ_ONCE(*pmd_offset(&pud, hva));
	if (!pmd_none(pmd) && pmd_present(pmd) && pmd_leaf(pmd))
		level = 2;
out:
	local_irq_restore(flags);
	return level;
}

/* Can the page be mapped by an entry of @level: does the slot hold all of it, and are the frames congruent? */
static bool fits(const struct fault *f, int level)
{
	u64 span = vtx_ept_span(level);

	return !((page_to_pfn(f->page) ^ f->gfn) & (span - 1)) && vtx_slot_fits(f->slot, f->gfn, span);
}

/* The largest page that processor, slot and host allow for the frame. */
static int choose_level(struct vtx_vm *vm, const struct fault *f)
{
	int level;

	if (unlikely(vtx_slot_logs(f->slot)))
		return 1;
	if (!vtx_caps.ept_2m || !PageCompound(f->page) || !fits(f, 2))
		return 1;
	if (f->exec && large_pages_noexec())
		return 1;
	level = host_level(vm->mm, f->hva);
	if (level == 3 && (!vtx_caps.ept_1g || !fits(f, 3)))
		level = 2;
	return level;
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
static int map_locked(struct vtx_ept *ept, const struct fault *f, int level, struct vtx_ept_zapped *zapped)
{
	struct vtx_ept_mapping map = {
		.gfn = f->gfn,
		.pfn = page_to_pfn(f->page),
		.level = level,
		.rwx = VTX_EPTE_READ,
		.needs = vtx_ept_needs(f->write, f->exec),
		.zapped = zapped,
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

/*
 * Has the kernel bring the page in as for an access of the process, which costs less than get_user_pages(): that looks at the page
 * tables before and after. Return: done; else get_user_pages() has to find out what is wrong.
 */
static bool bring_in(struct vtx_vm *vm, const struct fault *f)
{
	bool unlocked = false;
	int r;

	if (mmap_read_lock_killable(vm->mm))
		return false;
	r = fixup_user_fault(vm->mm, f->hva, f->write ? FAULT_FLAG_WRITE : 0, &unlocked);
	mmap_read_unlock(vm->mm);
	return !r;
}

/* Step 2. May sleep. */
static int get_page_slow(struct vtx_vm *vm, struct fault *f)
{
	long n;

	/* vtx_ept_fault_fast() has tried without. */
	if (bring_in(vm, f) && get_page_fast(f, f->write)) {
		if (!f->write)
			try_writable(f);
		return 0;
	}
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
	struct vtx_ept_zapped zapped = {};
	int r, level;

	r = find_slot(vm, gpa, &f);
	if (r == VTX_FAULT_MMIO)
		return vtx_ept_apic_fault(vcpu, gpa);
	if (r != VTX_FAULT_RETRY)
		return r;
	if (unlikely(current->mm != vm->mm))
		return -EFAULT;
	r = vtx_ept_topup(ept);
	if (r)
		return r;

	sample_seq(ept, &f);
	r = get_page_slow(vm, &f);
	if (r)
		return r;
	level = choose_level(vm, &f);

	write_lock(&ept->lock);
	r = map_locked(ept, &f, level, &zapped);
	write_unlock(&ept->lock);

	if (r == VTX_MAP_DONE && f.writable)
		SetPageDirty(f.page);
	put_page(f.page);
	if (r == VTX_MAP_DONE)
		vcpu->counts.pf_fixed++;
	vtx_ept_finish_zap(vm, &zapped, true);
	return VTX_FAULT_RETRY;
}

/*
 * Fault-around. A page that was there without a sleep is likely to have neighbours that are: memory that the VMM has loaded, or that
 * was mapped before. Those that follow, up to the end of an aligned window, are mapped with it, as far as the process has them present;
 * a page that is missing ends it. Memory that nobody has touched yet pays nothing, as its faults do not come here.
 */
#define AROUND 16

struct around {
	struct page *pages[AROUND - 1];
	int n;
};

/* A slot that logs maps no page for writing that nobody has written (ept/dirty.c). */
static bool around_allowed(const struct fault *f, int level)
{
	return level == 1 && !vtx_slot_logs(f->slot);
}

/* Interrupts off. With references, so that the pages cannot become others before the notifier's number is compared. */
static void get_around(const struct fault *f, int level, struct around *around)
{
	u64 end = min((f->gfn | (AROUND - 1)) + 1, f->slot->gfn + f->slot->npages);
	int n = end - f->gfn - 1;

	around->n = 0;
	if (n > 0 && around_allowed(f, level))
		around->n = get_user_pages_fast_only(f->hva + PAGE_SIZE, n, f->writable ? FOLL_WRITE : 0, around->pages);
}

/* Marking a page that MADV_FREE gave away as dirty would take it back, which only a real access may. */
static bool given_away(struct page *page)
{
	return PageAnon(page) && !folio_test_swapbacked(page_folio(page));
}

/* ept->lock held for writing, and the fault itself mapped: its number is good for its neighbours, if no running invalidation has them. */
static int map_around_locked(struct vtx_ept *ept, const struct fault *f, struct around *around)
{
	int n;

	for (n = 0; n < around->n; n++)
		if (given_away(around->pages[n]) || vtx_ept_invalidated(ept, f->seq, f->hva + (n + 1) * PAGE_SIZE))
			break;
	if (n)
		vtx_ept_map_around(ept, f->gfn + 1, around->pages, n,
				   VTX_EPTE_READ | VTX_EPTE_EXEC | (f->writable ? VTX_EPTE_WRITE : 0));
	return n;
}

static void put_around(const struct fault *f, const struct around *around, bool mapped)
{
	for (int i = 0; i < around->n; i++) {
		if (mapped && f->writable && !given_away(around->pages[i]))
			SetPageDirty(around->pages[i]);
		put_page(around->pages[i]);
	}
}

static int map_trylock(struct vtx_ept *ept, const struct fault *f, int level, struct around *around)
{
	int r;

	if (!write_trylock(&ept->lock))
		return -EAGAIN;
	r = map_locked(ept, f, level, NULL);
	if (r == VTX_MAP_DONE && around->n)
		map_around_locked(ept, f, around);
	write_unlock(&ept->lock);
	return r;
}

/* The body of vtx_ept_fault_fast(). Interrupts off, vm->srcu held. */
static bool fault_fast(struct vtx_vm *vm, struct fault *f)
{
	struct vtx_ept *ept = &vm->ept;
	bool writable_slot = !(f->slot->flags & KVM_MEM_READONLY);
	struct around around;
	int r, level;

	sample_seq(ept, f);
	if (!(writable_slot && get_page_fast(f, true)) && (f->write || !get_page_fast(f, false)))
		return false;
	level = choose_level(vm, f);
	get_around(f, level, &around);

	/*
	 * Not waiting for the lock keeps the time with interrupts off short. Replacing needs a flush, and that
	 * needs interrupts.
	 */
	r = map_trylock(ept, f, level, &around);
	if (r == VTX_MAP_DONE && f->writable)
		SetPageDirty(f->page);
	put_page(f->page);
	put_around(f, &around, r == VTX_MAP_DONE);
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

/* ------------------------------------------------------------------ before the guest asks */

/* One step of vtx_ept_prefault(). Return: pages mapped, 0 a race was lost, or an errno. */
static int prefault(struct vtx_vm *vm, struct fault *f)
{
	struct vtx_ept *ept = &vm->ept;
	struct vtx_ept_zapped zapped = {};
	struct around around;
	int r, level, mapped = 0;

	r = vtx_ept_topup(ept);
	if (r)
		return r;
	sample_seq(ept, f);
	if ((f->slot->flags & KVM_MEM_READONLY || !get_page_fast(f, true)) && !get_page_fast(f, false)) {
		r = get_page_slow(vm, f);
		if (r)
			return r;
	}
	level = choose_level(vm, f);
	get_around(f, level, &around);

	write_lock(&ept->lock);
	r = map_locked(ept, f, level, &zapped);
	if (r == VTX_MAP_DONE)
		mapped = 1 + map_around_locked(ept, f, &around);
	write_unlock(&ept->lock);

	if (mapped && f->writable)
		SetPageDirty(f->page);
	put_page(f->page);
	put_around(f, &around, mapped);
	vtx_ept_finish_zap(vm, &zapped, true);
	return mapped && level > 1 ? vtx_ept_span(level) - (f->gfn & (vtx_ept_span(level) - 1)) : mapped;
}

long vtx_ept_prefault(struct vtx_vcpu *vcpu, u64 gpa, u64 size)
{
	struct vtx_vm *vm = vcpu->vm;
	struct fault f = {};
	int pages;

	if (find_slot(vm, gpa, &f) != VTX_FAULT_RETRY)
		return VTX_REFUSE(PRE_FAULT_NO_SLOT, VTX_NO_FIELD, gpa, 0);
	if (unlikely(current->mm != vm->mm))
		return -EFAULT;
	do {
		pages = fatal_signal_pending(current) ? -EINTR : prefault(vm, &f);
	} while (!pages);
	return pages < 0 ? pages : min_t(u64, size, (u64)pages << PAGE_SHIFT);
}
