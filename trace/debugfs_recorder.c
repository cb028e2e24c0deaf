// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vCPU's flight recorder in debugfs: as text, and as the bytes that a program can also map.
 *
 * Opening takes a copy, so that a reader sees one moment however slowly it reads.
 */
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include "trace/debugfs.h"
#include "trace/record_text.h"
#include "trace/recorder.h"

struct snapshot {
	u32 vcpu_id;
	unsigned int n;
	u64 first;			/* number of the first record */
	size_t size;			/* of what follows, as recorder_raw shows it */
	struct vtx_ring ring;
	u8 pad[PAGE_SIZE - sizeof(struct vtx_ring)];
	struct vtx_record records[VTX_RING_RECORDS];	/* by number, as in the ring */
};

/* Puts record number n at n % VTX_RING_RECORDS, where a reader of the mapping would look for it. */
static void arrange(struct snapshot *snapshot, const struct vtx_record *in)
{
	for (unsigned int i = 0; i < snapshot->n; i++)
		snapshot->records[(snapshot->first + i) % VTX_RING_RECORDS] = in[i];
}

static struct snapshot *take(struct vtx_vcpu *vcpu)
{
	struct snapshot *snapshot = kvzalloc(sizeof(*snapshot), GFP_KERNEL_ACCOUNT);
	struct vtx_record *records = kvmalloc_array(VTX_RING_RECORDS, sizeof(*records), GFP_KERNEL_ACCOUNT);

	if (!snapshot || !records) {
		kvfree(snapshot);
		kvfree(records);
		return NULL;
	}
	snapshot->vcpu_id = vcpu->id;
	snapshot->ring = *vcpu->ring;
	snapshot->n = vtx_recorder_copy(vcpu, records, VTX_RING_RECORDS, &snapshot->first);
	snapshot->ring.head = snapshot->first + snapshot->n;
	snapshot->size = VTX_RING_SIZE;
	arrange(snapshot, records);
	kvfree(records);
	return snapshot;
}

/* ------------------------------------------------------------------ text */

static void *text_at(struct seq_file *file, loff_t pos)
{
	struct snapshot *snapshot = file->private;

	if (!pos)
		return SEQ_START_TOKEN;
	if (pos > snapshot->n)
		return NULL;
	return &snapshot->records[(snapshot->first + pos - 1) % VTX_RING_RECORDS];
}

static void *text_start(struct seq_file *file, loff_t *pos)
{
	return text_at(file, *pos);
}

static void *text_next(struct seq_file *file, void *v, loff_t *pos)
{
	return text_at(file, ++*pos);
}

static void text_stop(struct seq_file *file, void *v)
{
}

static int text_show(struct seq_file *file, void *v)
{
	struct snapshot *snapshot = file->private;
	const struct vtx_record *record = v;
	char line[VTX_RECORD_LINE];

	if (v == SEQ_START_TOKEN) {
		seq_puts(file, VTX_RECORD_HEADER);
		return 0;
	}
	/* The record knows the low half of its number. */
	vtx_record_line(line, sizeof(line), snapshot->vcpu_id, snapshot->first + (u32)(record->seq - (u32)snapshot->first), record);
	seq_puts(file, line);
	return 0;
}

static const struct seq_operations text_ops = {
	.start = text_start,
	.next = text_next,
	.stop = text_stop,
	.show = text_show,
};

static int recorder_open(struct inode *inode, struct file *file)
{
	struct snapshot *snapshot = take(inode->i_private);
	int r;

	if (!snapshot)
		return -ENOMEM;
	r = seq_open(file, &text_ops);
	if (r)
		kvfree(snapshot);
	else
		((struct seq_file *)file->private_data)->private = snapshot;
	return r;
}

static int recorder_release(struct inode *inode, struct file *file)
{
	kvfree(((struct seq_file *)file->private_data)->private);
	return seq_release(inode, file);
}

static const struct file_operations recorder_fops = {
	.owner = THIS_MODULE,
	.open = recorder_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = recorder_release,
};

/* ------------------------------------------------------------------ binary */

static int raw_open(struct inode *inode, struct file *file)
{
	file->private_data = take(inode->i_private);
	return file->private_data ? 0 : -ENOMEM;
}

static ssize_t raw_read(struct file *file, char __user *buf, size_t len, loff_t *pos)
{
	struct snapshot *snapshot = file->private_data;

	return simple_read_from_buffer(buf, len, pos, &snapshot->ring, snapshot->size);
}

static int raw_release(struct inode *inode, struct file *file)
{
	kvfree(file->private_data);
	return 0;
}

static const struct file_operations raw_fops = {
	.owner = THIS_MODULE,
	.open = raw_open,
	.read = raw_read,
	.llseek = default_llseek,
	.release = raw_release,
};

void vtx_debugfs_recorder(struct vtx_vcpu *vcpu, struct dentry *folder)
{
	static_assert(offsetof(struct snapshot, records) - offsetof(struct snapshot, ring) == PAGE_SIZE);

	if (!vcpu->ring)
		return;
	debugfs_create_file("recorder", 0444, folder, vcpu, &recorder_fops);
	debugfs_create_file("recorder_raw", 0444, folder, vcpu, &raw_fops);
}
