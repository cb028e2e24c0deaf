// SPDX-License-Identifier: GPL-2.0-only
/* `vtx top`: exits a second by reason, VM and vCPU, live or as CSV. */
#define _GNU_SOURCE
#include "userspace-vmm/command.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "userspace-vmm/screen.h"
#include "userspace-vmm/top_view.h"

enum { OPT_ROOT = 256, OPT_ONCE };

struct vtx_top_args {
	const char *root;
	double delay;
	unsigned long count;	/* reports; 0: without end */
	bool batch, help, by_given;
	struct vtx_top_view view;
};

static const struct option vtx_top_options[] = {
	{ "batch", no_argument, NULL, 'b' },
	{ "once", no_argument, NULL, OPT_ONCE },
	{ "delay", required_argument, NULL, 'd' },
	{ "count", required_argument, NULL, 'n' },
	{ "group", required_argument, NULL, 'g' },
	{ "sort", required_argument, NULL, 's' },
	{ "top", no_argument, NULL, 't' },
	{ "root", required_argument, NULL, OPT_ROOT },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static void vtx_top_help(void)
{
	fputs("Usage: vtx top [options]\n"
	      "\n"
	      "Shows live what the guests on vtx exit for, how often, and what it costs. Reads debugfs, so it needs root.\n"
	      "\n"
	      "  -b, --batch            no screen: a CSV row for each line and interval, on standard output\n"
	      "      --once             one interval as CSV; the same as --batch -n 1\n"
	      "  -d, --delay SECONDS    the interval, 0.1 to 3600; default 1\n"
	      "  -n, --count COUNT      end after so many intervals\n"
	      "  -g, --group HOW        a line for each reason, vm, vcpu, or all (reason of a vCPU);\n"
	      "                         default reason, and all with --batch\n"
	      "  -s, --sort HOW         exits, ticks, total or name; default exits\n"
	      "  -t, --top              show the busiest MSRs, ports, CPUID leaves, MMIO pages and hypercalls as well\n"
	      "      --root DIR         another place of debugfs than " VTX_DEBUGFS "\n"
	      "  -h, --help             this text\n"
	      "\n"
	      "Keys: q quit, v view, s sort, t top, u pause, h help.\n", stdout);
}

static int vtx_parse_double(const char *text, double least, double most, double *value)
{
	char *end;

	errno = 0;
	*value = strtod(text, &end);
	return !isdigit((unsigned char)*text) || errno || *end || !(*value >= least && *value <= most) ? -1 : 0;
}

static int vtx_top_option(struct vtx_top_args *o, int c, struct vtx_error *error)
{
	int index;
	char *end;

	switch (c) {
	case OPT_ONCE:
		o->count = 1;
		o->batch = true;
		return 0;
	case 'b':
		o->batch = true;
		return 0;
	case 'd':
		if (vtx_parse_double(optarg, 0.1, 3600, &o->delay))
			return vtx_error_set(error, VTX_STATUS_USAGE, "-d %s: the interval must be 0.1 to 3600 seconds", optarg);
		return 0;
	case 'n':
		errno = 0;
		o->count = strtoul(optarg, &end, 10);
		if (!isdigit((unsigned char)*optarg) || errno || *end || !o->count)
			return vtx_error_set(error, VTX_STATUS_USAGE, "-n %s: the number of intervals must be 1 or more", optarg);
		return 0;
	case 'g':
		index = vtx_top_group_find(optarg);
		if (index < 0)
			return vtx_error_set(error, VTX_STATUS_USAGE, "-g %s: unknown; there are reason, vm, vcpu and all", optarg);
		o->view.group = (enum vtx_top_group)index;
		o->by_given = true;
		return 0;
	case 's':
		index = vtx_top_sort_find(optarg);
		if (index < 0)
			return vtx_error_set(error, VTX_STATUS_USAGE, "-s %s: unknown; there are exits, ticks, total and name", optarg);
		o->view.sort = (enum vtx_top_sort)index;
		return 0;
	case 't':
		o->view.hot = true;
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

static int vtx_top_parse(struct vtx_top_args *o, int argc, char **argv, struct vtx_error *error)
{
	int c;

	*o = (struct vtx_top_args){ .root = VTX_DEBUGFS, .delay = 1 };
	optind = 0; /* glibc: start afresh */
	opterr = 0;
	while ((c = getopt_long(argc, argv, "+:bd:n:g:s:th", vtx_top_options, NULL)) != -1) {
		if (c == ':')
			return vtx_error_set(error, VTX_STATUS_USAGE, "%s needs a value; see vtx top --help", argv[optind - 1]);
		if (c == '?')
			return vtx_error_set(error, VTX_STATUS_USAGE, "%s: unknown option; see vtx top --help", argv[optind - 1]);
		if (vtx_top_option(o, c, error))
			return -1;
	}
	if (optind < argc && !o->help)
		return vtx_error_set(error, VTX_STATUS_USAGE, "%s: vtx top takes options only; see vtx top --help", argv[optind]);
	if (o->batch && !o->by_given)
		o->view.group = VTX_TOP_BY_ALL;
	return 0;
}

static void vtx_now(const char *format, char *buf, size_t size)
{
	time_t now = time(NULL);
	struct tm tm;

	localtime_r(&now, &tm);
	buf[0] = 0;
	strftime(buf, size, format, &tm);
}

/* ------------------------------------------------------------------ batch */

static int vtx_top_batch(const struct vtx_top_args *o, struct vtx_error *error)
{
	struct timespec delay = { (time_t)o->delay, (long)((o->delay - (double)(time_t)o->delay) * 1e9) };
	struct vtx_sample samples[2] = { 0 };
	struct vtx_top_table table = { 0 };
	unsigned int now = 0;
	char when[32];
	int r = vtx_sample_take(&samples[0], o->root, error);

	if (!r)
		vtx_top_csv_header(stdout);
	for (unsigned long i = 0; !r && (!o->count || i < o->count); i++) {
		nanosleep(&delay, NULL);
		now = !now;
		r = vtx_sample_take(&samples[now], o->root, error);
		if (!r)
			r = vtx_top_compute(&table, &samples[!now], &samples[now], o->view.group, o->view.sort, error);
		if (r)
			break;
		vtx_now("%Y-%m-%d %H:%M:%S", when, sizeof(when));
		vtx_top_csv(&table, when, stdout);
		if (fflush(stdout))
			r = vtx_error_set(error, VTX_STATUS_HOST_ERROR, "standard output: %s", strerror(errno));
	}
	vtx_top_free(&table);
	vtx_sample_free(&samples[0]);
	vtx_sample_free(&samples[1]);
	return r;
}

/* ------------------------------------------------------------------ screen */

/* Returns true when the key asks for the end. */
static bool vtx_top_key(struct vtx_top_view *v, int key)
{
	if (v->help && key != VTX_KEY_QUIT && key != VTX_KEY_RESIZE) {
		v->help = false;
		return false;
	}
	switch (key) {
	case VTX_KEY_QUIT:
		return true;
	case 'v':
		v->group = (v->group + 1) % VTX_TOP_GROUPS;
		break;
	case 's':
		v->sort = (v->sort + 1) % VTX_TOP_SORTS;
		break;
	case 't':
		v->hot = !v->hot;
		break;
	case 'u':
		v->paused = !v->paused;
		break;
	case 'h':
	case '?':
		v->help = true;
		break;
	}
	return false;
}

static double vtx_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Draws, and serves keys until it is time for the next sample.  Returns true when the user wants to leave. */
static bool vtx_top_serve(struct vtx_top_args *o, const struct vtx_sample *before, const struct vtx_sample *now, struct vtx_error *error,
			  double until)
{
	static struct vtx_top_table table;
	static struct vtx_text text;
	struct vtx_top_view *v = &o->view;
	int rows, cols, key;
	double left;

	for (;;) {
		vtx_screen_size(&rows, &cols);
		if (!vtx_text_reset(&text, rows, cols) || vtx_top_compute(&table, before, now, v->group, v->sort, error))
			return true;
		vtx_top_draw(&text, &table, v);
		vtx_screen_show(&text);
		left = until - vtx_seconds();
		if (left <= 0 && !v->paused && !v->help)
			return false;
		key = vtx_screen_key(v->paused || v->help || left > 1 ? 1000 : (unsigned int)(left * 1000) + 1);
		if (key != VTX_KEY_NONE && vtx_top_key(v, key))
			return true;
		if (key > 0 && !strchr("vstuh?", key) && !v->paused && vtx_seconds() - now->seconds > 0.2)
			return false; /* a fresh sample at once */
	}
}

static int vtx_top_screen(struct vtx_top_args *o, struct vtx_error *error)
{
	struct vtx_sample samples[2] = { 0 };
	unsigned int now = 0;
	bool first = true, leave = false;
	int r = vtx_sample_take(&samples[0], o->root, error); /* before the screen: a refusal belongs on the normal one */

	if (!r)
		r = vtx_screen_open(error);
	for (unsigned long i = 0; !r && !leave; i++) {
		vtx_now("%H:%M:%S", o->view.clock, sizeof(o->view.clock));
		error->text[0] = 0;
		leave = vtx_top_serve(o, first ? NULL : &samples[!now], &samples[now], error,
				      samples[now].seconds + (first && o->delay > 0.5 ? 0.5 : o->delay)) || (o->count && i >= o->count);
		if (leave && error->text[0])
			r = -1;
		if (leave)
			break;
		first = false;
		now = !now;
		r = vtx_sample_take(&samples[now], o->root, error);
	}
	vtx_screen_close();
	vtx_sample_free(&samples[0]);
	vtx_sample_free(&samples[1]);
	return r;
}

int vtx_command_top(int argc, char **argv)
{
	struct vtx_error error = { 0 };
	struct vtx_top_args o;
	int r = vtx_top_parse(&o, argc, argv, &error);

	if (!r && o.help) {
		vtx_top_help();
		return 0;
	}
	if (!r) {
		signal(SIGPIPE, SIG_IGN);
		r = o.batch ? vtx_top_batch(&o, &error) : vtx_top_screen(&o, &error);
	}
	if (r)
		vtx_say("%s", error.text);
	return r ? (int)error.status : 0;
}
