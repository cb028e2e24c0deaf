// SPDX-License-Identifier: GPL-2.0-only
/* `vtx run`: from the command line to the exit status. */
#define _GNU_SOURCE
#include "userspace-vmm/command.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "userspace-vmm/boot_live.h"
#include "userspace-vmm/machine.h"
#include "userspace-vmm/options.h"
#include "userspace-vmm/run.h"
#include "userspace-vmm/term.h"

static const int vtx_fatal_signals[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT };

/* From here on these signals come through a file descriptor, in every thread; -1 if that fails. */
static int vtx_catch_signals(struct vtx_error *error)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	for (unsigned int i = 0; i < sizeof(vtx_fatal_signals) / sizeof(vtx_fatal_signals[0]); i++)
		sigaddset(&set, vtx_fatal_signals[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN); /* a write to a closed stdout ends the run with a message instead */
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (fd < 0)
		vtx_error_set(error, VTX_STATUS_HOST_ERROR, "signalfd: %s", strerror(errno));
	return fd;
}

/* Waits for the end of the run.  Returns the signal that ended it, or 0. */
static int vtx_wait_for_end(struct vtx_machine *m, int signals)
{
	struct pollfd fds[2] = { { .fd = m->end_event, .events = POLLIN }, { .fd = signals, .events = POLLIN } };
	struct signalfd_siginfo info;

	while (poll(fds, 2, -1) < 0)
		;
	if (fds[0].revents || read(signals, &info, sizeof(info)) != sizeof(info))
		return 0;
	vtx_machine_end(m, VTX_STATUS_HOST_ERROR, "ended by a signal", NULL);
	return (int)info.ssi_signo;
}

static void vtx_die_of(int sig)
{
	sigset_t set;

	signal(sig, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, sig);
	raise(sig);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void vtx_say_counts(const struct vtx_machine *m)
{
	for (unsigned int i = 0; i < m->cpus; i++) {
		const struct vtx_vcpu_counts *c = &m->vcpus[i].counts;

		vtx_verbose("vCPU %u returned from KVM_RUN: %" PRIu64 " port reads, %" PRIu64 " port writes, %" PRIu64
			    " MMIO, %" PRIu64 " signals, %" PRIu64 " others, in %" PRIu64 " million ticks", i, c->port_in, c->port_out,
			    c->mmio, c->signal, c->other, m->vcpus[i].ticks / 1000000);
	}
}

/* Runs the guest to its end.  Returns the exit status, or -1 with ERROR filled where it could not even start. */
static int vtx_run_machine(struct vtx_machine *m, bool escapes, struct vtx_error *error)
{
	int signals = vtx_catch_signals(error), sig = 0;
	bool stopped, started = false;

	if (signals < 0 || vtx_term_raw(error))
		return -1;
	if (escapes)
		vtx_say("Ctrl-a x leaves, Ctrl-a h shows help");
	started = vtx_machine_start(m, escapes, error) == 0;
	if (started)
		sig = vtx_wait_for_end(m, signals);
	stopped = vtx_machine_stop(m);
	if (stopped && m->options->boot && m->options->boot->machine)
		vtx_boot_live_finish(m->options->boot);
	vtx_term_close();
	if (!started) {
		if (!stopped)
			_exit(error->status);
		return -1;
	}
	if (m->report)
		vtx_say("%s", m->report);
	if (m->status == VTX_STATUS_SHUTDOWN)
		vtx_verbose("%s", m->why);
	else if (sig)
		vtx_say("ended by signal %d (%s)", sig, strsignal(sig));
	else
		vtx_say("%s (exit status %d)", m->why, m->status);
	if (!stopped) {
		vtx_say("a vCPU does not come out of the kernel; leaving without it");
		_exit(m->status);
	}
	vtx_say_counts(m);
	if (sig && !m->options->boot) /* whose report is still to be written */
		vtx_die_of(sig);
	return m->status;
}

int vtx_run(const struct vtx_run_options *options)
{
	static struct vtx_machine machine;
	struct vtx_error error;
	bool is_terminal = false;
	int status;

	vtx_be_verbose = options->verbose;
	status = vtx_term_open(&is_terminal, &error);
	if (!status)
		status = vtx_machine_create(&machine, options, &error);
	if (!status)
		status = vtx_run_machine(&machine, is_terminal, &error);
	vtx_term_close();
	if (status < 0) {
		vtx_say("%s", error.text);
		status = (int)error.status;
	}
	vtx_machine_destroy(&machine);
	return status;
}

int vtx_command_run(int argc, char **argv)
{
	static struct vtx_run_options options;
	struct vtx_error error;

	if (vtx_options_parse(&options, argc, argv, &error)) {
		vtx_say("%s", error.text);
		return (int)error.status;
	}
	if (options.help) {
		vtx_options_help(stdout);
		return 0;
	}
	return vtx_run(&options);
}
