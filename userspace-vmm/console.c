// SPDX-License-Identifier: GPL-2.0-only
/* The console's two threads. */
#define _GNU_SOURCE
#include "userspace-vmm/console.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define VTX_CONSOLE_COLLECT_NS 1000000L
#define VTX_CONSOLE_DRAIN_SECONDS 2

/* From the UART, with its lock held, on a vCPU's thread. */
static void vtx_console_transmit(void *opaque, uint8_t byte)
{
	struct vtx_console *c = opaque;

	if (c->tap)
		c->tap(c->tap_data, byte);
	pthread_mutex_lock(&c->lock);
	while (c->count == VTX_CONSOLE_BUFFER && !c->stopping && !c->broken)
		pthread_cond_wait(&c->less, &c->lock);
	if (c->count < VTX_CONSOLE_BUFFER && !c->broken) {
		c->buffer[(c->head + c->count++) % VTX_CONSOLE_BUFFER] = byte;
		if (c->count == 1)
			pthread_cond_signal(&c->more);
	}
	pthread_mutex_unlock(&c->lock);
}

static void vtx_console_ready(void *opaque)
{
	struct vtx_console *c = opaque;

	if (atomic_exchange(&c->wants_room, false))
		eventfd_write(c->wake, 1);
}

/* Writes everything; -1 with errno when stdout is gone.  A stdout that somebody made non-blocking is waited for. */
static int vtx_write_all(const uint8_t *data, size_t len)
{
	struct pollfd writable = { .fd = STDOUT_FILENO, .events = POLLOUT };

	while (len) {
		ssize_t n = write(STDOUT_FILENO, data, len);

		if (n >= 0) {
			data += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			poll(&writable, 1, -1);
		} else if (errno != EINTR) {
			return -1;
		}
	}
	return 0;
}

/* Takes what is in the buffer, up to its end, and writes it.  Called and returns with the lock held. */
static void vtx_console_flush(struct vtx_console *c)
{
	unsigned int n = VTX_CONSOLE_BUFFER - c->head;
	int ret;

	if (n > c->count)
		n = c->count;
	pthread_mutex_unlock(&c->lock); /* the guest adds behind these bytes only */
	ret = vtx_write_all(c->buffer + c->head, n);
	pthread_mutex_lock(&c->lock);
	if (ret) {
		c->broken = true;
		c->count = 0;
		if (!c->stopping)
			c->board->end(c->board->machine, VTX_STATUS_HOST_ERROR, "stdout cannot be written any more");
	} else {
		c->head = (c->head + n) % VTX_CONSOLE_BUFFER;
		c->count -= n;
	}
	pthread_cond_broadcast(&c->less);
}

static void *vtx_console_output(void *opaque)
{
	static const struct timespec collect = { .tv_nsec = VTX_CONSOLE_COLLECT_NS };
	struct vtx_console *c = opaque;

	pthread_mutex_lock(&c->lock);
	while (c->count || !c->stopping) {
		if (!c->count) {
			pthread_cond_wait(&c->more, &c->lock);
			continue;
		}
		if (!c->stopping && c->count < VTX_CONSOLE_BUFFER / 2) {
			pthread_mutex_unlock(&c->lock);
			nanosleep(&collect, NULL);
			pthread_mutex_lock(&c->lock);
		}
		vtx_console_flush(c);
	}
	c->done = true;
	pthread_cond_broadcast(&c->less);
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

static void vtx_console_help(void)
{
	vtx_say("Ctrl-a x  leave: the guest stops at once\n"
		"     Ctrl-a Ctrl-a  send one Ctrl-a to the guest\n"
		"     Ctrl-a h  this help");
}

enum vtx_key_result {
	VTX_KEY_DONE,
	VTX_KEY_NO_ROOM, /* nothing happened: come again with the same byte */
	VTX_KEY_QUIT,
};

static enum vtx_key_result vtx_console_key(struct vtx_console *c, uint8_t byte)
{
	struct vtx_escape before = c->escape;

	switch (c->escapes ? vtx_escape_feed(&c->escape, byte) : VTX_ESCAPE_SEND) {
	case VTX_ESCAPE_SEND:
		if (vtx_uart_receive(c->uart, byte))
			break;
		c->escape = before;
		return VTX_KEY_NO_ROOM;
	case VTX_ESCAPE_HELP:
		vtx_console_help();
		break;
	case VTX_ESCAPE_QUIT:
		c->board->end(c->board->machine, VTX_STATUS_SHUTDOWN, "left with Ctrl-a x");
		return VTX_KEY_QUIT;
	case VTX_ESCAPE_NOTHING:
		break;
	}
	return VTX_KEY_DONE;
}

/* How many bytes the UART takes; when none, the UART will wake us as soon as it takes some. */
static unsigned int vtx_console_want(struct vtx_console *c)
{
	unsigned int room;

	atomic_store(&c->wants_room, true); /* before asking: room that comes afterwards wakes us */
	room = vtx_uart_room(c->uart);
	if (room)
		atomic_store(&c->wants_room, false);
	return room;
}

struct vtx_pending {
	uint8_t bytes[4096];
	unsigned int count;
};

/* Passes on pending bytes as far as they fit.  Returns false when the user leaves. */
static bool vtx_console_feed(struct vtx_console *c, struct vtx_pending *p)
{
	enum vtx_key_result result = VTX_KEY_DONE;
	unsigned int done = 0;

	while (result != VTX_KEY_QUIT && done < p->count && vtx_console_want(c) > 0) {
		result = VTX_KEY_DONE;
		while (result == VTX_KEY_DONE && done < p->count) {
			result = vtx_console_key(c, p->bytes[done]);
			if (result == VTX_KEY_DONE)
				done++;
		}
	}
	memmove(p->bytes, p->bytes + done, p->count - done);
	p->count -= done;
	return result != VTX_KEY_QUIT;
}

/* The one thing that may not wait behind bytes the guest does not read: Ctrl-a x. */
static bool vtx_console_quit_pending(const struct vtx_console *c, const struct vtx_pending *p)
{
	struct vtx_escape copy = c->escape;

	for (unsigned int i = 0; c->escapes && i < p->count; i++)
		if (vtx_escape_feed(&copy, p->bytes[i]) == VTX_ESCAPE_QUIT)
			return true;
	return false;
}

static void *vtx_console_input(void *opaque)
{
	struct vtx_console *c = opaque;
	struct pollfd fds[2] = { { .fd = c->wake, .events = POLLIN }, { .fd = STDIN_FILENO, .events = POLLIN } };
	struct vtx_pending pending = { .count = 0 };
	eventfd_t ignored;

	while (!atomic_load(&c->stop_input)) {
		size_t limit;
		ssize_t n;

		if (vtx_console_quit_pending(c, &pending)) {
			c->board->end(c->board->machine, VTX_STATUS_SHUTDOWN, "left with Ctrl-a x");
			break;
		}
		if (!vtx_console_feed(c, &pending))
			break;
		/* Only a terminal is read ahead, for its escapes: a pipe's bytes are better kept in the pipe. */
		if (c->escapes)
			limit = sizeof(pending.bytes) - pending.count;
		else
			limit = pending.count ? 0 : vtx_console_want(c);
		if (poll(fds, limit ? 2 : 1, -1) < 0)
			continue;
		if (fds[0].revents)
			eventfd_read(c->wake, &ignored);
		if (!limit || fds[1].fd < 0 || !fds[1].revents)
			continue;
		n = read(STDIN_FILENO, pending.bytes + pending.count, limit);
		if (n > 0)
			pending.count += (unsigned int)n;
		else if (n == 0 || (errno != EINTR && errno != EAGAIN))
			fds[1].fd = -1; /* end of file: the guest goes on without input */
	}
	return NULL;
}

int vtx_console_start(struct vtx_console *c, struct vtx_uart *uart, const struct vtx_board *board, bool escapes,
		      struct vtx_error *error)
{
	int ret;

	c->uart = uart;
	c->board = board;
	c->escapes = escapes;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->more, NULL);
	pthread_cond_init(&c->less, NULL);
	c->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->wake < 0)
		return vtx_error_set(error, VTX_STATUS_HOST_ERROR, "eventfd: %s", strerror(errno));
	uart->console = c;
	uart->transmit = vtx_console_transmit;
	uart->ready = vtx_console_ready;
	ret = pthread_create(&c->output, NULL, vtx_console_output, c);
	c->output_started = ret == 0;
	if (!ret)
		ret = pthread_create(&c->input, NULL, vtx_console_input, c);
	c->input_started = ret == 0;
	if (ret)
		return vtx_error_set(error, VTX_STATUS_HOST_ERROR, "cannot start the console's threads: %s", strerror(ret));
	return 0;
}

void vtx_console_release(struct vtx_console *c)
{
	pthread_mutex_lock(&c->lock);
	c->stopping = true;
	pthread_cond_broadcast(&c->less);
	pthread_cond_broadcast(&c->more);
	pthread_mutex_unlock(&c->lock);
}

void vtx_console_stop(struct vtx_console *c)
{
	struct timespec deadline;

	vtx_console_release(c);
	if (c->input_started) {
		atomic_store(&c->stop_input, true);
		eventfd_write(c->wake, 1);
		pthread_join(c->input, NULL);
	}
	if (!c->output_started)
		return;
	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += VTX_CONSOLE_DRAIN_SECONDS;
	pthread_mutex_lock(&c->lock);
	while (!c->done && !pthread_cond_timedwait(&c->less, &c->lock, &deadline))
		;
	pthread_mutex_unlock(&c->lock);
	if (c->done)
		pthread_join(c->output, NULL);
}
