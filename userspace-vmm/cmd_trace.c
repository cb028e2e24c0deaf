// SPDX-License-Identifier: GPL-2.0-only
/* `vtx trace`: exits of a running VM or of a file, printed or saved. */
#define _GNU_SOURCE
#include "userspace-vmm/command.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "userspace-vmm/debugfs_vm.h"
#include "userspace-vmm/disassemble.h"
#include "userspace-vmm/ring.h"
#include "userspace-vmm/trace_options.h"
#include "userspace-vmm/trace_source.h"

struct vtx_trace_run {
	const struct vtx_trace_options *options;
	struct vtx_trace_source source;
	struct vtx_trace_format format;
	struct vtx_symbols symbols;
	FILE *raw; /* -w */
	uint64_t shown;
	uint32_t lost; /* before entries that are not shown */
};

static volatile sig_atomic_t vtx_trace_stopped;

static void vtx_trace_stop(int sig)
{
	(void)sig;
	vtx_trace_stopped = 1;
}

/* Without SA_RESTART: poll() and read() return, and the output gets its proper end. */
static void vtx_trace_signals(void)
{
	struct sigaction action = { .sa_handler = vtx_trace_stop };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* ------------------------------------------------------------------ opening */

/* After a refusal the file says in a comment what is wrong with the text (docs/tracing.md). */
static int vtx_trace_set_filter(const char *folder, const char *text, struct vtx_error *error)
{
	char path[PATH_MAX + 16], *why, *sentence;
	struct vtx_error ignored;
	int fd, refusal;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/filter", folder);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return vtx_error_set(error, VTX_STATUS_DEVICE, "cannot open %s: %s", path, strerror(errno));
	/* One byte at least: writing nothing would not reach the kernel. */
	n = *text ? write(fd, text, strlen(text)) : write(fd, "\n", 1);
	refusal = errno;
	close(fd);
	if (n >= 0)
		return 0;
	why = vtx_debugfs_read(folder, "filter", NULL, &ignored);
	sentence = why ? strstr(why, "# error: ") : NULL;
	if (sentence)
		sentence[strcspn(sentence, "\n")] = '\0';
	vtx_error_set(error, VTX_STATUS_USAGE, "the kernel refuses the filter \"%s\": %.400s", text,
		      sentence ? sentence + strlen("# error: ") : strerror(refusal));
	free(why);
	return -1;
}

/* What a live stream does not say, the VM's flight recorders do. */
static uint32_t vtx_trace_live_khz(const char *folder)
{
	struct vtx_error ignored;
	struct vtx_ring ring;
	uint32_t khz = 0;
	char file[32];

	for (unsigned int n = 0; !khz && n < vtx_debugfs_vcpus(folder); n++) {
		size_t size = 0;
		char *data;

		snprintf(file, sizeof(file), "vcpu%u/recorder_raw", n);
		data = vtx_debugfs_read(folder, file, &size, &ignored);
		if (data && vtx_is_ring(data, size)) {
			memcpy(&ring, data, sizeof(ring));
			khz = ring.tsc_khz;
		}
		free(data);
	}
	return khz;
}

static int vtx_trace_open_live(struct vtx_trace_run *run, struct vtx_error *error)
{
	const struct vtx_trace_options *o = run->options;
	char folder[PATH_MAX], path[PATH_MAX + 16];
	int fd;

	if (vtx_debugfs_vm(VTX_DEBUGFS, o->vm, folder, sizeof(folder), error))
		return -1;
	if (o->filter && vtx_trace_set_filter(folder, o->filter, error))
		return -1;
	snprintf(path, sizeof(path), "%s/trace_raw", folder);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return vtx_error_set(error, VTX_STATUS_DEVICE, "cannot open %s: %s", path, strerror(errno));
	vtx_trace_source_init(&run->source, fd, "the VM's trace_raw");
	run->source.tsc_khz = vtx_trace_live_khz(folder);
	return 0;
}

static int vtx_trace_open(struct vtx_trace_run *run, struct vtx_error *error)
{
	const struct vtx_trace_options *o = run->options;
	int fd;

	if (o->symbols && vtx_symbols_open(&run->symbols, o->symbols, error))
		return -1;
	run->symbols.offset = o->kaslr;
	if (o->disassemble && !vtx_can_disassemble())
		return vtx_error_set(error, VTX_STATUS_USAGE, "this vtx was built without Zydis and cannot disassemble: install "
				     "libzydis-dev and build again");
	if (o->disassemble && !run->symbols.code_count)
		return vtx_error_set(error, VTX_STATUS_USAGE, "--disassemble: %s holds no code; give the vmlinux", o->symbols);
	if (o->write) {
		run->raw = fopen(o->write, "we");
		if (!run->raw)
			return vtx_error_set(error, VTX_STATUS_HOST_ERROR, "cannot write %s: %s", o->write, strerror(errno));
	}
	if (!o->input)
		return vtx_trace_open_live(run, error);
	fd = strcmp(o->input, "-") ? open(o->input, O_RDONLY | O_CLOEXEC) : dup(STDIN_FILENO);
	if (fd < 0)
		return vtx_error_set(error, VTX_STATUS_IMAGE, "cannot open %s: %s", o->input, strerror(errno));
	vtx_trace_source_init(&run->source, fd, o->input);
	return 0;
}

/* ------------------------------------------------------------------ the loop */

/* Once the first entry is there the source knows how long a tick is. */
static void vtx_trace_start_output(struct vtx_trace_run *run)
{
	const struct vtx_trace_options *o = run->options;
	struct vtx_trace_file header = {
		.magic = VTX_TRACE_FILE_MAGIC, .version = VTX_TRACE_FILE_VERSION, .entry_size = sizeof(struct vtx_trace_entry),
	};

	run->format = (struct vtx_trace_format){
		.out = stdout, .style = o->style, .symbols = o->symbols ? &run->symbols : NULL, .disassemble = o->disassemble,
		.tsc_khz = o->tsc_khz ? o->tsc_khz : run->source.tsc_khz,
	};
	header.tsc_khz = run->format.tsc_khz;
	if (run->raw) {
		fwrite(&header, sizeof(header), 1, run->raw);
		return;
	}
	if (o->style == VTX_TRACE_CHROME && !run->format.tsc_khz)
		vtx_say("how long a tick is, the file does not say: a tick is shown as a microsecond (--tsc-khz N says it)");
	vtx_trace_begin(&run->format);
}

static void vtx_trace_show(struct vtx_trace_run *run, struct vtx_trace_entry *e)
{
	if (!vtx_trace_wanted(run->options, e)) {
		run->lost += e->lost;
		return;
	}
	e->lost += run->lost;
	run->lost = 0;
	run->shown += !vtx_trace_is_loss(e);
	if (run->raw)
		fwrite(e, sizeof(*e), 1, run->raw);
	else
		vtx_trace_entry(&run->format, e);
}

/* Returns 0 at the end, -1 with ERROR filled. */
static int vtx_trace_loop(struct vtx_trace_run *run, struct vtx_error *error)
{
	struct pollfd wait = { .fd = run->source.fd, .events = POLLIN };
	FILE *out = run->raw ? run->raw : stdout;
	struct vtx_trace_entry entry;
	bool started = false;
	int result = VTX_TRACE_WAIT;

	while (!vtx_trace_stopped && !(run->options->count && run->shown >= run->options->count)) {
		result = vtx_trace_next(&run->source, &entry, error);
		if (result == VTX_TRACE_WAIT) {
			fflush(out); /* what happened so far, before we sleep */
			poll(&wait, 1, -1);
			continue;
		}
		if (!started && result != VTX_TRACE_ERROR)
			vtx_trace_start_output(run);
		started |= result != VTX_TRACE_ERROR;
		if (result != VTX_TRACE_ENTRY)
			break;
		vtx_trace_show(run, &entry);
		if (ferror(out))
			break;
	}
	if (!started && result != VTX_TRACE_ERROR)
		vtx_trace_start_output(run); /* nothing came: still a file with a header, an array without elements */
	if ((started || result != VTX_TRACE_ERROR) && !run->raw)
		vtx_trace_end(&run->format);
	if (fflush(out) || ferror(out))
		return vtx_error_set(error, VTX_STATUS_HOST_ERROR, "the output cannot be written: %s", strerror(errno));
	return result == VTX_TRACE_ERROR ? -1 : 0;
}

int vtx_command_trace(int argc, char **argv)
{
	static struct vtx_trace_options options;
	static struct vtx_trace_run run;
	struct vtx_error error;
	int ret;

	if (vtx_trace_options_parse(&options, argc, argv, &error)) {
		vtx_say("%s", error.text);
		return (int)error.status;
	}
	if (options.help) {
		vtx_trace_options_help(stdout);
		return 0;
	}
	run.options = &options;
	run.source.fd = -1;
	vtx_trace_signals();
	ret = vtx_trace_open(&run, &error);
	if (!ret)
		ret = vtx_trace_loop(&run, &error);
	vtx_trace_source_close(&run.source);
	vtx_symbols_close(&run.symbols);
	if (run.raw)
		fclose(run.raw);
	if (!ret)
		return 0;
	vtx_say("%s", error.text);
	return (int)error.status;
}
