// SPDX-License-Identifier: GPL-2.0-only
/*
 * Steal time: what the guest's page says of the time in which its vCPU's thread waited for a CPU, and that it waits just now.
 */
#include <linux/kvm_para.h>
#include <pthread.h>
#include <stdio.h>

#include "lib/guest.h"
#include "lib/host.h"
#include "lib/vm.h"
#include "../../uapi/vtx.h"

#define MSR_STEAL 0x4b564d03
#define MSR_SYSTEM 0x4b564d01
#define STOLEN_NS 2000000u	/* half a time slice of the scheduler */

static volatile struct kvm_steal_time page __attribute__((aligned(64)));
static volatile u32 stop;

static u64 address(void)
{
	return (uintptr_t)&page;
}

static struct vcpu *steal_new(void (*guest)(u64))
{
	struct vcpu *v;

	if (!(cpuid_find(cpuid_supported(), KVM_CPUID_FEATURES, 0)->eax >> KVM_FEATURE_STEAL_TIME & 1))
		skip("no KVM_FEATURE_STEAL_TIME");
	v = guest_new(0, guest, 0);
	CHECK_EQ(vcpu_set_msr(v, MSR_STEAL, address() | KVM_MSR_ENABLED), 1, "KVM_SET_MSRS");
	return v;
}

/* ------------------------------------------------------------------ the MSR */

GUEST static void writes_msr(u64 arg)
{
	u64 at = (u64)&page, value = 0;

	(void)arg;
	for (u64 bit = 1; bit < 6; bit++)
		G_CHECK_EQ(g_try_wrmsr(MSR_STEAL, at | 1 | 1 << bit), 13);
	G_CHECK_EQ(g_try_rdmsr(MSR_STEAL, &value), -1);
	G_CHECK_EQ(value, at | 1);	/* as user space has left it */
	G_CHECK_EQ(g_try_wrmsr(MSR_STEAL, at + 64), -1);
	G_CHECK_EQ(g_try_rdmsr(MSR_STEAL, &value), -1);
	G_CHECK_EQ(value, at + 64);
	G_CHECK_EQ(g_try_wrmsr(MSR_STEAL, 0xffffffffffc0 | 1), -1);	/* no memory there: never written */
	g_done(0);
}

GUEST static void has_no_msr(u64 arg)
{
	u64 value;

	(void)arg;
	G_CHECK_EQ(g_try_rdmsr(MSR_STEAL, &value), 13);
	G_CHECK_EQ(g_try_wrmsr(MSR_STEAL, 0), 13);
	g_done(0);
}

static void msr(void)
{
	struct vcpu *v = steal_new(writes_msr);

	CHECK_EQ(vcpu_set_msr(v, MSR_STEAL, address() | 2), 0, "KVM_SET_MSRS with a reserved bit");
	CHECK_EQ(vcpu_finish(v), 0, "the result");
	v = guest_new(0, has_no_msr, 0);
	vcpu_hide_kvm_feature(v, KVM_FEATURE_STEAL_TIME);
	CHECK_OK(enable_vcpu_cap(v, KVM_CAP_ENFORCE_PV_FEATURE_CPUID, 1));
	CHECK_EQ(vcpu_finish(v), 0, "the result without the feature");
}

/* ------------------------------------------------------------------ the time */

GUEST static void tells(u64 arg)
{
	(void)arg;
	for (;;) {
		G_CHECK_EQ(page.version & 1, 0);
		G_CHECK_EQ(page.preempted, 0);
		g_say((u32)page.steal);
	}
}

static u64 run_delay(void)
{
	unsigned long long ran, waited;

	CHECK(sscanf(read_text("/proc/thread-self/schedstat"), "%llu %llu", &ran, &waited) == 2, "no schedstat");
	return waited;
}

static void *hog(void *arg)
{
	(void)arg;
	while (!stop)
		;
	return NULL;
}

static pthread_t hog_start(void)
{
	pthread_t thread;

	on_cpu(0);
	stop = 0;
	CHECK(!pthread_create(&thread, NULL, hog, NULL), "pthread_create");
	return thread;
}

static void hog_stop(pthread_t thread)
{
	stop = 1;
	pthread_join(thread, NULL);
}

/* Waits until another thread has had the CPU for STOLEN_NS; says how long. */
static u64 be_robbed(void)
{
	pthread_t thread = hog_start();
	u64 before = run_delay(), waited;

	do
		waited = run_delay() - before;
	while (waited < STOLEN_NS);
	hog_stop(thread);
	return waited;
}

static void grows(void)
{
	struct vcpu *v = steal_new(tells);
	u64 before = run_delay(), waited, total;
	u32 first = vcpu_expect_port(v, PORT_SAY), second;

	EXPECT(G(v->vm, page).version > 0, "the page's version");
	waited = be_robbed();
	second = vcpu_expect_port(v, PORT_SAY);
	total = run_delay() - before;
	note("of %llu ns the guest learnt of %u", (unsigned long long)waited, second - first);
	EXPECT(second - first >= waited && second - first <= total, "stolen %u ns, of at least %llu and at most %llu", second - first,
	       (unsigned long long)waited, (unsigned long long)total);
	CHECK_EQ(vcpu_set_msr(v, MSR_STEAL, 0), 1, "KVM_SET_MSRS");
	be_robbed();
	EXPECT_EQ(vcpu_expect_port(v, PORT_SAY), second, "steal time, switched off");
}

static void *run_once(void *v)
{
	return (void *)(uintptr_t)vcpu_expect_port(v, PORT_SAY);
}

/* What the one thread has waited is none of the next one's time. */
static void other_thread(void)
{
	struct vcpu *v = steal_new(tells);
	pthread_t thread;
	void *told;
	u32 before;

	if (dev_has(VTX_CAP_VTX) <= 0)
		skip("KVM subtracts the one's time from the other's");
	be_robbed();
	before = vcpu_expect_port(v, PORT_SAY);
	CHECK(!pthread_create(&thread, NULL, run_once, v), "pthread_create");
	pthread_join(thread, &told);
	EXPECT((u32)(uintptr_t)told - before < STOLEN_NS, "%u ns, then %u", before, (u32)(uintptr_t)told);
}

/* ------------------------------------------------------------------ preempted */

GUEST static void looks(u64 arg)
{
	u32 seen = 0;

	(void)arg;
	g_sti();
	while (!stop)
		seen |= page.preempted;
	g_done(seen);
}

/* Who takes the CPU sees that the vCPU waits for it, whenever that has run in between; the guest itself never does. */
static void preempted(void)
{
	struct vcpu *v = steal_new(looks);
	u32 seen = 0;
	pthread_t thread;

	on_cpu(0);
	thread = vcpu_start(v);
	for (unsigned int turn = 0; turn < 4; turn++) {
		while (G(v->vm, page).version == seen)
			;
		seen = G(v->vm, page).version;
		CHECK_EQ(G(v->vm, page).preempted, KVM_VCPU_PREEMPTED, "preempted");
	}
	G(v->vm, stop) = 1;
	CHECK_EQ(vcpu_join(thread), 0, "what the guest has seen");
	EXPECT(G(v->vm, page).steal > 0, "no time stolen");
}

/* ------------------------------------------------------------------ INIT */

GUEST static void sends_init(u64 arg)
{
	(void)arg;
	g_apic_on();
	g_apic_write(APIC_ICR2, 1 << 24);
	g_apic_write(APIC_ICR, 0x4500);
	g_done(0);
}

/* The pages may be somebody else's after it: a kernel that has been started anew knows nothing of them. */
static void ends_at_init(void)
{
	struct vcpu *v = guest_new(VM_IRQCHIP, sends_init, 0), *ap = vcpu_new(v->vm, 1);
	struct kvm_mp_state mp;

	CHECK_EQ(vcpu_set_msr(ap, MSR_STEAL, address() | KVM_MSR_ENABLED), 1, "KVM_SET_MSRS");
	CHECK_EQ(vcpu_set_msr(ap, MSR_SYSTEM, GUEST_SCRATCH | 1), 1, "KVM_SET_MSRS");
	CHECK_EQ(vcpu_finish(v), 0, "the result");
	CHECK_OK(ioctl(ap->fd, KVM_GET_MP_STATE, &mp));
	CHECK_EQ(mp.mp_state, KVM_MP_STATE_INIT_RECEIVED, "mp_state");
	EXPECT_EQ(vcpu_msr(ap, MSR_STEAL), 0, "MSR_KVM_STEAL_TIME");
	EXPECT_EQ(vcpu_msr(ap, MSR_SYSTEM), 0, "MSR_KVM_SYSTEM_TIME_NEW");
}

static const struct test tests[] = {
	TEST(msr), TEST(grows), TEST(other_thread), TEST(preempted), TEST(ends_at_init),
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}
