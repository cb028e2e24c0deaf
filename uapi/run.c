// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_RUN at the border to user space: the signal mask, immediate_exit, the answer to an I/O exit, and the fields of struct
 * kvm_run that are valid after every call.
 *
 * struct kvm_run is shared memory: each field is read once, and what was read is checked before it is used.
 */
#include <linux/sched/signal.h>
#include <linux/signal.h>
#include <linux/uaccess.h>
#include "exits/exits.h"
#include "trace/events.h"
#include "uapi/ioctl.h"
#include "uapi/refuse.h"
#include "vmx/event.h"
#include "vmx/regs.h"

/* ------------------------------------------------------------------ KVM_SET_SIGNAL_MASK */

/*
 * The mask holds while KVM_RUN runs. NULL: none. A 32-bit caller's sigset has the same bytes on x86.
 * Return: 0; -EINVAL (length of the set); -EFAULT.
 */
long vtx_call_set_signal_mask(struct vtx_call *call)
{
	struct kvm_signal_mask __user *user = vtx_call_user(call);
	struct kvm_signal_mask head;
	sigset_t set;

	if (!user) {
		call->vcpu->sigset_active = false;
		return 0;
	}
	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	if (head.len != sizeof(set))
		return VTX_REFUSE(SIGNAL_MASK_LENGTH, offsetof(struct kvm_signal_mask, len), head.len, sizeof(set));
	if (copy_from_user(&set, user->sigset, sizeof(set)))
		return -EFAULT;
	sigdelsetmask(&set, sigmask(SIGKILL) | sigmask(SIGSTOP));
	call->vcpu->sigset = set;
	call->vcpu->sigset_active = true;
	return 0;
}

/*
 * As ppoll() and friends do: the mask that will come back is kept where the kernel looks before it drops an ignored signal as
 * nobody's.
 */
static void signals_on(struct vtx_vcpu *vcpu)
{
	if (vcpu->sigset_active)
		sigprocmask(SIG_SETMASK, &vcpu->sigset, &current->real_blocked);
}

static void signals_off(struct vtx_vcpu *vcpu)
{
	if (!vcpu->sigset_active)
		return;
	sigprocmask(SIG_SETMASK, &current->real_blocked, NULL);
	sigemptyset(&current->real_blocked);
}

/* ------------------------------------------------------------------ KVM_RUN */

/* In-kernel PIC: clients never inject by themselves, so they need not ask. */
static bool ready_for_injection(struct vtx_vcpu *vcpu)
{
	return vtx_has_full_irqchip(vcpu->vm) || vtx_user_irq_welcome(vcpu);
}

/* Clients read these after every KVM_RUN, a failed one included. */
static void fill_run(struct vtx_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	run->if_flag = !!(vtx_rflags(vcpu) & X86_EFLAGS_IF);
	run->cr8 = vtx_cr8(vcpu);
	run->apic_base = vcpu->apic_base;
	run->ready_for_interrupt_injection = ready_for_injection(vcpu);
}

/* User space's answer to the last I/O exit. VTX_EXIT_RESUME: done, or nothing was pending. */
static int complete_io(struct vtx_vcpu *vcpu)
{
	int idx, ret;

	if (vcpu->io.kind == VTX_IO_NONE)
		return VTX_EXIT_RESUME;
	idx = srcu_read_lock(&vcpu->vm->srcu);
	ret = vtx_complete_io(vcpu);
	srcu_read_unlock(&vcpu->vm->srcu, idx);
	return ret;
}

/* kvm_run->immediate_exit is the byte after request_interrupt_window; newer kernels' headers hide its name from kernel code. */
static bool immediate_exit(const struct kvm_run *page)
{
	static_assert(offsetof(struct kvm_run, request_interrupt_window) == 0);
	return READ_ONCE(((const u8 *)page)[1]);
}

/* Few programs pass registers in the page. */
static int sync_regs_in(struct vtx_vcpu *vcpu)
{
	u64 valid = READ_ONCE(vcpu->run->kvm_valid_regs), dirty = READ_ONCE(vcpu->run->kvm_dirty_regs);

	return likely(!(valid | dirty)) ? 0 : vtx_sync_regs_take(vcpu, valid, dirty);
}

static void sync_regs_out(struct vtx_vcpu *vcpu)
{
	u64 valid = READ_ONCE(vcpu->run->kvm_valid_regs);

	if (unlikely(valid))
		vtx_sync_regs_leave(vcpu, valid);
}

static int run(struct vtx_vcpu *vcpu)
{
	struct kvm_run *page = vcpu->run;
	bool enter = !immediate_exit(page);
	bool waits = vcpu->mp_state == KVM_MP_STATE_UNINITIALIZED;
	u64 cr8;
	int ret;

	if (waits)
		return enter ? vtx_vcpu_run(vcpu) : -EINTR;

	ret = sync_regs_in(vcpu);
	if (ret)
		return ret;
	/* Without a local APIC in the kernel, user space owns the TPR. */
	cr8 = READ_ONCE(page->cr8);
	if (!vcpu->apic && vtx_set_cr8(vcpu, cr8))
		return VTX_REFUSE(RUN_CR8, offsetof(struct kvm_run, cr8), cr8, 15);

	/* The I/O is finished first: a client stops a vCPU at an instruction boundary that way. */
	ret = complete_io(vcpu);
	if (ret != VTX_EXIT_RESUME)
		return ret;
	if (!enter)
		return -EINTR;
	/* What the guest has seen of CPUID cannot change any more. */
	vcpu->cpuid.frozen = true;
	return vtx_vcpu_run(vcpu);
}

/*
 * vtx_call_run() - KVM_RUN
 * Return: 0 with kvm_run->exit_reason set; -EINTR (a signal: exit_reason is KVM_EXIT_INTR; or immediate_exit); -EAGAIN (INIT or SIPI
 * arrived); -EINVAL (cr8, or a set of registers in kvm_run that is refused); -EFAULT, -ENOMEM, -EIO as vtx_vcpu_run(), and its -ERESTARTNOINTR, which user
 * space does not see.
 */
long vtx_call_run(struct vtx_call *call)
{
	struct vtx_vcpu *vcpu = call->vcpu;
	int ret;

	signals_on(vcpu);
	vcpu->run->flags = 0;
	ret = run(vcpu);
	/* It died on the way; a call that finds it dead is refused before it comes here. */
	if (ret == -EIO && READ_ONCE(vcpu->vm->dead))
		ret = VTX_REFUSE(VM_DEAD, VTX_NO_FIELD, 0, 0);
	fill_run(vcpu);
	sync_regs_out(vcpu);
	signals_off(vcpu);
	/* The restart that vmx/run.c asked for hangs on the flag, which a change of the mask takes away when no signal waits. */
	if (ret == -ERESTARTNOINTR)
		set_thread_flag(TIF_SIGPENDING);
	else
		trace_kvm_userspace_exit(READ_ONCE(vcpu->run->exit_reason), ret);
	return ret;
}
