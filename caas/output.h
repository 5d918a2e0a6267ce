/*
 * output.h - results for people: tables and lists from JSON.
 *
 * Text that a guest or vsmd chose (labels, names of members) is shown with control characters
 * replaced, so that it cannot move the cursor.
 */
#ifndef CAAS_OUTPUT_H
#define CAAS_OUTPUT_H

#include <jansson.h>
#include <stddef.h>

/* Copy, with '?' for what a terminal would obey.  Cut to fit. */
void output_clean(char *dst, size_t size, const char *s);

struct column {
	const char *title;
	const char *key;
};

/* An array of objects as aligned columns with a line of titles; numbers to the right. */
void output_table(const json_t *rows, const struct column *columns, size_t n);
/* An object as `key: value` lines: objects inside it under `key.`, lists of objects as a
 * table below their key, other lists in one line. */
void output_object(const json_t *object);
/* `key=value` without a newline; a value with spaces is quoted. */
void output_pair(const char *key, const json_t *value);
/* JSON and a newline on standard output. */
void output_json(const json_t *json);

#endif
