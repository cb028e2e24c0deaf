/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Everything that differs between the kernels vtx supports, behind one name each.  What a kernel has is probed by
 * compat/probe when the module is built; this header and compat/nmi.h are the only places that ask.
 */
#ifndef VTX_COMPAT_COMPAT_H
#define VTX_COMPAT_COMPAT_H

#include <linux/eventfd.h>
#include <linux/hrtimer.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/smp.h>
#include <linux/syscore_ops.h>
#include <asm/reboot.h>

/* hrtimer_init() and the assignment of .function became hrtimer_setup(). */
static inline void vtx_hrtimer_setup(struct hrtimer *timer, enum hrtimer_restart (*fn)(struct hrtimer *), clockid_t clock,
				     enum hrtimer_mode mode)
{
#ifdef VTX_HAVE_HRTIMER_SETUP
	hrtimer_setup(timer, fn, clock, mode);
#else
	hrtimer_init(timer, clock, mode);
	timer->function = fn;
#endif
}

/* eventfd_signal() lost its count. */
static inline void vtx_eventfd_signal(struct eventfd_ctx *ctx)
{
#ifdef VTX_HAVE_EVENTFD_SIGNAL_1
	eventfd_signal(ctx);
#else
	eventfd_signal(ctx, 1);
#endif
}

/* The CPU argument, never used, went away. */
static inline void vtx_rcu_note_guest(void)
{
#ifdef VTX_HAVE_RCU_NOTE_VOID
	rcu_virt_note_context_switch();
#else
	rcu_virt_note_context_switch(smp_processor_id());
#endif
}

/* The kernel's slot for "turn VMX off, this CPU is crashing". Kernels without it leave VMX on. */
static inline void vtx_emergency_callback(void (*fn)(void), bool on)
{
#ifdef VTX_HAVE_EMERGENCY_CALLBACK
	if (on)
		cpu_emergency_register_virt_callback(fn);
	else
		cpu_emergency_unregister_virt_callback(fn);
#endif
}

/* Flags of a VMA are changed through a function that tells lockdep. */
static inline void vtx_vm_flags_clear(struct vm_area_struct *vma, vm_flags_t flags)
{
#ifdef VTX_HAVE_VM_FLAGS_SET
	vm_flags_clear(vma, flags);
#else
	vma->vm_flags &= ~flags;
#endif
}

/* syscore callbacks got a context argument, and their registration another name. */
#ifdef VTX_HAVE_SYSCORE_CONTEXT
#define VTX_SYSCORE(name, suspend_fn, resume_fn, shutdown_fn)                                              \
	static int name##_suspend(void *unused) { return suspend_fn(); }                                   \
	static void name##_resume(void *unused) { resume_fn(); }                                           \
	static void name##_shutdown(void *unused) { shutdown_fn(); }                                       \
	static const struct syscore_ops name##_ops = { name##_suspend, name##_resume, name##_shutdown };   \
	static struct syscore name = { .ops = &name##_ops }
#define vtx_register_syscore(name) register_syscore(&(name))
#define vtx_unregister_syscore(name) unregister_syscore(&(name))
#else
#define VTX_SYSCORE(name, suspend_fn, resume_fn, shutdown_fn) \
	static struct syscore_ops name = { .suspend = suspend_fn, .resume = resume_fn, .shutdown = shutdown_fn }
#define vtx_register_syscore(name) register_syscore_ops(&(name))
#define vtx_unregister_syscore(name) unregister_syscore_ops(&(name))
#endif

#endif /* VTX_COMPAT_COMPAT_H */
