// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vCPU's counters as text: exits, latency, top (docs/tracing.md).
 *
 * The counters are the vCPU thread's alone, so clearing cannot write them: it keeps a copy of where they stand, and reading shows
 * the difference.  Smallest and largest have no difference; those are written, and at worst the exit of that moment is missing.
 */
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include "exits/exits.h"
#include "trace/debugfs.h"
#include "trace/stats.h"
#include "vmx/vcpu.h"

static DEFINE_MUTEX(lock); /* vcpu->stats_then */

static void print_name(struct seq_file *file, int reason)
{
	const char *name = reason < VTX_NR_EXIT_REASONS ? vtx_exit_table[reason].name : "OTHER";

	if (name)
		seq_puts(file, name);
	else
		seq_printf(file, "REASON_%d", reason);
}

/* What has been counted since the last clearing. @lock held. */
static struct vtx_exit_stat since_cleared(const struct vtx_vcpu *vcpu, int reason)
{
	const struct vtx_exit_stat *now = &vcpu->stats->exits[reason];
	const struct vtx_exit_stat *then = vcpu->stats_then ? &vcpu->stats_then->exits[reason] : NULL;
	struct vtx_exit_stat diff = {
		.count = READ_ONCE(now->count) - (then ? then->count : 0),
		.ticks = READ_ONCE(now->ticks) - (then ? then->ticks : 0),
		.user_ticks = READ_ONCE(now->user_ticks) - (then ? then->user_ticks : 0),
		.min = READ_ONCE(now->min),
		.max = READ_ONCE(now->max),
	};

	for (int i = 0; i < VTX_NR_BUCKETS; i++)
		diff.buckets[i] = READ_ONCE(now->buckets[i]) - (then ? then->buckets[i] : 0);
	return diff;
}

static int exits_show(struct seq_file *file, void *unused)
{
	const struct vtx_vcpu *vcpu = file->private;

	seq_puts(file, "name count ticks user_ticks min max\n");
	mutex_lock(&lock);
	for (int i = 0; i < VTX_NR_EXIT_STATS; i++) {
		struct vtx_exit_stat stat = since_cleared(vcpu, i);

		if (!stat.count)
			continue;
		print_name(file, i);
		seq_printf(file, " %llu %llu %llu %u %u\n", stat.count, stat.ticks, stat.user_ticks, stat.min, stat.max);
	}
	mutex_unlock(&lock);
	return 0;
}

static int latency_show(struct seq_file *file, void *unused)
{
	const struct vtx_vcpu *vcpu = file->private;

	seq_puts(file, "name");
	for (int i = 0; i < VTX_NR_BUCKETS; i++)
		seq_printf(file, " %d", i);
	seq_putc(file, '\n');
	mutex_lock(&lock);
	for (int i = 0; i < VTX_NR_EXIT_STATS; i++) {
		struct vtx_exit_stat stat = since_cleared(vcpu, i);

		if (!stat.count)
			continue;
		print_name(file, i);
		for (int k = 0; k < VTX_NR_BUCKETS; k++)
			seq_printf(file, " %llu", stat.buckets[k]);
		seq_putc(file, '\n');
	}
	mutex_unlock(&lock);
	return 0;
}

/* ------------------------------------------------------------------ top */

static const char *const top_names[VTX_NR_TOPS] = {
	[VTX_TOP_MSR] = "msr", [VTX_TOP_PORT] = "port", [VTX_TOP_CPUID] = "cpuid",
	[VTX_TOP_MMIO] = "mmio", [VTX_TOP_HYPERCALL] = "hypercall",
};

/* A key that has a place keeps it, so tables can be subtracted place by place. */
static void top_since_cleared(const struct vtx_vcpu *vcpu, int table, struct vtx_top *out)
{
	const struct vtx_top *then = vcpu->stats_then ? &vcpu->stats_then->tops[table] : NULL;

	*out = vcpu->stats->tops[table];
	if (!then)
		return;
	out->overflow -= then->overflow;
	for (int i = 0; i < VTX_TOP_KEYS; i++)
		out->entries[i].count -= then->entries[i].count;
}

static int top_show(struct seq_file *file, void *unused)
{
	const struct vtx_vcpu *vcpu = file->private;
	struct vtx_top *diff = kmalloc(sizeof(*diff), GFP_KERNEL);
	struct vtx_top_entry *sorted = kmalloc_array(VTX_TOP_KEYS, sizeof(*sorted), GFP_KERNEL);
	int r = -ENOMEM;

	if (!diff || !sorted)
		goto out;
	seq_puts(file, "table key count\n");
	for (int table = 0; table < VTX_NR_TOPS; table++) {
		unsigned int n;

		mutex_lock(&lock);
		top_since_cleared(vcpu, table, diff);
		mutex_unlock(&lock);
		n = vtx_top_sorted(diff, sorted);
		for (unsigned int i = 0; i < n; i++)
			seq_printf(file, "%s %#llx %llu\n", top_names[table], sorted[i].key, sorted[i].count);
		seq_printf(file, "%s overflow %llu\n", top_names[table], diff->overflow);
	}
	r = 0;
out:
	kfree(sorted);
	kfree(diff);
	return r;
}

/* ------------------------------------------------------------------ clearing */

static void clear_exits(struct vtx_vcpu *vcpu)
{
	for (int i = 0; i < VTX_NR_EXIT_STATS; i++) {
		struct vtx_exit_stat *now = &vcpu->stats->exits[i];

		vcpu->stats_then->exits[i] = *now;
		WRITE_ONCE(now->min, U32_MAX);
		WRITE_ONCE(now->max, 0);
	}
}

static void clear_tops(struct vtx_vcpu *vcpu)
{
	memcpy(vcpu->stats_then->tops, vcpu->stats->tops, sizeof(vcpu->stats->tops));
}

/* Takes a 0 and nothing else. */
static ssize_t clear(struct vtx_vcpu *vcpu, const char __user *buf, size_t len, void (*part)(struct vtx_vcpu *vcpu))
{
	u64 value;
	int r;

	r = kstrtou64_from_user(buf, len, 0, &value);
	if (r)
		return r;
	if (value)
		return -EINVAL;
	mutex_lock(&lock);
	if (!vcpu->stats_then)
		vcpu->stats_then = kvzalloc(sizeof(*vcpu->stats_then), GFP_KERNEL_ACCOUNT);
	if (vcpu->stats_then)
		part(vcpu);
	else
		r = -ENOMEM;
	mutex_unlock(&lock);
	return r ?: len;
}

static struct vtx_vcpu *vcpu_of(struct file *file)
{
	return ((struct seq_file *)file->private_data)->private;
}

static ssize_t exits_write(struct file *file, const char __user *buf, size_t len, loff_t *pos)
{
	return clear(vcpu_of(file), buf, len, clear_exits);
}

static ssize_t top_write(struct file *file, const char __user *buf, size_t len, loff_t *pos)
{
	return clear(vcpu_of(file), buf, len, clear_tops);
}

/* ------------------------------------------------------------------ files */

#define STATS_FILE(name, show, write_fn)                            \
	static int name##_open(struct inode *inode, struct file *file) \
	{                                                           \
		return single_open(file, show, inode->i_private);   \
	}                                                           \
	static const struct file_operations name##_fops = {         \
		.owner = THIS_MODULE,                               \
		.open = name##_open,                                \
		.read = seq_read,                                   \
		.write = (write_fn),                                \
		.llseek = seq_lseek,                                \
		.release = single_release,                          \
	}

STATS_FILE(exits, exits_show, exits_write);
STATS_FILE(latency, latency_show, exits_write);
STATS_FILE(top, top_show, top_write);

void vtx_debugfs_stats(struct vtx_vcpu *vcpu, struct dentry *folder)
{
	if (!vcpu->stats)
		return;
	debugfs_create_file("exits", 0644, folder, vcpu, &exits_fops);
	debugfs_create_file("latency", 0644, folder, vcpu, &latency_fops);
	debugfs_create_file("top", 0644, folder, vcpu, &top_fops);
}
