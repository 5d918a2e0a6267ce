/* config.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>

#include "libcaas-p11/config.h"

static char path[] = "/tmp/caas-p11-config.XXXXXX";

static bool
load(const char *text)
{
	struct config c;
	FILE *f = fopen(path, "w");

	fputs(text, f);
	(void)fclose(f);
	return config_load(&c);
}

static void
test_defaults(void **state)
{
	struct config c;

	(void)state;
	assert_int_equal(truncate(path, 0), 0);
	assert_true(config_load(&c));
	assert_string_equal(c.address, CONFIG_ADDRESS);
	assert_int_equal(c.silence, CONFIG_SILENCE);
	assert_int_equal(c.connect_timeout, CONFIG_CONNECT);
	assert_int_equal(c.reconnect, CONFIG_RECONNECT);
	assert_true(c.shortcuts);
	assert_false(c.debug);
}

static void
test_file_then_environment(void **state)
{
	struct config c;

	(void)state;
	assert_true(
	    load("# a comment\naddress = unix:/x\nsilence=700\nconnect_timeout = 8\n"
		 "reconnect = 9\n"));
	assert_true(config_load(&c));
	assert_string_equal(c.address, "unix:/x");
	assert_int_equal(c.silence, 700);
	assert_int_equal(c.connect_timeout, 8);
	assert_int_equal(c.reconnect, 9);
	assert_int_equal(setenv("CAAS_VSM_ADDRESS", "unix:/y", 1), 0);
	assert_int_equal(setenv("CAAS_VSM_SILENCE_MS", "1100", 1), 0);
	assert_true(config_load(&c));
	assert_string_equal(c.address, "unix:/y");
	assert_int_equal(c.silence, 1100);
	assert_int_equal(setenv("CAAS_VSM_SILENCE_MS", "soon", 1), 0);
	assert_false(config_load(&c));
	assert_int_equal(unsetenv("CAAS_VSM_SILENCE_MS"), 0);
	assert_int_equal(setenv("CAAS_VSM_ADDRESS", "nowhere", 1), 0);
	assert_false(config_load(&c));
	assert_int_equal(unsetenv("CAAS_VSM_ADDRESS"), 0);
}

/* A switch is on by default; the environment overrides the file, both ways. */
static void
check_switch(const char *key, const char *variable, size_t offset)
{
	struct config c;
	const bool *value = (const bool *)((const char *)&c + offset);
	char line[64];

	assert_true(load(""));
	assert_true(config_load(&c));
	assert_true(*value);
	snprintf(line, sizeof(line), "%s = off\n", key);
	assert_true(load(line));
	assert_true(config_load(&c));
	assert_false(*value);
	assert_int_equal(setenv(variable, "on", 1), 0);
	assert_true(config_load(&c));
	assert_true(*value);
	snprintf(line, sizeof(line), "%s = on\n", key);
	assert_true(load(line));
	assert_int_equal(setenv(variable, "off", 1), 0);
	assert_true(config_load(&c));
	assert_false(*value);
	assert_int_equal(setenv(variable, "", 1), 0);
	assert_false(config_load(&c));
	assert_int_equal(setenv(variable, "yes", 1), 0);
	assert_false(config_load(&c));
	assert_int_equal(unsetenv(variable), 0);
	assert_true(config_load(&c));
	assert_true(*value);
}

static void
test_switches(void **state)
{
	(void)state;
	check_switch("shortcuts", "CAAS_VSM_SHORTCUTS", offsetof(struct config, shortcuts));
	check_switch("shared_memory", "CAAS_VSM_SHARED_MEMORY",
	    offsetof(struct config, shared_memory));
}

static void
test_refused(void **state)
{
	static const char *const bad[] = {"colour = blue\n", "silence = 0\n", "silence = 299\n",
	    "silence = -1\n", "silence = 1x\n", "silence =\n", "silence = 99999999999\n",
	    "shortcuts = yes\n", "shortcuts =\n", "shortcuts = On\n",
	    "shared_memory = yes\n", "shared_memory =\n",
	    "address = /run/socket\n", "address =\n", "what\n"};
	char long_one[600] = "address = unix:/";

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(load(bad[i]));
	memset(long_one + strlen(long_one), 'x', 400);
	assert_false(load(long_one));
}

static void
test_a_named_file_must_exist(void **state)
{
	struct config c;

	(void)state;
	assert_int_equal(setenv("CAAS_P11_CONF", "/nonexistent/file", 1), 0);
	assert_false(config_load(&c));
	assert_int_equal(setenv("CAAS_P11_CONF", path, 1), 0);
}

static void
test_the_shipped_example(void **state)
{
	struct config c = {.silence = 1, .shortcuts = false};

	(void)state;
	assert_int_equal(config_read(&c, CAAS_SOURCE_DIR "/dist/libcaas-p11.conf"), 0);
	assert_false(c.shortcuts);
	assert_int_equal(c.silence, 1); /* all of it is commented out */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_defaults),
	    cmocka_unit_test(test_file_then_environment),
	    cmocka_unit_test(test_switches),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_a_named_file_must_exist),
	    cmocka_unit_test(test_the_shipped_example),
	};
	int failed, fd = mkstemp(path);

	if (fd < 0 || setenv("CAAS_P11_CONF", path, 1) != 0)
		return 1;
	(void)close(fd);
	(void)unsetenv("CAAS_VSM_ADDRESS");
	(void)unsetenv("CAAS_VSM_SILENCE_MS");
	(void)unsetenv("CAAS_VSM_SHORTCUTS");
	(void)unsetenv("CAAS_VSM_SHARED_MEMORY");
	(void)unsetenv("CAAS_P11_DEBUG");
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)unlink(path);
	return failed;
}
