// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest states that no CPU can be in: each must be refused by the call that sets it (EINVAL), or end KVM_RUN as
 * KVM_EXIT_FAIL_ENTRY with a reason; and a VM made afterwards must run.  The rules are those of SDM vol. 3,
 * 26.3 "Checking and Loading Guest State".
 */
#include "lib/guest.h"
#include "lib/vm.h"

GUEST static void answer(u64 arg)
{
	g_done((u32)arg);
}

struct rule {
	const char *what;
	void (*spoil)(struct kvm_sregs *s, struct kvm_regs *r);
};

#define RULE(name, text) \
	static void name(struct kvm_sregs *s, struct kvm_regs *r) \
	{ \
		(void)s; \
		(void)r; \
		text; \
	}

RULE(cs_l_and_db, s->cs.db = 1)
RULE(cs_data_type, s->cs.type = 3; s->cs.dpl = 3)
RULE(cs_not_accessed, s->cs.type = 0xa)
RULE(cs_not_present, s->cs.present = 0)
RULE(cs_system, s->cs.s = 0)
RULE(cs_granularity, s->cs.g = 0)
RULE(cs_unusable, s->cs.unusable = 1)
RULE(cs_base_high, s->cs.base = 1ULL << 32)
RULE(ss_dpl, s->ss.dpl = 3; s->ss.selector = 0x10)
RULE(ss_type, s->ss.type = 1)
RULE(ss_not_present, s->ss.present = 0; s->ss.unusable = 0)
RULE(ds_type, s->ds.type = 8)
RULE(ds_limit, s->ds.g = 1; s->ds.limit = 0x1000)
RULE(es_base_high, s->es.base = 1ULL << 40)
RULE(fs_base, s->fs.base = 1ULL << 63)
RULE(gs_base, s->gs.base = 0x0000800000000000ULL)
RULE(tr_unusable, s->tr.unusable = 1)
RULE(tr_type, s->tr.type = 0x9)
RULE(tr_type_16bit, s->tr.type = 0x3)
RULE(tr_in_ldt, s->tr.selector = 0x44)
RULE(tr_not_present, s->tr.present = 0)
RULE(tr_limit, s->tr.limit = 0x100001; s->tr.g = 0)
RULE(ldt_type, s->ldt.unusable = 0; s->ldt.present = 1; s->ldt.type = 0xb; s->ldt.selector = 0)
RULE(gdt_base, s->gdt.base = 1ULL << 63)
RULE(idt_base, s->idt.base = 0x0000800000000000ULL)
RULE(rflags_bit_3, r->rflags = 0xa)
RULE(rflags_bit_15, r->rflags = 0x8002)
RULE(rflags_bit_32, r->rflags = 1ULL << 32 | 2)
RULE(rflags_vm_in_long_mode, r->rflags = 0x20002)
RULE(rip_in_compatibility, s->cs.l = 0; s->cs.db = 1; r->rip = 1ULL << 32)
RULE(cr3_high, s->cr3 |= 1ULL << 55)
RULE(efer_reserved, s->efer |= 1ULL << 40)
RULE(cr0_pg_no_pe, s->cr0 &= ~1ULL)
RULE(cr4_no_pae, s->cr4 &= ~0x20ULL)
RULE(cr4_pcide_reserved, s->cr4 |= 1ULL << 25)

#define ROW(name) { #name, name }

static const struct rule rules[] = {
	ROW(cs_l_and_db), ROW(cs_data_type), ROW(cs_not_accessed), ROW(cs_not_present), ROW(cs_system),
	ROW(cs_granularity), ROW(cs_unusable), ROW(cs_base_high), ROW(ss_dpl), ROW(ss_type), ROW(ss_not_present),
	ROW(ds_type), ROW(ds_limit), ROW(es_base_high), ROW(fs_base), ROW(gs_base), ROW(tr_unusable), ROW(tr_type),
	ROW(tr_type_16bit), ROW(tr_in_ldt), ROW(tr_not_present), ROW(tr_limit), ROW(ldt_type), ROW(gdt_base),
	ROW(idt_base), ROW(rflags_bit_3), ROW(rflags_bit_15), ROW(rflags_bit_32), ROW(rflags_vm_in_long_mode),
	ROW(rip_in_compatibility), ROW(cr3_high), ROW(efer_reserved), ROW(cr0_pg_no_pe), ROW(cr4_no_pae),
	ROW(cr4_pcide_reserved),
};

static const char *outcome(struct vcpu *v, const struct rule *rule)
{
	struct kvm_sregs s = vcpu_sregs(v);
	struct kvm_regs r = vcpu_regs(v);

	rule->spoil(&s, &r);
	if (ioctl(v->fd, KVM_SET_SREGS, &s))
		return errno == EINVAL ? "EINVAL" : NULL;
	if (ioctl(v->fd, KVM_SET_REGS, &r))
		return errno == EINVAL ? "EINVAL" : NULL;
	if (ioctl(v->fd, KVM_RUN, 0))
		return NULL;
	if (v->run->exit_reason == KVM_EXIT_FAIL_ENTRY)
		return v->run->fail_entry.hardware_entry_failure_reason ? "FAIL_ENTRY" : NULL;
	return NULL;
}

/*
 * Bochs 2.7 is kinder than the manual in places, and KVM mends some fields on its own, so a state may also turn out
 * harmless: the guest then runs to its regular end.  Anything else fails.
 */
static void impossible_states(void)
{
	unsigned int refused = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		struct vcpu *v = guest_new(0, answer, 1);
		const char *what = outcome(v, &rules[i]);

		if (!what && v->run->exit_reason == KVM_EXIT_IO && v->run->io.port == PORT_DONE)
			what = "ran";
		EXPECT(what, "%s: exit %u %s", rules[i].what, v->run->exit_reason, exit_name(v->run->exit_reason));
		note("%s: %s", rules[i].what, what ? what : "?");
		refused += what && *what != 'r';
		vm_free(v->vm);
		vcpu_free(v);
		guest_passes(0, answer, 0);	/* the next VM does not notice */
	}
	EXPECT(refused >= 20, "only %u of %zu states were refused", refused, ARRAY_SIZE(rules));
}

/* The same vCPU goes on after its state has been mended. */
static void recovers(void)
{
	struct vcpu *v = guest_new(0, answer, 7);
	struct kvm_sregs good = vcpu_sregs(v), bad = good;

	bad.tr.unusable = 1;
	bad.cs.db = 1;
	for (int i = 0; i < 3; i++) {
		if (!ioctl(v->fd, KVM_SET_SREGS, &bad)) {
			CHECK_OK(ioctl(v->fd, KVM_RUN, 0));
			CHECK_EQ(v->run->exit_reason, KVM_EXIT_FAIL_ENTRY, "the exit");
			EXPECT_EQ(v->run->fail_entry.hardware_entry_failure_reason & 0xffff, 33,
				  "the reason: VM-entry failure due to invalid guest state");
		}
	}
	CHECK_OK(ioctl(v->fd, KVM_SET_SREGS, &good));
	CHECK_EQ(vcpu_finish(v), 7, "the result");
}

/* An event to inject on top of an impossible state must not bring anything down (a class of KVM's own bugs). */
static void with_pending_event(void)
{
	struct vcpu *v = guest_new(0, answer, 7);
	struct kvm_sregs s = vcpu_sregs(v);
	struct kvm_vcpu_events e = { .exception = { .injected = 1, .nr = 13, .has_error_code = 1 } };

	s.tr.unusable = 1;
	if (ioctl(v->fd, KVM_SET_SREGS, &s))
		skip("KVM_SET_SREGS refuses the state");
	CHECK_OK(ioctl(v->fd, KVM_SET_VCPU_EVENTS, &e));
	CHECK_OK(ioctl(v->fd, KVM_RUN, 0));
	EXPECT(v->run->exit_reason == KVM_EXIT_FAIL_ENTRY || v->run->exit_reason == KVM_EXIT_INTERNAL_ERROR ||
	       v->run->exit_reason == KVM_EXIT_SHUTDOWN, "exit %u", v->run->exit_reason);
	guest_passes(0, answer, 0);
}

/* Injection of all 32 exceptions with and without error code, in the three modes: no entry may fail. */
GUEST_CODE(real_spin, 16, "1: out %al, $0x80\n jmp 1b");
GUEST_CODE(prot_spin, 32, "1: out %al, $0x80\n jmp 1b");

GUEST static void long_spin(u64 arg)
{
	(void)arg;
	for (;;)
		g_outb(0x80, 0);
}

static void set_mode(struct vcpu *v, int mode)
{
	if (mode == 0) {
		vm_load_code(v->vm, GUEST_REAL_CODE, real_spin, real_spin_end);
		vcpu_mode_real(v, 0, GUEST_REAL_CODE);
		/* The whole real-mode vector table leads back to the loop. */
		for (int i = 0; i < 256; i++)
			((u32 *)v->vm->mem)[i] = GUEST_REAL_CODE;
	} else if (mode == 1) {
		vm_load_code(v->vm, GUEST_REAL_CODE, prot_spin, prot_spin_end);
		vcpu_mode_prot32(v, GUEST_REAL_CODE);
	} else {
		vcpu_mode_long(v, long_spin, 0);
	}
}

static void inject_all_vectors(void)
{
	for (int mode = 0; mode < 3; mode++) {
		for (u32 nr = 0; nr < 32; nr++) {
			struct kvm_vcpu_events e = { .exception = { .injected = 1, .nr = (u8)nr } };
			struct vcpu *v;

			if (nr == 2)
				continue;
			/* The architecture's own choice of error code; real mode pushes none. */
			e.exception.has_error_code = mode && (1u << nr & 0x20027d00) != 0;
			if (nr >= 20)
				e.exception.has_error_code = 0;
			v = vcpu_new(vm_new(0), 0);
			set_mode(v, mode);
			CHECK_OK(ioctl(v->fd, KVM_SET_VCPU_EVENTS, &e));
			CHECK_OK(ioctl(v->fd, KVM_RUN, 0));
			EXPECT(v->run->exit_reason == KVM_EXIT_IO || v->run->exit_reason == KVM_EXIT_FAIL_ENTRY ||
			       v->run->exit_reason == KVM_EXIT_SHUTDOWN, "mode %d, vector %u: exit %u %s", mode, nr,
			       v->run->exit_reason, exit_name(v->run->exit_reason));
			if (v->run->exit_reason == KVM_EXIT_FAIL_ENTRY)
				note("mode %d, vector %u: entry failure", mode, nr);
			/* The architectural vectors must arrive. */
			if (nr < 20 && nr != 9 && nr != 15)
				EXPECT_EQ(v->run->exit_reason, KVM_EXIT_IO, "the exit");
			vm_free(v->vm);
			vcpu_free(v);
		}
	}
	guest_passes(0, answer, 0);
}

static const struct test tests[] = {
	TEST(impossible_states), TEST(recovers), TEST(with_pending_event), TEST(inject_all_vectors),
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}
