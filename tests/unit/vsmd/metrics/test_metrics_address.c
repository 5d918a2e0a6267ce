/* test_metrics_address.c - loopback and unix sockets, and nothing else */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vsmd/metrics/address.h"

static void
accepted(void **state)
{
	static const char *const good[] = {"unix:/run/caas/metrics.sock", "tcp:127.0.0.1:9100",
	    "tcp:[::1]:1", "tcp:127.0.0.1:65535"};
	static const int family[] = {AF_UNIX, AF_INET, AF_INET6, AF_INET};
	struct sockaddr_storage sa;
	const char *why;
	socklen_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(metrics_address(good[i], &sa, &len, &why));
		assert_int_equal(sa.ss_family, family[i]);
		assert_true(len > 0 && len <= sizeof(sa));
	}
}

static void
refused(void **state)
{
	static const char *const bad[] = {"", "unix:", "unix:relative", "tcp:", "tcp:9100",
	    "tcp:0.0.0.0:9100", "tcp:127.0.0.2:9100", "tcp:localhost:9100", "tcp:[::]:9100",
	    "tcp:*:9100", "tcp:127.0.0.1", "tcp:127.0.0.1:", "tcp:127.0.0.1:0",
	    "tcp:127.0.0.1:65536", "tcp:127.0.0.1:99999999999", "tcp:127.0.0.1:-1",
	    "tcp:127.0.0.1:91 ", "tcp:127.0.0.1:0x50", "vsock:any:1", "/run/x"};
	char path[256] = "unix:/";
	struct sockaddr_storage sa;
	const char *why;
	socklen_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		why = NULL;
		assert_false(metrics_address(bad[i], &sa, &len, &why));
		assert_non_null(why);
	}
	/* As long as there is room, and one more. */
	memset(path + 6, 'a', 106);
	assert_true(metrics_address(path, &sa, &len, &why));
	path[112] = 'a';
	assert_false(metrics_address(path, &sa, &len, &why));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(accepted),
	    cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
