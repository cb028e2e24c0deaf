// SPDX-License-Identifier: GPL-2.0-only
/*
 * vtx's trace events a second time, under the trace system `kvm`: for tools that look there.
 *
 * The kernel registers a module's events before it reads the module's parameters, under the one system they were compiled for.
 * So each event gets a twin here, with the same tracepoint, fields and text but another class, whose system is "kvm".
 * trace_add_event_call() takes it.  Three things make this safe:
 *
 * - That function wants event_mutex held, which no module can take.  But a class's reg callback is called with it held, for one
 *   when a perf event is opened on the event.  So we open one ourselves, let our own callback do the work and then refuse: perf
 *   gives up as if nothing had been.
 * - The twins name this module as their owner, as events of the kernel's own making do.  So whoever opens one pins the module,
 *   and when the module goes the kernel removes the twins with the rest; they are static, as they must outlive our exit function.
 * - kvm.ko brings events of the same names.  Where it is in the kernel there are no twins; while the twins are there it is not
 *   let in (its device would find its name taken anyway).
 */
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/perf_event.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/trace_events.h>
#include "trace/kvm_names.h"

#if defined(CONFIG_EVENT_TRACING) && defined(CONFIG_PERF_EVENTS) && defined(CONFIG_MODULES)

#define MAX_TWINS 48	/* more than trace/events*.h has */

static struct twin {
	struct trace_event_call call;
	struct trace_event_class class;
} twins[MAX_TWINS];

/* The thread that waits for event_mutex, and what came of it. */
static struct {
	struct task_struct *task;
	int result;
} errand;

/* ------------------------------------------------------------------ twins */

/* event_mutex held: nobody can find the twin before it has its owner. */
static int add_twin(struct twin *twin, const struct trace_event_call *original)
{
	int r;

	twin->class = *original->class;
	twin->class.system = "kvm";
	twin->class.reg = trace_event_reg;
	INIT_LIST_HEAD(&twin->class.fields);
	twin->call.class = &twin->class;
	twin->call.tp = original->tp;
	twin->call.event.funcs = original->event.funcs;
	twin->call.print_fmt = original->print_fmt;
	twin->call.flags = TRACE_EVENT_FL_TRACEPOINT;
	r = trace_add_event_call(&twin->call);
	if (!r)
		twin->call.module = THIS_MODULE;
	return r;
}

static int add_twins(void)
{
	unsigned int i, n = THIS_MODULE->num_trace_events;
	int r = 0;

	if (n > MAX_TWINS)
		return -ENOSPC;
	for (i = 0; i < n && !r; i++)
		r = add_twin(&twins[i], THIS_MODULE->trace_events[i]);
	return r;
}

/* ------------------------------------------------------------------ under event_mutex */

static int reg_with_errand(struct trace_event_call *call, enum trace_reg type, void *data)
{
	if (READ_ONCE(errand.task) != current || type != TRACE_REG_PERF_REGISTER)
		return trace_event_reg(call, type, data);
	WRITE_ONCE(errand.task, NULL);
	errand.result = add_twins();
	return -ECANCELED;
}

/*
 * Somebody may have opened one of the events for perf in the moment since the kernel registered it: its callback is not called
 * again then, and another event has to do.
 */
static int run_errand(void)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT, .size = sizeof(attr), .disabled = 1 };
	struct trace_event_call *call;
	struct perf_event *event;
	unsigned int i;

	errand.result = -EAGAIN;
	errand.task = current;
	for (i = 0; i < THIS_MODULE->num_trace_events && errand.task; i++) {
		call = THIS_MODULE->trace_events[i];
		attr.config = call->event.type;
		WRITE_ONCE(call->class->reg, reg_with_errand);
		event = perf_event_create_kernel_counter(&attr, -1, current, NULL, NULL);
		if (!IS_ERR(event))
			perf_event_release_kernel(event);
		WRITE_ONCE(call->class->reg, trace_event_reg);
	}
	errand.task = NULL;
	return errand.result;
}

/* ------------------------------------------------------------------ kvm.ko */

static int module_notify(struct notifier_block *unused, unsigned long state, void *data)
{
	const struct module *module = data;

	if (state != MODULE_STATE_COMING || strcmp(module->name, "kvm"))
		return NOTIFY_DONE;
	pr_warn("vtx: not letting the kvm module in: vtx serves as /dev/kvm, with KVM's trace events. Unload vtx first.\n");
	return notifier_from_errno(-EBUSY);
}

static struct notifier_block module_notifier = {
	.notifier_call = module_notify,
	.priority = INT_MAX, /* before the kernel registers its events */
};
static bool notified;

/* kvm.ko may be loaded without its device, as kvm_intel makes that. Any answer but "no such event" means that it is there. */
static bool kvm_has_events(void)
{
	struct trace_event_file *file = trace_get_event_file(NULL, "kvm", "kvm_exit");

	if (IS_ERR(file))
		return PTR_ERR(file) != -EINVAL;
	trace_put_event_file(file);
	return true;
}

void vtx_kvm_events_init(void)
{
	int r;

	/* First: from here on kvm.ko either has its events or gets none. */
	r = register_module_notifier(&module_notifier);
	notified = !r;
	if (!r && kvm_has_events()) {
		pr_info("vtx: the kvm module is loaded, so the trace events are under the system vtx only\n");
		vtx_kvm_events_exit();
		return;
	}
	if (!r)
		r = run_errand();
	if (r)
		pr_warn("vtx: no trace events under the system kvm: error %d\n", r);
}

void vtx_kvm_events_exit(void)
{
	if (notified)
		unregister_module_notifier(&module_notifier);
	notified = false;
}

#else /* a kernel without trace events has nothing to make twins of */

void vtx_kvm_events_init(void)
{
}

void vtx_kvm_events_exit(void)
{
}

#endif
