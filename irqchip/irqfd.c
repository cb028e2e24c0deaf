// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_IRQFD: writing an eventfd raises a GSI; with a resample eventfd the GSI stays up until the guest's EOI, which
 * lowers it and signals the resample eventfd.
 *
 * Life of an irqfd.  It is on vm->irqfds from assignment until somebody claims its end by setting `dying`:
 * deassignment, the VM's release, or the eventfd's last close (EPOLLHUP).  The claimer alone takes it off the list,
 * removes it from the eventfd's wait queue and frees it.  For EPOLLHUP that is a work item, since the wake-up runs
 * with the wait queue's lock held and interrupts off; vtx_irqchip_release_fds() waits for the work queue, so no work
 * outlives the VM.
 *
 * The wake-up delivers by itself: vtx_set_irq() takes raw locks and RCU only.  Wait queue lock > irqchip locks is the
 * order everywhere; eventfds are signalled with no irqchip lock held (vtx_irqfd_ended()).
 *
 * Locks: vm->irq_lock for both lists; the resampler list is read under RCU.
 */
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include "compat/compat.h"
#include "irqchip/kernel.h"
#include "uapi/refuse.h"

struct irqfd {
	struct list_head node;		/* vm->irqfds */
	struct list_head resampler;	/* irqchip->resamplers, when resample is set */
	struct vtx_vm *vm;
	struct eventfd_ctx *eventfd;
	struct eventfd_ctx *resample;	/* NULL: edge-triggered */
	u32 gsi;
	unsigned long dying;		/* bit 0: somebody has claimed the end */
	wait_queue_entry_t wait;
	poll_table pt;
	struct work_struct hangup;
};

/* One queue for all VMs; it exists while there is a VM with an irqchip. */
static DEFINE_MUTEX(queue_lock);
static struct workqueue_struct *queue;
static unsigned int queue_users;

int vtx_irqfd_init(void)
{
	int ret = 0;

	mutex_lock(&queue_lock);
	if (!queue_users) {
		queue = alloc_workqueue("vtx-irqfd", WQ_UNBOUND, 0);
		if (!queue)
			ret = -ENOMEM;
	}
	if (!ret)
		queue_users++;
	mutex_unlock(&queue_lock);
	return ret;
}

void vtx_irqfd_exit(void)
{
	mutex_lock(&queue_lock);
	if (!--queue_users) {
		destroy_workqueue(queue);
		queue = NULL;
	}
	mutex_unlock(&queue_lock);
}

/* ---------------------------------------------------------------- delivery */

static void raise(struct irqfd *irqfd)
{
	if (irqfd->resample) {
		vtx_set_irq(irqfd->vm, VTX_IRQ_SOURCE_RESAMPLE, irqfd->gsi, 1);
	} else {
		vtx_set_irq(irqfd->vm, VTX_IRQ_SOURCE_USER, irqfd->gsi, 1);
		vtx_set_irq(irqfd->vm, VTX_IRQ_SOURCE_USER, irqfd->gsi, 0);
	}
}

static bool claim(struct irqfd *irqfd)
{
	return !test_and_set_bit(0, &irqfd->dying);
}

/* The eventfd was written or closed. Its wqh.lock is held, interrupts are off. */
static int wakeup(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct irqfd *irqfd = container_of(wait, struct irqfd, wait);
	__poll_t events = key_to_poll(key);
	u64 count;

	if (events & EPOLLIN) {
		eventfd_ctx_do_read(irqfd->eventfd, &count);
		raise(irqfd);
	}
	if ((events & EPOLLHUP) && claim(irqfd))
		queue_work(queue, &irqfd->hangup);
	return 0;
}

static void queue_proc(struct file *file, wait_queue_head_t *wqh, poll_table *pt)
{
	struct irqfd *irqfd = container_of(pt, struct irqfd, pt);

	/* First in the queue: the count is consumed here before a poller in user space sees it. */
	add_wait_queue_priority(wqh, &irqfd->wait);
}

u32 vtx_irqfd_pins(struct vtx_vm *vm, const struct vtx_route_table *table)
{
	struct irqfd *irqfd;
	u32 pins = 0;

	list_for_each_entry(irqfd, &vm->irqchip->resamplers, resampler)
		pins |= vtx_routes_ioapic_pins(table, irqfd->gsi);
	return pins;
}

static bool routed_to(const struct vtx_routing *routing, u32 gsi, u16 lines, u32 pins)
{
	const struct vtx_route *routes = NULL;
	unsigned int nr = vtx_routes_of(&routing->table, gsi, &routes), i;

	for (i = 0; i < nr; i++) {
		if (routes[i].kind == VTX_ROUTE_PIC && (lines & (1u << routes[i].pin)))
			return true;
		if (routes[i].kind == VTX_ROUTE_IOAPIC && (pins & (1u << routes[i].pin)))
			return true;
	}
	return false;
}

void vtx_irqfd_ended(struct vtx_vm *vm, u16 lines, u32 pins)
{
	struct list_head *list = &vm->irqchip->resamplers;
	const struct vtx_routing *routing;
	struct irqfd *irqfd;

	if (list_empty(list)) /* a plain load: one that is being added has not raised anything yet */
		return;
	rcu_read_lock();
	routing = rcu_dereference(vm->routing);
	/*
	 * First lower all lines, then signal all owners: an owner who raises his line again at once must not have it
	 * lowered on behalf of another one on the same GSI.
	 */
	list_for_each_entry_rcu(irqfd, list, resampler)
		if (routed_to(routing, irqfd->gsi, lines, pins))
			vtx_set_irq(vm, VTX_IRQ_SOURCE_RESAMPLE, irqfd->gsi, 0);
	list_for_each_entry_rcu(irqfd, list, resampler)
		if (routed_to(routing, irqfd->gsi, lines, pins))
			vtx_eventfd_signal(irqfd->resample);
	rcu_read_unlock();
}

/* ---------------------------------------------------------------- the end of an irqfd */

/* Nobody raises the GSI of the resampling irqfd that has just gone? Then it must not stay up. irq_lock held. */
static void lower_if_last(struct vtx_vm *vm, u32 gsi)
{
	struct irqfd *other;

	list_for_each_entry(other, &vm->irqchip->resamplers, resampler)
		if (other->gsi == gsi)
			return;
	vtx_set_irq(vm, VTX_IRQ_SOURCE_RESAMPLE, gsi, 0);
}

/* The claimer's first step: off the lists. irq_lock held. */
static void unlink(struct irqfd *irqfd)
{
	list_del(&irqfd->node);
	if (irqfd->resample) {
		list_del_rcu(&irqfd->resampler);
		vtx_routing_watch(irqfd->vm);
	}
}

/* The claimer's second step, without locks. After this no wake-up runs, and none will. */
static void detach(struct irqfd *irqfd)
{
	struct vtx_vm *vm = irqfd->vm;
	u64 count;

	eventfd_ctx_remove_wait_queue(irqfd->eventfd, &irqfd->wait, &count);
	if (!irqfd->resample)
		return;
	mutex_lock(&vm->irq_lock);
	lower_if_last(vm, irqfd->gsi);
	mutex_unlock(&vm->irq_lock);
}

/* The claimer's last step; with a resampling irqfd an RCU grace period lies between, for vtx_irqfd_ended(). */
static void dispose(struct irqfd *irqfd)
{
	if (irqfd->resample)
		eventfd_ctx_put(irqfd->resample);
	eventfd_ctx_put(irqfd->eventfd);
	kfree(irqfd);
}

static void hangup(struct work_struct *work)
{
	struct irqfd *irqfd = container_of(work, struct irqfd, hangup);

	mutex_lock(&irqfd->vm->irq_lock);
	unlink(irqfd);
	mutex_unlock(&irqfd->vm->irq_lock);
	detach(irqfd);
	if (irqfd->resample)
		synchronize_rcu_expedited();
	dispose(irqfd);
}

/* Ends those that match @eventfd and @gsi, or all when @eventfd is NULL, and waits for those that a hang-up ends. */
static void end_matching(struct vtx_vm *vm, struct eventfd_ctx *eventfd, u32 gsi)
{
	struct irqfd *irqfd, *next;
	bool resample = false;
	LIST_HEAD(mine);

	mutex_lock(&vm->irq_lock);
	list_for_each_entry_safe(irqfd, next, &vm->irqfds, node) {
		if (eventfd && (irqfd->eventfd != eventfd || irqfd->gsi != gsi))
			continue;
		if (!claim(irqfd))
			continue;
		unlink(irqfd);
		list_add(&irqfd->node, &mine);
		resample |= irqfd->resample != NULL;
	}
	mutex_unlock(&vm->irq_lock);
	list_for_each_entry(irqfd, &mine, node)
		detach(irqfd);
	if (resample)
		synchronize_rcu_expedited();
	list_for_each_entry_safe(irqfd, next, &mine, node)
		dispose(irqfd);
	flush_workqueue(queue);
}

void vtx_irqchip_release_fds(struct vtx_vm *vm)
{
	if (!vm->irqchip)
		return;
	end_matching(vm, NULL, 0);
	/* Called for the end of the VM, not only of its file: its vCPUs, to which our timers deliver, go next. */
	if (!refcount_read(&vm->users))
		vtx_irqchip_stop(vm);
}

/* ---------------------------------------------------------------- KVM_IRQFD */

int vtx_refuse_eventfd(int err, u32 offset, u32 fd)
{
	switch (err) {
	case -EBADF:
		return VTX_REFUSE(EVENTFD_CLOSED, offset, fd, 0);
	case -EINVAL:
		return VTX_REFUSE(EVENTFD_OTHER_FILE, offset, fd, 0);
	default:
		return err;
	}
}

static int deassign(struct vtx_vm *vm, const struct kvm_irqfd *args)
{
	struct eventfd_ctx *eventfd = eventfd_ctx_fdget(args->fd);

	if (IS_ERR(eventfd))
		return vtx_refuse_eventfd(PTR_ERR(eventfd), offsetof(struct kvm_irqfd, fd), args->fd);
	if (vtx_has_lapic(vm)) /* else there cannot be one */
		end_matching(vm, eventfd, args->gsi);
	eventfd_ctx_put(eventfd);
	return 0;
}

/* Puts a complete irqfd to work. Return: 0, or -EBUSY when the VM has one with this eventfd. */
static int activate(struct irqfd *irqfd, struct file *file, u32 fd)
{
	struct vtx_vm *vm = irqfd->vm;
	struct irqfd *other;
	int ret = 0;

	mutex_lock(&vm->irq_lock);
	list_for_each_entry(other, &vm->irqfds, node)
		if (other->eventfd == irqfd->eventfd)
			ret = VTX_REFUSE(IRQFD_EVENTFD_IN_USE, offsetof(struct kvm_irqfd, fd), fd, other->gsi);
	if (ret)
		goto out;
	list_add_tail(&irqfd->node, &vm->irqfds);
	if (irqfd->resample) {
		list_add_tail_rcu(&irqfd->resampler, &vm->irqchip->resamplers);
		vtx_routing_watch(vm);
	}
	/*
	 * Adds us to the wait queue. What was written before raises the GSI now; nobody can end the irqfd in between:
	 * a hang-up needs the file to be gone, everybody else irq_lock.
	 */
	if (vfs_poll(file, &irqfd->pt) & EPOLLIN)
		raise(irqfd);
out:
	mutex_unlock(&vm->irq_lock);
	return ret;
}

static int assign(struct vtx_vm *vm, const struct kvm_irqfd *args)
{
	struct irqfd *irqfd;
	struct file *file;
	int ret;

	file = eventfd_fget(args->fd);
	if (IS_ERR(file))
		return vtx_refuse_eventfd(PTR_ERR(file), offsetof(struct kvm_irqfd, fd), args->fd);
	ret = -ENOMEM;
	irqfd = kzalloc(sizeof(*irqfd), GFP_KERNEL_ACCOUNT);
	if (!irqfd)
		goto put_file;
	irqfd->vm = vm;
	irqfd->gsi = args->gsi;
	INIT_WORK(&irqfd->hangup, hangup);
	init_waitqueue_func_entry(&irqfd->wait, wakeup);
	init_poll_funcptr(&irqfd->pt, queue_proc);
	irqfd->eventfd = eventfd_ctx_fileget(file);
	if (IS_ERR(irqfd->eventfd)) {
		ret = PTR_ERR(irqfd->eventfd);
		goto free;
	}
	if (args->flags & KVM_IRQFD_FLAG_RESAMPLE) {
		irqfd->resample = eventfd_ctx_fdget(args->resamplefd);
		if (IS_ERR(irqfd->resample)) {
			ret = vtx_refuse_eventfd(PTR_ERR(irqfd->resample), offsetof(struct kvm_irqfd, resamplefd),
						 args->resamplefd);
			goto put_eventfd;
		}
	}
	ret = activate(irqfd, file, args->fd);
	if (ret)
		goto put_resample;
	fput(file);
	return 0;

put_resample:
	if (irqfd->resample)
		eventfd_ctx_put(irqfd->resample);
put_eventfd:
	eventfd_ctx_put(irqfd->eventfd);
free:
	kfree(irqfd);
put_file:
	fput(file);
	return ret;
}

int vtx_irqfd(struct vtx_vm *vm, const struct kvm_irqfd *args)
{
	const u32 known = KVM_IRQFD_FLAG_DEASSIGN | KVM_IRQFD_FLAG_RESAMPLE;

	if (args->flags & ~known)
		return VTX_REFUSE(IRQFD_FLAGS, offsetof(struct kvm_irqfd, flags), args->flags, known);
	if (args->gsi >= VTX_MAX_IRQ_ROUTES)
		return VTX_REFUSE(IRQFD_GSI, offsetof(struct kvm_irqfd, gsi), args->gsi, VTX_MAX_IRQ_ROUTES - 1);
	if (args->flags & KVM_IRQFD_FLAG_DEASSIGN)
		return deassign(vm, args);
	if (!vtx_has_lapic(vm))
		return VTX_REFUSE(LAPIC_MISSING, VTX_NO_FIELD, 0, 0);
	/* Only the in-kernel PIC and IOAPIC can tell of the guest's EOI. */
	if ((args->flags & KVM_IRQFD_FLAG_RESAMPLE) && !vtx_has_full_irqchip(vm))
		return VTX_REFUSE(IRQFD_RESAMPLE, offsetof(struct kvm_irqfd, flags), args->flags, KVM_IRQFD_FLAG_DEASSIGN);
	return assign(vm, args);
}
