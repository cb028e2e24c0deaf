// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device node /dev/vtx, or /dev/kvm where the module parameter says so, and its ioctls.
 */
#include <linux/compat.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include "uapi/device.h"
#include "uapi/ioctl.h"
#include "uapi/vtx.h"

static char *devname = "vtx";
module_param(devname, charp, 0444);
MODULE_PARM_DESC(devname, "name of the device node: vtx (default), or kvm for programs that have /dev/kvm built in");

static long get_api_version(struct vtx_call *call)
{
	return KVM_API_VERSION;
}

static long create_vm(struct vtx_call *call)
{
	return vtx_vm_fd_create(call->arg);
}

static long check_extension(struct vtx_call *call)
{
	return vtx_check_extension(NULL, call->arg);
}

/* struct kvm_run, the page for port data, the ring of coalesced writes. */
static long get_vcpu_mmap_size(struct vtx_call *call)
{
	return 3 * PAGE_SIZE;
}

static const struct vtx_ioctl device_ioctls[] = {
	VTX_IOCTL(KVM_GET_API_VERSION, VTX_NO_ARG, get_api_version),
	VTX_IOCTL(KVM_CREATE_VM, 0, create_vm),
	VTX_IOCTL(KVM_CHECK_EXTENSION, 0, check_extension),
	VTX_IOCTL(KVM_GET_VCPU_MMAP_SIZE, VTX_NO_ARG, get_vcpu_mmap_size),
	VTX_IOCTL(KVM_GET_SUPPORTED_CPUID, VTX_IN | VTX_OUT, vtx_call_supported_cpuid),
	VTX_IOCTL(KVM_GET_MSR_INDEX_LIST, VTX_IN, vtx_call_msr_index_list),
	VTX_IOCTL(KVM_GET_MSR_FEATURE_INDEX_LIST, VTX_IN, vtx_call_msr_feature_list),
	VTX_IOCTL(KVM_GET_MSRS, VTX_IN, vtx_call_get_feature_msrs),
	VTX_IOCTL(VTX_SET_EXT_ERROR, VTX_IN, vtx_call_set_ext_error),
};

/* What an open of the device has of its own. */
struct device_file {
	struct vtx_ext_buffer __rcu *ext_error;
};

static long device_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct device_file *mine = file->private_data;
	struct vtx_call call = { .ext_error = &mine->ext_error, .cmd = cmd, .arg = arg };

	return vtx_ioctl_call(device_ioctls, ARRAY_SIZE(device_ioctls), &call, VTX_ERROR_IOCTL_UNKNOWN_DEVICE);
}

static int device_open(struct inode *inode, struct file *file)
{
	file->private_data = kzalloc(sizeof(struct device_file), GFP_KERNEL_ACCOUNT);
	return file->private_data ? 0 : -ENOMEM;
}

static int device_release(struct inode *inode, struct file *file)
{
	struct device_file *mine = file->private_data;

	vtx_ext_error_release(&mine->ext_error);
	kfree(mine);
	return 0;
}

static const struct file_operations device_fops = {
	.owner = THIS_MODULE,
	.open = device_open,
	.release = device_release,
	.unlocked_ioctl = device_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.fops = &device_fops,
};

int vtx_device_init(void)
{
	int ret;

	if (!strcmp(devname, "kvm")) {
		/* KVM's own minor: the kernel then says "busy" before it tries to make a second node of that name. */
		device.minor = KVM_MINOR;
	} else if (strcmp(devname, "vtx")) {
		pr_err("vtx: devname=%s: the device can be called vtx or kvm only\n", devname);
		return -EINVAL;
	}
	device.name = devname;
	ret = misc_register(&device);
	if (ret == -EBUSY && device.minor == KVM_MINOR)
		pr_err("vtx: devname=kvm: /dev/kvm belongs to the kvm module; unload kvm_intel and kvm first, or use /dev/vtx\n");
	else if (ret)
		pr_err("vtx: can't make the device /dev/%s: error %d\n", devname, ret);
	return ret;
}

bool vtx_device_is_kvm(void)
{
	return device.minor == KVM_MINOR;
}

void vtx_device_exit(void)
{
	misc_deregister(&device);
}
