// SPDX-License-Identifier: GPL-2.0-only
/* The terminal, through ncurses. */
#include "userspace-vmm/screen.h"

#ifdef VTX_HAVE_NCURSES

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <curses.h>

static SCREEN *vtx_screen;
static volatile sig_atomic_t vtx_screen_end;

static void vtx_screen_signal(int sig)
{
	vtx_screen_end = sig;
}

int vtx_screen_open(struct vtx_error *error)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = vtx_screen_signal };
	const char *term = getenv("TERM");

	if (!isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO))
		return vtx_error_set(error, VTX_STATUS_USAGE, "this needs a terminal; --batch does without");
	vtx_screen = newterm(term && *term ? term : "dumb", stdout, stdin);
	if (!vtx_screen)
		return vtx_error_set(error, VTX_STATUS_HOST_ERROR, "no description of the terminal \"%s\" is installed (TERM, package "
				     "ncurses-base); --batch does without", term ? term : "");
	if (!tigetstr("cup") || tigetstr("cup") == (char *)-1) {
		endwin();
		delscreen(vtx_screen);
		vtx_screen = NULL;
		return vtx_error_set(error, VTX_STATUS_HOST_ERROR, "the terminal \"%s\" can't place its cursor (TERM); --batch does without",
				     term ? term : "");
	}
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	curs_set(0);
	return 0;
}

void vtx_screen_close(void)
{
	if (!vtx_screen)
		return;
	curs_set(1);
	endwin();
	delscreen(vtx_screen);
	vtx_screen = NULL;
}

void vtx_screen_size(int *rows, int *cols)
{
	getmaxyx(stdscr, *rows, *cols);
}

static const attr_t vtx_screen_looks[] = {
	[VTX_LOOK_PLAIN] = A_NORMAL,
	[VTX_LOOK_BOLD] = A_BOLD,
	[VTX_LOOK_REVERSE] = A_REVERSE,
	[VTX_LOOK_DIM] = A_DIM,
};

void vtx_screen_show(const struct vtx_text *text)
{
	erase();
	for (int row = 0; row < text->rows; row++)
		for (int col = 0; col < text->cols; col++) {
			int i = row * text->cols + col;

			mvaddch(row, col, (chtype)text->cells[i] | vtx_screen_looks[text->looks[i]]);
		}
	refresh();
}

int vtx_screen_key(unsigned int milliseconds)
{
	int key;

	if (vtx_screen_end)
		return VTX_KEY_QUIT;
	timeout((int)milliseconds);
	errno = 0;
	key = getch();
	if (vtx_screen_end || key == 'q' || key == 3)
		return VTX_KEY_QUIT;
	if (key == KEY_RESIZE)
		return VTX_KEY_RESIZE;
	if (key != ERR)
		return key;
	/* A terminal that hung up answers at once, and for ever. */
	return errno == EIO || errno == EBADF || !isatty(STDIN_FILENO) ? VTX_KEY_QUIT : VTX_KEY_NONE;
}

bool vtx_screen_ask(int row, const char *prompt, char *answer, size_t size)
{
	size_t len = 0;
	int key;

	curs_set(1);
	for (;;) {
		answer[len] = 0;
		move(row, 0);
		clrtoeol();
		attron(A_BOLD);
		addnstr(prompt, COLS - 1);
		attroff(A_BOLD);
		addnstr(answer, COLS - 1 - (int)strlen(prompt) > 0 ? COLS - 1 - (int)strlen(prompt) : 0);
		refresh();
		timeout(-1);
		key = getch();
		if (key == '\n' || key == '\r' || key == KEY_ENTER || key == 27 || key == ERR || vtx_screen_end)
			break;
		if ((key == KEY_BACKSPACE || key == 127 || key == 8) && len)
			len--;
		else if (key >= ' ' && key <= '~' && len + 1 < size)
			answer[len++] = (char)key;
	}
	curs_set(0);
	return key != 27 && key != ERR && !vtx_screen_end;
}

#else /* no ncurses */

int vtx_screen_open(struct vtx_error *error)
{
	return vtx_error_set(error, VTX_STATUS_HOST_ERROR, "this vtx was built without ncurses and has no screen: build it with "
			     "libncurses-dev installed, or use --batch");
}

void vtx_screen_close(void)
{
}

void vtx_screen_size(int *rows, int *cols)
{
	*rows = 24;
	*cols = 80;
}

void vtx_screen_show(const struct vtx_text *text)
{
	(void)text;
}

int vtx_screen_key(unsigned int milliseconds)
{
	(void)milliseconds;
	return VTX_KEY_QUIT;
}

bool vtx_screen_ask(int row, const char *prompt, char *answer, size_t size)
{
	(void)row;
	(void)prompt;
	(void)answer;
	(void)size;
	return false;
}

#endif
