/* caas/place.c: the directory of a sandbox */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "caas/cmd.h"
#include "caas/place.h"
#include "vsmd/policy/config.h"

static char base[64];

static int
setup(void **state)
{
	(void)state;
	snprintf(base, sizeof(base), "/tmp/caas-place-XXXXXX");
	assert_non_null(mkdtemp(base));
	return chmod(base, 0755);
}

static int
teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", base);
	return system(command);
}

static mode_t
mode_of(const char *dir, const char *name)
{
	char path[3 * PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

static void
fresh(void **state)
{
	char dir[128], expect[256];
	struct place p, again;

	(void)state;
	umask(077);
	snprintf(dir, sizeof(dir), "%s/a/b", base);
	assert_int_equal(place_open(&p, dir, true), CMD_OK);
	assert_int_equal(mode_of(dir, ".") & 0011, 0011);
	assert_int_equal(mode_of(dir, "state"), 0700);
	place_close(&p);
	/* the parent a/ was made under umask 077: closed to others */
	assert_memory_equal(p.address, "unix:/tmp/caas-", 15);
	place_tidy(&p);

	snprintf(dir, sizeof(dir), "%s/c", base);
	assert_int_equal(place_open(&p, dir, true), CMD_OK);
	place_close(&p);
	snprintf(expect, sizeof(expect), "unix:%s/vsmd.sock", dir);
	assert_string_equal(p.address, expect);
	assert_int_equal(mode_of(dir, "run"), 0700);

	/* again, by another spelling: the same */
	snprintf(dir, sizeof(dir), "%s/../%s/./c/", base, strrchr(base, '/') + 1);
	assert_int_equal(place_open(&again, dir, true), CMD_OK);
	assert_string_equal(again.dir, p.dir);
	assert_string_equal(again.address, p.address);
	place_close(&again);
	umask(022);
}

static void
long_name(void **state)
{
	char dir[256], *name;
	struct place p, again;

	(void)state;
	snprintf(dir, sizeof(dir), "%s/%0120d", base, 7);
	assert_int_equal(place_open(&p, dir, true), CMD_OK);
	place_close(&p);
	assert_memory_equal(p.address, "unix:/tmp/caas-", 15);
	assert_true(strlen(p.address) < 60);
	/* kept by the configuration, made again when /tmp was swept */
	place_tidy(&p);
	name = strdup(p.address + 5);
	*strrchr(name, '/') = '\0';
	assert_int_equal(access(name, F_OK), -1);
	assert_int_equal(place_open(&again, dir, true), CMD_OK);
	assert_string_equal(again.address, p.address);
	assert_int_equal(mode_of(name, "."), 0711);
	free(name);
	place_close(&again);
	place_tidy(&again);
}

static void
absent(void **state)
{
	char dir[128];
	struct place p;

	(void)state;
	snprintf(dir, sizeof(dir), "%s/none", base);
	assert_int_equal(place_open(&p, dir, false), CMD_FAILED);
	assert_string_equal(p.dir, "");
	assert_int_equal(access(dir, F_OK), -1);
	assert_int_equal(
	    place_open(&p, base, false), CMD_FAILED); /* no configuration in it */
	assert_string_equal(p.dir, "");
	place_close(&p);
}

/* Edits stay; errors are named. */
static void
edited(void **state)
{
	char dir[128];
	struct place p;
	FILE *f;

	(void)state;
	snprintf(dir, sizeof(dir), "%s/e", base);
	assert_int_equal(place_open(&p, dir, true), CMD_OK);
	place_close(&p);
	f = fopen(p.conf, "a");
	assert_non_null(f);
	fputs("audit-use = yes\n", f);
	fclose(f);
	assert_int_equal(place_open(&p, dir, true), CMD_OK);
	place_close(&p);
	f = fopen(p.conf, "a");
	assert_non_null(f);
	fputs("nonsense = yes\n", f);
	fclose(f);
	assert_int_equal(place_open(&p, dir, true), CMD_FAILED);
	place_close(&p);
}

/* Where others can write, they could say what is run as us. */
static void
not_ours_alone(void **state)
{
	char dir[128];
	struct place p;

	(void)state;
	snprintf(dir, sizeof(dir), "%s/open", base);
	assert_int_equal(place_open(&p, dir, true), CMD_OK);
	place_close(&p);
	assert_int_equal(chmod(dir, 0777), 0);
	assert_int_equal(place_open(&p, dir, true), CMD_FAILED);
	place_close(&p);
	assert_int_equal(place_open(&p, dir, false), CMD_FAILED);
	assert_string_equal(p.pid, "");
	place_close(&p);
	assert_int_equal(chmod(dir, 0755), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(dir, 1, 1), 0);
		assert_int_equal(place_open(&p, dir, true), CMD_FAILED);
		place_close(&p);
		assert_int_equal(chown(dir, 0, 0), 0);
	}
	assert_int_equal(place_open(&p, dir, true), CMD_OK);
	place_close(&p);
}

static void
odd_names(void **state)
{
	char dir[128];
	struct place p;

	(void)state;
	snprintf(dir, sizeof(dir), "%s/with space", base);
	assert_int_equal(place_open(&p, dir, true), CMD_OK);
	place_close(&p);
	snprintf(dir, sizeof(dir), "%s/line\nbreak", base);
	assert_int_equal(place_open(&p, dir, true), CMD_FAILED);
	place_close(&p);
	assert_int_equal(place_open(&p, "", true), CMD_FAILED);
	place_close(&p);
}

static void
report(void *arg, const char *line)
{
	(void)arg;
	print_error("%s\n", line);
}

/* As SoftHSM2 behaves: everybody may do everything, nothing is locked. */
static void
behaves(void **state)
{
	const struct hello_hint none = {.given = false};
	struct peer peer = {.kind = PEER_UID, .id = 33};
	char *text = place_config_text("/d", "/r");
	struct config *c = config_parse("x", text, strlen(text), report, NULL);
	struct grant *g = calloc(1, sizeof(*g));
	const char *who;

	(void)state;
	assert_non_null(c);
	assert_true(config_settings(c)->sandbox);
	assert_int_equal(config_settings(c)->pin_tries, 0);
	assert_int_equal(config_settings(c)->socket_mode, 0666);
	assert_string_equal(config_settings(c)->runtime, "/r/run");
	assert_string_equal(config_settings(c)->state, "/d/state");
	who = config_principal(c, &peer, &none);
	assert_non_null(who);
	assert_true(config_is_admin(c, who, &none));
	assert_true(config_grant(c, who, NULL, &none, g)); /* the free slot */
	assert_true(g->classes & 1u << CLASS_INIT);
	assert_true(config_grant(c, who, "any token", &none, g));
	for (int class = CLASS_NONE; class <= CLASS_INIT; class ++)
		assert_true(class == CLASS_NONE || (g->classes & 1u << class));
	assert_false(
	    g->flags & (GRANT_DENY_EXTRACT | GRANT_PIN_LOCKOUT | GRANT_CHANNEL_LOGIN));
	assert_false(g->limit_mechs);
	assert_int_equal(g->nrules, 0);
	free(g);
	config_free(c);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fresh),
	    cmocka_unit_test(long_name),
	    cmocka_unit_test(absent),
	    cmocka_unit_test(edited),
	    cmocka_unit_test(not_ours_alone),
	    cmocka_unit_test(odd_names),
	    cmocka_unit_test(behaves),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
