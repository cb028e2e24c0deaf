// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_GET_STATS_FD: the statistics of a VM or a vCPU as a file of numbers, for programs without root.
 *
 * The file is the header, the id, the descriptors and the numbers, in this order; api.rst of the kernel, 4.133, defines them. Only
 * the numbers change: they are those of the moment of the read.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "trace/stat_defs.h"
#include "uapi/ioctl.h"

/* struct kvm_stats_desc ends in the name, whose size is not part of it in all kernels' headers. */
#define DESC_SIZE   (offsetof(struct kvm_stats_desc, name) + VTX_STAT_NAME_SIZE)
#define ID_OFFSET   sizeof(struct kvm_stats_header)
#define DESC_OFFSET (ID_OFFSET + VTX_STAT_NAME_SIZE)

/* Blocks begin at multiples of 8 bytes. */
static_assert(ID_OFFSET % 8 == 0 && VTX_STAT_NAME_SIZE % 8 == 0 && DESC_SIZE % 8 == 0);

static u32 data_offset(const struct vtx_stat_list *list)
{
	return DESC_OFFSET + list->nr * DESC_SIZE;
}

static u32 file_size(const struct vtx_stat_list *list)
{
	return data_offset(list) + list->nr_values * sizeof(u64);
}

/* ------------------------------------------------------------------ contents */

static void fill_header(u8 *file, const struct vtx_stat_list *list)
{
	*(struct kvm_stats_header *)file = (struct kvm_stats_header){
		.name_size = VTX_STAT_NAME_SIZE,
		.num_desc = list->nr,
		.id_offset = ID_OFFSET,
		.desc_offset = DESC_OFFSET,
		.data_offset = data_offset(list),
	};
}

/* As KVM's, "kvm-<pid>" or "kvm-<pid>/vcpu-<id>": programs look for the beginning. The folder in debugfs begins with the same pid. */
static void fill_id(char *id, const struct vtx_vm *vm, const struct vtx_vcpu *vcpu)
{
	int len = strcspn(vm->debugfs_name, "-");

	if (vcpu)
		snprintf(id, VTX_STAT_NAME_SIZE, "kvm-%.*s/vcpu-%u", len, vm->debugfs_name, vcpu->id);
	else
		snprintf(id, VTX_STAT_NAME_SIZE, "kvm-%.*s", len, vm->debugfs_name);
}

static void fill_descriptors(u8 *descs, const struct vtx_stat_list *list)
{
	u32 offset = 0;

	for (unsigned int i = 0; i < list->nr; i++, descs += DESC_SIZE) {
		const struct vtx_stat_def *def = &list->defs[i];
		struct kvm_stats_desc *desc = (struct kvm_stats_desc *)descs;

		desc->flags = def->flags;
		desc->exponent = def->exponent;
		desc->size = def->size;
		desc->offset = offset;
		strscpy((char *)descs + offsetof(struct kvm_stats_desc, name), def->name, VTX_STAT_NAME_SIZE);
		offset += def->size * sizeof(u64);
	}
}

static void fill_data(u64 *data, const struct vtx_stat_list *list, struct vtx_vm *vm, struct vtx_vcpu *vcpu)
{
	for (unsigned int i = 0; i < list->nr; data += list->defs[i++].size)
		vtx_stat_read(&list->defs[i], vm, vcpu, data);
}

/* ------------------------------------------------------------------ the file */

static const struct vtx_stat_list *list_of(const struct vtx_vcpu *vcpu)
{
	return vcpu ? &vtx_vcpu_stat_list : &vtx_vm_stat_list;
}

/* @vcpu: NULL for the VM's. Nothing of the VM can change its size, so one look at it is enough. */
static ssize_t read_stats(struct vtx_vm *vm, struct vtx_vcpu *vcpu, char __user *buf, size_t len, loff_t *pos)
{
	const struct vtx_stat_list *list = list_of(vcpu);
	u32 data = data_offset(list), size = file_size(list);
	ssize_t ret;
	u8 *file;

	if (*pos >= size || !len)
		return 0;
	file = kvzalloc(size, GFP_KERNEL_ACCOUNT);
	if (!file)
		return -ENOMEM;
	if (*pos < data) {
		fill_header(file, list);
		fill_id((char *)file + ID_OFFSET, vm, vcpu);
		fill_descriptors(file + DESC_OFFSET, list);
	}
	if (len > data || *pos + len > data)
		fill_data((u64 *)(file + data), list, vm, vcpu);
	ret = simple_read_from_buffer(buf, len, pos, file, size);
	kvfree(file);
	return ret;
}

static ssize_t vm_stats_read(struct file *file, char __user *buf, size_t len, loff_t *pos)
{
	return read_stats(file->private_data, NULL, buf, len, pos);
}

static ssize_t vcpu_stats_read(struct file *file, char __user *buf, size_t len, loff_t *pos)
{
	struct vtx_vcpu *vcpu = file->private_data;

	return read_stats(vcpu->vm, vcpu, buf, len, pos);
}

/* KVM's lseek() does nothing here; its document promises that it works. */
static loff_t vm_stats_llseek(struct file *file, loff_t offset, int whence)
{
	return fixed_size_llseek(file, offset, whence, file_size(&vtx_vm_stat_list));
}

static loff_t vcpu_stats_llseek(struct file *file, loff_t offset, int whence)
{
	return fixed_size_llseek(file, offset, whence, file_size(&vtx_vcpu_stat_list));
}

static int vm_stats_release(struct inode *inode, struct file *file)
{
	vtx_vm_put(file->private_data);
	return 0;
}

static int vcpu_stats_release(struct inode *inode, struct file *file)
{
	struct vtx_vcpu *vcpu = file->private_data;

	vtx_vm_put(vcpu->vm);
	return 0;
}

static const struct file_operations vm_stats_fops = {
	.owner = THIS_MODULE,
	.read = vm_stats_read,
	.llseek = vm_stats_llseek,
	.release = vm_stats_release,
};

static const struct file_operations vcpu_stats_fops = {
	.owner = THIS_MODULE,
	.read = vcpu_stats_read,
	.llseek = vcpu_stats_llseek,
	.release = vcpu_stats_release,
};

static struct file *make_file(struct vtx_call *call)
{
	char name[32];

	if (!call->vcpu)
		return anon_inode_getfile("vtx-vm-stats", &vm_stats_fops, call->vm, O_RDONLY);
	snprintf(name, sizeof(name), "vtx-vcpu-stats:%u", call->vcpu->id);
	return anon_inode_getfile(name, &vcpu_stats_fops, call->vcpu, O_RDONLY);
}

/*
 * vtx_call_stats_fd() - KVM_GET_STATS_FD; not behind the vCPU's mutex: statistics are for looking at a vCPU that runs
 * Return: the fd, which keeps the VM; -EMFILE, -ENFILE, -ENOMEM.
 */
long vtx_call_stats_fd(struct vtx_call *call)
{
	int fd = get_unused_fd_flags(O_CLOEXEC);
	struct file *file;

	if (fd < 0)
		return fd;
	file = make_file(call);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	vtx_vm_get(call->vm);	/* the file's */
	file->f_mode |= FMODE_PREAD;
	fd_install(fd, file);
	return fd;
}
