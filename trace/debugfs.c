// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/debug/vtx: a folder per VM, a folder per vCPU in it (docs/tracing.md lists the files).
 *
 * Lifetime: the files hold no reference on the VM.  debugfs lets no operation begin once a file is removed, and
 * removing waits for those that run; vtx_trace_vm_destroyed() removes the folder before the VM is freed.  The stream's files
 * are an exception (trace/debugfs_stream.c): they hold the stream, which does not need the VM.
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include "trace/debugfs.h"
#include "trace/kvm_names.h"
#include "trace/livelock.h"
#include "trace/report.h"
#include "trace/stat_defs.h"
#include "trace/stats.h"
#include "trace/stream.h"
#include "vmx/vcpu.h"

static struct dentry *root;
static DEFINE_MUTEX(lock); /* names of folders */

/* ------------------------------------------------------------------ failure, memory */

static int failure_show(struct seq_file *file, void *unused)
{
	struct vtx_vm *vm = file->private;
	const struct vtx_failure *failure = &vm->failure;

	/* Pairs with the release in trace/failure.c. */
	if (!smp_load_acquire(&failure->complete))
		return 0;
	if (failure->vcpu_id != ~0U)
		seq_printf(file, "vCPU %u at RIP %#llx: ", failure->vcpu_id, failure->rip);
	seq_printf(file, "%s\n", failure->text);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(failure);

static int memory_show(struct seq_file *file, void *unused)
{
	struct vtx_ept *ept = &((struct vtx_vm *)file->private)->ept;

	seq_printf(file, "pages_4k %ld\npages_2m %ld\npages_1g %ld\ntables %ld\n", atomic_long_read(&ept->pages[0]),
		   atomic_long_read(&ept->pages[1]), atomic_long_read(&ept->pages[2]), atomic_long_read(&ept->tables));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(memory);

/* ------------------------------------------------------------------ apic */

static int apic_show(struct seq_file *file, void *unused)
{
	struct vtx_vm *vm = file->private;
	const char *why = vtx_apicv_why_not(vtx_has_lapic(vm));
	struct vtx_vcpu *vcpu;
	int i;

	if (why)
		seq_printf(file, "APIC virtualization off: %s; posted interrupts off\n", why);
	else
		seq_puts(file, "APIC virtualization on; posted interrupts off: other CPUs' interrupts come with a kick\n");
	vtx_for_each_vcpu(i, vcpu, vm)
		seq_printf(file, "vcpu%u %s\n", vcpu->id, vtx_apicv_mode_name(READ_ONCE(vcpu->apicv.mode)));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(apic);

/* ------------------------------------------------------------------ last_failure */

static int show_report(struct seq_file *file, struct vtx_vcpu *vcpu)
{
	struct vtx_failure_report *report;

	if (!vcpu)
		return 0;
	report = kmalloc(sizeof(*report), GFP_KERNEL);
	if (!report)
		return -ENOMEM;
	vtx_report_read(vcpu, report);
	vtx_report_print(file, report);
	kfree(report);
	return 0;
}

static int vcpu_last_failure_show(struct seq_file *file, void *unused)
{
	return show_report(file, file->private);
}
DEFINE_SHOW_ATTRIBUTE(vcpu_last_failure);

static int vm_last_failure_show(struct seq_file *file, void *unused)
{
	return show_report(file, vtx_report_last_vcpu(file->private));
}
DEFINE_SHOW_ATTRIBUTE(vm_last_failure);

/* ------------------------------------------------------------------ statistics */

static int statistics_show(struct seq_file *file, void *unused)
{
	vtx_stat_defs_show(file);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(statistics);

/* ------------------------------------------------------------------ folders */

/*
 * The name of the VM's folder. A VM outlives its file descriptor while a vCPU's is open, and the number may be
 * given to the next one: that gets "<pid>-<fd>.2" and so on. @lock held.
 */
static void choose_name(struct vtx_vm *vm, int fd)
{
	int pid = task_tgid_nr(current), n = 1;
	struct dentry *taken;

	snprintf(vm->debugfs_name, sizeof(vm->debugfs_name), "%d-%d", pid, fd);
	while ((taken = debugfs_lookup(vm->debugfs_name, root))) {
		dput(taken);
		snprintf(vm->debugfs_name, sizeof(vm->debugfs_name), "%d-%d.%d", pid, fd, ++n);
	}
}

void vtx_trace_vm_created(struct vtx_vm *vm, int fd)
{
	mutex_lock(&lock);
	choose_name(vm, fd);
	vm->debugfs = debugfs_create_dir(vm->debugfs_name, root);
	mutex_unlock(&lock);
	/* With an error for a parent these do nothing. */
	debugfs_create_file("failure", 0444, vm->debugfs, vm, &failure_fops);
	debugfs_create_file("memory", 0444, vm->debugfs, vm, &memory_fops);
	debugfs_create_file("apic", 0444, vm->debugfs, vm, &apic_fops);
	debugfs_create_file("last_failure", 0444, vm->debugfs, vm, &vm_last_failure_fops);
	debugfs_create_file("diagnosis", 0444, vm->debugfs, vm, &vtx_diagnosis_fops);
	vm->stream = vtx_stream_create();
	vtx_debugfs_stream(vm->stream, vm->debugfs);
	vtx_kvm_debugfs_vm_created(vm);
}

void vtx_trace_vcpu_created(struct vtx_vcpu *vcpu)
{
	char name[16];

	if (!vcpu->vm->debugfs)
		return;
	snprintf(name, sizeof(name), "vcpu%u", vcpu->id);
	vcpu->debugfs = debugfs_create_dir(name, vcpu->vm->debugfs);
	vtx_debugfs_stats(vcpu, vcpu->debugfs);
	vtx_debugfs_recorder(vcpu, vcpu->debugfs);
	debugfs_create_file("last_failure", 0444, vcpu->debugfs, vcpu, &vcpu_last_failure_fops);
}

void vtx_trace_vm_destroyed(struct vtx_vm *vm)
{
	if (vm->stream)
		vtx_stream_end(vm->stream);
	vtx_kvm_debugfs_vm_destroyed(vm);
	/* Takes the vCPUs' folders along; does nothing for NULL and for errors. */
	debugfs_remove(vm->debugfs);
	vm->debugfs = NULL;
	if (vm->stream)
		vtx_stream_put(vm->stream);
	vm->stream = NULL;
}

int vtx_trace_init(void)
{
	int r = vtx_stat_defs_init();

	if (r)
		return r;
	root = debugfs_create_dir("vtx", NULL);
	debugfs_create_file("statistics", 0444, root, NULL, &statistics_fops);
	return 0;
}

void vtx_trace_exit(void)
{
	debugfs_remove(root);
	root = NULL;
	vtx_stat_defs_exit();
}
