/* test_domt_coupled.c - domt:coupled, over a Xen within the process: where DomT is found, and
 * what is said when it is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "fake_domt.h"
#include "fake_xen.h"
#include "tpm/domt/domt.h"
#include "tpm/tpm.h"
#include "vchan-transport/deadline.h"

/* The patience of a call, in tests. */
#define SOON 3000

/* The fake's XenStore tells of this domain, 5, and of one other, 5 too. */
#define PLACE "vchan:5:data/caas-domt/5"

static struct fake_domt fake;

int64_t __real_deadline_at(int ms);
int64_t __wrap_deadline_at(int ms);

int64_t
__wrap_deadline_at(int ms)
{
	return __real_deadline_at(ms == DOMT_PATIENCE ? SOON : ms);
}

static int
setup(void **state)
{
	(void)state;
	memset(&fake, 0, sizeof(fake));
	fake.identity_secret[1] = 5;
	fake_domt_start(&fake, PLACE);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	fake_domt_stop(&fake);
	fake_couple(5, 5);
	return 0;
}

static enum tpm_result
draw(struct tpm *t)
{
	uint8_t bytes[40] = {0};
	enum tpm_result r = tpm_random(t, bytes, sizeof(bytes));

	if (r == TPM_OK)
		assert_int_equal(bytes[39], 0x72);
	else
		print_message("%s\n", tpm_error(t));
	return r;
}

static void
test_found(void **state)
{
	struct tpm *t = NULL;

	(void)state;
	assert_int_equal(tpm_open("domt:coupled", &t), TPM_OK);
	assert_int_equal(draw(t), TPM_OK);
	/* It ends under a question: the next connection is a ring of its own. */
	fake.fault = FAKE_CLOSES;
	fake.times = 1;
	assert_int_equal(draw(t), TPM_OK);
	assert_int_equal(fake.sessions, 2);
	/* It hangs. */
	fake.fault = FAKE_HANGS;
	fake.times = 1;
	assert_int_equal(draw(t), TPM_BUSY);
	assert_int_equal(draw(t), TPM_OK);
	tpm_close(t);
}

/* DomT was destroyed, which ends no channel, and is there again. */
static void
test_moved(void **state)
{
	struct tpm *t = NULL;

	(void)state;
	assert_int_equal(tpm_open("domt:coupled", &t), TPM_OK);
	assert_int_equal(draw(t), TPM_OK);
	fake_couple(5, COUPLE_NONE);
	assert_int_equal(draw(t), TPM_ABSENT);
	fake_couple(5, 5);
	assert_int_equal(draw(t), TPM_OK);
	assert_int_equal(fake.sessions, 2);
	/* Another domid; the fake tells domids apart by nothing. */
	fake_couple(5, 7);
	assert_int_equal(draw(t), TPM_OK);
	assert_int_equal(fake.sessions, 3);
	/* XenStore being silent is no such news. */
	fake_silent(true, false);
	assert_int_equal(draw(t), TPM_OK);
	fake_silent(false, false);
	assert_int_equal(fake.sessions, 3);
	tpm_close(t);
}

static void
test_not_told(void **state)
{
	struct tpm *t = NULL;

	(void)state;
	fake_couple(5, COUPLE_NONE);
	assert_int_equal(tpm_open("domt:coupled", &t), TPM_ABSENT);
	fake_couple(COUPLE_NONE, 5);
	assert_int_equal(tpm_open("domt:coupled", &t), TPM_ABSENT);
	/* dom0 is no DomT. */
	fake_couple(5, 0);
	assert_int_equal(tpm_open("domt:coupled", &t), TPM_ABSENT);
	/* Nobody listens for a domain 6. */
	fake_couple(6, 5);
	assert_int_equal(tpm_open("domt:coupled", &t), TPM_ABSENT);
	assert_int_equal(fake.sessions, 0);
}

/* XenStore's daemon does not answer: neither does the back end wait for it. */
static void
test_silent_xenstore(void **state)
{
	struct tpm *t = NULL;

	(void)state;
	(void)alarm(30);
	fake_silent(true, false);
	assert_int_equal(tpm_open("domt:coupled", &t), TPM_ABSENT);
	fake_silent(false, false);
	assert_int_equal(tpm_open("domt:coupled", &t), TPM_OK);
	tpm_close(t);
	(void)alarm(0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_found, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_moved, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_not_told, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_silent_xenstore, setup, teardown)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
