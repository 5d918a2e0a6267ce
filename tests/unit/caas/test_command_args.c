/* caas/args.c, caas/table.c: command lines */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "caas/cmd.h"

/* The command of one or two words; how many were its name. */
static int used;

static const struct command *
find(const char *one, const char *two)
{
	char a[32], b[32], *words[] = {a, b};

	snprintf(a, sizeof(a), "%s", one);
	snprintf(b, sizeof(b), "%s", two != NULL ? two : "");
	return command_find(two != NULL ? 2 : 1, words, &used);
}

static int
parse(struct args *a, const char *command, int n, ...)
{
	static char words[16][64];
	char *argv[16], *name[2] = {0};
	char copy[64];
	const struct command *c;
	va_list ap;
	int nname = 0;

	strncpy(copy, command, sizeof(copy) - 1);
	copy[sizeof(copy) - 1] = '\0';
	for (char *save, *w = strtok_r(copy, " ", &save); w != NULL;
	     w = strtok_r(NULL, " ", &save))
		name[nname++] = w;
	c = command_find(nname, name, &used);
	assert_non_null(c);
	assert_string_equal(c->name, command);
	va_start(ap, n);
	for (int i = 0; i < n; i++) {
		strncpy(words[i], va_arg(ap, const char *), sizeof(words[i]) - 1);
		argv[i] = words[i];
	}
	va_end(ap);
	return args_parse(a, c, n, argv);
}

static void
values(void **state)
{
	struct args a;

	(void)state;
	assert_int_equal(
	    parse(&a, "sandbox up", 3, "--dir", "/x", "--token=a b"), CMD_OK);
	assert_string_equal(a.value[OPT_DIR], "/x");
	assert_string_equal(a.value[OPT_TOKEN], "a b");
	assert_null(a.value[OPT_PIN]);
	args_free(&a);
	assert_int_equal(parse(&a, "token list", 1, "--json"), CMD_OK);
	assert_non_null(a.value[OPT_JSON]);
	args_free(&a);
	assert_int_equal(parse(&a, "policy check", 2, "--", "--file"), CMD_OK);
	assert_string_equal(a.operand[0], "--file");
	args_free(&a);
	/* an empty value is a value */
	assert_int_equal(parse(&a, "token delete", 1, "--label="), CMD_OK);
	assert_string_equal(a.value[OPT_LABEL], "");
	args_free(&a);
}

static void
wrong(void **state)
{
	struct args a;

	(void)state;
	assert_int_equal(parse(&a, "sandbox up", 0), CMD_USAGE); /* required */
	args_free(&a);
	assert_int_equal(parse(&a, "sandbox up", 1, "--dir"), CMD_USAGE); /* no value */
	args_free(&a);
	assert_int_equal(
	    parse(&a, "sandbox up", 2, "--di", "/x"), CMD_USAGE); /* no prefixes */
	args_free(&a);
	assert_int_equal(parse(&a, "token list", 1, "--json=yes"), CMD_USAGE);
	args_free(&a);
	assert_int_equal(parse(&a, "token list", 2, "--json", "--json"), CMD_USAGE);
	args_free(&a);
	assert_int_equal(parse(&a, "token list", 1, "web"), CMD_USAGE);
	args_free(&a);
	assert_int_equal(parse(&a, "token list", 2, "--label", "web"), CMD_USAGE);
	args_free(&a);
	/* help needs nothing else */
	assert_int_equal(parse(&a, "sandbox up", 1, "--help"), CMD_OK);
	args_free(&a);
}

/* ps must not show a PIN for longer than it takes to read it. */
static void
operands(void **state)
{
	struct args a;

	(void)state;
	assert_int_equal(parse(&a, "pair save", 2, "web", "file"), CMD_OK);
	assert_string_equal(a.operand[1], "file");
	args_free(&a);
	assert_int_equal(parse(&a, "pair save", 1, "web"), CMD_USAGE);
	args_free(&a);
	assert_int_equal(parse(&a, "pair save", 3, "web", "file", "more"), CMD_USAGE);
	args_free(&a);
	assert_int_equal(parse(&a, "pair create", 2, "web", "file"), CMD_USAGE);
	args_free(&a);
	assert_int_equal(parse(&a, "pair create", 1, "--help"), CMD_OK);
	args_free(&a);
	assert_int_equal(parse(&a, "policy check", 0), CMD_OK);
	args_free(&a);
}

static void
secrets_leave_argv(void **state)
{
	char opt[] = "--pin", pin[] = "123456", eq[] = "--so-pin=abcd",
	     label[] = "--label=w";
	char *argv[] = {label, opt, pin, eq};
	struct args a;

	(void)state;
	assert_int_equal(args_parse(&a, find("token", "create"), 4, argv), CMD_OK);
	assert_string_equal(a.value[OPT_PIN], "123456");
	assert_string_equal(a.value[OPT_SO_PIN], "abcd");
	assert_string_equal(pin, "******");
	assert_string_equal(eq, "--so-pin=****");
	args_free(&a);
}

static void
numbers(void **state)
{
	static const char *const bad[] = {
	    "", "-1", "1x", "x", "0x10", " 1", "101", "99999999999999999999999"};
	struct args a = {0};
	char text[32];
	uint64_t n;

	(void)state;
	assert_int_equal(args_number(&a, OPT_COUNT, 7, 100, &n), CMD_OK);
	assert_int_equal(n, 7);
	a.value[OPT_COUNT] = text;
	snprintf(text, sizeof(text), "100");
	assert_int_equal(args_number(&a, OPT_COUNT, 7, 100, &n), CMD_OK);
	assert_int_equal(n, 100);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		strncpy(text, bad[i], sizeof(text) - 1);
		assert_int_equal(args_number(&a, OPT_COUNT, 7, 100, &n), CMD_USAGE);
	}
}

static void
commands(void **state)
{
	size_t n;
	const struct command *c = command_table(&n);

	(void)state;
	assert_null(find("token", NULL));
	assert_null(find("token", "lis"));
	assert_null(find("tokens", NULL));
	assert_string_equal(find("status", "--json")->name, "status");
	assert_int_equal(used, 1);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(c[i].required & c[i].optional, 0);
		assert_non_null(c[i].run);
		for (int o = 0; o < OPT_COUNT_; o++)
			if ((c[i].required & (uint64_t)1 << o) != 0)
				assert_non_null(option_table[o].arg);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(values),
	    cmocka_unit_test(wrong),
	    cmocka_unit_test(operands),
	    cmocka_unit_test(secrets_leave_argv),
	    cmocka_unit_test(numbers),
	    cmocka_unit_test(commands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
