/* The file as a whole, and [vsmd]. */
#include "parse.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/log.h"

static void
defaults(void **state)
{
	struct config *c = accepted("");
	const struct config_settings *s = config_settings(c);

	(void)state;
	assert_int_equal(s->nlisten, 1);
	assert_string_equal(s->listen[0], "unix:/run/caas/vsmd.sock");
	assert_int_equal(s->socket_mode, 0666);
	assert_string_equal(s->state, "/var/lib/caas");
	assert_string_equal(s->runtime, "/run/caas");
	assert_string_equal(s->tpm, "embedded");
	assert_int_equal(s->tpm_policy.npcrs, 0);
	assert_int_equal(s->tpm_policy.locality, -1);
	assert_null(s->tpm_policy.authority);
	assert_string_equal(s->approvals, "/var/lib/caas/approvals");
	assert_int_equal(s->pin_tries, 10);
	assert_int_equal(s->max_applications, 1000);
	assert_int_equal(s->max_per_principal, 250);
	assert_int_equal(s->threads, 64);
	assert_null(s->user);
	assert_int_equal(s->log_level, LOG_INFO_);
	assert_true(s->shared_memory);
	assert_false(s->sandbox);
	config_free(c);
}

static void
all_settings(void **state)
{
	struct config *c = accepted("\xef\xbb\xbf# comment\r\n"
				    "[vsmd]\r\n"
				    "  listen = unix:/a b/c.sock, vsock:any:7001\r\n"
				    "listen = unix:/d ; and a third\n"
				    "socket-mode = 0660\n"
				    "state = /s/\n"
				    "runtime = /r\n"
				    "softhsm = /lib/x.so\n"
				    "tpm = tpm2:device:/dev/tpmrm0\n"
				    "pcrs = 7, 4 4\n"
				    "locality = 2\n"
				    "authority = /a.pem\n"
				    "pin-tries = 3\n"
				    "max-applications = 20\n"
				    "max-sessions = 100\n"
				    "threads = 8\n"
				    "user = root\n"
				    "log-level = debug\n"
				    "shared-memory = no\n"
				    "sandbox = no");
	const struct config_settings *s = config_settings(c);

	(void)state;
	assert_int_equal(s->nlisten, 3);
	assert_string_equal(s->listen[0], "unix:/a b/c.sock");
	assert_string_equal(s->listen[1], "vsock:any:7001");
	assert_string_equal(s->listen[2], "unix:/d");
	assert_int_equal(s->socket_mode, 0660);
	assert_string_equal(s->state, "/s");
	assert_string_equal(s->runtime, "/r");
	assert_string_equal(s->softhsm, "/lib/x.so");
	assert_string_equal(s->tpm, "tpm2:device:/dev/tpmrm0");
	assert_int_equal(s->tpm_policy.npcrs, 2);
	assert_int_equal(s->tpm_policy.pcrs[0], 4);
	assert_int_equal(s->tpm_policy.pcrs[1], 7);
	assert_int_equal(s->tpm_policy.locality, 2);
	assert_string_equal(s->tpm_policy.authority, "/a.pem");
	assert_string_equal(s->approvals, "/s/approvals");
	assert_int_equal(s->pin_tries, 3);
	assert_int_equal(s->max_applications, 20);
	assert_int_equal(s->max_per_principal, 20);
	assert_int_equal(s->max_sessions, 100);
	assert_int_equal(s->threads, 8);
	assert_string_equal(s->user, "root");
	assert_int_equal(s->log_level, LOG_DEBUG_);
	assert_false(s->shared_memory);
	config_free(c);
}

static void
defaults_that_depend(void **state)
{
	struct config *c = accepted("[vsmd]\nsandbox = yes\nruntime = /x\n");

	(void)state;
	assert_int_equal(config_settings(c)->pin_tries, 0);
	assert_string_equal(config_settings(c)->listen[0], "unix:/x/vsmd.sock");
	config_free(c);
	c = accepted("[vsmd]\nsandbox = yes\npin-tries = 4\n");
	assert_int_equal(config_settings(c)->pin_tries, 4);
	config_free(c);
	c = accepted("[vsmd]\ntpm = tpm1.2:localhost:30003\n");
	assert_int_equal(config_settings(c)->tpm_policy.npcrs, 1);
	assert_int_equal(config_settings(c)->tpm_policy.pcrs[0], 13);
	config_free(c);
	c = accepted("[vsmd]\ntpm = domt:unix:/s\nlocality = any\npcrs = none\n"
		     "authority = /a.pem\n");
	assert_string_equal(config_settings(c)->tpm, "domt:unix:/s");
	assert_int_equal(config_settings(c)->tpm_policy.npcrs, 0);
	assert_int_equal(config_settings(c)->anchor_budget, 200);
	config_free(c);
	c = accepted("[vsmd]\ntpm = domt:unix:/s\n");
	assert_int_equal(config_settings(c)->tpm_policy.npcrs, 0);
	config_free(c);
	c = accepted("[vsmd]\ntpm = tpm2:device:/dev/tpmrm0\npcrs = none\n");
	assert_int_equal(config_settings(c)->tpm_policy.npcrs, 0);
	assert_true(config_settings(c)->anchor);
	assert_int_equal(config_settings(c)->anchor_budget, 200);
	config_free(c);
	c = accepted("[vsmd]\ntpm = tpm2:device:/dev/tpmrm0\nanchor-budget = none\n");
	assert_int_equal(config_settings(c)->anchor_budget, 0);
	config_free(c);
	c = accepted("[vsmd]\nanchor-budget = 7\nanchor = off\n");
	assert_false(config_settings(c)->anchor);
	assert_int_equal(config_settings(c)->anchor_budget, 7);
	config_free(c);
	c = accepted("[vsmd]\n");
	assert_true(config_settings(c)->anchor);
	assert_int_equal(config_settings(c)->anchor_budget, 0);
	config_free(c);
	c = accepted("[vsmd]\n");
	assert_int_equal(config_settings(c)->audit_rotate, 16384);
	assert_int_equal(config_settings(c)->audit_keep, 0);
	config_free(c);
	c = accepted("[vsmd]\naudit-rotate = 64K\naudit-keep = 12\n");
	assert_int_equal(config_settings(c)->audit_rotate, 64);
	assert_int_equal(config_settings(c)->audit_keep, 12);
	config_free(c);
	c = accepted("[vsmd]\naudit-rotate = 3M\naudit-keep = all\n");
	assert_int_equal(config_settings(c)->audit_rotate, 3072);
	assert_int_equal(config_settings(c)->audit_keep, 0);
	config_free(c);
	c = accepted("[vsmd]\naudit-rotate = never\n");
	assert_int_equal(config_settings(c)->audit_rotate, 0);
	config_free(c);
	c = accepted("[vsmd]\npcrs = 16\n");
	assert_int_equal(config_settings(c)->tpm_policy.pcrs[0], 16);
	config_free(c);
}

static void
bad_lines(void **state)
{
	char line[512], want[512];

	(void)state;
	refused("listen = unix:/a\n",
	    "f:1: `listen' stands before any section: begin with [vsmd]\n");
	refused("[vsmd]\nhello\n\nthreads = 4\nworld",
	    "f:2: neither a [section] nor `key = value'\n"
	    "f:5: neither a [section] nor `key = value'\n");
	refused("[vsmd]\nthreds = 4\n",
	    "f:2: unknown key `threds': did you mean `threads'?\n");
	refused("[vsmd]\nfrobnicate = 4\n",
	    "f:2: unknown key `frobnicate' in this section: see vsmd.conf(5)\n");
	refused("[vsmd]\nthreads = 4\nthreads = 5\n", "f:3: `threads' is given twice\n");
	refused("[vsmd]\nthreads =\n", "f:2: `threads' has no value\n");
	refused("[vsmd]\n[vsmd]\n", "f:2: [vsmd] is already at line 1\n");
	refused("[vsmb]\nthreads = x\n",
	    "f:1: unknown section [vsmb]: did you mean [vsmd]?\n");
	refused("[listen]\n",
	    "f:1: unknown section [listen]: there are vsmd, principal, grant and key\n");
	refused("[vsmd] # all\n",
	    "f:1: a section header ends with `]', and nothing follows it\n");
	refused(
	    "[vsmd\n", "f:1: a section header ends with `]', and nothing follows it\n");
	refused("[\n", "f:1: a section header ends with `]', and nothing follows it\n");
	refused("[]\n",
	    "f:1: malformed section header: at most 4 words of at most 63 bytes, "
	    "in double quotes when they hold blanks\n");
	refused("[vsmd x]\n", "f:1: a section of this kind is written [vsmd]\n");
	memset(line, 'x', sizeof(line));
	memcpy(line, "[vsmd]\nstate = /", 16);
	line[sizeof(line) - 1] = '\0';
	snprintf(want, sizeof(want),
	    "f:2: the line is longer than 197 bytes: a list can be "
	    "continued by giving its key again\n");
	refused(line, want);
	complaints[0] = '\0';
	assert_null(config_parse("f", "[vsmd]\nuser = ro\0ot\n", 20, complain, NULL));
	assert_string_equal(complaints, "f:2: the line holds a zero byte\n");
}

static void
bad_settings(void **state)
{
	(void)state;
	refused("[vsmd]\nthreads = 0\n",
	    "f:2: threads: `0' is not a number from 1 to 1024\n");
	refused("[vsmd]\nthreads = -1\n",
	    "f:2: threads: `-1' is not a number from 1 to 1024\n");
	refused("[vsmd]\nthreads = 4x\n",
	    "f:2: threads: `4x' is not a number from 1 to 1024\n");
	refused("[vsmd]\nthreads = 99999999999999999999\n",
	    "f:2: threads: `99999999999999999999' is not a number from 1 to 1024\n");
	refused("[vsmd]\nsocket-mode = 0888\n",
	    "f:2: socket-mode: `0888' is not an octal mode as 0666\n");
	refused("[vsmd]\nsocket-mode = 1777\n",
	    "f:2: socket-mode: `1777' is not an octal mode as 0666\n");
	refused("[vsmd]\nstate = here\n", "f:2: state: `here' is not an absolute path\n");
	refused("[vsmd]\ntpm = tpm3\n",
	    "f:2: tpm: `tpm3' is not embedded, tpm2:TCTI "
	    "(tpm2:device:/dev/tpmrm0), tpm1.2:HOST:PORT, domt:coupled or domt:ADDRESS\n");
	refused("[vsmd]\ntpm = tpm1.2:30003\n",
	    "f:2: tpm: `tpm1.2:30003' is not embedded, "
	    "tpm2:TCTI (tpm2:device:/dev/tpmrm0), tpm1.2:HOST:PORT, domt:coupled or "
	    "domt:ADDRESS\n");
	refused("[vsmd]\ntpm = domt:unix:/s\npcrs = 13\nlocality = 2\n",
	    "f:1: pcrs: with tpm = domt: the key is sealed to the image of this domain and to "
	    "no PCRs: leave them out\n"
	    "f:1: locality: with tpm = domt: it is DomT that speaks to the TPM: leave it out\n");
	assert_null(parse("[vsmd]\ntpm = domt:here\n"));
	assert_non_null(strstr(complaints, "f:2: tpm: `domt:here': "));
	assert_null(parse("[vsmd]\ntpm = domt:\n"));
	refused("[vsmd]\nstate = /a/b\nruntime = /a/b/run\n",
	    "f:1: runtime: `/a/b/run' is the state directory or in it, which nobody else "
	    "can pass: choose another\n");
	refused("[vsmd]\nstate = /a/b\nruntime = /a/b/\n",
	    "f:1: runtime: `/a/b' is the state directory or in it, which nobody else can "
	    "pass: choose another\n");
	config_free(accepted("[vsmd]\nstate = /a/b\nruntime = /a/bc\n"));
	refused("[vsmd]\nauthority = /a.pem\n",
	    "f:1: authority: it approves values of PCRs, and the key is sealed to none: "
	    "give pcrs\n");
	refused("[vsmd]\npcrs = 24\n", "f:2: pcrs: `24' is not a number from 0 to 23\n");
	refused("[vsmd]\npcrs = ,\n", "f:2: pcrs: the list is empty\n");
	refused(
	    "[vsmd]\nlocality = 5\n", "f:2: locality: `5' is not a number from 0 to 4\n");
	refused("[vsmd]\nuser = nobody-of-this-name\n",
	    "f:2: user: there is no user `nobody-of-this-name' on this machine\n");
	refused("[vsmd]\nlog-level = warn\n",
	    "f:2: log-level: `warn' is not one of error warning info debug\n");
	refused("[vsmd]\nlog-level = warnin\n",
	    "f:2: log-level: `warnin' is unknown: did you mean `warning'?\n");
	refused(
	    "[vsmd]\nsandbox = true\n", "f:2: sandbox: `true' is neither yes nor no\n");
	refused("[vsmd]\nmax-applications = 5\nmax-per-principal = 6\n",
	    "f:1: max-per-principal = 6 is more than max-applications = 5\n");
	/* The transport says what is wrong with an address; that it is said matters here.
	 */
	assert_null(parse("[vsmd]\nlisten = tcp:1\n"));
	assert_non_null(strstr(complaints, "f:2: listen: `tcp:1': "));
}

static void
every_error_is_told(void **state)
{
	(void)state;
	refused("[vsmd]\nthreads = x\nsandbox = y\n[nobody]\n[grant a b]\n",
	    "f:2: threads: `x' is not a number from 1 to 1024\n"
	    "f:3: sandbox: `y' is neither yes nor no\n"
	    "f:4: unknown section [nobody]: there are vsmd, principal, grant and key\n"
	    "f:5: there is no [principal a]\n");
}

static void
from_file(void **state)
{
	char path[] = "/tmp/test_config.XXXXXX";
	int fd = mkstemp(path);
	struct config *c;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "[vsmd]\nthreads = 5\n", 19), 19);
	close(fd);
	complaints[0] = '\0';
	c = config_load(path, complain, NULL);
	assert_non_null(c);
	assert_int_equal(config_settings(c)->threads, 5);
	config_free(c);
	unlink(path);
	assert_null(config_load(path, complain, NULL));
	assert_non_null(strstr(complaints, ": No such file or directory\n"));
	config_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(defaults),
	    cmocka_unit_test(all_settings),
	    cmocka_unit_test(defaults_that_depend),
	    cmocka_unit_test(bad_lines),
	    cmocka_unit_test(bad_settings),
	    cmocka_unit_test(every_error_is_told),
	    cmocka_unit_test(from_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
