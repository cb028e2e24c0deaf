// SPDX-License-Identifier: GPL-2.0-only
/*
 * The livelock detector (see the header).
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/ratelimit.h>
#include <linux/seq_file.h>
#include <linux/timekeeping.h>
#include <asm/msr.h>
#include <asm/tsc.h>
#include "trace/livelock.h"
#include "vmx/event.h"
#include "vmx/regs.h"

static const char *const names[VTX_NR_FINDINGS] = {
	[VTX_FINDING_HALTED] = "halted",
	[VTX_FINDING_EPT] = "ept",
	[VTX_FINDING_WINDOW] = "window",
	[VTX_FINDING_EMULATION] = "emulation",
};

/* ------------------------------------------------------------------ the list */

static struct vtx_finding *find(struct vtx_diagnosis *d, const struct vtx_finding *f)
{
	u32 i;

	for (i = 0; i < d->nr; i++) {
		struct vtx_finding *line = &d->line[i];

		if (line->kind == f->kind && line->vcpu_id == f->vcpu_id && line->rip == f->rip && line->detail == f->detail)
			return line;
	}
	return NULL;
}

static void append(struct vtx_diagnosis *d, const struct vtx_finding *f)
{
	if (d->nr == VTX_DIAGNOSIS_LINES) {
		memmove(&d->line[0], &d->line[1], (VTX_DIAGNOSIS_LINES - 1) * sizeof(d->line[0]));
		d->nr--;
	}
	d->line[d->nr++] = *f;
	d->total++;
}

void vtx_diagnose(struct vtx_vcpu *vcpu, enum vtx_finding_kind kind, u64 detail, const char *text)
{
	struct vtx_diagnosis *d = &vcpu->vm->diagnosis;
	struct vtx_finding *line, f = {
		.kind = kind,
		.vcpu_id = vcpu->id,
		.rip = vtx_rip(vcpu),
		.detail = detail,
		.since = ktime_get_boottime_ns(),
		.count = 1,
		.text = text,
	};
	unsigned long flags;

	spin_lock_irqsave(&d->lock, flags);
	line = find(d, &f);
	if (line)
		line->count++;
	else
		append(d, &f);
	spin_unlock_irqrestore(&d->lock, flags);
	if (!line)
		pr_info_ratelimited("vtx: vCPU %u at RIP %#llx: %s\n", vcpu->id, f.rip, text);
}

static void show_line(struct seq_file *file, const struct vtx_finding *f)
{
	u64 us = div_u64(f->since, 1000);
	u32 rest = do_div(us, 1000000);

	seq_printf(file, "%s %u %#llx %llu.%06u %llu %#llx %s\n", names[f->kind], f->vcpu_id, f->rip, us, rest, f->count, f->detail,
		   f->text);
}

static int vtx_diagnosis_show(struct seq_file *file, void *unused)
{
	struct vtx_diagnosis *d = &((struct vtx_vm *)file->private)->diagnosis;
	struct vtx_finding f;
	u64 total;
	u32 i, nr;

	spin_lock_irq(&d->lock);
	total = d->total;
	nr = d->nr;
	spin_unlock_irq(&d->lock);
	if (!nr)
		return 0;
	seq_printf(file, "# what vcpu rip since count detail text; %llu in all\n", total);
	for (i = 0; i < nr; i++) {
		spin_lock_irq(&d->lock);
		f = d->line[i];
		spin_unlock_irq(&d->lock);
		show_line(file, &f);
	}
	return 0;
}

static int diagnosis_open(struct inode *inode, struct file *file)
{
	return single_open(file, vtx_diagnosis_show, inode->i_private);
}

const struct file_operations vtx_diagnosis_fops = {
	.owner = THIS_MODULE,
	.open = diagnosis_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = single_release,
};

/* ------------------------------------------------------------------ all halted, interrupts off */

/* Neither an interrupt nor an NMI that is known of can wake it; an INIT from another vCPU could, but those sleep as well. */
static bool is_deaf(struct vtx_vcpu *vcpu)
{
	return vcpu->mp_state == KVM_MP_STATE_HALTED && !(vtx_rflags(vcpu) & X86_EFLAGS_IF) &&
	       !atomic_read(&vcpu->events.nmi_pending) && !READ_ONCE(vcpu->apic_events);
}

static bool sleeps_for_good(struct vtx_vcpu *vcpu)
{
	u32 state = READ_ONCE(vcpu->mp_state);

	return READ_ONCE(vcpu->livelock.deaf) || state == KVM_MP_STATE_UNINITIALIZED || state == KVM_MP_STATE_INIT_RECEIVED;
}

/*
 * Where the processor delivers, IF goes on and off without an exit. Who suspects a guest asks it for a window as well, from now on: what
 * waits then still waits when the window has not opened.
 */
static bool begin_watch(struct vtx_vcpu *vcpu)
{
	struct vtx_livelock *l = &vcpu->livelock;

	if (vcpu->apicv.mode < VTX_APICV_XAPIC || l->window_watched)
		return false;
	l->window_watched = true;
	l->window_since = rdtsc();
	vtx_vcpu_request(vcpu, VTX_REQ_EVENT);
	return true;
}

void vtx_livelock_block(struct vtx_vcpu *vcpu)
{
	struct vtx_vcpu *other;
	int i;

	if (unlikely(vcpu->livelock.window_since))
		begin_watch(vcpu);
	if (!is_deaf(vcpu))
		return;
	WRITE_ONCE(vcpu->livelock.deaf, true);
	/* Of two that fall asleep together the later one sees the other: each writes its own flag before it looks. */
	smp_mb();
	vtx_for_each_vcpu(i, other, vcpu->vm)
		if (!sleeps_for_good(other))
			return;
	vtx_diagnose(vcpu, VTX_FINDING_HALTED, 0, "all vCPUs of the VM are halted with interrupts off");
}

void vtx_livelock_unblock(struct vtx_vcpu *vcpu)
{
	if (vcpu->livelock.deaf)
		WRITE_ONCE(vcpu->livelock.deaf, false);
}

/* ------------------------------------------------------------------ the same EPT violation */

/*
 * Same page, same RIP, and no register has changed: then the guest has not got on in between, or is in a loop that shows as
 * little.
 */
void vtx_livelock_ept(struct vtx_vcpu *vcpu, u64 gpa)
{
	struct vtx_livelock *l = &vcpu->livelock;
	u64 gfn = gpa >> PAGE_SHIFT, rip = vtx_rip(vcpu);

	vtx_rsp(vcpu);
	if (gfn != l->ept_gfn || rip != l->ept_rip || memcmp(l->ept_regs, vcpu->regs, sizeof(l->ept_regs))) {
		l->ept_gfn = gfn;
		l->ept_rip = rip;
		memcpy(l->ept_regs, vcpu->regs, sizeof(l->ept_regs));
		l->ept_repeats = 0;
	}
	if (++l->ept_repeats < VTX_EPT_REPEATS)
		return;
	l->ept_repeats = 0;
	vtx_diagnose(vcpu, VTX_FINDING_EPT, gfn, "the same EPT violation, of the page in detail, 10000 times in a row");
}

/* ------------------------------------------------------------------ a window that stays closed */

void vtx_livelock_waits(struct vtx_livelock *l, bool open)
{
	if (open) {
		l->window_since = 0;
		l->window_told = false;
		l->window_watched = false;
	} else if (!l->window_since) {
		l->window_since = rdtsc();
	}
}

void vtx_livelock_window(struct vtx_vcpu *vcpu)
{
	struct vtx_livelock *l = &vcpu->livelock;
	u64 second = 1000ULL * tsc_khz;

	if (rdtsc() - l->window_since >= second / 16 && begin_watch(vcpu))
		return;
	/* IF may have been set and cleared in between, but not for an instruction: the window would have ended the guest. */
	if (l->window_told || (vtx_rflags(vcpu) & X86_EFLAGS_IF) || rdtsc() - l->window_since < VTX_WINDOW_SECONDS * second)
		return;
	l->window_told = true;
	vtx_diagnose(vcpu, VTX_FINDING_WINDOW, 0, "an interrupt waits, and interrupts have been off for 2 s");
}
