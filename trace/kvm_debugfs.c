// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/debug/kvm, when vtx serves as /dev/kvm: KVM's statistics files for kvm_stat and its like.
 *
 * A file holds one number: at the top the sum of all VMs, in the folder <pid>-<fd> that of one VM.  The statistics are those of
 * trace/stat_defs.c that KVM has as well.
 *
 * Lifetime: a VM is on the list, and its folder exists, until vtx_kvm_debugfs_vm_destroyed(), which waits for readers.
 */
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include "trace/kvm_names.h"
#include "trace/stat_defs.h"
#include "vmx/vcpu.h"

/* ------------------------------------------------------------------ statistics */

/* Those of trace/stat_defs.c that KVM has, and that are one number. */
static bool has_file(const struct vtx_stat_def *def)
{
	return def->in_kvm && def->size == 1;
}

static bool of_vm(const struct vtx_stat_def *def)
{
	return def >= vtx_vm_stat_list.defs && def < vtx_vm_stat_list.defs + vtx_vm_stat_list.nr;
}

static u64 value_of(struct vtx_vm *vm, const struct vtx_stat_def *def)
{
	struct vtx_vcpu *vcpu;
	u64 sum = 0;
	int i;

	if (of_vm(def))
		return vtx_stat_value(def, vm, NULL);
	vtx_for_each_vcpu(i, vcpu, vm)
		sum += vtx_stat_value(def, vm, vcpu);
	return sum;
}

/* ------------------------------------------------------------------ files */

struct vm_file {
	struct vtx_vm *vm;
	const struct vtx_stat_def *def;
};

/* A VM's folder, and what its files point to. */
struct vm_entry {
	struct list_head list;
	struct vtx_vm *vm;
	struct dentry *folder;
	unsigned int nr_files;
	struct vm_file files[];
};

static struct dentry *root;	/* NULL: vtx does not serve as /dev/kvm, or something else has that folder */
static DEFINE_MUTEX(lock);
static LIST_HEAD(vms);		/* lock */

static int vm_value(void *data, u64 *value)
{
	const struct vm_file *file = data;

	*value = value_of(file->vm, file->def);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(vm_fops, vm_value, NULL, "%llu\n");

static int sum_value(void *data, u64 *value)
{
	struct vm_entry *entry;

	*value = 0;
	mutex_lock(&lock);
	list_for_each_entry(entry, &vms, list)
		*value += value_of(entry->vm, data);
	mutex_unlock(&lock);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(sum_fops, sum_value, NULL, "%llu\n");

static void make_vm_files(struct vm_entry *entry, const struct vtx_stat_list *list)
{
	for (unsigned int i = 0; i < list->nr; i++) {
		struct vm_file *file = &entry->files[entry->nr_files];

		if (!has_file(&list->defs[i]))
			continue;
		*file = (struct vm_file){ entry->vm, &list->defs[i] };
		entry->nr_files++;
		debugfs_create_file(file->def->name, 0444, entry->folder, file, &vm_fops);
	}
}

void vtx_kvm_debugfs_vm_created(struct vtx_vm *vm)
{
	struct vm_entry *entry;

	if (!root)
		return;
	entry = kzalloc(struct_size(entry, files, vtx_vm_stat_list.nr + vtx_vcpu_stat_list.nr), GFP_KERNEL_ACCOUNT);
	if (!entry)
		return;
	entry->vm = vm;
	entry->folder = debugfs_create_dir(vm->debugfs_name, root);
	make_vm_files(entry, &vtx_vm_stat_list);
	make_vm_files(entry, &vtx_vcpu_stat_list);
	mutex_lock(&lock);
	list_add_tail(&entry->list, &vms);
	mutex_unlock(&lock);
}

static struct vm_entry *take_entry(struct vtx_vm *vm)
{
	struct vm_entry *entry;

	mutex_lock(&lock);
	list_for_each_entry(entry, &vms, list) {
		if (entry->vm == vm) {
			list_del(&entry->list);
			mutex_unlock(&lock);
			return entry;
		}
	}
	mutex_unlock(&lock);
	return NULL;
}

void vtx_kvm_debugfs_vm_destroyed(struct vtx_vm *vm)
{
	struct vm_entry *entry = take_entry(vm);

	if (!entry)
		return;
	debugfs_remove(entry->folder); /* does nothing for an error, and waits for readers */
	kfree(entry);
}

static void make_sum_files(struct dentry *folder, const struct vtx_stat_list *list)
{
	for (unsigned int i = 0; i < list->nr; i++)
		if (has_file(&list->defs[i]))
			debugfs_create_file(list->defs[i].name, 0444, folder, (void *)&list->defs[i], &sum_fops);
}

void vtx_kvm_debugfs_init(void)
{
	struct dentry *folder = debugfs_create_dir("kvm", NULL);

	if (IS_ERR(folder)) {
		if (PTR_ERR(folder) == -EEXIST)
			pr_info("vtx: /sys/kernel/debug/kvm belongs to somebody else\n");
		return;
	}
	make_sum_files(folder, &vtx_vm_stat_list);
	make_sum_files(folder, &vtx_vcpu_stat_list);
	root = folder;
}

void vtx_kvm_debugfs_exit(void)
{
	debugfs_remove(root);
	root = NULL;
}
