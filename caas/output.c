/* output.c - see output.h */
#include "caas/output.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define CELL 512

/* The bytes of a character at s that would move the cursor or turn the line around: ASCII
 * controls, U+0080 to U+009F, and the marks of writing direction.  0: none. */
static size_t
control_at(const char *s)
{
	const unsigned char *u = (const unsigned char *)s;

	if (u[0] < 0x20 || u[0] == 0x7f)
		return 1;
	if (u[0] == 0xc2 && u[1] >= 0x80 && u[1] <= 0x9f)
		return 2;
	if (u[0] == 0xe2 && ((u[1] == 0x80 && u[2] >= 0xaa && u[2] <= 0xae) ||
				(u[1] == 0x81 && u[2] >= 0xa6 && u[2] <= 0xa9)))
		return 3;
	return 0;
}

void
output_clean(char *dst, size_t size, const char *s)
{
	size_t n = 0, len;

	while (*s != '\0' && n + 1 < size) {
		if ((len = control_at(s)) == 0) {
			dst[n++] = *s++;
			continue;
		}
		dst[n++] = '?';
		s += len;
	}
	dst[n] = '\0';
}

static void
cell_text(char *dst, size_t size, const json_t *v)
{
	const char *s = json_string_value(v);

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
	output_clean(dst, size, s);
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

/* Where a column begins, how wide it is, and whether it holds numbers alone. */
struct shape {
	int width;
	bool number;
};

static void
print_cell(const char *text, const struct shape *s, bool last)
{
	int pad = s->width - width_of(text);

	if (s->number)
		printf("%*s%s", pad, "", text);
	else
		printf("%s%*s", text, last ? 0 : pad, "");
	fputs(last ? "\n" : "  ", stdout);
}

static struct shape
shape_of(const json_t *rows, const struct column *c)
{
	struct shape s = {.width = width_of(c->title), .number = json_array_size(rows) > 0};
	char text[CELL];

	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *v = json_object_get(json_array_get(rows, i), c->key);
		int w;

		cell_text(text, sizeof(text), v);
		w = width_of(text);
		s.width = w > s.width ? w : s.width;
		s.number = s.number && json_is_number(v);
	}
	return s;
}

#define MAX_COLUMNS 12

static void
print_table(const json_t *rows, const struct column *columns, size_t n, const char *indent)
{
	struct shape shapes[MAX_COLUMNS];
	char text[CELL];

	if (n > MAX_COLUMNS)
		n = MAX_COLUMNS;
	for (size_t c = 0; c < n; c++)
		shapes[c] = shape_of(rows, &columns[c]);
	for (size_t c = 0; c < n; c++) {
		fputs(c == 0 ? indent : "", stdout);
		print_cell(columns[c].title, &shapes[c], c + 1 == n);
	}
	for (size_t i = 0; i < json_array_size(rows); i++)
		for (size_t c = 0; c < n; c++) {
			fputs(c == 0 ? indent : "", stdout);
			cell_text(text, sizeof(text),
			    json_object_get(json_array_get(rows, i), columns[c].key));
			print_cell(text, &shapes[c], c + 1 == n);
		}
}

void
output_table(const json_t *rows, const struct column *columns, size_t n)
{
	print_table(rows, columns, n, "");
}

#define KEY_LEN 256
#define DEPTH_MOST 4

static void print_value(const char *name, const json_t *v, int depth);

static void
print_object(const char *prefix, const json_t *object, int depth)
{
	char name[KEY_LEN], clean[KEY_LEN];
	const char *key;
	json_t *v;

	json_object_foreach ((json_t *)(uintptr_t)object, key, v) {
		snprintf(name, sizeof(name), "%s%s%s", prefix,
		    prefix[0] != '\0' ? "." : "", key);
		output_clean(clean, sizeof(clean), name);
		print_value(clean, v, depth + 1);
	}
}

/* The members of the first are the columns. */
static void
print_rows(const char *label, const json_t *rows)
{
	char titles[MAX_COLUMNS][KEY_LEN];
	struct column columns[MAX_COLUMNS];
	const char *key;
	size_t n = 0;
	json_t *v;

	json_object_foreach (json_array_get(rows, 0), key, v) {
		if (n == MAX_COLUMNS)
			break;
		output_clean(titles[n], sizeof(titles[n]), key);
		columns[n] = (struct column){titles[n], key};
		n++;
	}
	printf("%s\n", label);
	print_table(rows, columns, n, "  ");
}

static void
print_list(const char *label, const json_t *list)
{
	char text[CELL];
	size_t n = json_array_size(list);

	printf("%-24s %s", label, n == 0 ? "-" : "");
	for (size_t i = 0; i < n; i++) {
		cell_text(text, sizeof(text), json_array_get(list, i));
		printf("%s%s", i > 0 ? ", " : "", text);
	}
	putchar('\n');
}

static void
print_value(const char *name, const json_t *v, int depth)
{
	char text[CELL], label[KEY_LEN + 1];

	if (json_is_object(v) && depth < DEPTH_MOST) {
		print_object(name, v, depth);
		return;
	}
	snprintf(label, sizeof(label), "%s:", name);
	if (json_is_object(json_array_get(v, 0))) {
		print_rows(label, v);
	} else if (json_is_array(v)) {
		print_list(label, v);
	} else {
		cell_text(text, sizeof(text), v);
		printf("%-24s %s\n", label, text);
	}
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
