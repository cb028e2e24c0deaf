// SPDX-License-Identifier: GPL-2.0-only
/*
 * The stream of a VM's exits in debugfs: trace, trace_raw, filter (docs/tracing.md).
 *
 * Unlike the other files, trace and trace_raw work on after the VM and its folder are gone: a reader holds the stream, gets what
 * is left in its buffer and then the end. So they do without debugfs's own protection, which would have the removal of the folder
 * wait for a reader that sleeps, and would throw away what it has not read.
 */
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "trace/debugfs.h"
#include "trace/record_text.h"
#include "trace/stream.h"

#define LOST_LINE 48

/* An open file. */
struct tap {
	struct vtx_reader *reader;
	bool raw;
	struct mutex lock;		/* what follows: two threads may read one file */
	size_t at, len;			/* of staged[], what has been read and what there is */
	char staged[LOST_LINE + VTX_RECORD_LINE];
};

/* ------------------------------------------------------------------ reading */

static void stage_text(struct tap *tap, const struct vtx_stream_entry *e)
{
	const struct vtx_trace_entry *entry = &e->entry;

	tap->len = 0;
	if (entry->lost)
		tap->len = scnprintf(tap->staged, LOST_LINE, "# vcpu %u lost %u\n", entry->vcpu_id, entry->lost);
	if (entry->record.by != VTX_BY_NONE)
		tap->len += vtx_record_line(tap->staged + tap->len, VTX_RECORD_LINE, entry->vcpu_id, e->number, &entry->record);
}

/* @tap->lock held. */
static bool stage_next(struct tap *tap)
{
	struct vtx_stream_entry e;

	if (!vtx_reader_take(tap->reader, &e))
		return false;
	tap->at = 0;
	if (tap->raw) {
		memcpy(tap->staged, &e.entry, sizeof(e.entry));
		tap->len = sizeof(e.entry);
	} else {
		stage_text(tap, &e);
	}
	return true;
}

/* What there is now, without waiting. 0: nothing. */
static ssize_t read_now(struct tap *tap, char __user *buf, size_t len)
{
	size_t done = 0, n;
	bool faulted;

	if (mutex_lock_interruptible(&tap->lock))
		return -ERESTARTSYS;
	while (done < len) {
		if (tap->at == tap->len && !stage_next(tap))
			break;
		n = min(len - done, tap->len - tap->at);
		n -= copy_to_user(buf + done, tap->staged + tap->at, n);
		if (!n)
			break;
		tap->at += n;
		done += n;
		/* A guest that is faster than this must not keep the reader here. */
		if (signal_pending(current))
			break;
		cond_resched();
	}
	/* There was something, and nowhere to put it. */
	faulted = !done && tap->at < tap->len;
	mutex_unlock(&tap->lock);
	return faulted ? -EFAULT : done;
}

static bool readable(struct tap *tap)
{
	return READ_ONCE(tap->at) < READ_ONCE(tap->len) || vtx_reader_ready(tap->reader);
}

static ssize_t trace_read(struct file *file, char __user *buf, size_t len, loff_t *pos)
{
	struct tap *tap = file->private_data;
	struct vtx_stream *stream = tap->reader->stream;
	bool ended;
	ssize_t r;

	if (!len)
		return 0;
	for (;;) {
		/* First this, then the buffer: pairs with vtx_stream_end(). */
		ended = smp_load_acquire(&stream->ended);
		r = read_now(tap, buf, len);
		if (r || ended)
			return r;
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		r = wait_event_interruptible(tap->reader->wait, readable(tap) || READ_ONCE(stream->ended));
		if (r)
			return r;
	}
}

static __poll_t trace_poll(struct file *file, poll_table *wait)
{
	struct tap *tap = file->private_data;
	__poll_t events = 0;

	poll_wait(file, &tap->reader->wait, wait);
	if (READ_ONCE(tap->reader->stream->ended))
		events |= EPOLLHUP;
	if (readable(tap))
		events |= EPOLLIN | EPOLLRDNORM;
	return events;
}

/* ------------------------------------------------------------------ opening and closing */

/* debugfs keeps the folder, and with it the VM's reference on the stream, while this runs. */
static int open_tap(struct inode *inode, struct file *file, bool raw)
{
	struct tap *tap = kzalloc(sizeof(*tap), GFP_KERNEL_ACCOUNT);

	if (!tap)
		return -ENOMEM;
	tap->reader = vtx_reader_open(inode->i_private);
	if (IS_ERR(tap->reader)) {
		int r = PTR_ERR(tap->reader);

		kfree(tap);
		return r;
	}
	mutex_init(&tap->lock);
	tap->raw = raw;
	if (!raw)
		tap->len = scnprintf(tap->staged, sizeof(tap->staged), VTX_RECORD_HEADER);
	file->private_data = tap;
	return stream_open(inode, file);
}

static int trace_open(struct inode *inode, struct file *file)
{
	return open_tap(inode, file, false);
}

static int trace_raw_open(struct inode *inode, struct file *file)
{
	return open_tap(inode, file, true);
}

static int trace_release(struct inode *inode, struct file *file)
{
	struct tap *tap = file->private_data;

	vtx_reader_close(tap->reader);
	kfree(tap);
	return 0;
}

static const struct file_operations trace_fops = {
	.owner = THIS_MODULE,
	.open = trace_open,
	.read = trace_read,
	.poll = trace_poll,
	.release = trace_release,
};

static const struct file_operations trace_raw_fops = {
	.owner = THIS_MODULE,
	.open = trace_raw_open,
	.read = trace_read,
	.poll = trace_poll,
	.release = trace_release,
};

/* ------------------------------------------------------------------ the filter */

static int filter_show(struct seq_file *file, void *unused)
{
	struct vtx_stream *stream = file->private;
	char *text = kmalloc(VTX_FILTER_RULE_TEXT, GFP_KERNEL);
	struct vtx_stream_filter *filter;

	if (!text)
		return -ENOMEM;
	mutex_lock(&stream->lock);
	filter = rcu_dereference_protected(stream->filter, lockdep_is_held(&stream->lock));
	for (u32 i = 0; filter && i < filter->filter.nr_rules; i++) {
		vtx_filter_print(&filter->filter.rules[i], vtx_stream_reason_name, text, VTX_FILTER_RULE_TEXT);
		seq_printf(file, "%s\n", text);
	}
	if (stream->refused.text[0])
		seq_printf(file, "# error: %s\n", stream->refused.text);
	mutex_unlock(&stream->lock);
	kfree(text);
	return 0;
}

static int filter_open(struct inode *inode, struct file *file)
{
	return single_open(file, filter_show, inode->i_private);
}

/* Each write is a whole filter, wherever in the file. */
static ssize_t filter_write(struct file *file, const char __user *buf, size_t len, loff_t *pos)
{
	struct vtx_stream *stream = ((struct seq_file *)file->private_data)->private;
	char *text = NULL;
	int r;

	if (!len)
		return 0;
	if (len <= VTX_FILTER_TEXT) {
		text = vmemdup_user(buf, len);
		if (IS_ERR(text))
			return PTR_ERR(text);
	}
	r = vtx_stream_set_filter(stream, text, len);
	kvfree(text);
	return r ?: len;
}

static const struct file_operations filter_fops = {
	.owner = THIS_MODULE,
	.open = filter_open,
	.read = seq_read,
	.write = filter_write,
	.llseek = seq_lseek,
	.release = single_release,
};

void vtx_debugfs_stream(struct vtx_stream *stream, struct dentry *folder)
{
	if (!stream)
		return;
	debugfs_create_file_unsafe("trace", 0400, folder, stream, &trace_fops);
	debugfs_create_file_unsafe("trace_raw", 0400, folder, stream, &trace_raw_fops);
	debugfs_create_file("filter", 0600, folder, stream, &filter_fops);
}
