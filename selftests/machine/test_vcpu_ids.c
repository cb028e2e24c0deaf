// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_CREATE_VCPU's ids: doubles, out of range, sparse, and a guest on each of the accepted ones.
 */
#include <unistd.h>

#include "lib/guest.h"
#include "lib/vm.h"

static long id_limit(void)
{
	int limit = dev_has(KVM_CAP_MAX_VCPU_ID);

	if (limit <= 0)
		limit = dev_has(KVM_CAP_MAX_VCPUS);
	if (limit <= 0)
		limit = dev_has(KVM_CAP_NR_VCPUS);
	return limit;
}

static void duplicate(void)
{
	struct vm *vm = vm_new(VM_NO_MEMORY);
	struct vcpu *v = vcpu_new_bare(vm, 0);

	EXPECT_ERRNO(ioctl(vm->fd, KVM_CREATE_VCPU, 0), EEXIST);
	vcpu_new_bare(vm, 1);
	EXPECT_ERRNO(ioctl(vm->fd, KVM_CREATE_VCPU, 1), EEXIST);
	EXPECT_ERRNO(ioctl(vm->fd, KVM_CREATE_VCPU, 0), EEXIST);
	vcpu_free(v);
	/* A vCPU lives as long as its VM: closing the descriptor does not free the id. */
	EXPECT_ERRNO(ioctl(vm->fd, KVM_CREATE_VCPU, 0), EEXIST);
	vcpu_new_bare(vm, 2);
}

static void out_of_range(void)
{
	struct vm *vm = vm_new(VM_NO_MEMORY);
	long limit = id_limit();
	const long bad[] = { limit, limit + 1, 0x7fffffff, 0x80000000L, 0xffffffffL, 0x10000 };

	CHECK(limit >= 4, "the largest id is %ld", limit);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (bad[i] >= limit)
			EXPECT_ERRNO(ioctl(vm->fd, KVM_CREATE_VCPU, bad[i]), EINVAL);
	vcpu_new_bare(vm, (int)limit - 1);
	vcpu_new_bare(vm, 0);
}

/* KVM_CAP_MAX_VCPU_ID switched on: a lower limit, once. */
static void limited(void)
{
	struct vm *vm = vm_new(VM_NO_MEMORY);
	struct kvm_enable_cap cap = { .cap = KVM_CAP_MAX_VCPU_ID, .args = { 7 } };

	EXPECT(ioctl(vm->fd, KVM_ENABLE_CAP, &cap) == 0, "KVM_CAP_MAX_VCPU_ID 7");
	EXPECT_ERRNO(ioctl(vm->fd, KVM_CREATE_VCPU, 7), EINVAL);
	vcpu_new_bare(vm, 6);
	EXPECT_ERRNO(ioctl(vm->fd, KVM_SET_BOOT_CPU_ID, 0), EBUSY);
	cap.args[0] = 8;
	EXPECT_ERRNO(ioctl(vm->fd, KVM_ENABLE_CAP, &cap), EINVAL);
	EXPECT_ERRNO(ioctl(vm->fd, KVM_CREATE_VCPU, 7), EINVAL);
}

GUEST static void add(u64 arg)
{
	g_done((u32)arg + 1);
}

static void sparse(void)
{
	struct vm *vm = vm_new(0);
	long limit = id_limit();
	const int ids[] = { 3, 0, (int)limit - 1, 1, limit > 200 ? 200 : 2 };

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		struct vcpu *v;

		if (ids[i] == 1 && limit == 2)
			continue;
		v = vcpu_new(vm, ids[i]);
		vcpu_mode_long(v, add, 100 + i);
		CHECK_EQ(vcpu_finish(v), 101 + i, "the guest's answer");
	}
}

static void sparse_with_irqchip(void)
{
	struct vm *vm = vm_new(VM_IRQCHIP);
	const int ids[] = { 0, 5, 2 };

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		struct vcpu *v = vcpu_new(vm, ids[i]);
		struct kvm_lapic_state lapic;
		struct kvm_mp_state mp;

		CHECK_OK(ioctl(v->fd, KVM_GET_LAPIC, &lapic));
		EXPECT_EQ(*(u32 *)&lapic.regs[0x20] >> 24, ids[i], "the APIC id");
		CHECK_OK(ioctl(v->fd, KVM_GET_MP_STATE, &mp));
		EXPECT_EQ(mp.mp_state, ids[i] ? KVM_MP_STATE_UNINITIALIZED : KVM_MP_STATE_RUNNABLE, "mp_state");
	}
}

static void many(void)
{
	struct vm *vm = vm_new(VM_NO_MEMORY);
	int count = dev_has(KVM_CAP_MAX_VCPUS);

	if (count > 16)
		count = 16;
	for (int i = 0; i < count; i++)
		close(vcpu_new_bare(vm, i)->fd);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(duplicate), TEST(out_of_range), TEST(sparse), TEST(sparse_with_irqchip), TEST(many), TEST(limited),
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}
