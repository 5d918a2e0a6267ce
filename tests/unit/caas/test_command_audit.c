/* test_command_audit.c - caas audit verify --log: files, keys, and what is said of them
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "caas/cmd.h"

/* A log as a vsmd has written it, and what its `caas audit key` said. */
static const char *const record[] = {
    "{\"detail\":\"store=07bf3f27-21a0-4c39-a206-4aa56593e75f\",\"epoch\":1,\"e"
    "vent\":\"audit-begin\",\"mac\":\"e105ed33f2ee7816f96900bf08efd9679d9a8cfd2"
    "5e835b9528ae5fc1ba01c5f\",\"next\":\"cd9329e46604a93c97e1a9c73f392b47a592f"
    "d349d266356947c606fc114dee3\",\"peer\":\"\",\"prev\":\"0000000000000000000"
    "000000000000000000000000000000000000000000000\",\"principal\":\"\",\"rv\":"
    "\"0x0\",\"seq\":1,\"slot\":null,\"time\":\"2026-11-26T07:26:58.572Z\",\"to"
    "ken\":\"\"}",
    "{\"detail\":\"TPM 2.0 IBM SW TPM\",\"event\":\"store-start\",\"mac\":\"e39"
    "d36b6399a0b3086b03fab11f895aae60d9ebaf50a243753a7df0f97f66df2\",\"peer\":"
    "\"\",\"prev\":\"b9daf99e46ebc3320da1e88898a3c6b803a46fdb45c226b63d8605b923"
    "e9520a\",\"principal\":\"\",\"rv\":\"0x0\",\"seq\":2,\"slot\":null,\"time"
    "\":\"2026-11-26T07:26:58.575Z\",\"token\":\"\"}",
    "{\"detail\":\"\",\"epoch\":1,\"event\":\"audit-seal\",\"mac\":\"a0f40fb7db"
    "23dae8591a255b69ab681bb884ad95d73745d0aa68cb4817e9a937\",\"next\":\"78e297"
    "0d8ba9a9e9a36fe09d666f709622389c4e3c6f742a54982374f320449f\",\"peer\":\"\""
    ",\"prev\":\"cbe419fa62c4525ce9c087f85ee0c8da58ff277d8f9f7fdd9715aa53cc554e"
    "2d\",\"principal\":\"\",\"rv\":\"0x0\",\"seq\":3,\"sig\":\"ac1206de0f36a26"
    "2d97ecdd4f13e5384c7b25217599952ecf481ede64ec1de24ae4c8482ea425a9f51aedccda"
    "de10da00197f0d0a2097d4f0b64229135f4ca0d\",\"slot\":null,\"time\":\"2026-11"
    "-26T07:26:58.646Z\",\"token\":\"\"}",
};
#define KEY                                                                              \
	"{\"epoch\":2,\"hash\":"                                                         \
	"\"ac00e2ec4ddc8294361700689597ef38496c3eea31dd0087d102d3f782eba30a\","          \
	"\"key\":\"78e2970d8ba9a9e9a36fe09d666f709622389c4e3c6f742a54982374f320449f\","  \
	"\"seq\":3}\n"

static char dir[] = "/tmp/caas-audit-XXXXXX";

static int
setup(void **state)
{
	(void)state;
	return mkdtemp(dir) != NULL && chdir(dir) == 0 ? 0 : -1;
}

static int
teardown(void **state)
{
	static const char *const names[] = {"log", "a", "b", "keys", "odd\xff\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		(void)unlink(names[i]);
	return rmdir(dir);
}

static void
put(const char *name, const char *first, const char *second, const char *third)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	fprintf(f, "%s%s%s%s%s%s", first, first[0] ? "\n" : "", second,
	    second[0] ? "\n" : "", third, third[0] ? "\n" : "");
	assert_int_equal(fclose(f), 0);
}

static void
put_keys(const char *text)
{
	FILE *f = fopen("keys", "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

/* The exit code of `caas audit verify` and these words. */
static int
verify(const char *w0, const char *w1, const char *w2, const char *w3, const char *w4)
{
	const char *words[] = {"audit", "verify", w0, w1, w2, w3, w4};
	char *argv[8] = {0};
	const struct command *c;
	struct args args;
	int argc = 0, used, rc;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (words[i] != NULL)
			argv[argc++] = (char *)(uintptr_t)words[i];
	assert_non_null(c = command_find(argc, argv, &used));
	rc = args_parse(&args, c, argc - used, argv + used);
	if (rc == CMD_OK)
		rc = c->run(&args);
	args_free(&args);
	return rc;
}
#define LOG(file) verify("--key=keys", "--log", file, NULL, NULL)

static void
good(void **state)
{
	(void)state;
	put_keys(KEY);
	put("log", record[0], record[1], record[2]);
	assert_int_equal(LOG("log"), CMD_OK);
	/* A part of it, the key's own record or one before in it. */
	put("log", record[1], record[2], "");
	assert_int_equal(LOG("log"), CMD_OK);
	put("log", record[2], "", "");
	assert_int_equal(LOG("log"), CMD_OK);
}

static void
several_files_in_any_order(void **state)
{
	(void)state;
	put_keys(KEY);
	put("a", record[0], "", "");
	put("b", record[1], record[2], "");
	assert_int_equal(verify("--key=keys", "--log", "b", "a", NULL), CMD_OK);
	assert_int_equal(verify("--key=keys", "--log", "a", "b", "--json"), CMD_OK);
	assert_int_equal(verify("--key=keys", "--log", "a", "a", "b"), CMD_FAILED);
	assert_int_equal(verify("--key=keys", "--log", "a", "none", NULL), CMD_FAILED);
}

static void
bad(void **state)
{
	(void)state;
	put_keys(KEY);
	put("log", record[0], record[2], "");
	assert_int_equal(LOG("log"), CMD_FAILED);
	put("log", record[1], record[0], record[2]);
	assert_int_equal(LOG("log"), CMD_FAILED);
	/* It ends before what is known. */
	put("log", record[0], record[1], "");
	assert_int_equal(LOG("log"), CMD_FAILED);
	put("log", "", "", "");
	assert_int_equal(LOG("log"), CMD_FAILED);
	put("odd\xff\n", record[0], "x", record[2]);
	assert_int_equal(
	    verify("--key=keys", "--log", "odd\xff\n", "--json", NULL), CMD_FAILED);
}

/* Not this log's, or nothing that `caas audit key' says. */
static void
keys(void **state)
{
	static const char *const none[] = {"", "\n", "{}\n", "x\n", KEY "\n",
	    "{\"epoch\":2,\"hash\":\"ac\",\"key\":\"78\",\"seq\":3}\n"};

	(void)state;
	put("log", record[0], record[1], record[2]);
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		put_keys(none[i]);
		assert_int_equal(LOG("log"), CMD_FAILED);
	}
	put_keys(KEY KEY);
	assert_int_equal(LOG("log"), CMD_OK);
	{
		char other[] = KEY;

		*strstr(other, "ac00") = 'b';
		put_keys(other);
		assert_int_equal(LOG("log"), CMD_FAILED);
	}
	{
		char before[] = KEY; /* of a log of which this is no part */

		*strstr(before, "3}") = '1';
		put_keys(before);
		put("log", record[2], "", "");
		assert_int_equal(LOG("log"), CMD_FAILED);
	}
	assert_int_equal(verify("--log", "log", NULL, NULL, NULL), CMD_USAGE);
	assert_int_equal(verify("--key", "keys", NULL, NULL, NULL), CMD_USAGE);
	assert_int_equal(verify("log", NULL, NULL, NULL, NULL), CMD_USAGE);
	assert_int_equal(unlink("keys"), 0);
	assert_int_equal(LOG("log"), CMD_FAILED);
}

/* What cannot be read is no end of a log, and no end of the keys. */
static void
what_cannot_be_read(void **state)
{
	(void)state;
	put_keys(KEY);
	put("log", record[0], record[1], record[2]);
	assert_int_equal(mkdir("dir", 0700), 0);
	assert_int_equal(verify("--key=keys", "--log", "log", "dir", NULL), CMD_FAILED);
	assert_int_equal(LOG("dir"), CMD_FAILED);
	assert_int_equal(verify("--key=dir", "--log", "log", NULL, NULL), CMD_FAILED);
	assert_int_equal(rmdir("dir"), 0);
}

/* caas audit export | caas audit verify --key keys --log /dev/stdin */
static void
from_a_pipe(void **state)
{
	int p[2];
	char name[32];

	(void)state;
	put_keys(KEY);
	put("a", record[0], "", "");
	for (int several = 0; several < 2; several++) {
		assert_int_equal(pipe(p), 0);
		dprintf(p[1], "%s\n%s\n%s\n", record[0], record[1], record[2]);
		close(p[1]);
		snprintf(name, sizeof(name), "/dev/fd/%d", p[0]);
		/* Several files are put in order first: that reads them twice. */
		assert_int_equal(
		    verify("--key=keys", "--log", name, several ? "a" : NULL, NULL),
		    several ? CMD_FAILED : CMD_OK);
		close(p[0]);
	}
}

/* One line an hour, for a year. */
static void
many_keys(void **state)
{
	FILE *f = fopen("keys", "w");

	(void)state;
	assert_non_null(f);
	for (int i = 0; i < 9000; i++)
		fputs(KEY, f);
	assert_int_equal(fclose(f), 0);
	put("log", record[0], record[1], record[2]);
	assert_int_equal(LOG("log"), CMD_OK);
	/* Each of them counts, in any order. */
	f = fopen("keys", "a");
	assert_non_null(f);
	for (int i = 0; i < 2; i++) {
		char other[] = KEY;

		if (i == 0)
			*strstr(other, "3}") = '2';
		fputs(other, f);
	}
	assert_int_equal(fclose(f), 0);
	assert_int_equal(LOG("log"), CMD_FAILED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(good),
	    cmocka_unit_test(several_files_in_any_order),
	    cmocka_unit_test(bad),
	    cmocka_unit_test(keys),
	    cmocka_unit_test(what_cannot_be_read),
	    cmocka_unit_test(from_a_pipe),
	    cmocka_unit_test(many_keys),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
