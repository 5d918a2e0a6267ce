/*
 * conf.h - our INI files, read strictly: sections of `key = value', comments by # and ;.
 *
 * inih takes a line apart; what it would cut or glue silently (long lines, zero bytes, indented
 * lines) is refused here, with the line's number.  What sections and keys there are is the
 * caller's, who is called for each.
 *
 * Errors: each is reported as one line, "file:line: what is wrong, what would be right", and
 * counted; reading goes on, so that all are told at once.
 * Memory: text and strings are borrowed for the call, but for what says otherwise.
 * Threads: a conf belongs to one thread.
 */
#ifndef CAAS_COMMON_CONF_H
#define CAAS_COMMON_CONF_H

#include <stdbool.h>
#include <stddef.h>

struct conf {
	const char *name; /* of the file */
	void (*report)(void *arg, const char *line);
	void *arg; /* of report */

	/* A line `[...]', as it stands there without blanks around. */
	void (*section)(struct conf *c, const char *header, size_t len);
	/* `key = value' or `key: value'.  value may be "". */
	void (*value)(struct conf *c, const char *key, const char *value);

	unsigned line;	 /* of this call, from 1 */
	unsigned errors; /* so far */
	const char *key; /* set by the caller, for messages about its value */
	bool skip;	 /* set by the caller: its values are not wanted until the next section */

	/* conf.c: what is left of the text; a line went to inih and did not come back */
	const char *text;
	size_t left;
	bool expect;
};

/* Read `len` bytes.  The callbacks, name and report are set, all else is zero. */
void conf_read(struct conf *c, const char *text, size_t len);
/* A whole file of at most CONF_MAX bytes; the memory is the caller's.  NULL after reporting. */
#define CONF_MAX (1u << 20)
char *conf_load(const char *file, size_t *ret_len, void (*report)(void *, const char *), void *arg);

void conf_error(struct conf *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void conf_error_at(struct conf *c, unsigned line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* A value as what it is; false after reporting. */
bool conf_number(struct conf *c, const char *value, unsigned long min, unsigned long max,
    unsigned long *ret);
bool conf_yes(struct conf *c, const char *value, bool *ret);
bool conf_choice(
    struct conf *c, const char *value, const char *const *choices, size_t n, size_t *ret);
/* An absolute path without slashes at its end, allocated; *ret is freed before. */
bool conf_path(struct conf *c, const char *value, char **ret);

/* The candidate nearest to `word`, or NULL when none is near.  (suggest.c) */
const char *suggest(const char *word, const char *const *candidates, size_t n);

#endif
