// SPDX-License-Identifier: GPL-2.0-only
/*
 * The prologue and epilogue of every ioctl: find the row, copy the argument in, take what the row asks for, call, give it
 * back in reverse order, copy out.
 */
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "uapi/ioctl.h"
#include "uapi/refuse.h"

/* May this process use the VM (for @row, NULL: none such)? Another process has no buffer here in which to read why not. */
static int vm_usable(const struct vtx_vm *vm, const struct vtx_ioctl *row)
{
	if (vm->mm != current->mm)
		return -EIO;
	if (row && (row->flags & VTX_EVEN_DEAD))
		return 0;
	return READ_ONCE(vm->dead) ? VTX_REFUSE(VM_DEAD, VTX_NO_FIELD, 0, 0) : 0;
}

static const struct vtx_ioctl *find(const struct vtx_ioctl *rows, unsigned int n, unsigned int cmd)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (rows[i].cmd == cmd)
			return &rows[i];
	return NULL;
}

static long with_srcu(const struct vtx_ioctl *row, struct vtx_call *call)
{
	int idx = srcu_read_lock(&call->vm->srcu);
	long ret = row->fn(call);

	srcu_read_unlock(&call->vm->srcu, idx);
	return ret;
}

static long run_row(const struct vtx_ioctl *row, struct vtx_call *call)
{
	return row->flags & VTX_SRCU ? with_srcu(row, call) : row->fn(call);
}

static long with_vcpu(const struct vtx_ioctl *row, struct vtx_call *call)
{
	long ret;

	if (mutex_lock_killable(&call->vcpu->mutex))
		return -EINTR;
	vtx_vcpu_load(call->vcpu);
	ret = run_row(row, call);
	vtx_vcpu_put(call->vcpu);
	mutex_unlock(&call->vcpu->mutex);
	return ret;
}

static long with_vm_lock(const struct vtx_ioctl *row, struct vtx_call *call)
{
	long ret;

	mutex_lock(&call->vm->lock);
	ret = run_row(row, call);
	mutex_unlock(&call->vm->lock);
	return ret;
}

/* No row wants both vm->lock and a vCPU. */
static long run_locked(const struct vtx_ioctl *row, struct vtx_call *call)
{
	if (row->flags & VTX_VM_LOCK)
		return with_vm_lock(row, call);
	if (row->flags & VTX_VCPU)
		return with_vcpu(row, call);
	return run_row(row, call);
}

static long serve(const struct vtx_ioctl *row, struct vtx_call *call)
{
	size_t size = _IOC_SIZE(call->cmd);
	long ret;

	if ((row->flags & VTX_NO_ARG) && call->arg)
		return VTX_REFUSE(ARGUMENT_NOT_ZERO, VTX_NO_FIELD, call->arg, 0);
	if ((row->flags & VTX_LAPIC) && !vtx_has_lapic(call->vm))
		return VTX_REFUSE(LAPIC_MISSING, VTX_NO_FIELD, 0, 0);

	if (row->flags & (VTX_IN | VTX_OUT)) {
		call->data = kzalloc(size, GFP_KERNEL_ACCOUNT);
		if (!call->data)
			return -ENOMEM;
		if ((row->flags & VTX_IN) && copy_from_user(call->data, vtx_call_user(call), size)) {
			ret = VTX_REFUSE(ARGUMENT_UNREADABLE, VTX_NO_FIELD, call->arg, size);
			goto free;
		}
	}
	ret = run_locked(row, call);
	if (ret >= 0 && (row->flags & VTX_OUT) && copy_to_user(vtx_call_user(call), call->data, size))
		ret = VTX_REFUSE(ARGUMENT_UNWRITABLE, VTX_NO_FIELD, call->arg, size);
free:
	kfree(call->data);
	return ret;
}

static long find_and_serve(const struct vtx_ioctl *rows, unsigned int n, struct vtx_call *call, enum vtx_error_code unknown)
{
	const struct vtx_ioctl *row = find(rows, n, call->cmd);
	int ret = call->vm ? vm_usable(call->vm, row) : 0;

	if (ret)
		return ret;
	return row ? serve(row, call) : vtx_refuse(unknown, VTX_NO_FIELD, call->cmd, 0);
}

/* The descriptor has a buffer, or had a moment ago. */
static noinline long serve_and_explain(const struct vtx_ioctl *rows, unsigned int n, struct vtx_call *call, enum vtx_error_code unknown)
{
	struct vtx_refusal refusal;
	bool wanted = vtx_ext_error_begin(call->ext_error, &refusal);
	long ret = find_and_serve(rows, n, call, unknown);

	if (wanted)
		vtx_ext_error_end(&refusal, call->cmd, ret);
	return ret;
}

long vtx_ioctl_call(const struct vtx_ioctl *rows, unsigned int n, struct vtx_call *call, enum vtx_error_code unknown)
{
	if (unlikely(rcu_access_pointer(*call->ext_error)))
		return serve_and_explain(rows, n, call, unknown);
	return find_and_serve(rows, n, call, unknown);
}
