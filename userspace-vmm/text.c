// SPDX-License-Identifier: GPL-2.0-only
/* A screen full of text in memory. */
#include "userspace-vmm/text.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

bool vtx_text_reset(struct vtx_text *text, int rows, int cols)
{
	size_t cells;

	rows = rows < 1 ? 1 : rows;
	cols = cols < 1 ? 1 : cols;
	cells = (size_t)rows * (size_t)cols;
	if (text->rows != rows || text->cols != cols || !text->cells) {
		vtx_text_free(text);
		text->cells = malloc(cells);
		text->looks = malloc(cells);
		if (!text->cells || !text->looks) {
			vtx_text_free(text);
			return false;
		}
		text->rows = rows;
		text->cols = cols;
	}
	memset(text->cells, ' ', cells);
	memset(text->looks, VTX_LOOK_PLAIN, cells);
	return true;
}

void vtx_text_free(struct vtx_text *text)
{
	free(text->cells);
	free(text->looks);
	memset(text, 0, sizeof(*text));
}

int vtx_text_put(struct vtx_text *text, int row, int col, enum vtx_look look, const char *format, ...)
{
	char line[512];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	for (const char *p = line; *p; p++, col++) {
		if (row < 0 || row >= text->rows || col < 0 || col >= text->cols)
			continue;
		/* Names come from files: nothing but printable ASCII reaches a terminal. */
		text->cells[row * text->cols + col] = *p >= ' ' && *p <= '~' ? *p : '?';
		text->looks[row * text->cols + col] = (uint8_t)look;
	}
	return col;
}

void vtx_text_look(struct vtx_text *text, int row, enum vtx_look look)
{
	if (row >= 0 && row < text->rows)
		memset(text->looks + row * text->cols, look, (size_t)text->cols);
}

void vtx_text_write(const struct vtx_text *text, FILE *out)
{
	for (int row = 0; row < text->rows; row++) {
		const char *line = text->cells + row * text->cols;
		int len = text->cols;

		while (len && line[len - 1] == ' ')
			len--;
		fprintf(out, "%.*s\n", len, line);
	}
}
