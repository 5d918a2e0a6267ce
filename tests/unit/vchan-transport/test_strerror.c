/* test_strerror.c - an error names the address and says what to do */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vchan-transport/transport.h"

static void
test_sentences(void **state)
{
	static const struct {
		int err;
		const char *says;
	} cases[] = {
	    {ECONNREFUSED, "is vsmd (or caas-agent) running?"},
	    {ENOENT, "is vsmd (or caas-agent) running?"},
	    {EACCES, "group"},
	    {ETIMEDOUT, "in time"},
	    {ECONNRESET, "gone"},
	    {EADDRINUSE, "already"},
	    {ENODEV, "driver"},
	    {EMFILE, "LimitNOFILE"},
	    {EIO, "Input/output error"},
	};
	const char *at = "unix:/run/caas/vsmd.sock";

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *s = transport_strerror(at, cases[i].err);

		assert_memory_equal(s, at, strlen(at));
		assert_non_null(strstr(s, cases[i].says));
	}
}

static void
test_bad_address_says_why(void **state)
{
	const char *why = NULL;

	(void)state;
	assert_null(transport_connect("unix:relative", 0));
	assert_int_equal(errno, EINVAL);
	assert_non_null(strstr(transport_strerror("unix:relative", errno), "absolute"));
	assert_null(transport_listen("serial:/dev/ttyS0", 0));
	assert_int_equal(errno, EINVAL);
	assert_false(transport_address_ok("serial:/dev/ttyS0", &why));
	assert_non_null(strstr(why, "unix:"));
	assert_null(transport_connect("vsock:any:1", 0));
	assert_non_null(strstr(transport_strerror("vsock:any:1", errno), "number"));
}

static void *
other_thread(void *arg)
{
	(void)transport_strerror("unix:/other", EIO);
	return arg;
}

static void
test_threads_have_their_own(void **state)
{
	const char *mine = transport_strerror("unix:/mine", EIO);
	pthread_t t;

	(void)state;
	assert_int_equal(pthread_create(&t, NULL, other_thread, NULL), 0);
	(void)pthread_join(t, NULL);
	assert_non_null(strstr(mine, "unix:/mine"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sentences),
	    cmocka_unit_test(test_bad_address_says_why),
	    cmocka_unit_test(test_threads_have_their_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
