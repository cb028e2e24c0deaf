/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The files of a VM's and of a vCPU's folder, one subject a source file. Called when the folder is made; debugfs takes them away
 * with it.
 */
#ifndef VTX_TRACE_DEBUGFS_H
#define VTX_TRACE_DEBUGFS_H

struct dentry;
struct vtx_stream;
struct vtx_vcpu;

void vtx_debugfs_stats(struct vtx_vcpu *vcpu, struct dentry *folder);		/* exits, latency, top */
void vtx_debugfs_recorder(struct vtx_vcpu *vcpu, struct dentry *folder);	/* recorder, recorder_raw */
/* Of the VM's: trace, trace_raw, filter. NULL: none. */
void vtx_debugfs_stream(struct vtx_stream *stream, struct dentry *folder);

#endif /* VTX_TRACE_DEBUGFS_H */
