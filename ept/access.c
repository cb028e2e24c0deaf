// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest-physical memory from the kernel's side: plain user accesses at the slot's user address.
 *
 * They see exactly what the process sees (copy on write, swap, userfaultfd), and the process's page tables note the
 * accesses. They work in the owner's context alone, which every vCPU and VM ioctl is in; elsewhere they fail.
 */
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/uaccess.h>
#include "ept/dirty.h"
#include "ept/table.h"
#include "vmx/vm.h"

/* User address of @gpa, its slot in *@found, or NULL: no slot, not to be written, or not the owner. */
static void __user *user_address(struct vtx_vm *vm, u64 gpa, bool write, const struct vtx_slot **found)
{
	const struct vtx_slot *slot = vtx_slot_find(vm, gpa >> PAGE_SHIFT);

	*found = slot;
	if (!slot || (write && (slot->flags & KVM_MEM_READONLY)) || unlikely(current->mm != vm->mm))
		return NULL;
	return (void __user *)(vtx_slot_hva(slot, gpa >> PAGE_SHIFT) + offset_in_page(gpa));
}

int vtx_gpa_read(struct vtx_vm *vm, u64 gpa, void *buf, unsigned int len)
{
	while (len) {
		unsigned int n = min_t(unsigned int, len, PAGE_SIZE - offset_in_page(gpa));
		const struct vtx_slot *slot;
		void __user *from = user_address(vm, gpa, false, &slot);
		int r;

		if (!from)
			return -EFAULT;
		/* Page-table entries of the guest, mostly: one load each, which also makes them atomic, as they are aligned. */
		if (n == 8)
			r = __get_user(*(u64 *)buf, (u64 __user *)from);
		else if (n == 4 && !(gpa & 3))
			r = __get_user(*(u32 *)buf, (u32 __user *)from);
		else
			r = __copy_from_user(buf, from, n);
		if (r)
			return -EFAULT;
		gpa += n;
		buf += n;
		len -= n;
	}
	return 0;
}

int vtx_gpa_read_pte(struct vtx_vm *vm, u64 gpa, u64 *pte, const struct vtx_slot **slot)
{
	u64 gfn = gpa >> PAGE_SHIFT;

	if (!*slot || gfn - (*slot)->gfn >= (*slot)->npages)
		*slot = vtx_slot_find(vm, gfn);
	if (!*slot || unlikely(current->mm != vm->mm))
		return -EFAULT;
	return __get_user(*pte, (u64 __user *)(vtx_slot_hva(*slot, gfn) + offset_in_page(gpa)));
}

int vtx_gpa_write(struct vtx_vm *vm, u64 gpa, const void *buf, unsigned int len)
{
	while (len) {
		unsigned int n = min_t(unsigned int, len, PAGE_SIZE - offset_in_page(gpa));
		const struct vtx_slot *slot;
		void __user *to = user_address(vm, gpa, true, &slot);
		int r;

		if (!to)
			return -EFAULT;
		if (n == 8 && !(gpa & 7))
			r = __put_user(*(const u64 *)buf, (u64 __user *)to);
		else if (n == 4 && !(gpa & 3))
			r = __put_user(*(const u32 *)buf, (u32 __user *)to);
		else
			r = __copy_to_user(to, buf, n);
		/* Also when it failed: it may have come half way. */
		vtx_dirty_mark(vm, NULL, slot, gpa >> PAGE_SHIFT);
		if (r)
			return -EFAULT;
		gpa += n;
		buf += n;
		len -= n;
	}
	return 0;
}

int vtx_gpa_poke(struct vtx_vm *vm, u64 gpa, u8 value)
{
	const struct vtx_slot *slot;
	void __user *to = user_address(vm, gpa, true, &slot);

	return to && !copy_to_user_nofault(to, &value, sizeof(value)) ? 0 : -EFAULT;
}

/*
 * 16 bytes: no user-access primitive is that wide, so the page is held for a moment and changed through the kernel's
 * own mapping.
 */
static int cmpxchg16(unsigned long hva, u64 *old, const u64 *new)
{
	struct page *page;
	char *map;
	bool done;

	if (get_user_pages_fast(hva, 1, FOLL_WRITE, &page) != 1)
		return -EFAULT;
	map = kmap_local_page(page);
	asm volatile("lock cmpxchg16b %1"
		     : "=@ccz"(done), "+m"(*(u64(*)[2])(map + offset_in_page(hva))), "+a"(old[0]), "+d"(old[1])
		     : "b"(new[0]), "c"(new[1])
		     : "memory");
	kunmap_local(map);
	set_page_dirty_lock(page);
	put_page(page);
	return !done;
}

static int cmpxchg_user(void __user *at, void *old, const void *new, unsigned int len)
{
	switch (len) {
	case 1:
		return __try_cmpxchg_user((u8 __user *)at, (u8 *)old, *(const u8 *)new, fault1);
	case 2:
		return __try_cmpxchg_user((u16 __user *)at, (u16 *)old, *(const u16 *)new, fault2);
	case 4:
		return __try_cmpxchg_user((u32 __user *)at, (u32 *)old, *(const u32 *)new, fault4);
	case 8:
		return __try_cmpxchg_user((u64 __user *)at, (u64 *)old, *(const u64 *)new, fault8);
	default:
		return boot_cpu_has(X86_FEATURE_CX16) ? cmpxchg16((unsigned long)at, old, new) : -EFAULT;
	}
}

int vtx_gpa_cmpxchg(struct vtx_vm *vm, u64 gpa, void *old, const void *new, unsigned int len)
{
	const struct vtx_slot *slot;
	void __user *at;
	int r;

	/* Aligned, and so within one page. */
	if (!len || len > 16 || (len & (len - 1)) || (gpa & (len - 1)))
		return -EFAULT;
	at = user_address(vm, gpa, true, &slot);
	if (!at)
		return -EFAULT;
	r = cmpxchg_user(at, old, new, len);
	if (!r)
		vtx_dirty_mark(vm, NULL, slot, gpa >> PAGE_SHIFT);
	return r;
}
