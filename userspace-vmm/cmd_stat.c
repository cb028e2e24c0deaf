// SPDX-License-Identifier: GPL-2.0-only
/* `vtx stat`: kvm_stat for vtx, with its options, its keys and its CSV. */
#define _GNU_SOURCE
#include "userspace-vmm/command.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "userspace-vmm/guest_name.h"
#include "userspace-vmm/screen.h"
#include "userspace-vmm/stat_view.h"

#define DELAY_DEFAULT 3.0
#define DELAY_FIRST 0.25	/* of the screen: something to see soon */
#define DELAY_MIN 0.1
#define DELAY_MAX 25.5
#define BANNER_EVERY 20

enum { OPT_ROOT = 256 };

struct vtx_stat_args {
	const char *root, *log_file, *fields;
	double delay;
	bool delay_given, batch, csv, log, skip_zero, help;
};

static const struct option vtx_stat_options[] = {
	{ "once", no_argument, NULL, '1' },
	{ "batch", no_argument, NULL, '1' },
	{ "csv", no_argument, NULL, 'c' },
	{ "debugfs", no_argument, NULL, 'd' },
	{ "fields", required_argument, NULL, 'f' },
	{ "guest", required_argument, NULL, 'g' },
	{ "debugfs-include-past", no_argument, NULL, 'i' },
	{ "log", no_argument, NULL, 'l' },
	{ "log-to-file", required_argument, NULL, 'L' },
	{ "pid", required_argument, NULL, 'p' },
	{ "set-delay", required_argument, NULL, 's' },
	{ "tracepoints", no_argument, NULL, 't' },
	{ "skip-zero-records", no_argument, NULL, 'z' },
	{ "root", required_argument, NULL, OPT_ROOT },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static void vtx_stat_usage(void)
{
	fputs("Usage: vtx stat [options]\n"
	      "\n"
	      "kvm_stat for the guests on vtx: the same options, keys and CSV. Reads debugfs, so it needs root.\n"
	      "\n"
	      "  -1, --once, --batch           print each field, its total and its count of one second, and end\n"
	      "  -l, --log                     a line an interval, like vmstat\n"
	      "  -L, --log-to-file FILE        the same, appended to FILE; SIGHUP makes it open FILE anew\n"
	      "  -c, --csv                     with -l or -L: CSV, the first column the time\n"
	      "  -z, --skip-zero-records       with -l or -L: no line for an interval in which nothing was counted\n"
	      "  -s, --set-delay SECONDS       the interval, 0.1 to 25.5; default 3\n"
	      "  -f, --fields REGEX            only fields that begin with a match; \"-f help\" lists them\n"
	      "  -t, --tracepoints             the names of KVM's tracepoints: kvm_exit, kvm_exit(HLT) (default)\n"
	      "  -d, --debugfs                 the names of KVM's statistics in debugfs: exits, halt_exits, pages_4k\n"
	      "  -i, --debugfs-include-past    totals since the guests began, not since vtx stat did\n"
	      "  -p, --pid PID                 only the VMs of this process\n"
	      "  -g, --guest NAME              only this guest: QEMU's -name, the VMM's name, or the VM's folder in debugfs\n"
	      "      --root DIR                another place of debugfs than " VTX_DEBUGFS "\n"
	      "  -h, --help                    this text\n"
	      "\n"
	      "Keys: b by guest, c clear filters, f filter, g guest, h help, o order, p PID, q quit, r reset, s interval, x children.\n",
	      stdout);
}

static int vtx_parse_delay(const char *text, double *delay, struct vtx_error *error)
{
	char *end;

	errno = 0;
	*delay = strtod(text, &end);
	if (!isdigit((unsigned char)*text) || errno || *end || !(*delay >= DELAY_MIN && *delay <= DELAY_MAX))
		return vtx_error_set(error, VTX_STATUS_USAGE, "%s: the interval must be %.1f to %.1f seconds", text, DELAY_MIN, DELAY_MAX);
	return 0;
}

static int vtx_parse_pid(const char *text, int *pid, struct vtx_error *error)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (!isdigit((unsigned char)*text) || errno || *end || n > INT_MAX)
		return vtx_error_set(error, VTX_STATUS_USAGE, "%s: not a process id", text);
	*pid = (int)n;
	return 0;
}

/* The process of the one guest of that name. */
static int vtx_find_guest(const char *guest, const struct vtx_sample *sample, int *pid, struct vtx_error *error)
{
	int found = 0;

	for (size_t i = 0; i < sample->vms; i++) {
		const struct vtx_vm_sample *vm = &sample->vm[i];
		char name[64];

		vtx_guest_name("/proc", vm->pid, name, sizeof(name));
		if (strcmp(guest, name) && strcmp(guest, vm->name))
			continue;
		if (found && found != vm->pid)
			return vtx_error_set(error, VTX_STATUS_USAGE, "%s: several guests have this name; choose with -p PID: %d, %d", guest, found,
					     vm->pid);
		found = vm->pid;
	}
	if (!found)
		return vtx_error_set(error, VTX_STATUS_USAGE, "%s: no guest of this name runs on vtx", guest);
	*pid = found;
	return 0;
}

static int vtx_stat_option(struct vtx_stat_args *o, struct vtx_stat *s, const char **guest, int c, struct vtx_error *error)
{
	switch (c) {
	case '1':
		o->batch = true;
		return 0;
	case 'c':
		o->csv = true;
		return 0;
	case 'd':
		s->debugfs = true;
		return 0;
	case 'f':
		o->fields = optarg;
		return 0;
	case 'g':
		*guest = optarg;
		return 0;
	case 'i':
		s->past = true;
		return 0;
	case 'l':
		o->log = true;
		return 0;
	case 'L':
		o->log_file = optarg;
		return 0;
	case 'p':
		return vtx_parse_pid(optarg, &s->pid, error);
	case 's':
		o->delay_given = true;
		return vtx_parse_delay(optarg, &o->delay, error);
	case 't':
		s->tracepoints = true;
		return 0;
	case 'z':
		o->skip_zero = true;
		return 0;
	case OPT_ROOT:
		o->root = optarg;
		return 0;
	case 'h':
		o->help = true;
		return 0;
	}
	return -1;
}

static int vtx_stat_parse(struct vtx_stat_args *o, struct vtx_stat *s, const char **guest, int argc, char **argv, struct vtx_error *error)
{
	int c;

	*o = (struct vtx_stat_args){ .root = VTX_DEBUGFS, .fields = "", .delay = DELAY_DEFAULT };
	optind = 0; /* glibc: start afresh */
	opterr = 0;
	while ((c = getopt_long(argc, argv, "+:1cdf:g:ilL:p:s:tzh", vtx_stat_options, NULL)) != -1) {
		if (c == ':')
			return vtx_error_set(error, VTX_STATUS_USAGE, "%s needs a value; see vtx stat --help", argv[optind - 1]);
		if (c == '?')
			return vtx_error_set(error, VTX_STATUS_USAGE, "%s: unknown option; see vtx stat --help", argv[optind - 1]);
		if (vtx_stat_option(o, s, guest, c, error))
			return -1;
	}
	if (o->help)
		return 0;
	if (optind < argc)
		return vtx_error_set(error, VTX_STATUS_USAGE, "%s: vtx stat takes options only; see vtx stat --help", argv[optind]);
	if (o->csv && !o->log && !o->log_file)
		return vtx_error_set(error, VTX_STATUS_USAGE, "-c/--csv is for logs: give -l or -L FILE as well");
	if (o->skip_zero && !o->log && !o->log_file)
		return vtx_error_set(error, VTX_STATUS_USAGE, "-z/--skip-zero-records is for logs: give -l or -L FILE as well");
	if (*guest && s->pid)
		return vtx_error_set(error, VTX_STATUS_USAGE, "-g and -p: give one of them");
	if (!s->debugfs)
		s->tracepoints = true;
	return strcmp(o->fields, "help") ? vtx_stat_set_filter(s, o->fields, error) : 0;
}

static void vtx_stat_sleep(double seconds)
{
	struct timespec delay = { (time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9) };

	nanosleep(&delay, NULL); /* a signal makes it shorter, which is what SIGINT and SIGHUP want */
}

/* Two samples, of which NOW is the later. */
struct vtx_stat_samples {
	struct vtx_sample sample[2];
	unsigned int now;
};

static int vtx_stat_next(struct vtx_stat *s, struct vtx_stat_samples *at, const char *root, struct vtx_error *error)
{
	at->now = !at->now;
	if (vtx_sample_take(&at->sample[at->now], root, error))
		return -1;
	return vtx_stat_update(s, &at->sample[!at->now], &at->sample[at->now], error);
}

/* ------------------------------------------------------------------ log */

static volatile sig_atomic_t vtx_stat_hangup, vtx_stat_end;

static void vtx_stat_signal(int sig)
{
	if (sig == SIGHUP)
		vtx_stat_hangup = 1;
	else
		vtx_stat_end = 1;
}

/* Opens the log, or takes standard output, and writes the banner; a CSV file that has one gets no second. */
static FILE *vtx_stat_open_log(const struct vtx_stat_args *o, const struct vtx_stat *s, struct vtx_error *error)
{
	FILE *out = o->log_file ? fopen(o->log_file, "ae") : stdout;

	if (!out) {
		vtx_error_set(error, VTX_STATUS_HOST_ERROR, "-L %s: %s", o->log_file, strerror(errno));
		return NULL;
	}
	if (!(o->log_file && o->csv && fseek(out, 0, SEEK_END) == 0 && ftell(out) > 0))
		vtx_stat_banner(s, o->csv, out);
	fflush(out);
	return out;
}

static int vtx_stat_log(const struct vtx_stat_args *o, struct vtx_stat *s, struct vtx_stat_samples *at, struct vtx_error *error)
{
	struct sigaction action = { .sa_handler = vtx_stat_signal };
	unsigned int lines = 0;
	char when[32];
	int r = 0;
	FILE *out = vtx_stat_open_log(o, s, error);

	if (!out)
		return -1;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	if (o->log_file)
		sigaction(SIGHUP, &action, NULL);
	for (;;) {
		time_t now;
		struct tm tm;

		vtx_stat_sleep(o->delay);
		if (vtx_stat_end)
			break;
		if (vtx_stat_hangup) {
			vtx_stat_hangup = 0;
			lines = 0;
			fclose(out);
			out = vtx_stat_open_log(o, s, error);
			if (!out)
				return -1;
		}
		r = vtx_stat_next(s, at, o->root, error);
		if (r)
			break;
		if (o->skip_zero && vtx_stat_all_zero(s))
			continue;
		if (lines && lines % BANNER_EVERY == 0 && !(o->log_file && o->csv))
			vtx_stat_banner(s, o->csv, out);
		lines++;
		now = time(NULL);
		localtime_r(&now, &tm);
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
		vtx_stat_line(s, when, o->csv, out);
		if (fflush(out)) {
			r = vtx_error_set(error, VTX_STATUS_HOST_ERROR, "%s: %s", o->log_file ? o->log_file : "standard output", strerror(errno));
			break;
		}
	}
	if (o->log_file)
		fclose(out);
	return r;
}

/* ------------------------------------------------------------------ screen */

static const char *vtx_stat_call_guest(const char *vm)
{
	static char name[96];
	char guest[64];

	vtx_guest_name("/proc", atoi(vm), guest, sizeof(guest));
	snprintf(name, sizeof(name), "%s%s%s%s", vm, *guest ? " (" : "", guest, *guest ? ")" : "");
	return name;
}

/* Asks until the answer makes sense, is empty, or Escape is pressed. */
static void vtx_stat_ask(struct vtx_stat_args *o, struct vtx_stat *s, struct vtx_stat_view *v, const struct vtx_sample *sample, int key)
{
	struct vtx_error error = { 0 };
	char prompt[256], answer[128];
	double delay;
	int pid, r;

	do {
		const char *what = key == 'f' ? "Regular expression (empty: all fields): " : key == 's' ? "Seconds (0.1 to 25.5; empty: 3): " :
				   "Guest name or PID (empty: all): ";

		snprintf(prompt, sizeof(prompt), "%.160s%s%s", error.text, *error.text ? "   " : "", what);
		if (!vtx_screen_ask(1, prompt, answer, sizeof(answer)))
			return;
		if (key == 'f') {
			r = vtx_stat_set_filter(s, answer, &error);
		} else if (key == 's') {
			delay = DELAY_DEFAULT;
			r = *answer ? vtx_parse_delay(answer, &delay, &error) : 0;
			if (!r)
				o->delay = delay;
		} else {
			pid = 0;
			r = !*answer ? 0 : isdigit((unsigned char)*answer) && !strchr(answer, '-') ? vtx_parse_pid(answer, &pid, &error) :
			    vtx_find_guest(answer, sample, &pid, &error);
			if (!r) {
				s->pid = pid;
				vtx_guest_name("/proc", pid, v->guest, sizeof(v->guest));
				vtx_stat_reset(s);
			}
		}
	} while (r);
}

/* Returns true for the end. */
static bool vtx_stat_key(struct vtx_stat_args *o, struct vtx_stat *s, struct vtx_stat_view *v, const struct vtx_sample *sample, int key)
{
	struct vtx_error error;

	if (v->help && key != VTX_KEY_QUIT) {
		v->help = false;
		return false;
	}
	switch (key) {
	case VTX_KEY_QUIT:
		return true;
	case 'b':
		s->by_guest = !s->by_guest;
		vtx_stat_reset(s);
		break;
	case 'c':
		s->pid = 0;
		v->guest[0] = 0;
		vtx_stat_set_filter(s, "", &error);
		break;
	case 'f':
	case 'g':
	case 'p':
	case 's':
		vtx_stat_ask(o, s, v, sample, key);
		break;
	case 'h':
		v->help = true;
		break;
	case 'o':
		v->by_total = !v->by_total;
		break;
	case 'r':
		s->past = false;
		vtx_stat_reset(s);
		break;
	case 'x':
		s->no_children = !s->no_children;
		vtx_stat_reset(s);
		break;
	}
	return false;
}

static int vtx_stat_screen(struct vtx_stat_args *o, struct vtx_stat *s, struct vtx_stat_samples *at, struct vtx_error *error)
{
	struct vtx_stat_view view = { .guest_name = vtx_stat_call_guest };
	struct vtx_text text = { 0 };
	int rows, cols, key, r = vtx_screen_open(error);

	if (r)
		return r;
	vtx_guest_name("/proc", s->pid, view.guest, sizeof(view.guest));
	for (bool first = true;; first = false) {
		double began = at->sample[at->now].seconds, delay = first || !s->started ? DELAY_FIRST : o->delay;

		vtx_screen_size(&rows, &cols);
		if (!vtx_text_reset(&text, rows, cols))
			break;
		vtx_stat_draw(&text, s, &view);
		vtx_screen_show(&text);
		key = vtx_screen_key((unsigned int)(delay * 1000));
		if (key != VTX_KEY_NONE && key != VTX_KEY_RESIZE && vtx_stat_key(o, s, &view, &at->sample[at->now], key))
			break;
		first = first || !s->started;
		r = vtx_stat_next(s, at, o->root, error);
		if (r)
			break;
		view.seconds = at->sample[at->now].seconds - began;
	}
	vtx_screen_close();
	vtx_text_free(&text);
	return r;
}

/* ------------------------------------------------------------------ all of them */

static int vtx_stat_run(struct vtx_stat_args *o, struct vtx_stat *s, const char *guest, struct vtx_error *error)
{
	struct vtx_stat_samples at = { 0 };
	int r;

	s->fixed = o->log || o->log_file;
	r = vtx_sample_take(&at.sample[0], o->root, error);
	if (!r && guest)
		r = vtx_find_guest(guest, &at.sample[0], &s->pid, error);
	if (!r && s->pid && kill(s->pid, 0) && errno == ESRCH)
		r = vtx_error_set(error, VTX_STATUS_USAGE, "-p %d: there is no such process", s->pid);
	if (!r)
		r = vtx_stat_update(s, NULL, &at.sample[0], error);
	if (!r && !strcmp(o->fields, "help")) {
		for (size_t i = 0; i < s->fields; i++)
			puts(s->field[i].name);
	} else if (!r && (o->log || o->log_file)) {
		r = vtx_stat_log(o, s, &at, error);
	} else if (!r && o->batch) {
		vtx_stat_sleep(o->delay_given ? o->delay : 1);
		r = vtx_stat_next(s, &at, o->root, error);
		if (!r)
			vtx_stat_batch(s, stdout);
	} else if (!r) {
		r = vtx_stat_screen(o, s, &at, error);
	}
	vtx_sample_free(&at.sample[0]);
	vtx_sample_free(&at.sample[1]);
	return r;
}

int vtx_command_stat(int argc, char **argv)
{
	struct vtx_error error = { 0 };
	struct vtx_stat stat = { 0 };
	struct vtx_stat_args o;
	const char *guest = NULL;
	int r = vtx_stat_parse(&o, &stat, &guest, argc, argv, &error);

	if (!r && o.help) {
		vtx_stat_usage();
		return 0;
	}
	if (!r) {
		signal(SIGPIPE, SIG_IGN);
		r = vtx_stat_run(&o, &stat, guest, &error);
	}
	vtx_stat_free(&stat);
	if (r)
		vtx_say("%s", error.text);
	return r ? (int)error.status : 0;
}
