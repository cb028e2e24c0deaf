// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dirty log of a VM: marking, handing out, protecting again.
 *
 * No write is lost because a page that can be written without anybody noticing always has its bit set, or an entry in a ring,
 * or a log entry of its processor on the way there:
 *
 *  - whoever makes a page writable marks it under the same hold of ept->lock, or, where the processor logs, maps it with the
 *    dirty flag clear (ept/fault.c);
 *  - whoever takes bits (or gets ring entries back) protects those pages afterwards, under ept->lock, and flushes before the
 *    ioctl returns. A write that comes in between is in the page that user space reads after the ioctl;
 *  - kernel writes mark after the write. Marking is a locked operation, so who takes the bit sees the write.
 *
 * Where a slot begins with all bits set (KVM_DIRTY_LOG_INITIALLY_SET) pages stay as they are mapped, large ones too, until
 * their bits are taken.
 */
#include <linux/bitmap.h>
#include <linux/compat.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include "ept/dirty.h"
#include "ept/protect.h"
#include "trace/failure.h"
#include "uapi/refuse.h"
#include "vmx/caps.h"
#include "vmx/vcpu.h"

#define CHUNK 64	/* words of a bitmap that are worked on at a time: 4096 pages, 8 tables of 4K entries or 9 */

#define GET_AT offsetof(struct kvm_dirty_log, dirty_bitmap)
#define CLEAR_AT offsetof(struct kvm_clear_dirty_log, dirty_bitmap)

/* ------------------------------------------------------------------ marking */

/* The vCPU that this thread has loaded. Walks all of them: for kernel writes, which cost more anyway. */
static struct vtx_vcpu *loaded_vcpu(struct vtx_vm *vm)
{
	struct vtx_vcpu *vcpu;
	int i;

	vtx_for_each_vcpu(i, vcpu, vm)
		if (READ_ONCE(vcpu->dirty_log.thread) == current)
			return vcpu;
	return NULL;
}

/*
 * A ring can be overrun by those alone who write through ioctls again and again without giving entries back: KVM_RUN stops at
 * the soft limit. Losing the page in silence is no choice.
 */
static void push(struct vtx_vcpu *vcpu, u32 slot, u64 offset)
{
	struct vtx_vcpu_dirty *d = &vcpu->dirty_log;
	bool done;

	raw_spin_lock(&d->ring_lock);
	done = vtx_ring_push(&d->ring, slot, offset);
	raw_spin_unlock(&d->ring_lock);
	if (unlikely(!done))
		vtx_vm_fail(vcpu->vm, NULL, "the dirty ring of vCPU %u has no place for page %llu of slot %u", vcpu->id,
			    offset, slot);
	else if (unlikely(vtx_ring_soft_full(&d->ring)))
		vtx_vcpu_request(vcpu, VTX_REQ_RING_FULL);
}

void vtx_dirty_mark_logged(struct vtx_vm *vm, struct vtx_vcpu *vcpu, const struct vtx_slot *slot, u64 gfn)
{
	u64 offset = gfn - slot->gfn;

	if (!READ_ONCE(vm->dirty_log.ring_bytes)) {
		set_bit(offset, (unsigned long *)slot->dirty);
		return;
	}
	if (!vcpu)
		vcpu = loaded_vcpu(vm);
	if (!vcpu && vtx_vm_num_vcpus(vm))
		vcpu = vm->vcpus[0];
	if (vcpu)
		push(vcpu, slot->id, offset);
}

bool vtx_dirty_ring_stops(struct vtx_vcpu *vcpu)
{
	clear_bit(VTX_REQ_RING_FULL, &vcpu->requests);
	if (likely(!vtx_ring_soft_full(&vcpu->dirty_log.ring)))
		return false;
	set_bit(VTX_REQ_RING_FULL, &vcpu->requests);
	return true;
}

/* ------------------------------------------------------------------ slots */

/*
 * From its return on every vCPU logs what it writes: those that ran have left guest mode, and see the request before they
 * enter again.
 */
static void start_logging(struct vtx_vm *vm)
{
	WRITE_ONCE(vm->dirty_log.slots, vm->dirty_log.slots + 1);
	if (vm->dirty_log.slots > 1 || !vtx_caps.pml)
		return;
	vtx_vm_request_all(vm, VTX_REQ_PML);
	vtx_ept_flush(vm);
	/* What is left of an earlier time must not come into the new log. */
	vtx_pml_drain_all(vm);
}

static void stop_logging(struct vtx_vm *vm)
{
	WRITE_ONCE(vm->dirty_log.slots, vm->dirty_log.slots - 1);
	if (!vm->dirty_log.slots && vtx_caps.pml)
		vtx_vm_request_all(vm, VTX_REQ_PML);
}

static bool starts_set(struct vtx_vm *vm)
{
	return READ_ONCE(vm->dirty_log.manual) & KVM_DIRTY_LOG_INITIALLY_SET && !READ_ONCE(vm->dirty_log.ring_bytes);
}

static bool old_logs(const struct vtx_slot_plan *plan)
{
	return plan->change != VTX_SLOT_CREATE && vtx_slot_logs(&plan->old);
}

static bool new_logs(const struct vtx_slot_plan *plan)
{
	return plan->change != VTX_SLOT_DELETE && vtx_slot_logs(&plan->new);
}

static u64 *alloc_bitmap(struct vtx_vm *vm, u64 npages)
{
	u64 *bitmap = kvcalloc(vtx_dirty_words(npages), sizeof(*bitmap), GFP_KERNEL_ACCOUNT);

	if (bitmap && starts_set(vm))
		bitmap_set((unsigned long *)bitmap, 0, npages);
	return bitmap;
}

int vtx_dirty_prepare(struct vtx_vm *vm, struct vtx_slot_plan *plan)
{
	lockdep_assert_held(&vm->slots_lock);
	if (!new_logs(plan))
		return 0;
	if (old_logs(plan)) {
		plan->new.dirty = plan->old.dirty;
		return 0;
	}
	if (!vm->dirty_log.ring_bytes) {
		plan->new.dirty = alloc_bitmap(vm, plan->new.npages);
		if (!plan->new.dirty)
			return -ENOMEM;
	}
	start_logging(vm);
	return 0;
}

void vtx_dirty_commit(struct vtx_vm *vm, const struct vtx_slot_plan *plan)
{
	bool before = old_logs(plan), after = new_logs(plan);

	/* A slot that was made or moved has nothing mapped from before. */
	if (after && !before && plan->change == VTX_SLOT_FLAGS && !starts_set(vm))
		vtx_ept_protect_range(vm, plan->new.gfn, plan->new.gfn + plan->new.npages);
	if (before && !after) {
		stop_logging(vm);
		vtx_dirty_free_slot(&plan->old);
		if (plan->change == VTX_SLOT_FLAGS)
			vtx_ept_restore_large(vm, &plan->new);
	}
}

void vtx_dirty_free_slot(const struct vtx_slot *slot)
{
	kvfree(slot->dirty);
}

/* ------------------------------------------------------------------ KVM_GET_DIRTY_LOG */

/* Of a 32-bit program the upper half of the union means nothing. */
static u64 __user *user_bitmap(u64 address)
{
	return in_compat_syscall() ? compat_ptr(address) : (u64 __user *)address;
}

/*
 * The slot that user space means, as it logs. vm->slots_lock held. Return: 0, -EINVAL (number), -ENOENT (no such slot, or it
 * does not log).
 */
static int find_logging_slot(struct vtx_vm *vm, u32 id, const struct vtx_slot **out)
{
	const struct vtx_slots *slots = rcu_dereference_protected(vm->slots, lockdep_is_held(&vm->slots_lock));

	/* Both ioctls' structures begin with the number. */
	if (id >= VTX_MAX_SLOTS)
		return VTX_REFUSE(DIRTY_LOG_SLOT, 0, id, VTX_MAX_SLOTS - 1);
	*out = vtx_slots_by_id(slots, id);
	if (!*out || !(*out)->dirty)
		return VTX_REFUSE(DIRTY_LOG_ABSENT, 0, id, 0);
	return 0;
}

static bool protect_words(struct vtx_vm *vm, const struct vtx_slot *slot, u64 at, const u64 *words, unsigned int n)
{
	struct vtx_ept *ept = &vm->ept;
	bool flush;

	vtx_ept_spares_for_splits(ept);
	write_lock(&ept->lock);
	flush = vtx_ept_protect_words(ept, slot->gfn + at * 64, words, n);
	write_unlock(&ept->lock);
	return flush;
}

/* Moves @n words of a bitmap into @out. Return: is any bit set? */
static bool take_words(u64 *from, u64 *out, unsigned int n)
{
	u64 any = 0;

	for (; n; n--, from++, out++) {
		u64 word = READ_ONCE(*from);

		if (word)
			word = xchg(from, 0);
		*out = word;
		any |= word;
	}
	return any;
}

static void put_back(u64 *to, const u64 *words, unsigned int n)
{
	for (; n; n--, to++, words++)
		if (*words)
			atomic64_or(*words, (atomic64_t *)to);
}

/* As copy_to_user(), for as few words as it would need longer to begin. */
static bool copy_words(u64 __user *to, const u64 *words, unsigned int n)
{
	if (!user_write_access_begin(to, n * sizeof(*words)))
		return false;
	for (unsigned int i = 0; i < n; i++)
		unsafe_put_user(words[i], to + i, fault);
	user_write_access_end();
	return true;
fault:
	user_write_access_end();
	return false;
}

/*
 * Most of a log is clear, most of the time: that is found, and said to user space, eight words at a time. A number that is no
 * multiple of eight goes the long way.
 */
static bool all_clear(const u64 *w, unsigned int n)
{
	if (n % 8)
		return false;
	for (; n; n -= 8, w += 8)
		if (READ_ONCE(w[0]) | READ_ONCE(w[1]) | READ_ONCE(w[2]) | READ_ONCE(w[3]) | READ_ONCE(w[4]) | READ_ONCE(w[5]) |
		    READ_ONCE(w[6]) | READ_ONCE(w[7]))
			return false;
	return true;
}

static bool clear_user_words(u64 __user *to, unsigned int n)
{
	if (!user_write_access_begin(to, n * sizeof(*to)))
		return false;
	for (; n; n -= 8, to += 8) {
		unsafe_put_user(0, to, fault);
		unsafe_put_user(0, to + 1, fault);
		unsafe_put_user(0, to + 2, fault);
		unsafe_put_user(0, to + 3, fault);
		unsafe_put_user(0, to + 4, fault);
		unsafe_put_user(0, to + 5, fault);
		unsafe_put_user(0, to + 6, fault);
		unsafe_put_user(0, to + 7, fault);
	}
	user_write_access_end();
	return true;
fault:
	user_write_access_end();
	return false;
}

/* What cannot be copied to user space stays in the log. */
static int take_and_protect(struct vtx_vm *vm, const struct vtx_slot *slot, u64 __user *to)
{
	u64 total = vtx_dirty_words(slot->npages), words[CHUNK];
	bool flush = false;
	int ret = 0;

	for (u64 at = 0; at < total && !ret; at += CHUNK) {
		unsigned int n = min_t(u64, CHUNK, total - at);

		cond_resched();
		if (all_clear(slot->dirty + at, n)) {
			if (clear_user_words(to + at, n))
				continue;
			ret = VTX_REFUSE(DIRTY_LOG_BUFFER, GET_AT, (uintptr_t)to, total * 8);
			break;
		}
		if (take_words(slot->dirty + at, words, n))
			flush |= protect_words(vm, slot, at, words, n);
		if (!copy_words(to + at, words, n)) {
			put_back(slot->dirty + at, words, n);
			ret = VTX_REFUSE(DIRTY_LOG_BUFFER, GET_AT, (uintptr_t)to, total * 8);
		}
	}
	if (flush)
		vtx_ept_flush(vm);
	return ret;
}

static int get_log(struct vtx_vm *vm, const struct kvm_dirty_log *log)
{
	u64 __user *to = user_bitmap(log->padding2);
	const struct vtx_slot *slot;
	size_t bytes;
	int ret;

	if (vm->dirty_log.ring_bytes)
		return VTX_REFUSE(DIRTY_LOG_RING, VTX_NO_FIELD, vm->dirty_log.ring_bytes, 0);
	ret = find_logging_slot(vm, log->slot, &slot);
	if (ret)
		return ret;
	vtx_pml_drain_all(vm);
	if (!READ_ONCE(vm->dirty_log.manual))
		return take_and_protect(vm, slot, to);
	bytes = vtx_dirty_words(slot->npages) * 8;
	if (copy_to_user(to, slot->dirty, bytes))
		return VTX_REFUSE(DIRTY_LOG_BUFFER, GET_AT, (uintptr_t)to, bytes);
	return 0;
}

int vtx_get_dirty_log(struct vtx_vm *vm, const struct kvm_dirty_log *log)
{
	int ret;

	mutex_lock(&vm->slots_lock);
	ret = get_log(vm, log);
	mutex_unlock(&vm->slots_lock);
	return ret;
}

/* ------------------------------------------------------------------ KVM_CLEAR_DIRTY_LOG */

/* Clears in the log what @words names, and leaves in @words what was set in both. Return: is that anything? */
static bool clear_words(u64 *log, u64 *words, unsigned int n)
{
	u64 any = 0;

	for (; n; n--, log++, words++) {
		if (*words)
			*words &= atomic64_fetch_andnot(*words, (atomic64_t *)log);
		any |= *words;
	}
	return any;
}

/* A bitmap that ends in unreadable memory has cleared what could be read, which is what the caller asked for. */
static int clear_range(struct vtx_vm *vm, const struct vtx_slot *slot, u64 first, u64 total, u64 __user *from)
{
	bool flush = false;
	u64 words[CHUNK];
	int ret = 0;

	for (u64 at = 0; at < total; at += CHUNK) {
		unsigned int n = min_t(u64, CHUNK, total - at);

		if (copy_from_user(words, from + at, n * sizeof(*words))) {
			ret = VTX_REFUSE(DIRTY_LOG_BUFFER, CLEAR_AT, (uintptr_t)from, total * 8);
			break;
		}
		if (clear_words(slot->dirty + first + at, words, n))
			flush |= protect_words(vm, slot, first + at, words, n);
		cond_resched();
	}
	if (flush)
		vtx_ept_flush(vm);
	return ret;
}

static int clear_log(struct vtx_vm *vm, const struct kvm_clear_dirty_log *log)
{
	const struct vtx_slot *slot;
	int ret;

	if (vm->dirty_log.ring_bytes)
		return VTX_REFUSE(DIRTY_LOG_RING, VTX_NO_FIELD, vm->dirty_log.ring_bytes, 0);
	ret = find_logging_slot(vm, log->slot, &slot);
	if (!ret)
		ret = vtx_clear_range_check(log, slot->npages);
	if (ret)
		return ret;
	/* A page that its processor has logged already becomes dirty now, not after it was cleared. */
	vtx_pml_drain_all(vm);
	return clear_range(vm, slot, log->first_page / 64, vtx_dirty_words(log->num_pages), user_bitmap(log->padding2));
}

int vtx_clear_dirty_log(struct vtx_vm *vm, const struct kvm_clear_dirty_log *log)
{
	int ret;

	mutex_lock(&vm->slots_lock);
	ret = clear_log(vm, log);
	mutex_unlock(&vm->slots_lock);
	return ret;
}

int vtx_enable_manual_protect(struct vtx_vm *vm, const struct kvm_enable_cap *cap)
{
	u64 wanted = cap->args[0], allowed = KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE;

	/* Only a log that is cleared by hand can begin with all bits set. */
	if (wanted & KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE)
		allowed |= KVM_DIRTY_LOG_INITIALLY_SET;
	if (wanted & ~allowed)
		return VTX_REFUSE(MANUAL_PROTECT_FLAGS, offsetof(struct kvm_enable_cap, args), wanted, allowed);
	WRITE_ONCE(vm->dirty_log.manual, wanted);
	return 0;
}

/* ------------------------------------------------------------------ rings */

static u32 ring_reserve(void)
{
	return VTX_DIRTY_RING_RESERVE + (vtx_caps.pml ? VTX_PML_ENTRIES : 0);
}

int vtx_enable_dirty_ring(struct vtx_vm *vm, const struct kvm_enable_cap *cap)
{
	const u32 at = offsetof(struct kvm_enable_cap, args);
	int ret = vtx_ring_size_check(cap->args[0], ring_reserve());

	if (ret)
		return ret;
	if (vm->dirty_log.ring_bytes)
		return VTX_REFUSE(DIRTY_RING_SET, at, cap->args[0], vm->dirty_log.ring_bytes);
	if (vtx_vm_num_vcpus(vm))
		return VTX_REFUSE(DIRTY_RING_LATE, at, vtx_vm_num_vcpus(vm), 0);
	/* slots_lock: a slot that is just beginning to log has one kind of log. */
	mutex_lock(&vm->slots_lock);
	WRITE_ONCE(vm->dirty_log.ring_bytes, cap->args[0]);
	mutex_unlock(&vm->slots_lock);
	return 0;
}

/* What user space has given back is protected again, if it is a page of a slot that logs: it may have written anything there. */
static bool reset_word(struct vtx_vm *vm, const struct vtx_dirty_word *word)
{
	const struct vtx_slots *slots = rcu_dereference_protected(vm->slots, lockdep_is_held(&vm->slots_lock));
	const struct vtx_slot *slot = vtx_slots_by_id(slots, word->slot);
	u64 mask;

	if (!slot || !vtx_slot_logs(slot))
		return false;
	mask = word->mask & vtx_dirty_word_valid(slot->npages, word->word);
	return mask && protect_words(vm, slot, word->word, &mask, 1);
}

static long reset_rings(struct vtx_vm *vm)
{
	struct vtx_dirty_word word;
	struct vtx_vcpu *vcpu;
	bool flush = false;
	long total = 0;
	u32 n;
	int i;

	vtx_for_each_vcpu(i, vcpu, vm) {
		if (!vcpu->dirty_log.ring.gfns)
			continue;
		while ((n = vtx_ring_take(&vcpu->dirty_log.ring, &word))) {
			total += n;
			flush |= reset_word(vm, &word);
			cond_resched();
		}
	}
	if (flush)
		vtx_ept_flush(vm);
	return total;
}

long vtx_reset_dirty_rings(struct vtx_vm *vm)
{
	long ret;

	if (!READ_ONCE(vm->dirty_log.ring_bytes))
		return VTX_REFUSE(DIRTY_RING_OFF, VTX_NO_FIELD, 0, 0);
	mutex_lock(&vm->slots_lock);
	ret = reset_rings(vm);
	mutex_unlock(&vm->slots_lock);
	return ret;
}

struct page *vtx_dirty_ring_page(struct vtx_vcpu *vcpu, unsigned long pgoff)
{
	const struct vtx_dirty_ring *ring = &vcpu->dirty_log.ring;
	unsigned long page = pgoff - KVM_DIRTY_LOG_PAGE_OFFSET;

	if (!ring->gfns || page >= vcpu->vm->dirty_log.ring_bytes >> PAGE_SHIFT)
		return NULL;
	return vmalloc_to_page((u8 *)ring->gfns + page * PAGE_SIZE);
}

int vtx_dirty_ring_mappable(struct vtx_vcpu *vcpu, unsigned long pgoff, unsigned long pages, unsigned long flags)
{
	const unsigned long first = KVM_DIRTY_LOG_PAGE_OFFSET, end = first + (vcpu->vm->dirty_log.ring_bytes >> PAGE_SHIFT);

	if (pgoff >= end || pgoff + pages <= first || end == first)
		return 0;
	if (!(flags & VM_SHARED) || (flags & VM_EXEC))
		return VTX_REFUSE(DIRTY_RING_MAPPING, VTX_NO_FIELD, flags, VM_SHARED);
	return 0;
}

/* ------------------------------------------------------------------ vCPUs */

int vtx_dirty_vcpu_alloc(struct vtx_vcpu *vcpu)
{
	struct vtx_vcpu_dirty *d = &vcpu->dirty_log;
	u32 bytes = vcpu->vm->dirty_log.ring_bytes;
	void *ring;

	raw_spin_lock_init(&d->pml_lock);
	raw_spin_lock_init(&d->ring_lock);
	d->next = VTX_PML_ENTRIES - 1;
	if (bytes) {
		ring = __vmalloc(bytes, GFP_KERNEL_ACCOUNT | __GFP_ZERO);
		if (!ring)
			return -ENOMEM;
		vtx_ring_init(&d->ring, ring, bytes, ring_reserve());
	}
	if (!vtx_caps.pml)
		return 0;
	static_assert(VTX_PML_ENTRIES * sizeof(u64) == PAGE_SIZE);
	d->pml = (u64 *)__get_free_page(GFP_KERNEL_ACCOUNT);
	if (!d->pml)
		return -ENOMEM;
	memset(d->pml, 0xff, PAGE_SIZE); /* EMPTY of ept/pml.c */
	/* Some slot may log already. */
	vtx_vcpu_request(vcpu, VTX_REQ_PML);
	return 0;
}

void vtx_dirty_vcpu_free(struct vtx_vcpu *vcpu)
{
	vfree(vcpu->dirty_log.ring.gfns);
	free_page((unsigned long)vcpu->dirty_log.pml);
}
