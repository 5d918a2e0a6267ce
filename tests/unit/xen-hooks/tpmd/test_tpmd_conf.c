/* conf.c: the example is read as what it says, and mistakes are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "xen-hooks/tpmd/conf.h"

static char said[1024];

static void
report(void *arg, const char *line)
{
	(void)arg;
	snprintf(said, sizeof(said), "%s", line);
}

static bool
reads(const char *text, struct tpmd_conf *c)
{
	char file[] = "/tmp/caas-tpmd-conf-XXXXXX";
	int fd = mkstemp(file);
	bool ok;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	said[0] = '\0';
	ok = tpmd_conf_read(file, c, report, NULL);
	unlink(file);
	assert_int_equal(ok, said[0] == '\0');
	return ok;
}

static void
example(void **state)
{
	struct tpmd_conf c;

	(void)state;
	assert_true(tpmd_conf_read(EXAMPLE, &c, report, NULL));
	assert_string_equal(c.tpm, "tpm2:tis:");
	assert_int_equal(c.policy.locality, 2);
	assert_int_equal(c.policy.npcrs, 0);
	assert_string_equal(c.state, "/var/lib/caas-tpmd");
	assert_string_equal(c.user, "caas");
	assert_null(c.sockets);
	assert_int_equal(c.builder, 0);
	assert_int_equal(c.writes, 20);
	assert_int_equal(c.extensions, 50000);
	tpmd_conf_free(&c);
}

static void
everything(void **state)
{
	struct tpmd_conf c;

	(void)state;
	assert_true(reads("[domt-tpmd]\ntpm = tpm1.2:localhost:30003\nlocality = any\n"
			  "pcrs = 13 7, 7\nauthority = /a.pem\napprovals = /b\nstate = /c/\n"
			  "listen = unix:/d\nbuilder = 3\nuser = nobody\nwrites = unlimited\n"
			  "extensions = unlimited\n",
	    &c));
	assert_string_equal(c.tpm, "tpm1.2:localhost:30003");
	assert_int_equal(c.policy.locality, -1);
	assert_int_equal(c.policy.npcrs, 2);
	assert_int_equal(c.policy.pcrs[0], 7);
	assert_int_equal(c.policy.pcrs[1], 13);
	assert_string_equal(c.policy.authority, "/a.pem");
	assert_string_equal(c.approvals, "/b");
	assert_string_equal(c.state, "/c");
	assert_string_equal(c.sockets, "/d");
	assert_int_equal(c.builder, 3);
	assert_string_equal(c.user, "nobody");
	assert_int_equal(c.writes, 0);
	assert_int_equal(c.extensions, 0);
	tpmd_conf_free(&c);
	assert_true(reads("[domt-tpmd]\nlisten = unix:/d\nlisten = vchan\n", &c));
	assert_null(c.sockets);
	tpmd_conf_free(&c);
}

static void
mistakes(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
	    {"tpm = tpm2:tis:\n", "stands before [domt-tpmd]"},
	    {"[vsmd]\n", "there is one section"},
	    {"[domt-tpmd]\ntpn = tpm2:tis:\n", "is it tpm?"},
	    {"[domt-tpmd]\ntpm = embedded\n", "is not tpm2:TCTI"},
	    {"[domt-tpmd]\nlocality = 5\n", "locality"},
	    {"[domt-tpmd]\npcrs = 24\n", "pcrs"},
	    {"[domt-tpmd]\nstate = here\n", "state"},
	    {"[domt-tpmd]\nlisten = vsock:any:1\n", "neither vchan nor unix:DIRECTORY"},
	    {"[domt-tpmd]\nbuilder = 32752\n", "builder"},
	    {"[domt-tpmd]\nwrites = 0\n", "writes"},
	    {"[domt-tpmd]\nextensions = 19999\n", "extensions"},
	    {"[domt-tpmd]\nauthority = /a.pem\n", "give pcrs"},
	};
	struct tpmd_conf c;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_false(reads(bad[i].text, &c));
		if (strstr(said, bad[i].says) == NULL)
			fail_msg("%s: said %s", bad[i].text, said);
		tpmd_conf_free(&c);
	}
	assert_false(tpmd_conf_read("/none/at/all", &c, report, NULL));
	tpmd_conf_free(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(example),
	    cmocka_unit_test(everything),
	    cmocka_unit_test(mistakes),
	};

	return cmocka_run_group_tests_name("tpmd conf", tests, NULL, NULL);
}
