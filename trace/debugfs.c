// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/debug/vtx: a folder per VM, a folder per vCPU in it (trace/stats.h lists the files).
 *
 * Lifetime: the files hold no reference on the VM.  debugfs lets no operation begin once a file is removed, and
 * removing waits for those that run; vtx_trace_vm_destroyed() removes the folder before the VM is freed.
 */
#include <linux/build_bug.h>
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/uaccess.h>
#include "exits/exits.h"
#include "trace/kvm_names.h"
#include "trace/stats.h"
#include "vmx/vcpu.h"

static struct dentry *root;
/* Names of folders, and vtx_vcpu_stats.cleared. */
static DEFINE_MUTEX(lock);

/* ------------------------------------------------------------------ exits */

/*
 * The counters are the vCPU thread's alone, so clearing cannot write them: it notes where they stand, and reading
 * shows the difference.
 */
static struct vtx_exit_stat stat_now(struct vtx_vcpu *vcpu, int reason)
{
	struct vtx_exit_stat now = {
		.count = READ_ONCE(vcpu->stats.exits[reason].count),
		.ticks = READ_ONCE(vcpu->stats.exits[reason].ticks),
	};

	return now;
}

static int exits_show(struct seq_file *file, void *unused)
{
	struct vtx_vcpu *vcpu = file->private;

	BUILD_BUG_ON(VTX_NR_EXIT_STATS != VTX_NR_EXIT_REASONS);
	seq_puts(file, "name count ticks\n");
	mutex_lock(&lock);
	for (int i = 0; i < VTX_NR_EXIT_REASONS; i++) {
		struct vtx_exit_stat now = stat_now(vcpu, i);
		const struct vtx_exit_stat *then = &vcpu->stats.cleared[i];
		const char *name = vtx_exit_table[i].name;

		if (now.count == then->count)
			continue;
		if (name)
			seq_puts(file, name);
		else
			seq_printf(file, "REASON_%d", i);
		seq_printf(file, " %llu %llu\n", now.count - then->count, now.ticks - then->ticks);
	}
	mutex_unlock(&lock);
	return 0;
}

static ssize_t exits_write(struct file *file, const char __user *buf, size_t len, loff_t *pos)
{
	struct vtx_vcpu *vcpu = ((struct seq_file *)file->private_data)->private;
	u64 value;
	int r;

	r = kstrtou64_from_user(buf, len, 0, &value);
	if (r)
		return r;
	if (value)
		return -EINVAL;
	mutex_lock(&lock);
	for (int i = 0; i < VTX_NR_EXIT_REASONS; i++)
		vcpu->stats.cleared[i] = stat_now(vcpu, i);
	mutex_unlock(&lock);
	return len;
}

static int exits_open(struct inode *inode, struct file *file)
{
	return single_open(file, exits_show, inode->i_private);
}

static const struct file_operations exits_fops = {
	.owner = THIS_MODULE,
	.open = exits_open,
	.read = seq_read,
	.write = exits_write,
	.llseek = seq_lseek,
	.release = single_release,
};

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
	vtx_kvm_debugfs_vm_created(vm);
}

void vtx_trace_vcpu_created(struct vtx_vcpu *vcpu)
{
	char name[16];

	if (!vcpu->vm->debugfs)
		return;
	snprintf(name, sizeof(name), "vcpu%u", vcpu->id);
	vcpu->debugfs = debugfs_create_dir(name, vcpu->vm->debugfs);
	debugfs_create_file("exits", 0644, vcpu->debugfs, vcpu, &exits_fops);
}

void vtx_trace_vm_destroyed(struct vtx_vm *vm)
{
	vtx_kvm_debugfs_vm_destroyed(vm);
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
