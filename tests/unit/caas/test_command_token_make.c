/* caas/token_make.c, with SoftHSM2 itself as the module */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "caas/token_make.h"

static char base[64];
static struct secret pin = {.text = (char *)(uintptr_t) "123456", .len = 6};
static struct secret so_pin = {.text = (char *)(uintptr_t) "12345678", .len = 8};

static int
setup(void **state)
{
	char path[128];
	FILE *f;

	(void)state;
	snprintf(base, sizeof(base), "/tmp/caas-token-XXXXXX");
	assert_non_null(mkdtemp(base));
	snprintf(path, sizeof(path), "%s/conf", base);
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "directories.tokendir = %s\nlog.level = ERROR\n", base);
	fclose(f);
	return setenv("SOFTHSM2_CONF", path, 1);
}

static int
teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", base);
	return system(command);
}

static struct token_order
order(const char *label)
{
	return (struct token_order){
	    .module = CAAS_SOFTHSM2, .label = label, .pin = &pin, .so_pin = &so_pin};
}

static void
makes(void **state)
{
	struct token_order o = order("web");
	json_int_t slot;
	json_t *j = NULL, *again = NULL;

	(void)state;
	assert_int_equal(token_make(&o, &j), CMD_OK);
	assert_string_equal(json_string_value(json_object_get(j, "label")), "web");
	assert_int_equal(json_string_length(json_object_get(j, "serial")), 16);
	slot = json_integer_value(json_object_get(j, "slot"));

	assert_int_equal(token_make(&o, NULL), CMD_FAILED);
	o.keep_existing = true;
	assert_int_equal(token_make(&o, &again), CMD_OK);
	assert_string_equal(json_string_value(json_object_get(again, "serial")),
	    json_string_value(json_object_get(j, "serial")));
	assert_true(slot >= 0);
	json_decref(j);
	json_decref(again);
}

/* Nothing is changed when it cannot end well. */
static void
bad_pins(void **state)
{
	struct secret brief = {.text = (char *)(uintptr_t) "123", .len = 3};
	struct token_order o = order("short");

	(void)state;
	o.pin = &brief;
	assert_int_equal(token_make(&o, NULL), CMD_FAILED);
	o.pin = &pin;
	o.so_pin = &brief;
	assert_int_equal(token_make(&o, NULL), CMD_FAILED);
	o.so_pin = &so_pin;
	assert_int_equal(token_make(&o, NULL), CMD_OK); /* so it was not there */
}

static void
bad_module(void **state)
{
	struct token_order o = order("x");

	(void)state;
	o.module = "/nonexistent/module.so";
	assert_int_equal(token_make(&o, NULL), CMD_FAILED);
}

static void
labels(void **state)
{
	(void)state;
	assert_int_equal(token_label_ok("a"), CMD_OK);
	assert_int_equal(token_label_ok("12345678901234567890123456789012"), CMD_OK);
	assert_int_equal(token_label_ok("123456789012345678901234567890123"), CMD_USAGE);
	assert_int_equal(token_label_ok(""), CMD_USAGE);
	assert_int_equal(token_label_ok("a\nb"), CMD_USAGE);
	assert_int_equal(token_label_ok("caf\xc3\xa9"), CMD_OK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(makes),
	    cmocka_unit_test(bad_pins),
	    cmocka_unit_test(bad_module),
	    cmocka_unit_test(labels),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
