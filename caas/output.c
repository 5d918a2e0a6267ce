/* output.c - see output.h */
#include "caas/output.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define CELL 512

static void
cell_text(char *dst, size_t size, const json_t *v)
{
	const char *s = json_string_value(v);
	size_t n = 0;

	if (json_is_integer(v)) {
		snprintf(dst, size, "%lld", (long long)json_integer_value(v));
		return;
	}
	if (json_is_real(v)) {
		snprintf(dst, size, "%g", json_real_value(v));
		return;
	}
	if (json_is_boolean(v))
		s = json_is_true(v) ? "yes" : "no";
	else if (s == NULL)
		s = "-";
	for (; s[n] != '\0' && n + 1 < size; n++) {
		unsigned char c = (unsigned char)s[n];

		dst[n] = c < 0x20 || c == 0x7f ? '?' : s[n];
	}
	dst[n] = '\0';
}

/* Columns on the screen: UTF-8 continuation bytes take none. */
static int
width_of(const char *s)
{
	int n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static void
print_cell(const char *text, int width, bool last)
{
	if (last)
		printf("%s\n", text);
	else
		printf("%s%*s", text, width - width_of(text) + 2, "");
}

static int
column_width(const json_t *rows, const struct column *c)
{
	char text[CELL];
	int width = width_of(c->title), w;

	for (size_t i = 0; i < json_array_size(rows); i++) {
		cell_text(
		    text, sizeof(text), json_object_get(json_array_get(rows, i), c->key));
		w = width_of(text);
		width = w > width ? w : width;
	}
	return width;
}

#define MAX_COLUMNS 12

void
output_table(const json_t *rows, const struct column *columns, size_t n)
{
	int width[MAX_COLUMNS];
	char text[CELL];

	if (n > MAX_COLUMNS)
		n = MAX_COLUMNS;
	for (size_t c = 0; c < n; c++)
		width[c] = column_width(rows, &columns[c]);
	for (size_t c = 0; c < n; c++)
		print_cell(columns[c].title, width[c], c + 1 == n);
	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);

		for (size_t c = 0; c < n; c++) {
			cell_text(
			    text, sizeof(text), json_object_get(row, columns[c].key));
			print_cell(text, width[c], c + 1 == n);
		}
	}
}

#define KEY_LEN 256
#define DEPTH_MOST 4

static void print_value(const char *name, const json_t *v, int depth);

static void
print_object(const char *prefix, const json_t *object, int depth)
{
	char name[KEY_LEN];
	const char *key;
	json_t *v;

	json_object_foreach ((json_t *)(uintptr_t)object, key, v) {
		snprintf(name, sizeof(name), "%s%s%s", prefix,
		    prefix[0] != '\0' ? "." : "", key);
		print_value(name, v, depth + 1);
	}
}

static void
print_value(const char *name, const json_t *v, int depth)
{
	char text[CELL], label[KEY_LEN + 1];

	if (json_is_object(v) && depth < DEPTH_MOST) {
		print_object(name, v, depth);
		return;
	}
	if (json_is_array(v) && depth < DEPTH_MOST) {
		for (size_t i = 0; i < json_array_size(v); i++)
			print_value(name, json_array_get(v, i), depth + 1);
		return;
	}
	snprintf(label, sizeof(label), "%s:", name);
	cell_text(text, sizeof(text), v);
	printf("%-24s %s\n", label, text);
}

void
output_object(const json_t *object)
{
	print_object("", object, 0);
}

void
output_pair(const char *key, const json_t *value)
{
	char text[CELL];

	cell_text(text, sizeof(text), value);
	printf("%s=", key);
	if (text[0] != '\0' && strpbrk(text, " \"=\\") == NULL) {
		printf("%s", text);
		return;
	}
	putchar('"');
	for (const char *s = text; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			putchar('\\');
		putchar(*s);
	}
	putchar('"');
}

void
output_json(const json_t *json)
{
	json_dumpf(json, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
	printf("\n");
}
