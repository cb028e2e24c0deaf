// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/debug/kvm, when vtx serves as /dev/kvm: KVM's statistics files for kvm_stat and its like.
 *
 * A file holds one number: at the top the sum of all VMs, in the folder <pid>-<fd> that of one VM.  Only statistics that vtx
 * counts, and counts as KVM does, have a file.
 *
 * Lifetime: a VM is on the list, and its folder exists, until vtx_kvm_debugfs_vm_destroyed(), which waits for readers.
 */
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <asm/vmx.h>
#include "trace/kvm_names.h"
#include "vmx/vcpu.h"

/* ------------------------------------------------------------------ statistics */

struct statistic {
	const char *name;	/* KVM's */
	u64 (*of_vcpu)(const struct vtx_vcpu *vcpu, unsigned int reason);	/* summed over the vCPUs; or */
	u64 (*of_vm)(const struct vtx_vm *vm, unsigned int level);
	unsigned int arg;
};

static u64 one_reason(const struct vtx_vcpu *vcpu, unsigned int reason)
{
	return READ_ONCE(vcpu->stats.exits[reason].count);
}

static u64 all_reasons(const struct vtx_vcpu *vcpu, unsigned int unused)
{
	u64 sum = 0;

	for (unsigned int i = 0; i < VTX_NR_EXIT_STATS; i++)
		sum += one_reason(vcpu, i);
	return sum;
}

static u64 pages(const struct vtx_vm *vm, unsigned int level)
{
	return atomic_long_read(&vm->ept.pages[level]);
}

#define REASON(name, reason) { name, one_reason, NULL, EXIT_REASON_##reason }

static const struct statistic statistics[] = {
	{ "exits", all_reasons },
	REASON("io_exits", IO_INSTRUCTION),
	REASON("irq_exits", EXTERNAL_INTERRUPT),
	REASON("irq_window_exits", INTERRUPT_WINDOW),
	REASON("nmi_window_exits", NMI_WINDOW),
	REASON("halt_exits", HLT),
	REASON("hypercalls", VMCALL),
	REASON("invlpg", INVLPG),
	REASON("pf_taken", EPT_VIOLATION),
	{ "pages_4k", NULL, pages, 0 },
	{ "pages_2m", NULL, pages, 1 },
	{ "pages_1g", NULL, pages, 2 },
};

static u64 value_of(struct vtx_vm *vm, const struct statistic *s)
{
	struct vtx_vcpu *vcpu;
	u64 sum = 0;
	int i;

	if (s->of_vm)
		return s->of_vm(vm, s->arg);
	vtx_for_each_vcpu(i, vcpu, vm)
		sum += s->of_vcpu(vcpu, s->arg);
	return sum;
}

/* ------------------------------------------------------------------ files */

/* A VM's folder, and what its files point to. */
struct vm_entry {
	struct list_head list;
	struct vtx_vm *vm;
	struct dentry *folder;
	struct vm_file {
		struct vtx_vm *vm;
		const struct statistic *statistic;
	} files[ARRAY_SIZE(statistics)];
};

static struct dentry *root;	/* NULL: vtx does not serve as /dev/kvm, or something else has that folder */
static DEFINE_MUTEX(lock);
static LIST_HEAD(vms);		/* lock */

static int vm_value(void *data, u64 *value)
{
	const struct vm_file *file = data;

	*value = value_of(file->vm, file->statistic);
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

void vtx_kvm_debugfs_vm_created(struct vtx_vm *vm)
{
	struct vm_entry *entry;

	if (!root)
		return;
	entry = kzalloc(sizeof(*entry), GFP_KERNEL_ACCOUNT);
	if (!entry)
		return;
	entry->vm = vm;
	entry->folder = debugfs_create_dir(vm->debugfs_name, root);
	for (unsigned int i = 0; i < ARRAY_SIZE(statistics); i++) {
		entry->files[i] = (struct vm_file){ vm, &statistics[i] };
		debugfs_create_file(statistics[i].name, 0444, entry->folder, &entry->files[i], &vm_fops);
	}
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

void vtx_kvm_debugfs_init(void)
{
	struct dentry *folder = debugfs_create_dir("kvm", NULL);

	if (IS_ERR(folder)) {
		if (PTR_ERR(folder) == -EEXIST)
			pr_info("vtx: /sys/kernel/debug/kvm belongs to somebody else\n");
		return;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(statistics); i++)
		debugfs_create_file(statistics[i].name, 0444, folder, (void *)&statistics[i], &sum_fops);
	root = folder;
}

void vtx_kvm_debugfs_exit(void)
{
	debugfs_remove(root);
	root = NULL;
}
