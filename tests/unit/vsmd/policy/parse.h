/* parse.h - for the tests: parse a text, and keep what was complained of. */
#ifndef CAAS_TESTS_POLICY_PARSE_H
#define CAAS_TESTS_POLICY_PARSE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vsmd/policy/config.h"

static char complaints[4096]; /* one per line */

static void
complain(void *arg, const char *line)
{
	size_t len = strlen(complaints);

	(void)arg;
	snprintf(complaints + len, sizeof(complaints) - len, "%s\n", line);
}

static inline struct config *
parse(const char *text)
{
	complaints[0] = '\0';
	return config_parse("f", text, strlen(text), complain, NULL);
}

/* The text is refused with exactly these lines. */
static inline void
refused(const char *text, const char *why)
{
	struct config *c = parse(text);

	assert_string_equal(complaints, why);
	assert_null(c);
}

static inline struct config *
accepted(const char *text)
{
	struct config *c = parse(text);

	assert_string_equal(complaints, "");
	assert_non_null(c);
	return c;
}

#endif
