// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/debug/vtx: a folder per VM, a folder per vCPU in it (docs/tracing.md lists the files).
 *
 * Lifetime: the files hold no reference on the VM.  debugfs lets no operation begin once a file is removed, and
 * removing waits for those that run; vtx_trace_vm_destroyed() removes the folder before the VM is freed.
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include "trace/debugfs.h"
#include "trace/stats.h"
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
}

void vtx_trace_vm_destroyed(struct vtx_vm *vm)
{
	/* Takes the vCPUs' folders along; does nothing for NULL and for errors. */
	debugfs_remove(vm->debugfs);
	vm->debugfs = NULL;
}

int vtx_trace_init(void)
{
	root = debugfs_create_dir("vtx", NULL);
	return 0;
}

void vtx_trace_exit(void)
{
	debugfs_remove(root);
	root = NULL;
}
