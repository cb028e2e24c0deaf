// SPDX-License-Identifier: GPL-2.0-only
/* A VMM in 60 lines: runs a guest of 15 bytes of code that prints "Hello" through port 0x3f8 and halts. */
#include <err.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

static const unsigned char guest[] = {
	0xba, 0xf8, 0x03,	     /*     mov dx, 0x3f8    */
	0xbe, 0x0f, 0x10,	     /*     mov si, text     */
	0xac,			     /* l:  lodsb            */
	0x84, 0xc0,		     /*     test al, al      */
	0x74, 0x03,		     /*     jz done          */
	0xee,			     /*     out dx, al       */
	0xeb, 0xf8,		     /*     jmp l            */
	0xf4,			     /* done: hlt            */
	'H', 'e', 'l', 'l', 'o', '\n', 0, /* text: at 0x100f */
};

int main(int argc, char **argv)
{
	const char *path = argc == 3 && !strcmp(argv[1], "--dev") ? argv[2] : "/dev/vtx";
	int dev = open(path, O_RDWR | O_CLOEXEC), vm, vcpu;
	struct kvm_userspace_memory_region slot = { .guest_phys_addr = 0x1000, .memory_size = 0x1000 };
	struct kvm_regs regs = { .rip = 0x1000, .rflags = 2 };
	struct kvm_sregs sregs;
	struct kvm_run *run;
	void *memory;

	if (dev < 0 || ioctl(dev, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
		err(3, "%s", path);
	memory = mmap(NULL, 0x1000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memcpy(memory, guest, sizeof(guest));
	slot.userspace_addr = (unsigned long)memory;
	if ((vm = ioctl(dev, KVM_CREATE_VM, 0)) < 0 || ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot) < 0)
		err(1, "creating a VM");
	if ((vcpu = ioctl(vm, KVM_CREATE_VCPU, 0)) < 0 || ioctl(vcpu, KVM_GET_SREGS, &sregs) < 0)
		err(1, "creating a vCPU");
	run = mmap(NULL, ioctl(dev, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	sregs.cs.base = sregs.cs.selector = 0; /* else the reset state, which is 16-bit real mode */
	if (run == MAP_FAILED || ioctl(vcpu, KVM_SET_SREGS, &sregs) < 0 || ioctl(vcpu, KVM_SET_REGS, &regs) < 0)
		err(1, "setting up the vCPU");
	for (;;) {
		if (ioctl(vcpu, KVM_RUN, 0) < 0)
			err(1, "KVM_RUN");
		if (run->exit_reason == KVM_EXIT_IO && run->io.port == 0x3f8)
			putchar(*((char *)run + run->io.data_offset));
		else if (run->exit_reason == KVM_EXIT_HLT)
			return 0;
		else
			errx(1, "unexpected exit %u", run->exit_reason);
	}
}
