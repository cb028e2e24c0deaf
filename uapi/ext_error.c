// SPDX-License-Identifier: GPL-2.0-only
/*
 * Why a call was refused: VTX_SET_EXT_ERROR, and the way from the check that failed to the caller's buffer.
 *
 * A check knows nothing of file descriptors, so its reason is left with the thread: while an ioctl runs whose descriptor has a
 * buffer, a struct vtx_refusal on its stack stands in a hash of such calls, under the task's pointer. Without a buffer nothing
 * of this happens, and a check looks at one counter.
 */
#include <linux/atomic.h>
#include <linux/hash.h>
#include <linux/pagemap.h>
#include <linux/preempt.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>
#include "uapi/ext_error.h"
#include "uapi/ioctl.h"
#include "uapi/refuse.h"
#include "uapi/vtx.h"

/* ------------------------------------------------------------------ calls on their way */

#define BUCKET_BITS 6

/* Raw: some checks run under raw locks, with interrupts off. A call is changed only by its own thread. */
struct bucket {
	raw_spinlock_t lock;
	struct hlist_head calls;
};

static struct bucket buckets[1 << BUCKET_BITS] = {
	[0 ... (1 << BUCKET_BITS) - 1] = { .lock = __RAW_SPIN_LOCK_UNLOCKED(buckets.lock) },
};

/* Descriptors with a buffer. */
static atomic_t registered = ATOMIC_INIT(0);

static struct bucket *bucket_of(struct task_struct *task)
{
	return &buckets[hash_ptr(task, BUCKET_BITS)];
}

static struct vtx_refusal *current_call(void)
{
	struct bucket *bucket = bucket_of(current);
	struct vtx_refusal *call, *found = NULL;
	unsigned long flags;

	raw_spin_lock_irqsave(&bucket->lock, flags);
	hlist_for_each_entry(call, &bucket->calls, node)
		if (call->task == current)
			found = call;
	raw_spin_unlock_irqrestore(&bucket->lock, flags);
	return found;
}

/* The first reason counts: what comes after it is its consequence. */
int vtx_refuse(enum vtx_error_code code, u32 offset, u64 found, u64 allowed)
{
	struct vtx_refusal *call = atomic_read(&registered) && in_task() ? current_call() : NULL;

	if (call && !call->code) {
		call->code = code;
		call->offset = offset;
		call->found = found;
		call->allowed = allowed;
	}
	return -vtx_refuse_row(code)->error;
}

void vtx_refused_within(u32 offset)
{
	struct vtx_refusal *call = atomic_read(&registered) ? current_call() : NULL;

	if (call && call->code && call->offset != VTX_NO_FIELD)
		call->offset += offset;
}

/* ------------------------------------------------------------------ around an ioctl */

/* 0: this process has registered none. */
static u64 address_of(struct vtx_ext_buffer __rcu **slot)
{
	const struct vtx_ext_buffer *buffer;
	u64 address = 0;

	rcu_read_lock();
	buffer = rcu_dereference(*slot);
	if (buffer && buffer->mm == current->mm)
		address = buffer->address;
	rcu_read_unlock();
	return address;
}

bool vtx_ext_error_begin(struct vtx_ext_buffer __rcu **slot, struct vtx_refusal *call)
{
	struct bucket *bucket;
	unsigned long flags;

	/* Read once: what another thread registers meanwhile is for the calls after this one. */
	call->address = address_of(slot);
	if (!call->address)
		return false;
	call->task = current;
	call->code = VTX_ERROR_NONE;
	bucket = bucket_of(current);
	raw_spin_lock_irqsave(&bucket->lock, flags);
	hlist_add_head(&call->node, &bucket->calls);
	raw_spin_unlock_irqrestore(&bucket->lock, flags);
	return true;
}

/* A reason of another errno was overcome on the way and is not why the call failed. */
static void fill(struct vtx_ext_error *out, const struct vtx_refusal *call, unsigned int cmd, int error)
{
	const struct vtx_refuse_row *row = vtx_refuse_row(call->code);

	memset(out, 0, sizeof(*out));
	out->error = error;
	out->cmd = cmd;
	out->offset = VTX_NO_FIELD;
	if (!call->code || row->error != error)
		return;
	out->code = call->code;
	out->offset = call->offset;
	out->found = call->found;
	out->allowed = call->allowed;
	strscpy(out->name, row->name, sizeof(out->name));
	strscpy(out->text, row->text, sizeof(out->text));
}

void vtx_ext_error_end(struct vtx_refusal *call, unsigned int cmd, long ret)
{
	struct bucket *bucket = bucket_of(current);
	struct vtx_ext_error out;
	unsigned long flags;

	raw_spin_lock_irqsave(&bucket->lock, flags);
	hlist_del(&call->node);
	raw_spin_unlock_irqrestore(&bucket->lock, flags);

	/* The kernel's own numbers from ERESTARTSYS (512) on repeat the call; user space sees none of them. */
	if (ret >= 0 || ret <= -512)
		return;
	fill(&out, call, cmd, -ret);
	/* Whoever takes the buffer away loses the explanation, not the errno. */
	if (copy_to_user(u64_to_user_ptr(call->address), &out, sizeof(out)))
		return;
}

/* ------------------------------------------------------------------ VTX_SET_EXT_ERROR */

static void replace(struct vtx_ext_buffer __rcu **slot, struct vtx_ext_buffer *new)
{
	struct vtx_ext_buffer *old;

	if (new)
		atomic_inc(&registered);
	old = unrcu_pointer(xchg(slot, RCU_INITIALIZER(new)));
	if (!old)
		return;
	atomic_dec(&registered);
	/*
	 * A reader may still compare its own mm with this one. It is not fooled by a new process that got the same memory: as long
	 * as the reader runs its own mm is not new.
	 */
	mmdrop(old->mm);
	kfree_rcu(old, rcu);
}

void vtx_ext_error_release(struct vtx_ext_buffer __rcu **slot)
{
	replace(slot, NULL);
}

/*
 * Takes neither vm->lock nor vcpu->mutex: it may come while KVM_RUN runs. A buffer that cannot be written is refused now rather than
 * passed over later; the try leaves its contents alone.
 */
long vtx_call_set_ext_error(struct vtx_call *call)
{
	const struct vtx_ext_error_buffer *in = call->data;
	char __user *at = u64_to_user_ptr(in->address);
	struct vtx_ext_buffer *buffer;

	if (in->flags)
		return VTX_REFUSE(EXT_ERROR_FLAGS, offsetof(struct vtx_ext_error_buffer, flags), in->flags, 0);
	if (!in->address) {
		replace(call->ext_error, NULL);
		return 0;
	}
	if (in->size != sizeof(struct vtx_ext_error))
		return VTX_REFUSE(EXT_ERROR_SIZE, offsetof(struct vtx_ext_error_buffer, size), in->size,
				  sizeof(struct vtx_ext_error));
	if (!access_ok(at, sizeof(struct vtx_ext_error)) || fault_in_safe_writeable(at, sizeof(struct vtx_ext_error)))
		return VTX_REFUSE(EXT_ERROR_ADDRESS, offsetof(struct vtx_ext_error_buffer, address), in->address, 0);
	buffer = kmalloc(sizeof(*buffer), GFP_KERNEL_ACCOUNT);
	if (!buffer)
		return -ENOMEM;
	buffer->mm = current->mm;
	mmgrab(buffer->mm);
	buffer->address = in->address;
	replace(call->ext_error, buffer);
	return 0;
}
