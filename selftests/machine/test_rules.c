// SPDX-License-Identifier: GPL-2.0-only
/*
 * Why an entry failed: states that no processor can be in, set through ordinary ioctls, and the rule of Intel's manual that vtx
 * names for each in VTX_GET_FAILURE and debugfs.  Run it with vtx.ko,check_entry=1 as well: then vtx refuses the entry before
 * the processor sees it, and must name the same rule. With $VTX_SAVE_REPORTS each report goes to a file there as well.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../uapi/vtx.h"
#include "lib/guest.h"
#include "lib/module.h"
#include "lib/report.h"
#include "lib/vm.h"

GUEST static void answer(u64 arg)
{
	g_done((u32)arg);
}

GUEST_CODE(done32, 32, "mov $0x3e0, %dx\n mov $7, %eax\n out %eax, %dx\n 1: hlt\n jmp 1b");
GUEST_CODE(done16, 16, "mov $0x3e0, %dx\n mov $7, %eax\n out %eax, %dx\n 1: hlt\n jmp 1b");

enum mode { LONG, PROT, REAL };

struct state {
	struct kvm_sregs s;
	struct kvm_regs r;
	struct kvm_vcpu_events e;
};

struct seed {
	const char *rule;	/* the first that must be named; NULL: the processor may refuse, and no rule can say why */
	u32 rules;		/* how many */
	enum mode mode;
	unsigned int vm_flags;
	void (*spoil)(struct state *t);
	const char *name;	/* "LONG-cs_type" */
};

#define SEED(name, text)                   \
	static void name(struct state *t)  \
	{                                  \
		text;                      \
	}

/* ------------------------------------------------------------------ the seeds */

SEED(cs_long_and_32, t->s.cs.db = 1)
SEED(cs_dpl_data, t->s.cs.type = 3; t->s.cs.dpl = 3)
SEED(cs_type, t->s.cs.type = 0)
SEED(cs_system, t->s.cs.s = 0)
SEED(cs_bytes, t->s.cs.g = 0)
SEED(cs_pages, t->s.cs.limit = 0x1000)
SEED(cs_base, t->s.cs.base = 1ULL << 32)
SEED(cs_dpl_code, t->s.cs.dpl = 3)
SEED(cs_dpl_conforming, t->s.cs.type = 15; t->s.cs.dpl = 3)
SEED(cs_dpl_rpl, t->s.cs.dpl = 3; t->s.cs.selector |= 3)
SEED(cs_dpl_rpl_conforming, t->s.cs.type = 15; t->s.cs.dpl = 3; t->s.cs.selector |= 3)
SEED(ss_type, t->s.ss.type = 1)
SEED(ss_system, t->s.ss.s = 0)
SEED(ss_dpl, t->s.cs.type = 3; t->s.ss.dpl = 1)
SEED(ds_type, t->s.ds.type = 8)
SEED(ds_pages, t->s.ds.limit = 0x1000)
SEED(ds_bytes, t->s.ds.g = 0)
SEED(ds_base, t->s.ds.base = 1ULL << 40)
SEED(es_type, t->s.es.type = 12)
SEED(es_base, t->s.es.base = 1ULL << 63)
SEED(fs_base, t->s.fs.base = 1ULL << 63)
SEED(fs_type, t->s.fs.type = 8)
SEED(gs_base, t->s.gs.base = 0x0000800000000000ULL)
SEED(gs_pages, t->s.gs.limit = 0xffff0000)
SEED(tr_unusable, t->s.tr.unusable = 1)
SEED(tr_type, t->s.tr.type = 9)
SEED(tr_ldt, t->s.tr.selector |= 4)
SEED(tr_limit, t->s.tr.limit = 0x100001)
SEED(tr_base, t->s.tr.base = 1ULL << 47)
#define LDT t->s.ldt = (struct kvm_segment){ .present = 1, .type = 2, .limit = 0xff }
SEED(ldtr_type, LDT; t->s.ldt.type = 11)
SEED(ldtr_ti, LDT; t->s.ldt.selector = 4)
SEED(ldtr_base, LDT; t->s.ldt.base = 1ULL << 62)
SEED(ldtr_limit, LDT; t->s.ldt.limit = 0x100000)
SEED(gdt_base, t->s.gdt.base = 1ULL << 63)
SEED(idt_base, t->s.idt.base = 0x0000800000000000ULL)
SEED(cr3_width, t->s.cr3 |= 1ULL << 55)
SEED(rflags_3, t->r.rflags = 0xa)
SEED(rflags_15, t->r.rflags = 0x8002)
SEED(rflags_32, t->r.rflags = 1ULL << 32 | 2)
SEED(rflags_vm, t->r.rflags = 0x20002)
SEED(rip_high, t->s.cs.l = 0; t->s.cs.db = 1; t->r.rip = 1ULL << 32)
SEED(rip_high_prot, t->r.rip |= 1ULL << 33)

#define EXCEPTION(vector, error) \
	t->e.exception = (__typeof__(t->e.exception)){ .injected = 1, .nr = vector, .has_error_code = error }
SEED(gp_without_error, EXCEPTION(13, 0))
SEED(ud_with_error, EXCEPTION(6, 1))
SEED(error_code, EXCEPTION(14, 1); t->e.exception.error_code = 0x12345)
#define IRQ t->e.interrupt.injected = 1; t->e.interrupt.nr = 0x30
#define SHADOW(kind) t->e.interrupt.shadow = kind; t->e.flags |= KVM_VCPUEVENT_VALID_SHADOW
SEED(irq_without_if, IRQ)
SEED(irq_after_sti, IRQ; t->r.rflags |= 0x200; SHADOW(KVM_X86_SHADOW_INT_STI))
SEED(irq_after_mov_ss, IRQ; t->r.rflags |= 0x200; SHADOW(KVM_X86_SHADOW_INT_MOV_SS))
SEED(nmi_after_mov_ss, t->e.nmi.injected = 1; SHADOW(KVM_X86_SHADOW_INT_MOV_SS))
SEED(sti_without_if, SHADOW(KVM_X86_SHADOW_INT_STI))
SEED(step_after_sti, t->r.rflags |= 0x300; SHADOW(KVM_X86_SHADOW_INT_STI))

/* Virtual-8086 mode prescribes the data segments completely. */
static void v86(struct state *t)
{
	struct kvm_segment *all[] = { &t->s.cs, &t->s.ss, &t->s.ds, &t->s.es, &t->s.fs, &t->s.gs };

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		*all[i] = (struct kvm_segment){ .selector = 0x100, .base = 0x1000, .limit = 0xffff, .type = 3, .dpl = 3,
	    .s = 1, .present = 1 };
	t->r.rflags = 0x20002;
}

SEED(v86_base, v86(t); t->s.ds.base = 0x2000)
SEED(v86_limit, v86(t); t->s.ss.limit = 0xfffff)
SEED(v86_rights, v86(t); t->s.gs.dpl = 0)

#define ONE(mode, spoil, rule) { rule, 1, mode, 0, spoil, #mode "-" #spoil }
#define IRQCHIP(mode, spoil, rule) { rule, 1, mode, VM_IRQCHIP, spoil, #mode "-" #spoil }

static const struct seed seeds[] = {
	ONE(LONG, cs_long_and_32, "guest.cs.long-and-32"), ONE(LONG, cs_dpl_data, "guest.cs.dpl-data"),
	ONE(LONG, cs_type, "guest.cs.type"),
	ONE(LONG, cs_system, "guest.cs.system"), ONE(LONG, cs_bytes, "guest.cs.limit-bytes"),
	ONE(LONG, cs_pages, "guest.cs.limit-granular"),
	ONE(LONG, cs_base, "guest.cs.base-high"), ONE(PROT, cs_dpl_code, "guest.cs.dpl-code"),
	ONE(PROT, cs_dpl_conforming, "guest.cs.dpl-conforming"), ONE(PROT, ss_type, "guest.ss.type"),
	ONE(PROT, ss_system, "guest.ss.system"),
	ONE(PROT, ss_dpl, "guest.ss.dpl-zero"), ONE(LONG, ds_type, "guest.ds.readable"),
	ONE(LONG, ds_pages, "guest.ds.limit-granular"),
	ONE(LONG, ds_bytes, "guest.ds.limit-bytes"), ONE(LONG, ds_base, "guest.ds.base-high"),
	ONE(PROT, es_type, "guest.es.readable"),
	ONE(LONG, es_base, "guest.es.base-high"), ONE(LONG, fs_base, "guest.fs.base-canonical"),
	ONE(REAL, fs_type, "guest.fs.readable"),
	ONE(LONG, gs_base, "guest.gs.base-canonical"), ONE(PROT, gs_pages, "guest.gs.limit-granular"),
	ONE(PROT, tr_type, "guest.tr.type-32"), ONE(LONG, tr_ldt, "guest.tr.ti"), ONE(LONG, tr_limit, "guest.tr.limit-bytes"),
	ONE(LONG, tr_base, "guest.tr.base-canonical"), ONE(LONG, ldtr_type, "guest.ldtr.type"),
	ONE(LONG, ldtr_ti, "guest.ldtr.ti"),
	ONE(LONG, ldtr_base, "guest.ldtr.base-canonical"), ONE(PROT, ldtr_limit, "guest.ldtr.limit-bytes"),
	ONE(LONG, tr_unusable, "guest.tr.unusable"), ONE(LONG, gdt_base, "guest.gdtr.base"),
	ONE(REAL, idt_base, "guest.idtr.base"),
	ONE(PROT, cr3_width, "guest.cr3.width"), ONE(LONG, rflags_3, "guest.rflags.reserved"),
	ONE(PROT, rflags_15, "guest.rflags.reserved"),
	ONE(REAL, rflags_32, "guest.rflags.reserved"), ONE(LONG, rflags_vm, "guest.rflags.vm-in-ia32e"),
	ONE(REAL, rflags_vm, "guest.rflags.vm-in-real-mode"), ONE(LONG, rip_high, "guest.rip.high"),
	ONE(PROT, rip_high_prot, "guest.rip.high"),
	ONE(LONG, gp_without_error, "control.inject.error-missing"), ONE(LONG, ud_with_error, "control.inject.error-excess"),
	ONE(PROT, error_code, "control.inject.error-code"), IRQCHIP(LONG, irq_without_if, "guest.rflags.if-injection"),
	IRQCHIP(LONG, irq_after_sti, "guest.interruptibility.sti-injection"),
	IRQCHIP(PROT, irq_after_mov_ss, "guest.interruptibility.mov-ss-injection"),
	ONE(LONG, nmi_after_mov_ss, "guest.interruptibility.mov-ss-nmi"),
	ONE(LONG, sti_without_if, "guest.interruptibility.sti-without-if"),
	ONE(PROT, v86_base, "guest.ds.v86-base"), ONE(PROT, v86_limit, "guest.ss.v86-limit"),
	ONE(PROT, v86_rights, "guest.gs.v86-rights"),
};

/* States that Bochs 2.7 lets in against the manual (docs/errata.md). With check_entry=1 vtx refuses them. */
static const struct seed kind_emulator[] = {
	ONE(PROT, cs_dpl_rpl, "guest.cs.dpl-code"), ONE(PROT, cs_dpl_rpl_conforming, "guest.cs.dpl-conforming"),
	ONE(LONG, step_after_sti, "guest.pending-debug.step-missing"),
};

/* States that Bochs 2.7 refuses and the manual does not. */
SEED(cs_rpl, t->s.cs.selector |= 3)

/* ------------------------------------------------------------------ running one */

static struct vcpu *start(enum mode mode, unsigned int vm_flags)
{
	struct vcpu *v;

	if (mode == LONG)
		return guest_new(vm_flags, answer, 7);
	v = vcpu_new(vm_new(vm_flags), 0);
	if (mode == PROT) {
		vm_load_code(v->vm, GUEST_REAL_CODE, done32, done32_end);
		vcpu_mode_prot32(v, GUEST_REAL_CODE);
	} else {
		vm_load_code(v->vm, GUEST_REAL_CODE, done16, done16_end);
		vcpu_mode_real(v, 0, GUEST_REAL_CODE);
	}
	return v;
}

static void get(struct vcpu *v, struct state *t)
{
	memset(t, 0, sizeof(*t));
	t->s = vcpu_sregs(v);
	t->r = vcpu_regs(v);
	CHECK_OK(ioctl(v->fd, KVM_GET_VCPU_EVENTS, &t->e));
}

static void set(struct vcpu *v, const struct state *t)
{
	CHECK_OK(ioctl(v->fd, KVM_SET_SREGS, &t->s));
	CHECK_OK(ioctl(v->fd, KVM_SET_REGS, &t->r));
	CHECK_OK(ioctl(v->fd, KVM_SET_VCPU_EVENTS, &t->e));
}

static struct vtx_failure_report failure(struct vcpu *v)
{
	struct vtx_failure_report r;

	memset(&r, 0xa5, sizeof(r));
	CHECK_OK(ioctl(v->fd, VTX_GET_FAILURE, &r));
	return r;
}

/* Everything the report says, against what the test knows. */
static void examine(struct vcpu *v, const struct seed *seed, const struct state *bad)
{
	u64 reason = v->run->fail_entry.hardware_entry_failure_reason;
	struct vtx_failure_report r = failure(v);

	save_report(seed->name, &r);
	EXPECT_EQ(r.kind, VTX_FAILURE_ENTRY, "the kind");
	EXPECT_EQ(r.nr_rules, seed->rules, seed->rule);
	EXPECT(!strcmp(r.rules[0].id, seed->rule), "%s: the report names %s", seed->rule, r.rules[0].id);
	EXPECT(!strncmp(r.rules[0].section, "vol. 3, 27.", 11), "section '%s'", r.rules[0].section);
	EXPECT(r.rules[0].field[0] && r.rules[0].text[0], "%s: no field or text", seed->rule);
	EXPECT(strstr(r.text, seed->rule), "%s is not in '%s'", seed->rule, r.text);
	EXPECT_EQ(r.vcpu_id, v->id, "the vCPU");
	EXPECT_EQ(r.rip, bad->r.rip, "RIP");
	EXPECT_EQ(r.cr0, bad->s.cr0, "CR0");
	EXPECT_EQ(r.efer, bad->s.efer, "EFER");
	EXPECT_EQ(r.cs, bad->s.cs.selector, "CS");
	EXPECT_EQ(r.regs[4], bad->r.rsp, "RSP");
	EXPECT_EQ(r.regs[7], bad->r.rdi, "RDI");
	if (!strncmp(seed->rule, "control.", 8)) {
		EXPECT_EQ(r.exit_reason, ~0U, "the exit reason");
		EXPECT_EQ(r.qualification, 7, "the VM-instruction error");
		EXPECT_EQ(reason, 7, "the reason");
	} else {
		EXPECT_EQ(r.exit_reason, 0x80000021, "the exit reason");
		EXPECT_EQ(reason, 0x80000021, "the reason");
	}
}

/* Once more, with nothing wrong: the vCPU goes on, and what was to be injected is forgotten. */
static void repaired(struct vcpu *v, const struct state *good, const char *rule)
{
	struct state t = *good;

	t.e.flags = KVM_VCPUEVENT_VALID_SHADOW | KVM_VCPUEVENT_VALID_NMI_PENDING;
	set(v, &t);
	EXPECT_EQ(vcpu_finish(v), 7, rule);
}

static void one_seed(const struct seed *seed)
{
	struct vcpu *v = start(seed->mode, seed->vm_flags);
	struct state good, bad;

	EXPECT_EQ(failure(v).kind, VTX_FAILURE_NONE, "the kind before the first failure");
	get(v, &good);
	bad = good;
	seed->spoil(&bad);
	set(v, &bad);
	CHECK_OK(ioctl(v->fd, KVM_RUN, 0));
	EXPECT(v->run->exit_reason == KVM_EXIT_FAIL_ENTRY, "%s: exit %u %s", seed->rule, v->run->exit_reason,
	       exit_name(v->run->exit_reason));
	if (v->run->exit_reason == KVM_EXIT_FAIL_ENTRY) {
		examine(v, seed, &bad);
		repaired(v, &good, seed->rule);
		EXPECT_EQ(failure(v).kind, VTX_FAILURE_ENTRY, "the report stays after a run that went well");
	}
	vm_free(v->vm);
	vcpu_free(v);
}

static void sweep(size_t from, size_t to)
{
	test_timeout(20);
	for (size_t i = from; i < to && i < ARRAY_SIZE(seeds); i++)
		one_seed(&seeds[i]);
}

#define SEGMENT_SEEDS 31 /* the first of the table: two cases, as one would be long */

static void segments(void)
{
	sweep(0, SEGMENT_SEEDS);
}

static void registers_and_events(void)
{
	EXPECT(ARRAY_SIZE(seeds) >= 25, "%zu seeds", ARRAY_SIZE(seeds));
	sweep(SEGMENT_SEEDS, ARRAY_SIZE(seeds));
}

/* ------------------------------------------------------------------ emulator and manual */

static bool checks_before_entry(void)
{
	char c = 0;
	int fd = open("/sys/module/vtx/parameters/check_entry", O_RDONLY);

	CHECK(fd >= 0, "the parameter check_entry");
	CHECK_EQ(read(fd, &c, 1), 1, "the read");
	close(fd);
	return c == 'Y';
}

static void lenient_processor(void)
{
	test_timeout(20);
	for (size_t i = 0; i < ARRAY_SIZE(kind_emulator); i++) {
		const struct seed *seed = &kind_emulator[i];
		struct vcpu *v = start(seed->mode, seed->vm_flags);
		struct state bad;

		if (checks_before_entry()) {
			vm_free(v->vm);
			vcpu_free(v);
			one_seed(seed);
			continue;
		}
		get(v, &bad);
		seed->spoil(&bad);
		set(v, &bad);
		CHECK_OK(ioctl(v->fd, KVM_RUN, 0));
		note("%s: exit %u %s", seed->rule, v->run->exit_reason, exit_name(v->run->exit_reason));
		if (v->run->exit_reason == KVM_EXIT_FAIL_ENTRY)
			examine(v, seed, &bad);
		else
			EXPECT(failure(v).kind != VTX_FAILURE_ENTRY, "a report of a failed entry, and the guest ran");
		vm_free(v->vm);
		vcpu_free(v);
	}
}

/* A refusal that no rule explains is told as one; vtx itself lets the state through. */
static void strict_processor(void)
{
	struct vcpu *v = start(LONG, 0);
	struct vtx_failure_report r;
	struct state good, bad;

	get(v, &good);
	bad = good;
	cs_rpl(&bad);
	set(v, &bad);
	CHECK_OK(ioctl(v->fd, KVM_RUN, 0));
	note("CS.RPL 3 with CS.DPL 0: exit %u %s", v->run->exit_reason, exit_name(v->run->exit_reason));
	if (v->run->exit_reason != KVM_EXIT_FAIL_ENTRY)
		return;
	r = failure(v);
	save_report("no_rule", &r);
	EXPECT_EQ(r.kind, VTX_FAILURE_ENTRY, "the kind");
	EXPECT_EQ(r.nr_rules, 0, "the number of rules");
	EXPECT(!r.rules[0].id[0], "a rule: %s", r.rules[0].id);
	EXPECT(strstr(r.text, "no rule matched"), "the text '%s'", r.text);
	repaired(v, &good, "after a refusal without a rule");
}

/* Some processors refuse an NMI after STI, which the manual allows them: the rule is named only then. */
static void nmi_after_sti(void)
{
	struct vcpu *v = start(LONG, 0);
	struct vtx_failure_report r;
	struct state t;

	get(v, &t);
	t.e.nmi.injected = 1;
	t.r.rflags |= 0x200;
	t.e.interrupt.shadow = KVM_X86_SHADOW_INT_STI;
	t.e.flags |= KVM_VCPUEVENT_VALID_SHADOW;
	set(v, &t);
	CHECK_OK(ioctl(v->fd, KVM_RUN, 0));
	note("NMI after STI: exit %u %s", v->run->exit_reason, exit_name(v->run->exit_reason));
	if (v->run->exit_reason != KVM_EXIT_FAIL_ENTRY)
		return;
	r = failure(v);
	EXPECT_EQ(r.nr_rules, 1, "the number of rules");
	EXPECT(!strcmp(r.rules[0].id, "guest.interruptibility.sti-nmi"), "the rule %s", r.rules[0].id);
	EXPECT(strstr(r.text, "the processor"), "the text '%s'", r.text);
}

/* Many at once: the first VTX_MAX_RULES are told, all are counted. */
static void many_rules(void)
{
	struct vcpu *v = start(LONG, 0);
	struct vtx_failure_report r;
	struct state t;

	get(v, &t);
	t.s.gdt.base = t.s.idt.base = t.s.fs.base = t.s.gs.base = t.s.tr.base = 1ULL << 62;
	t.s.cs.db = 1;
	t.s.cs.base = t.s.ds.base = t.s.es.base = 1ULL << 32;
	t.r.rflags |= 0x8008;
	set(v, &t);
	CHECK_OK(ioctl(v->fd, KVM_RUN, 0));
	CHECK_EQ(v->run->exit_reason, KVM_EXIT_FAIL_ENTRY, "the exit");
	r = failure(v);
	save_report("ten_rules", &r);
	EXPECT_EQ(r.nr_rules, 10, "the number of rules");
	EXPECT(!strcmp(r.rules[0].id, "guest.gdtr.base"), "the first rule %s", r.rules[0].id);
	for (int i = 0; i < VTX_MAX_RULES; i++)
		EXPECT(!strncmp(r.rules[i].id, "guest.", 6), "rule %d: '%s'", i, r.rules[i].id);
}

/*
 * Control fields and guest state, both bad: the processor looks at the fields first, and its verdict is about these alone. Where vtx
 * refuses it has looked at all.
 */
static void control_comes_first(void)
{
	struct vcpu *v = start(LONG, 0);
	struct vtx_failure_report r;
	struct state t;

	get(v, &t);
	gp_without_error(&t);
	cs_long_and_32(&t);
	set(v, &t);
	CHECK_OK(ioctl(v->fd, KVM_RUN, 0));
	CHECK_EQ(v->run->exit_reason, KVM_EXIT_FAIL_ENTRY, "the exit");
	r = failure(v);
	EXPECT_EQ(r.exit_reason, ~0U, "the exit reason");
	EXPECT_EQ(r.nr_rules, checks_before_entry() ? 2 : 1, "the number of rules");
	EXPECT(!strcmp(r.rules[0].id, "control.inject.error-missing"), "the first rule %s", r.rules[0].id);
	EXPECT(!strcmp(r.rules[1].id, checks_before_entry() ? "guest.cs.long-and-32" : ""), "the second rule '%s'", r.rules[1].id);
}

/* ------------------------------------------------------------------ the ioctl and the files */

static void ioctl_bad_input(void)
{
	struct vcpu *v = guest_new(0, answer, 7);
	struct vtx_failure_report r;
	char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(pages != MAP_FAILED, "mmap");
	munmap(pages + 4096, 4096);
	EXPECT_EQ(dev_has(VTX_CAP_FAILURE), 1, "VTX_CAP_FAILURE on the device");
	EXPECT_EQ(ioctl(v->vm->fd, KVM_CHECK_EXTENSION, VTX_CAP_FAILURE), 1, "VTX_CAP_FAILURE on a VM");
	EXPECT_ERRNO(ioctl(v->fd, VTX_GET_FAILURE, NULL), EFAULT);
	EXPECT_ERRNO(ioctl(v->fd, VTX_GET_FAILURE, (void *)~0UL), EFAULT);
	EXPECT_ERRNO(ioctl(v->fd, VTX_GET_FAILURE, pages + 4000), EFAULT);
	EXPECT_ERRNO(ioctl(v->fd, VTX_GET_FAILURE, "read-only"), EFAULT);
	/* Another size is another ioctl. */
	EXPECT_ERRNO(ioctl(v->fd, VTX_GET_FAILURE + (1 << 16), &r), EINVAL);
	EXPECT(ioctl(v->vm->fd, VTX_GET_FAILURE, &r) == -1, "a VM answered");
	EXPECT_EQ(failure(v).kind, VTX_FAILURE_NONE, "the kind");
	EXPECT_EQ(vcpu_finish(v), 7, "the result");
}

static size_t slurp(int fd, char *text, size_t size)
{
	size_t got = 0;
	ssize_t n;

	while (got < size - 1 && (n = read(fd, text + got, size - 1 - got)) > 0)
		got += (size_t)n;
	text[got] = 0;
	return got;
}

static int open_file(struct vcpu *v, bool of_vcpu, int flags)
{
	char path[128];

	if (of_vcpu)
		snprintf(path, sizeof(path), "/sys/kernel/debug/vtx/%d-%d/vcpu%d/last_failure", getpid(), v->vm->fd, v->id);
	else
		snprintf(path, sizeof(path), "/sys/kernel/debug/vtx/%d-%d/last_failure", getpid(), v->vm->fd);
	return open(path, flags);
}

static void fail_one(struct vcpu *v)
{
	struct kvm_sregs good = vcpu_sregs(v), bad = good;

	bad.cs.db = 1;
	CHECK_OK(ioctl(v->fd, KVM_SET_SREGS, &bad));
	CHECK_OK(ioctl(v->fd, KVM_RUN, 0));
	CHECK_EQ(v->run->exit_reason, KVM_EXIT_FAIL_ENTRY, "the exit");
	CHECK_OK(ioctl(v->fd, KVM_SET_SREGS, &good));
}

static void files(void)
{
	static const char *const wanted[] = {
		"kind entry\n", "vcpu 1\n", "exit_reason 0x80000021\n", "rule guest.cs.long-and-32\n",
		"\tmanual vol. 3, 27.3.1.2\n",
		"\tfield GUEST_CS_AR_BYTES\n", "\tfound 0xe09b\n", "\tallowed 0x", "\nrip 0x", "\nr15 0x0\n",
	};
	struct vcpu *v = guest_new(0, answer, 7), *other = vcpu_new(v->vm, 1);
	char text[8192], vm_text[8192];
	int of_vm = open_file(v, false, O_RDONLY), of_vcpu = open_file(other, true, O_RDONLY);

	vcpu_mode_long(other, answer, 7);
	CHECK(of_vm >= 0 && of_vcpu >= 0, "the files");
	EXPECT_EQ(slurp(of_vm, text, sizeof(text)), 0, "the VM's file before a failure");
	EXPECT_EQ(slurp(of_vcpu, text, sizeof(text)), 0, "the vCPU's file before a failure");
	fail_one(other);
	CHECK_EQ(lseek(of_vm, 0, SEEK_SET), 0, "lseek");
	CHECK_EQ(lseek(of_vcpu, 0, SEEK_SET), 0, "lseek");
	CHECK(slurp(of_vcpu, text, sizeof(text)) > 0, "the vCPU's file is empty");
	CHECK(slurp(of_vm, vm_text, sizeof(vm_text)) > 0, "the VM's file is empty");
	EXPECT(!strcmp(text, vm_text), "the files differ");
	EXPECT(!strncmp(text, "VM entry refused by ", 20), "the sentence: %.80s", text);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		EXPECT(strstr(text, wanted[i]), "no '%s' in:\n%s", wanted[i], text);
	/* The VM's is that of the last vCPU that failed. */
	fail_one(v);
	lseek(of_vm, 0, SEEK_SET);
	slurp(of_vm, vm_text, sizeof(vm_text));
	EXPECT(strstr(vm_text, "vcpu 0\n"), "the VM's file does not follow");
	EXPECT(open_file(v, true, O_RDONLY) >= 0, "the first vCPU's file");
	EXPECT_EQ(vcpu_finish(other), 7, "the result");
	EXPECT_EQ(vcpu_finish(v), 7, "the result");
}

/* A reader that holds the file open, half read, while the VM goes. */
static void file_outlives_vm(void)
{
	struct vcpu *v = guest_new(0, answer, 7);
	int of_vm = open_file(v, false, O_RDONLY), of_vcpu = open_file(v, true, O_RDONLY), fresh = open_file(v, true, O_RDONLY);
	char text[64];

	CHECK(of_vm >= 0 && of_vcpu >= 0 && fresh >= 0, "the files");
	fail_one(v);
	CHECK_EQ(read(of_vcpu, text, 10), 10, "the first bytes");
	CHECK_EQ(read(of_vm, text, 10), 10, "the first bytes");
	EXPECT(write(of_vcpu, "0", 1) == -1, "a read-only file took a write");
	vm_free(v->vm);
	vcpu_free(v);
	EXPECT(read(of_vm, text, sizeof(text)) <= 0, "the VM's file was read after its end");
	EXPECT(read(of_vcpu, text, sizeof(text)) <= 0, "the vCPU's file was read after its end");
	EXPECT(read(fresh, text, sizeof(text)) <= 0, "a file never read before");
	close(of_vm);
	close(of_vcpu);
	close(fresh);
	guest_passes(0, answer, 0);
}

/* One thread runs into failures all the time, this one reads: each report is whole. */
static volatile bool failing_done;

static void *failing(void *arg)
{
	struct vcpu *v = arg;
	void *result = NULL;

	for (int i = 0; i < 300 && !result; i++) {
		if (ioctl(v->fd, KVM_RUN, 0) || v->run->exit_reason != KVM_EXIT_FAIL_ENTRY)
			result = arg;
		if (i % 10 == 0)
			sched_yield();
	}
	failing_done = true;
	return result;
}

static void read_while_failing(void)
{
	struct vcpu *v = guest_new(0, answer, 7);
	struct kvm_sregs bad = vcpu_sregs(v);
	u64 last = 0, changes = 0;
	pthread_t thread;
	void *result;

	test_timeout(20);
	bad.cs.db = 1;
	CHECK_OK(ioctl(v->fd, KVM_SET_SREGS, &bad));
	CHECK_EQ(pthread_create(&thread, NULL, failing, v), 0, "the thread");
	while (!failing_done) {
		struct vtx_failure_report r = failure(v);

		sched_yield();
		if (r.kind == VTX_FAILURE_NONE)
			continue;
		EXPECT(r.tsc >= last, "an older report after a younger one");
		changes += r.tsc != last;
		last = r.tsc;
		EXPECT(r.nr_rules == 1 && !strcmp(r.rules[0].id, "guest.cs.long-and-32") && strstr(r.text, r.rules[0].id),
		       "half a report: %s", r.text);
	}
	pthread_join(thread, &result);
	EXPECT(!result, "a run did not fail");
	EXPECT(changes > 0, "no report seen");
	note("%llu reports seen", (unsigned long long)changes);
}

/* The parameter says what the command line asked for, cannot be changed while the module is loaded, and wants a boolean. */
static void parameter(void)
{
	const char *module = getenv("VTX_MODULE");
	struct stat st;
	int fd;

	if (module)
		EXPECT_EQ(checks_before_entry(), strstr(module, "check_entry=1") != NULL, "check_entry");
	CHECK_OK(stat("/sys/module/vtx/parameters/check_entry", &st));
	EXPECT_EQ(st.st_mode & 0777, 0444, "the mode");
	/* Even root, whom the mode does not stop. */
	fd = open("/sys/module/vtx/parameters/check_entry", O_WRONLY);
	EXPECT(fd < 0 || write(fd, "1", 1) < 0, "the parameter took a write");
	EXPECT(!module_file() || module_load(module_file(), "check_entry=perhaps") == -1, "check_entry=perhaps was taken");
}

static const struct test tests[] = {
	TEST(segments), TEST(registers_and_events), TEST(lenient_processor), TEST(strict_processor), TEST(nmi_after_sti),
	TEST(many_rules), TEST(control_comes_first),
	TEST(ioctl_bad_input), TEST(files), TEST(file_outlives_vm), TEST(read_while_failing), TEST(parameter),
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}
