/* The embedded TPM is started first, told to the store, and started again when it dies.
 */
#include "harness.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pid_t
tpm_pid(struct vsmd *v, size_t from)
{
	char line[256];
	int pid = 0;
	FILE *f;

	(void)vsmd_log(v, from, "fake: tpm pid=");
	assert_non_null(f = fopen(v->log, "re"));
	assert_int_equal(fseek(f, (long)from, SEEK_SET), 0);
	while (pid == 0 && fgets(line, sizeof(line), f) != NULL)
		if (strstr(line, "fake: tpm pid=") != NULL)
			pid = strtol(strstr(line, "pid=") + 4, NULL, 10);
	fclose(f);
	return (pid_t)pid;
}

static void
tpm_dies(void **state)
{
	struct vsmd *v = *state;
	char want[64];
	pid_t pid;
	size_t at;

	vsmd_config(v, NULL, NULL);
	vsmd_start(v, true);
	pid = tpm_pid(v, 0);
	snprintf(want, sizeof(want), "fake: store tpm=fake:%d", (int)pid);
	assert_true(vsmd_logged(v, want));
	assert_int_equal(kill(pid, SIGKILL), 0);
	at = vsmd_log(v, 0, "the embedded TPM was killed by signal 9");
	(void)vsmd_log(v, at, "the embedded TPM is up again");
	assert_int_not_equal(tpm_pid(v, at), pid);
	assert_int_equal(vsmd_stop(v), 0);
	assert_true(vsmd_logged(v, "fake: tpm stopped"));
}

static void
real_tpm_is_not_ours(void **state)
{
	struct vsmd *v = *state;

	vsmd_config(v, "tpm = tpm2:device:/dev/tpmrm0\n", NULL);
	vsmd_start(v, true);
	assert_true(vsmd_logged(v, "fake: store tpm=tpm2:device:/dev/tpmrm0"));
	assert_false(vsmd_logged(v, "fake: tpm pid="));
	assert_int_equal(vsmd_stop(v), 0);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, vsmd_setup, vsmd_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(tpm_dies),
	    TEST(real_tpm_is_not_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
