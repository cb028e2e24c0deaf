// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guests and programs that mean harm: whatever they do, the machine lives, KVM_RUN can be interrupted, processes can be killed,
 * and the next VM works.  Each case ends by running one.
 */
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/guest.h"
#include "lib/vm.h"

GUEST static void nothing(u64 arg)
{
	(void)arg;
}

static void next_vm_works(void)
{
	guest_passes(0, nothing, 0);
	guest_passes(VM_IRQCHIP, nothing, 0);
}

/* Interrupts the process again and again, in units of the machine's milliseconds. */
static void interrupt_me(unsigned int ms)
{
	struct itimerval timer = { .it_interval = { .tv_usec = 1000 * ms }, .it_value = { .tv_usec = 1000 * ms } };
	struct sigaction action;

	quiet_signal();
	sigaction(SIGUSR1, NULL, &action);
	sigaction(SIGALRM, &action, NULL);
	CHECK(!setitimer(ITIMER_REAL, &timer, NULL), "setitimer");
}

/* Back to the case's time limit, which uses the same timer. */
static void leave_me_alone(void)
{
	struct itimerval off = { .it_value = { .tv_sec = 0 } };

	setitimer(ITIMER_REAL, &off, NULL);
	signal(SIGALRM, SIG_DFL);
	test_timeout(4);
}

/* Runs the guest, which must not get anywhere: KVM_RUN has to be interruptible each time. */
static void run_in_vain(struct vcpu *v, int times)
{
	interrupt_me(2);
	for (int i = 0; i < times; i++) {
		if (!ioctl(v->fd, KVM_RUN, 0)) {
			/* It may also end the VM in a described way. */
			if (v->run->exit_reason == KVM_EXIT_IO)
				note("port %#x, exception %d at %#llx", v->run->io.port, G(v->vm, g_trap).vector,
				     (unsigned long long)G(v->vm, g_trap).rip);
			CHECK(v->run->exit_reason == KVM_EXIT_SHUTDOWN || v->run->exit_reason == KVM_EXIT_INTERNAL_ERROR,
			      "exit %s, port %#x; the guest's last unexpected exception: %d error %#llx rip %#llx cr2 %#llx",
			      exit_name(v->run->exit_reason), v->run->io.port, g_trap.vector, (unsigned long long)g_trap.error,
			      (unsigned long long)g_trap.rip, (unsigned long long)g_trap.cr2);
			break;
		}
		CHECK_EQ(errno, EINTR, "errno");
		EXPECT_EQ(v->run->exit_reason, KVM_EXIT_INTR, "the exit reason");
	}
	leave_me_alone();
	next_vm_works();
}

struct table_register {
	u16 limit;
	u64 base;
} __attribute__((packed));

GUEST static void triple_guest(u64 arg)
{
	struct table_register idtr = { 0, 0 };

	(void)arg;
	asm volatile("lidt %0\n\tint3" : : "m"(idtr) : "memory");
}

/* Triple faults at once, many VMs in a row, and the same vCPU again after its end. */
static void triple_faults(void)
{
	for (int i = 0; i < 10; i++) {
		struct vcpu *v = guest_new(i & 1 ? VM_IRQCHIP : 0, triple_guest, 0);

		vcpu_expect(v, KVM_EXIT_SHUTDOWN);
		interrupt_me(5);
		(void)!ioctl(v->fd, KVM_RUN, 0);	/* anything but a crash */
		leave_me_alone();
		vm_free(v->vm);
		vcpu_free(v);
	}
	next_vm_works();
}

GUEST static void jump_guest(u64 target)
{
	asm volatile("jmp *%0" : : "r"(target));
}

static void jump_outside_memory(void)
{
	struct vcpu *v = guest_new(0, jump_guest, GUEST_ABSENT);

	vcpu_expect(v, KVM_EXIT_INTERNAL_ERROR);
	EXPECT_EQ(v->run->internal.suberror, KVM_INTERNAL_ERROR_EMULATION, "the suberror");
	next_vm_works();
}

GUEST static void catching_jump(u64 target)
{
	int vector = G_TRY("jmp *%0", : : "r"(target) : "memory");

	g_done((u32)vector);
}

static void jumps_that_fault(void)
{
	static const struct {
		u64 target;
		u32 vector;
	} cases[] = { { 0x8000000000000000ULL, 13 }, { 0x0000800000000000ULL, 13 }, { 1ULL << 40, 14 } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vcpu *v = guest_new(0, catching_jump, cases[i].target);

		CHECK_EQ(vcpu_finish(v), cases[i].vector, "the exception");
	}
}

GUEST static void halt_guest(u64 arg)
{
	(void)arg;
	g_cli();
	for (;;)
		asm volatile("hlt");
}

/* HLT with interrupts off blocks in the kernel; only a signal gets out. */
static void halt_with_interrupts_off(void)
{
	run_in_vain(guest_new(VM_IRQCHIP, halt_guest, 0), 3);
}

GUEST static void spin_guest(u64 arg)
{
	(void)arg;
	g_sti();
	for (;;)
		;
}

static void endless_loop(void)
{
	run_in_vain(guest_new(0, spin_guest, 0), 5);
}

/*
 * A data breakpoint on the stack that the #DB itself pushes to: each delivery raises the next (CVE-2015-8104).  Where the
 * machine has no data breakpoints (Bochs without its x86 debugger) this is an endless loop like any other.
 */
#define DB_STACK 0x2a0000UL

GUEST static void ignore(struct g_frame *frame)
{
	(void)frame;
}

GUEST static void db_loop_guest(u64 arg)
{
	g_handler[1] = ignore;
	g_sti();
	/* 8 bytes, written: where the CPU pushes SS on the stack of the #DB's own. */
	asm volatile("mov %0, %%dr0\n\tmov %1, %%dr7" : : "r"(arg - 8), "r"(0x00090402UL) : "memory");
	for (;;)
		*(volatile u64 *)(arg - 8) = 0;
}

static void debug_exception_loop(void)
{
	struct vcpu *v = guest_new(0, db_loop_guest, DB_STACK);
	u64 *gate = (u64 *)(v->vm->mem + GUEST_IDT) + 2;

	*gate |= 1ULL << 32 | 1ULL << 40;	/* IST 1; a trap gate: interrupts stay on */
	*(u64 *)(v->vm->mem + GUEST_TSS + 36) = DB_STACK;
	run_in_vain(v, 5);
}

/* Alignment checks at CPL 3 with a misaligned stack and a handler at CPL 3: #AC upon #AC (CVE-2015-5307). */
GUEST_CODE(ac_loop, 32,
	   /* to CPL 3 with EFLAGS.AC, interrupts on, and a stack at an odd address */
	   "movl %cr0, %eax\n orl $0x40000, %eax\n movl %eax, %cr0\n"
	   "pushl $0x3b\n pushl $0x2f0001\n pushl $0x40202\n pushl $0x63\n pushl $(0x8000 + 1f - ac_loop)\n iretl\n"
	   "1: movw $0x3b, %ax\n movw %ax, %ds\n"
	   "2: pushl %eax\n jmp 2b\n");

static void alignment_check_loop(void)
{
	struct vcpu *v = vcpu_new(vm_new(0), 0);
	u64 *gate = (u64 *)(v->vm->mem + GUEST_IDT32) + 17, handler;

	vm_load_code(v->vm, GUEST_REAL_CODE, ac_loop, ac_loop_end);
	vcpu_mode_prot32(v, GUEST_REAL_CODE);
	/* #AC through a trap gate to the pushing loop itself, at CPL 3: interrupts stay on. */
	handler = GUEST_REAL_CODE + (u64)(ac_loop_end - ac_loop) - 3;
	*gate = (handler & 0xffff) | 0x63ULL << 16 | 0xefULL << 40 | (handler >> 16 & 0xffff) << 48;
	run_in_vain(v, 5);
}

GUEST static void readonly_guest(u64 addr)
{
	for (u64 i = 0;; i++) {
		g_write32(addr + (i & 0xfff), (u32)i);
		asm volatile("rep stosb" : : "D"(addr), "a"(0x55), "c"(64) : "memory");
	}
}

static void readonly_slot_hammered(void)
{
	struct vcpu *v = guest_new(0, readonly_guest, 0x40000000);
	u8 *mem = host_pages(4 * PAGE_SIZE);

	memset(mem, 0x77, 4 * PAGE_SIZE);
	CHECK_OK(vm_slot(v->vm, 1, 0x40000000, 4 * PAGE_SIZE, mem, KVM_MEM_READONLY));
	for (int i = 0; i < 300; i++)
		vcpu_expect(v, KVM_EXIT_MMIO);
	for (u64 i = 0; i < 4 * PAGE_SIZE; i++)
		if (mem[i] != 0x77)
			FAIL("byte %llu of the read-only memory is %#x", (unsigned long long)i, mem[i]);
	next_vm_works();
}

static volatile bool scribbling;

static void *scribble(void *arg)
{
	struct vcpu *v = arg;
	volatile u8 *page = (volatile u8 *)v->run;
	u32 seed = 99;

	while (scribbling) {
		seed = seed * 1103515245 + 12345;
		/* All of kvm_run but the registers to load, and the I/O data behind it. */
		page[(seed >> 16) % offsetof(struct kvm_run, kvm_valid_regs)] = (u8)(seed >> 8);
		page[PAGE_SIZE + ((seed >> 8) & 0xfff)] = (u8)(seed >> 16);
		if (seed >> 28 == 0)
			sched_yield();
	}
	return NULL;
}

GUEST static void busy_guest(u64 base)
{
	u64 c, d;

	g_sti();
	for (;;) {
		u32 out[4];

		g_outl(0x5a0, 1);
		g_inb(0x5a1);
		g_write32(GUEST_ABSENT, 5);
		g_read32(GUEST_ABSENT + 0xffe);
		g_cpuid(1, 0, out);
		c = 100;
		d = base;
		asm volatile("rep insb" : "+c"(c), "+D"(d) : "d"(0x5a2) : "memory");
		c = 100;
		d = base;
		asm volatile("rep outsl" : "+c"(c), "+S"(d) : "d"(0x5a4) : "memory");
	}
}

/* The shared page is the program's to spoil: sizes, counts, offsets and addresses in it mean nothing to the kernel. */
static void run_page_scribbled(void)
{
	struct vcpu *v = guest_new(0, busy_guest, GUEST_SCRATCH);
	pthread_t thread;

	scribbling = true;
	CHECK(!pthread_create(&thread, NULL, scribble, v), "pthread_create");
	interrupt_me(5);
	for (int i = 0; i < 3000; i++)
		(void)!ioctl(v->fd, KVM_RUN, 0);
	leave_me_alone();
	scribbling = false;
	pthread_join(thread, NULL);
	next_vm_works();
}

/* The same without luck: each field set to the worst before the run that completes an IN, an OUT, an MMIO read. */
static void run_page_spoilt(void)
{
	struct vcpu *v = guest_new(0, busy_guest, GUEST_SCRATCH);
	struct kvm_run *run = v->run;

	interrupt_me(20);
	for (int i = 0; i < 500; i++) {
		if (ioctl(v->fd, KVM_RUN, 0))
			continue;
		if (run->exit_reason == KVM_EXIT_IO) {
			run->io.size = (u8)(i * 37);
			run->io.count = 0xffffffff >> (i & 31);
			run->io.data_offset = i & 1 ? 0xffffffffffff0000ULL : 0x7fffffff;
			run->io.direction = (u8)i;
			run->io.port = (u16)(i * 4099);
		} else if (run->exit_reason == KVM_EXIT_MMIO) {
			run->mmio.len = 0xffffffff >> (i & 31);
			run->mmio.phys_addr = 0xfffffffffffffff0ULL;
			run->mmio.is_write = (u8)i;
		}
		run->exit_reason = (u32)i * 7;
		run->cr8 = i & 1 ? 0xffffffffffffffffULL : 0;
		run->apic_base = 0;
	}
	leave_me_alone();
	next_vm_works();
}

static void *run_forever(void *arg)
{
	struct vcpu *v = arg;

	for (;;)
		if (ioctl(v->fd, KVM_RUN, 0) && errno != EINTR && errno != EAGAIN)
			return NULL;
}

/* One program with everything going at once: two vCPUs, exits, memory that changes. */
static void victim(void)
{
	struct vm *vm = vm_new(VM_IRQCHIP | VM_PIT);
	struct vcpu *a = vcpu_new(vm, 0), *b = vcpu_new(vm, 1);
	u8 *data = host_pages(0x40000);
	pthread_t thread;

	vcpu_mode_long(a, busy_guest, GUEST_SCRATCH);
	vcpu_mode_long(b, spin_guest, 0);
	set_mp_state(b, KVM_MP_STATE_RUNNABLE);
	pthread_create(&thread, NULL, run_forever, a);
	pthread_create(&thread, NULL, run_forever, b);
	for (;;) {
		(void)!vm_slot(vm, 1, 0x40000000, 0x40000, data, 0);
		madvise(vm->mem, 0x100000, MADV_DONTNEED);
		(void)!vm_slot(vm, 1, 0, 0, NULL, 0);
		usleep(100);
	}
}

/* SIGKILL at a hundred random moments, from before the VM exists to its full run. */
static void killed_at_any_moment(void)
{
	u32 seed = 7;

	test_timeout(12);
	for (int i = 0; i < 100; i++) {
		pid_t pid = fork();
		int status;

		if (!pid) {
			victim();
			_exit(0);
		}
		seed = seed * 1103515245 + 12345;
		usleep((seed >> 16) % 2000);
		kill(pid, SIGKILL);
		CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status), "waitpid: %#x", status);
	}
	next_vm_works();
}

/* Descriptors go while others still run or map what hangs on them. */
static void closed_in_odd_orders(void)
{
	for (int order = 0; order < 6; order++) {
		struct vcpu *v = guest_new(order & 1 ? VM_IRQCHIP : 0, spin_guest, 0);
		pid_t pid;
		int status;

		/* In a child of its own, which ends with everything still running. */
		pid = fork();
		if (!pid) {
			pthread_t thread;

			v = guest_new(order & 1 ? VM_IRQCHIP : 0, spin_guest, 0);
			pthread_create(&thread, NULL, run_forever, v);
			usleep(300);
			if (order < 2) {
				close(v->vm->fd);
				usleep(300);
				close(v->fd);
			} else if (order < 4) {
				close(v->fd);
				munmap(v->run, run_size());
				usleep(300);
				close(v->vm->fd);
			} else {
				munmap(v->vm->mem, v->vm->size);
				close(dev_open());
				close(v->vm->fd);
			}
			usleep(300);
			_exit(7);
		}
		CHECK(waitpid(pid, &status, 0) == pid, "waitpid");
		EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 7, "status %#x", status);
		/* The vCPU outlives its VM's descriptor. */
		if (order == 0) {
			struct vcpu *w = guest_new(0, nothing, 0);

			close(w->vm->fd);
			CHECK_EQ(vcpu_finish(w), 0, "the result");
			close(w->fd);
		}
		vm_free(v->vm);
		vcpu_free(v);
	}
	next_vm_works();
}

/* A VM belongs to the process that made it: a child that inherits the descriptors gets EIO (KVM's rule). */
static void forked_descriptors(void)
{
	struct vcpu *v = guest_new(0, nothing, 0);
	struct kvm_regs regs;
	pid_t pid = fork();
	int status;

	if (!pid) {
		u8 *mem = host_pages(PAGE_SIZE);

		EXPECT_ERRNO(ioctl(v->fd, KVM_RUN, 0), EIO);
		EXPECT_ERRNO(ioctl(v->fd, KVM_GET_REGS, &regs), EIO);
		EXPECT_ERRNO(vm_slot(v->vm, 5, 0x50000000, PAGE_SIZE, mem, 0), EIO);
		EXPECT_ERRNO(ioctl(v->vm->fd, KVM_CREATE_VCPU, 1), EIO);
		EXPECT_ERRNO(ioctl(v->vm->fd, KVM_CREATE_IRQCHIP, 0), EIO);
		_exit(vm_slot(v->vm, 5, 0x50000000, PAGE_SIZE, mem, 0) ? 0 : 1);
	}
	CHECK(waitpid(pid, &status, 0) == pid && !status, "the child: %#x", status);
	CHECK_EQ(vcpu_finish(v), 0, "the result");
}

/* Two threads on one vCPU: the second waits or is refused, and both get through. */
static void two_threads_one_vcpu(void)
{
	struct vcpu *v = guest_new(0, busy_guest, GUEST_SCRATCH);
	struct kvm_regs regs;
	pthread_t threads[2];

	quiet_signal();
	for (int i = 0; i < 2; i++)
		CHECK(!pthread_create(&threads[i], NULL, run_forever, v), "pthread_create");
	for (int i = 0; i < 100; i++)
		CHECK_OK(ioctl(v->fd, KVM_GET_REGS, &regs));
	next_vm_works();
}

static const struct test tests[] = {
	TEST(triple_faults), TEST(jump_outside_memory), TEST(jumps_that_fault),
	TEST(halt_with_interrupts_off), TEST(endless_loop), TEST(debug_exception_loop), TEST(alignment_check_loop),
	TEST(readonly_slot_hammered), TEST(run_page_scribbled), TEST(run_page_spoilt), TEST(killed_at_any_moment),
	TEST(closed_in_odd_orders), TEST(forked_descriptors), TEST(two_threads_one_vcpu),
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}
