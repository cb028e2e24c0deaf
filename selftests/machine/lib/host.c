// SPDX-License-Identifier: GPL-2.0-only
/*
 * The machine under a test program, and busy guests (see host.h).
 */
#include "lib/host.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* ------------------------------------------------------------------ files */

int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), saved;
	ssize_t put;

	if (fd < 0)
		return -1;
	put = write(fd, text, strlen(text));
	saved = errno;
	close(fd);
	errno = saved;
	return put == (ssize_t)strlen(text) ? 0 : -1;
}

const char *read_text(const char *path)
{
	static _Thread_local char text[1 << 16];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t got;

	while (fd >= 0 && len < sizeof(text) - 1 && (got = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)got;
	if (fd >= 0)
		close(fd);
	text[len] = '\0';
	return text;
}

long read_number(const char *path, const char *word)
{
	const char *text = read_text(path), *line = text;
	size_t len = strlen(word);

	while (line) {
		line += strspn(line, " \n");
		if (!strncmp(line, word, len) && (line[len] == ' ' || line[len] == ':' || line[len] == '\t'))
			return strtol(line + len + 1, NULL, 10);
		line = strchr(line, '\n');
	}
	return -1;
}

/* ------------------------------------------------------------------ CPUs */

int cpus_online(void)
{
	return (int)sysconf(_SC_NPROCESSORS_ONLN);
}

int cpu_set_online(int cpu, bool online)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online", cpu);
	return write_file(path, online ? "1" : "0");
}

bool thread_on_cpu(pthread_t thread, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return !pthread_setaffinity_np(thread, sizeof(set), &set);
}

void on_cpu(int cpu)
{
	CHECK(thread_on_cpu(pthread_self(), cpu), "no CPU %d", cpu);
}

/* ------------------------------------------------------------------ control groups */

#define CGROUP_ROOT "/run/cgroup"

char *cgroup_new(const char *name, const char *controllers)
{
	char *group = malloc(64);

	mkdir(CGROUP_ROOT, 0755);
	if (access(CGROUP_ROOT "/cgroup.procs", F_OK) && mount("cgroup2", CGROUP_ROOT, "cgroup2", 0, NULL))
		goto none;
	if (*controllers && write_file(CGROUP_ROOT "/cgroup.subtree_control", controllers))
		goto none;
	snprintf(group, 64, CGROUP_ROOT "/%s", name);
	if (!mkdir(group, 0755) || errno == EEXIST)
		return group;
none:
	free(group);
	return NULL;
}

int cgroup_write(const char *group, const char *file, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", group, file);
	return write_file(path, text);
}

const char *cgroup_read(const char *group, const char *file)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", group, file);
	return read_text(path);
}

/* A process that has just ended counts for a moment. */
void cgroup_free(char *group)
{
	for (int i = 0; i < 200 && rmdir(group) && errno == EBUSY; i++)
		usleep(5000);
	EXPECT(access(group, F_OK), "%s is still there", group);
	free(group);
}

/* ------------------------------------------------------------------ busy guests */

static volatile u64 turns[BUSY_MAX], stop;

GUEST static void tick(struct g_frame *frame)
{
	(void)frame;
	g_apic_write(APIC_EOI, 0);
}

GUEST static void compute(u64 id)
{
	u64 a = 0x5555 + id, b = 0xaaaa + id;
	u32 out[4];

	asm volatile("" : "+r"(a), "+r"(b));
	for (int i = 0; i < 50; i++)
		*(volatile u64 *)(GUEST_FREE + 8 * id + 4096 * (u64)i) += a;
	for (u64 i = 1; i < 50; i++)
		G_CHECK_EQ(*(volatile u64 *)(GUEST_FREE + 8 * id + 4096 * i), *(volatile u64 *)(GUEST_FREE + 8 * id));
	g_cpuid(0, 0, out);
	G_CHECK(out[0] >= 0xd);
	G_CHECK_EQ(a, 0x5555 + id);
	G_CHECK_EQ(b, 0xaaaa + id);
}

GUEST static void busy_guest(u64 id)
{
	u64 tsc = 0;

	g_apic_on();
	g_handler[0x60] = tick;
	if (id & 1) {
		g_apic_write(APIC_TDCR, 0xb);
		g_apic_write(APIC_LVTT, 0x20060);	/* periodic */
		g_apic_write(APIC_TMICT, 100000);	/* ns, a tick of the APIC's clock each */
	}
	g_sti();
	while (!stop) {
		if (id & 1)
			asm volatile("hlt");
		else
			compute(id);
		G_CHECK((s64)(g_rdtsc() - tsc) > 0);	/* a young TSC that goes back wraps around */
		tsc = g_rdtsc();
		turns[id]++;
	}
	g_cli();
	g_done(0);
}

struct vcpu *busy_vcpu(struct vm *vm, int id)
{
	struct vcpu *v = vcpu_new(vm, id);

	vcpu_mode_long(v, busy_guest, (u64)id);
	set_mp_state(v, KVM_MP_STATE_RUNNABLE);
	return v;
}

void busy_start(struct busy *b, int nr)
{
	struct vm *vm = vm_new(VM_IRQCHIP | VM_PIT);

	memset(b, 0, sizeof(*b));
	b->nr = nr;
	for (int i = 0; i < nr; i++)
		b->v[i] = busy_vcpu(vm, i);
	for (int i = 0; i < nr; i++)
		b->thread[i] = vcpu_start(b->v[i]);
	busy_progress(b, 1);
}

/* Without a limit of its own: the case has one. */
void busy_progress(struct busy *b, u64 more)
{
	for (int i = 0; i < b->nr; i++) {
		volatile u64 *now = &G(b->v[i]->vm, turns[i]);

		while (*now < b->seen[i] + more)
			usleep(200);
	}
	for (int i = 0; i < b->nr; i++)
		b->seen[i] = G(b->v[i]->vm, turns[i]);
}

void busy_stop(struct busy *b)
{
	struct vm *vm = b->v[0]->vm;

	G(vm, stop) = 1;
	for (int i = 0; i < b->nr; i++)
		CHECK_EQ(vcpu_join(b->thread[i]), 0, "the result of a vCPU");
	for (int i = 0; i < b->nr; i++)
		vcpu_free(b->v[i]);
	vm_free(vm);
}
