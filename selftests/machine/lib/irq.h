/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Eventfds, routes and interrupts from outside, as the programs about interrupts use them.
 */
#ifndef VTX_SELFTEST_IRQ_H
#define VTX_SELFTEST_IRQ_H

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/vm.h"

#define MSI_ROUTE(gsi_, vector) \
	{ .gsi = gsi_, .type = KVM_IRQ_ROUTING_MSI, .u.msi = { .address_lo = 0xfee00000, .data = vector } }
#define CHIP_ROUTE(gsi_, chip, pin_) \
	{ .gsi = gsi_, .type = KVM_IRQ_ROUTING_IRQCHIP, .u.irqchip = { .irqchip = chip, .pin = pin_ } }
#define MSI_LEVEL 0x8000

static inline int event(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	CHECK(fd >= 0, "eventfd");
	return fd;
}

static inline void kick(int fd)
{
	u64 one = 1;

	CHECK(write(fd, &one, 8) == 8, "write to an eventfd");
}

/* What has been counted since the last time; 0 when nothing. */
static inline u64 drain(int fd)
{
	u64 value = 0;

	return read(fd, &value, 8) == 8 ? value : 0;
}

static inline int irqfd(struct vm *vm, int fd, u32 gsi, u32 flags)
{
	struct kvm_irqfd args = { .fd = (u32)fd, .gsi = gsi, .flags = flags };

	return ioctl(vm->fd, KVM_IRQFD, &args);
}

static inline int irqfd_resample(struct vm *vm, int fd, u32 gsi, int resample)
{
	struct kvm_irqfd args = { .fd = (u32)fd, .gsi = gsi, .flags = KVM_IRQFD_FLAG_RESAMPLE, .resamplefd = (u32)resample };

	return ioctl(vm->fd, KVM_IRQFD, &args);
}

static inline int routing(struct vm *vm, const struct kvm_irq_routing_entry *entries, u32 nr, u32 flags)
{
	struct kvm_irq_routing *r = calloc(1, sizeof(*r) + nr * sizeof(*entries));
	int ret, saved;

	r->nr = nr;
	r->flags = flags;
	if (entries)
		memcpy(r->entries, entries, nr * sizeof(*entries));
	ret = ioctl(vm->fd, KVM_SET_GSI_ROUTING, r);
	saved = errno;
	free(r);
	errno = saved;
	return ret;
}

static inline void line(struct vm *vm, u32 gsi, u32 level)
{
	struct kvm_irq_level irq = { .irq = gsi, .level = level };

	CHECK_OK(ioctl(vm->fd, KVM_IRQ_LINE, &irq));
}

static inline int msi(struct vm *vm, u32 lo, u32 hi, u32 data)
{
	struct kvm_msi args = { .address_lo = lo, .address_hi = hi, .data = data };

	return ioctl(vm->fd, KVM_SIGNAL_MSI, &args);
}

#endif /* VTX_SELFTEST_IRQ_H */
