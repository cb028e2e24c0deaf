// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_IOEVENTFD: a guest write to a port or an MMIO address signals an eventfd instead of leaving to user space.
 *
 * The registration lives in the bus (bus.c); this file keeps the list that owns the eventfd references, under
 * vm->slots_lock.  A signal happens under vm->srcu, so after vtx_bus_remove_event() nobody can signal any more and
 * the reference can go.
 */
#include <linux/eventfd.h>
#include <linux/slab.h>
#include "irqchip/kernel.h"
#include "uapi/refuse.h"

struct ioeventfd {
	struct list_head node;
	int bus;
	struct vtx_bus_event event;	/* cookie: the eventfd context we hold a reference of */
};

#define AT(field) offsetof(struct kvm_ioeventfd, field)

/* Translates the argument, or refuses it. */
static int parse(const struct kvm_ioeventfd *args, int *bus, struct vtx_bus_event *event)
{
	const u32 known = KVM_IOEVENTFD_FLAG_DATAMATCH | KVM_IOEVENTFD_FLAG_PIO | KVM_IOEVENTFD_FLAG_DEASSIGN |
			  (1 << kvm_ioeventfd_flag_nr_fast_mmio);

	if (args->flags & ~known)
		return VTX_REFUSE(IOEVENTFD_FLAGS, AT(flags), args->flags, known);
	switch (args->len) {
	case 0:
		if (args->flags & KVM_IOEVENTFD_FLAG_DATAMATCH) /* which bytes would have to match? */
			return VTX_REFUSE(IOEVENTFD_MATCH_LENGTH, AT(len), 0, 8);
		break;
	case 1:
	case 2:
	case 4:
	case 8:
		break;
	default:
		return VTX_REFUSE(IOEVENTFD_LENGTH, AT(len), args->len, 8);
	}
	if (args->addr + args->len < args->addr)
		return VTX_REFUSE(IOEVENTFD_WRAPS, AT(addr), args->addr, 0 - (u64)args->len);
	*bus = args->flags & KVM_IOEVENTFD_FLAG_PIO ? VTX_BUS_PIO : VTX_BUS_MMIO;
	*event = (struct vtx_bus_event){
		.addr = args->addr,
		.len = args->len,
		.wildcard = !(args->flags & KVM_IOEVENTFD_FLAG_DATAMATCH),
		.datamatch = args->flags & KVM_IOEVENTFD_FLAG_DATAMATCH ? args->datamatch : 0,
	};
	return 0;
}

static int assign(struct vtx_vm *vm, int bus, const struct vtx_bus_event *event)
{
	struct ioeventfd *new = kzalloc(sizeof(*new), GFP_KERNEL_ACCOUNT);
	int ret;

	if (!new)
		return -ENOMEM;
	new->bus = bus;
	new->event = *event;
	mutex_lock(&vm->slots_lock);
	ret = vtx_bus_add_event(vm, bus, event);
	if (!ret)
		list_add_tail(&new->node, &vm->ioeventfds);
	mutex_unlock(&vm->slots_lock);
	if (ret)
		kfree(new);
	return ret;
}

static int deassign(struct vtx_vm *vm, int bus, const struct vtx_bus_event *event)
{
	struct ioeventfd *e;
	bool found = false;
	int ret = 0;

	mutex_lock(&vm->slots_lock);
	list_for_each_entry(e, &vm->ioeventfds, node) {
		if (e->bus != bus || e->event.cookie != event->cookie || vtx_bus_event_compare(&e->event, event))
			continue;
		found = true;
		ret = vtx_bus_remove_event(vm, bus, event);
		if (!ret) {
			list_del(&e->node);
			eventfd_ctx_put(e->event.cookie);
			kfree(e);
		}
		break;
	}
	mutex_unlock(&vm->slots_lock);
	return found ? ret : VTX_REFUSE(IOEVENTFD_ABSENT, AT(addr), event->addr, 0);
}

int vtx_ioeventfd(struct vtx_vm *vm, const struct kvm_ioeventfd *args)
{
	struct vtx_bus_event event;
	struct eventfd_ctx *ctx;
	int bus, ret;

	ret = parse(args, &bus, &event);
	if (ret)
		return ret;
	ctx = eventfd_ctx_fdget(args->fd);
	if (IS_ERR(ctx))
		return vtx_refuse_eventfd(PTR_ERR(ctx), AT(fd), args->fd);
	event.cookie = ctx;
	if (args->flags & KVM_IOEVENTFD_FLAG_DEASSIGN) {
		ret = deassign(vm, bus, &event);
		eventfd_ctx_put(ctx);
		return ret;
	}
	ret = assign(vm, bus, &event);
	if (ret)
		eventfd_ctx_put(ctx);
	return ret;
}

void vtx_ioeventfd_destroy(struct vtx_vm *vm)
{
	struct ioeventfd *e, *next;

	list_for_each_entry_safe(e, next, &vm->ioeventfds, node) {
		list_del(&e->node);
		eventfd_ctx_put(e->event.cookie);
		kfree(e);
	}
}
