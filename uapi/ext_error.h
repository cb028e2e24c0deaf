/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VTX_SET_EXT_ERROR: the buffer of a file descriptor, and the calls that are to be explained.
 */
#ifndef VTX_UAPI_EXT_ERROR_H
#define VTX_UAPI_EXT_ERROR_H

#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/types.h>

struct mm_struct;
struct task_struct;

/* A registration, immutable. It means an address of one process: another that inherited the descriptor gets no explanations. */
struct vtx_ext_buffer {
	struct rcu_head rcu;
	struct mm_struct *mm;
	u64 address;		/* of a struct vtx_ext_error */
};

/* A call on its way, on the stack of the thread that makes it. */
struct vtx_refusal {
	struct hlist_node node;
	struct task_struct *task;
	u64 address;
	u64 found, allowed;
	u32 code;		/* 0: not refused so far, or without an explanation */
	u32 offset;
};

/*
 * Bracket an ioctl on a descriptor with a buffer. begin is false when there is none for this process: then no end.
 * @ret: what the ioctl returns; that never changes, whatever becomes of the explanation.
 */
bool vtx_ext_error_begin(struct vtx_ext_buffer __rcu **slot, struct vtx_refusal *call);
void vtx_ext_error_end(struct vtx_refusal *call, unsigned int cmd, long ret);

/* The descriptor is being closed. */
void vtx_ext_error_release(struct vtx_ext_buffer __rcu **slot);

#endif /* VTX_UAPI_EXT_ERROR_H */
