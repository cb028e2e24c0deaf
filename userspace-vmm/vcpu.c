// SPDX-License-Identifier: GPL-2.0-only
/* Creation of vCPUs, and the loop that runs them and answers their exits. */
#define _GNU_SOURCE
#include "userspace-vmm/vcpu.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#include "userspace-vmm/cpuid.h"
#include "userspace-vmm/machine.h"
#include "userspace-vmm/report.h"

#define VTX_KICK_SIGNAL SIGUSR1
#define VTX_JOIN_SECONDS 5
#define VTX_JOIN_STEP_NS 50000000L

#define LAPIC_LVT_LINT0 0x350
#define LAPIC_LVT_LINT1 0x360
#define LVT_NMI 0x400
#define LVT_EXTINT 0x700

#define MSR_MISC_ENABLE 0x1a0
#define MISC_ENABLE_FAST_STRING 1
#define MSR_MTRR_DEF_TYPE 0x2ff
#define MTRR_ENABLED_WRITE_BACK 0x806

static int vtx_vcpu_call(struct vtx_vcpu *vcpu, unsigned long request, void *argument, const char *name,
			 struct vtx_error *error)
{
	if (ioctl(vcpu->fd, request, argument) >= 0)
		return 0;
	return vtx_error_set(error, VTX_STATUS_HOST_ERROR, "%s on vCPU %u: %s", name, vcpu->index, strerror(errno));
}

static int vtx_vcpu_set_cpuid(struct vtx_vcpu *vcpu, unsigned int cpus, struct vtx_error *error)
{
	const struct vtx_kvm *kvm = &vcpu->machine->kvm;
	struct vtx_cpuid cpuid = { .nent = VTX_CPUID_MAX };
	struct vtx_cpuid_config config = {
		.index = vcpu->index, .cpus = cpus, .has_irqchip = kvm->has_irqchip, .tsc_deadline = kvm->tsc_deadline,
	};

	if (ioctl(kvm->device, KVM_GET_SUPPORTED_CPUID, &cpuid) < 0)
		return vtx_error_set(error, VTX_STATUS_HOST_ERROR, "KVM_GET_SUPPORTED_CPUID: %s", strerror(errno));
	vtx_cpuid_adjust(&cpuid, &config);
	return vtx_vcpu_call(vcpu, KVM_SET_CPUID2, &cpuid, "KVM_SET_CPUID2", error);
}

/* What firmware would have set.  A guest also runs without, so a device that refuses one is only mentioned. */
static void vtx_vcpu_set_msrs(struct vtx_vcpu *vcpu)
{
	static const struct kvm_msr_entry msrs[] = {
		{ .index = MSR_MISC_ENABLE, .data = MISC_ENABLE_FAST_STRING },
		{ .index = MSR_MTRR_DEF_TYPE, .data = MTRR_ENABLED_WRITE_BACK },
	};

	for (unsigned int i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++) {
		struct {
			struct kvm_msrs header;
			struct kvm_msr_entry entry;
		} one = { .header.nmsrs = 1, .entry = msrs[i] };

		if (ioctl(vcpu->fd, KVM_SET_MSRS, &one) != 1)
			vtx_verbose("vCPU %u: MSR 0x%x is not accepted", vcpu->index, msrs[i].index);
	}
}

/* PICs on LINT0 of the boot processor, NMI on LINT1 of all, as after a PC's firmware. */
static int vtx_vcpu_set_lapic(struct vtx_vcpu *vcpu, struct vtx_error *error)
{
	struct kvm_lapic_state lapic;
	const uint32_t extint = LVT_EXTINT, nmi = LVT_NMI;

	if (vtx_vcpu_call(vcpu, KVM_GET_LAPIC, &lapic, "KVM_GET_LAPIC", error))
		return -1;
	if (vcpu->index == 0)
		memcpy(lapic.regs + LAPIC_LVT_LINT0, &extint, sizeof(extint));
	memcpy(lapic.regs + LAPIC_LVT_LINT1, &nmi, sizeof(nmi));
	return vtx_vcpu_call(vcpu, KVM_SET_LAPIC, &lapic, "KVM_SET_LAPIC", error);
}

int vtx_vcpu_create(struct vtx_vcpu *vcpu, struct vtx_machine *machine, unsigned int index, unsigned int cpus,
		    struct vtx_error *error)
{
	const struct vtx_kvm *kvm = &machine->kvm;
	struct kvm_fpu fpu = { .fcw = 0x37f, .mxcsr = 0x1f80 };

	vcpu->machine = machine;
	vcpu->index = index;
	vcpu->run = MAP_FAILED;
	vcpu->fd = ioctl(kvm->vm, KVM_CREATE_VCPU, (unsigned long)index);
	if (vcpu->fd < 0)
		return vtx_error_set(error, VTX_STATUS_HOST_ERROR, "KVM_CREATE_VCPU %u: %s", index, strerror(errno));
	vcpu->run = mmap(NULL, kvm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED)
		return vtx_error_set(error, VTX_STATUS_HOST_ERROR, "mapping the run page of vCPU %u: %s", index,
				     strerror(errno));
	if (vtx_vcpu_set_cpuid(vcpu, cpus, error) ||
	    vtx_vcpu_call(vcpu, KVM_SET_FPU, &fpu, "KVM_SET_FPU", error))
		return -1;
	vtx_vcpu_set_msrs(vcpu);
	return kvm->has_irqchip ? vtx_vcpu_set_lapic(vcpu, error) : 0;
}

int vtx_vcpu_set_entry(struct vtx_vcpu *vcpu, const struct vtx_entry *entry, struct vtx_error *error)
{
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	if (vtx_vcpu_call(vcpu, KVM_GET_SREGS, &sregs, "KVM_GET_SREGS", error))
		return -1;
	vtx_boot_sregs(entry, &sregs);
	vtx_boot_regs(entry, &regs);
	if (vtx_vcpu_call(vcpu, KVM_SET_SREGS, &sregs, "KVM_SET_SREGS", error))
		return -1;
	return vtx_vcpu_call(vcpu, KVM_SET_REGS, &regs, "KVM_SET_REGS", error);
}

static void vtx_vcpu_io(struct vtx_vcpu *vcpu)
{
	struct vtx_bus *bus = &vcpu->machine->bus;
	const struct kvm_run *run = vcpu->run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;
	unsigned int size = run->io.size;
	bool in = run->io.direction == KVM_EXIT_IO_IN;

	for (uint32_t i = 0; i < run->io.count; i++, data += size) {
		uint32_t value = 0;

		if (in) {
			value = vtx_bus_read(bus, run->io.port, size);
			memcpy(data, &value, size);
		} else {
			memcpy(&value, data, size);
			vtx_bus_write(bus, run->io.port, size, value);
		}
	}
	if (in)
		vcpu->counts.port_in++;
	else
		vcpu->counts.port_out++;
}

static void vtx_vcpu_die(struct vtx_vcpu *vcpu, enum vtx_status status, const char *why)
{
	struct vtx_machine *m = vcpu->machine;

	vtx_machine_end(m, status, why, vtx_report(vcpu, &m->ram, why));
}

static void vtx_vcpu_system_event(struct vtx_vcpu *vcpu)
{
	struct vtx_machine *m = vcpu->machine;

	switch (vcpu->run->system_event.type) {
	case KVM_SYSTEM_EVENT_SHUTDOWN:
		vtx_machine_end(m, VTX_STATUS_SHUTDOWN, "the guest shut down (system event)", NULL);
		break;
	case KVM_SYSTEM_EVENT_RESET:
		vtx_machine_end(m, VTX_STATUS_RESET, "the guest reset itself (system event)", NULL);
		break;
	default:
		vtx_vcpu_die(vcpu, VTX_STATUS_GUEST_CRASH, "the guest reported a crash (system event)");
		break;
	}
}

/* One return of KVM_RUN.  Exits that a client without the feature cannot get still end with a report, not in a loop. */
static void vtx_vcpu_exit(struct vtx_vcpu *vcpu)
{
	struct vtx_machine *m = vcpu->machine;

	switch (vcpu->run->exit_reason) {
	case KVM_EXIT_IO:
		vtx_vcpu_io(vcpu);
		return;
	case KVM_EXIT_MMIO:
		vcpu->counts.mmio++;
		vtx_machine_mmio(m, vcpu->run);
		return;
	case KVM_EXIT_INTR:
	case KVM_EXIT_IRQ_WINDOW_OPEN:
	case KVM_EXIT_SET_TPR:
		vcpu->counts.other++;
		return;
	case KVM_EXIT_HLT:
		vtx_machine_end(m, VTX_STATUS_SHUTDOWN, "the guest halted, and nothing could wake it", NULL);
		return;
	case KVM_EXIT_SHUTDOWN:
		if (vtx_report_is_reboot(vcpu, &m->ram) && !vtx_be_verbose)
			vtx_machine_end(m, VTX_STATUS_TRIPLE_FAULT,
					"triple fault on purpose: INT3 without an IDT, how Linux reboots with reboot=t", NULL);
		else
			vtx_vcpu_die(vcpu, VTX_STATUS_TRIPLE_FAULT, "triple fault");
		return;
	case KVM_EXIT_FAIL_ENTRY:
		vtx_vcpu_die(vcpu, VTX_STATUS_ENTRY_FAILURE, "VM entry failed");
		return;
	case KVM_EXIT_SYSTEM_EVENT:
		vtx_vcpu_system_event(vcpu);
		return;
	case KVM_EXIT_INTERNAL_ERROR:
		vtx_vcpu_die(vcpu, VTX_STATUS_INTERNAL_ERROR, "the hypervisor could not go on with the guest");
		return;
	default:
		vtx_vcpu_die(vcpu, VTX_STATUS_INTERNAL_ERROR, "an exit this program does not know");
		return;
	}
}

static void vtx_vcpu_run_failed(struct vtx_vcpu *vcpu, int err)
{
	struct vtx_machine *m = vcpu->machine;
	char headline[128];

	snprintf(headline, sizeof(headline), "KVM_RUN failed: %s (the exit below is the last one before)", strerror(err));
	vtx_machine_end(m, VTX_STATUS_HOST_ERROR, "KVM_RUN failed", vtx_report(vcpu, &m->ram, headline));
}

static void *vtx_vcpu_thread(void *opaque)
{
	struct vtx_vcpu *vcpu = opaque;
	struct vtx_machine *m = vcpu->machine;
	struct timespec busy;
	char name[16];

	snprintf(name, sizeof(name), "vtx-vcpu%u", vcpu->index);
	pthread_setname_np(pthread_self(), name);
	vcpu->ticks = __builtin_ia32_rdtsc();
	while (!atomic_load_explicit(&m->ending, memory_order_relaxed)) {
		if (ioctl(vcpu->fd, KVM_RUN, 0UL) == 0) {
			vtx_vcpu_exit(vcpu);
		} else if (errno == EINTR || errno == EAGAIN) {
			vcpu->counts.signal++; /* a kick, or a processor that waits for its start-up IPI */
		} else {
			vtx_vcpu_run_failed(vcpu, errno);
			break;
		}
	}
	vcpu->ticks = __builtin_ia32_rdtsc() - vcpu->ticks;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &busy);
	vcpu->cpu_ns = (uint64_t)busy.tv_sec * 1000000000 + (uint64_t)busy.tv_nsec;
	return NULL;
}

int vtx_vcpu_start(struct vtx_vcpu *vcpu, struct vtx_error *error)
{
	int ret = pthread_create(&vcpu->thread, NULL, vtx_vcpu_thread, vcpu);

	if (ret)
		return vtx_error_set(error, VTX_STATUS_HOST_ERROR, "cannot start the thread of vCPU %u: %s", vcpu->index,
				     strerror(ret));
	vcpu->started = true;
	return 0;
}

static void vtx_kick_handler(int sig)
{
	(void)sig; /* all it does is make KVM_RUN return */
}

void vtx_vcpu_init_kick(void)
{
	struct sigaction action = { .sa_handler = vtx_kick_handler };

	sigaction(VTX_KICK_SIGNAL, &action, NULL);
}

void vtx_vcpu_kick(struct vtx_vcpu *vcpu)
{
	/* Before the signal: if it arrives while the thread is outside KVM_RUN, the flag makes the next call return. */
	__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	pthread_kill(vcpu->thread, VTX_KICK_SIGNAL);
}

bool vtx_vcpu_join(struct vtx_vcpu *vcpu)
{
	struct timespec now, until;
	time_t last;

	if (!vcpu->started)
		return true;
	clock_gettime(CLOCK_REALTIME, &now);
	last = now.tv_sec + VTX_JOIN_SECONDS;
	do {
		vtx_vcpu_kick(vcpu);
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += VTX_JOIN_STEP_NS;
		if (until.tv_nsec >= 1000000000L) {
			until.tv_nsec -= 1000000000L;
			until.tv_sec++;
		}
		if (!pthread_timedjoin_np(vcpu->thread, NULL, &until)) {
			vcpu->started = false;
			return true;
		}
	} while (until.tv_sec <= last);
	return false;
}
