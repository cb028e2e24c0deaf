// SPDX-License-Identifier: GPL-2.0-only
/* Watching a boot. */
#define _GNU_SOURCE
#include "userspace-vmm/boot_live.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "userspace-vmm/debugfs_vm.h"
#include "userspace-vmm/machine.h"
#include "userspace-vmm/ring.h"

#define VTX_BOOT_POLL_NS 1000000L

static uint64_t vtx_ticks_of_ns(const struct vtx_boot_live *b, uint64_t ns)
{
	return (uint64_t)((double)ns * b->report.tsc_khz / 1e6);
}

/* ------------------------------------------------------------------ counters */

/* What the vCPU's thread has had of a processor, in ticks. */
static uint64_t vtx_boot_busy(const struct vtx_boot_live *b, const struct vtx_vcpu *vcpu)
{
	struct timespec t;
	clockid_t clock;

	if (vcpu->cpu_ns)
		return vtx_ticks_of_ns(b, vcpu->cpu_ns);
	if (!vcpu->started || pthread_getcpuclockid(vcpu->thread, &clock) || clock_gettime(clock, &t))
		return 0;
	return vtx_ticks_of_ns(b, (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec);
}

static void vtx_boot_snapshot(struct vtx_boot_live *b, uint64_t tsc, struct vtx_boot_counters *now)
{
	uint64_t first = 0, end, all, busy = 0;
	struct vtx_error error;

	memset(now, 0, sizeof(*now));
	for (unsigned int i = 0; i < b->machine->cpus; i++) {
		char file[32], *text;

		busy += vtx_boot_busy(b, &b->machine->vcpus[i]);
		if (!b->has_exits)
			continue;
		snprintf(file, sizeof(file), "vcpu%u/exits", i);
		text = vtx_debugfs_read(b->folder, file, NULL, &error);
		if (text)
			vtx_boot_parse_exits(now, text);
		else
			b->has_exits = false;
		free(text);
	}
	if (vtx_boot_span(&b->report, &first, &end) && tsc > first) {
		all = (tsc - first) * b->machine->cpus;
		now->idle = all > busy ? all - busy : 0;
	}
}

/* With the lock held: the phase that runs ends at TSC. */
static void vtx_boot_close_row(struct vtx_boot_live *b, enum vtx_boot_phase phase, uint64_t tsc)
{
	struct vtx_boot_row *row = &b->report.row[phase];
	static struct vtx_boot_counters now;

	vtx_boot_snapshot(b, __builtin_ia32_rdtsc(), &now);
	row->end = tsc > row->start ? tsc : row->start;
	vtx_boot_difference(&row->counters, &now, &b->before);
	vtx_boot_fill(row, b->machine->cpus);
	b->before = now;
}

static void vtx_boot_live_changed(void *opaque, enum vtx_boot_phase phase, uint64_t tsc)
{
	struct vtx_boot_live *b = opaque;
	int previous = -1;

	for (int i = 0; i < (int)phase; i++)
		if (b->report.row[i].seen)
			previous = i;
	if (previous >= 0)
		vtx_boot_close_row(b, (enum vtx_boot_phase)previous, tsc);
	if (phase != VTX_BOOT_UP || b->keep_running) {
		b->report.row[phase].seen = true;
		b->report.row[phase].start = tsc;
	} else {
		b->finished = true;
		vtx_machine_end(b->machine, VTX_STATUS_SHUTDOWN, "the guest is up, and its boot was all that was asked for", NULL);
	}
}

/* ------------------------------------------------------------------ sources */

void vtx_boot_live_console(void *opaque, uint8_t byte)
{
	struct vtx_boot_live *b = opaque;

	pthread_mutex_lock(&b->lock);
	if (!b->finished)
		vtx_boot_watch_console(&b->watch, byte, __builtin_ia32_rdtsc());
	pthread_mutex_unlock(&b->lock);
}

/* Looks at what the boot processor recorded since the last time; what was overwritten meanwhile is passed over. */
static void vtx_boot_live_poll(struct vtx_boot_live *b)
{
	const struct vtx_ring *ring = b->ring;
	uint64_t head = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);

	if (head - b->number > ring->records - 1)
		b->number = head - (ring->records - 1);
	for (; b->number < head && !b->finished; b->number++) {
		struct vtx_record r;

		memcpy(&r, (const char *)b->ring + ring->data_offset + b->number % ring->records * sizeof(r), sizeof(r));
		if (r.seq == (uint32_t)b->number)
			vtx_boot_watch_record(&b->watch, &r);
	}
}

static void *vtx_boot_live_thread(void *opaque)
{
	static const struct timespec pause = { .tv_nsec = VTX_BOOT_POLL_NS };
	struct vtx_boot_live *b = opaque;
	bool done = false;

	pthread_setname_np(pthread_self(), "vtx-boot");
	while (!done && !atomic_load(&b->stop)) {
		pthread_mutex_lock(&b->lock);
		vtx_boot_live_poll(b);
		done = b->finished || b->watch.phase >= VTX_BOOT_USER; /* the console says the rest */
		pthread_mutex_unlock(&b->lock);
		nanosleep(&pause, NULL);
	}
	return NULL;
}

/* ------------------------------------------------------------------ start and end */

static void vtx_boot_live_ring(struct vtx_boot_live *b)
{
	struct vtx_error error;

	b->ring = NULL;
	if (!vtx_kvm_capability(&b->machine->kvm, VTX_CAP_RECORDER))
		return;
	b->ring = mmap(NULL, VTX_RING_SIZE, PROT_READ, MAP_SHARED, b->machine->vcpus[0].fd, VTX_RING_MMAP_OFFSET);
	if (b->ring == MAP_FAILED)
		b->ring = NULL;
	else if (vtx_ring_check(b->ring, VTX_RING_SIZE, "the flight recorder", &error))
		b->ring = NULL;
}

/* The first phase is where the loader put the entry. */
static enum vtx_boot_phase vtx_boot_first_phase(const struct vtx_machine *m)
{
	return m->options->flat && m->options->flat_mode == VTX_ENTRY_REAL ? VTX_BOOT_REAL : VTX_BOOT_DECOMPRESS;
}

void vtx_boot_live_start(struct vtx_boot_live *b, struct vtx_machine *m)
{
	const char *kernel = strrchr(m->options->kernel, '/');
	int khz = ioctl(m->vcpus[0].fd, KVM_GET_TSC_KHZ, 0UL);
	struct vtx_error error;
	char *exits;

	b->machine = m;
	pthread_mutex_init(&b->lock, NULL);
	b->report.tsc_khz = khz > 0 ? (uint32_t)khz : 1000000;
	b->report.cpus = m->cpus;
	b->watch = (struct vtx_boot_watch){ .until = b->until, .changed = vtx_boot_live_changed, .opaque = b };
	snprintf(b->report.title, sizeof(b->report.title), "Boot of %.60s on %.60s", kernel ? kernel + 1 : m->options->kernel,
		 m->kvm.path);
	snprintf(b->folder, sizeof(b->folder), VTX_DEBUGFS "/%d-%d", (int)getpid(), m->kvm.vm);
	exits = vtx_debugfs_read(b->folder, "vcpu0/exits", NULL, &error);
	b->has_exits = exits;
	free(exits);
	vtx_boot_live_ring(b);
	if (!b->has_exits)
		snprintf(b->report.note, sizeof(b->report.note), "Exits are not counted here: %.160s", error.text);
	b->report.load = __builtin_ia32_rdtsc() - b->begun;
	b->report.has_load = true;
	b->watch.begun = true;
	b->watch.phase = vtx_boot_first_phase(m);
	vtx_boot_live_changed(b, b->watch.phase, __builtin_ia32_rdtsc());
	b->thread_started = b->ring && !pthread_create(&b->thread, NULL, vtx_boot_live_thread, b);
}

void vtx_boot_live_finish(struct vtx_boot_live *b)
{
	atomic_store(&b->stop, true);
	if (b->thread_started)
		pthread_join(b->thread, NULL);
	pthread_mutex_lock(&b->lock);
	if (!b->finished)
		vtx_boot_close_row(b, b->watch.phase, __builtin_ia32_rdtsc());
	b->finished = true;
	b->report.has_exits = b->has_exits;
	pthread_mutex_unlock(&b->lock);
	if (b->ring)
		munmap((void *)b->ring, VTX_RING_SIZE);
	b->ring = NULL;
}
