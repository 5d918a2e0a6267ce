/* test_address.c - which addresses are taken, and what is said about the others */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vchan-transport/address.h"

static void
test_taken_apart(void **state)
{
	struct address a;
	const char *why;

	(void)state;
	assert_true(address_parse(&a, "unix:/run/caas/vsmd.sock", &why));
	assert_int_equal(a.kind, ADDRESS_UNIX);
	assert_string_equal(a.path, "/run/caas/vsmd.sock");
	assert_true(address_parse(&a, "vsock:2:7000", &why));
	assert_int_equal(a.kind, ADDRESS_VSOCK);
	assert_int_equal(a.id, 2);
	assert_int_equal(a.port, 7000);
	assert_true(address_parse(&a, "vsock:any:0", &why));
	assert_true(a.id == UINT32_MAX);
	assert_true(address_parse(&a, "vsock:4294967294:4294967294", &why));
	assert_true(a.id == UINT32_MAX - 1);
	assert_true(address_parse(&a, "vchan:32751:data/caas", &why));
	assert_int_equal(a.kind, ADDRESS_VCHAN);
	assert_int_equal(a.id, 32751);
	assert_string_equal(a.path, "data/caas");
	assert_true(address_parse(&a, "vchan:0:/local/domain/3/data/caas", &why));
	assert_string_equal(a.path, "/local/domain/3/data/caas");
}

static void
test_refused(void **state)
{
	static const char *const wrong[][2] = {
	    {"", "begins with"},
	    {"/run/caas/vsmd.sock", "begins with"},
	    {"unix", "begins with"},
	    {"UNIX:/x", "begins with"},
	    {"tcp:127.0.0.1:1", "begins with"},
	    {"unix:", "absolute"},
	    {"unix:run/x", "absolute"},
	    {"unix:@x", "absolute"},
	    {"unix:/", "not a directory"},
	    {"unix:/run/", "not a directory"},
	    {"vsock:", "vsock:CID:PORT"},
	    {"vsock:2", "vsock:CID:PORT"},
	    {"vsock::1", "CID"},
	    {"vsock:-1:1", "CID"},
	    {"vsock:+1:1", "CID"},
	    {"vsock: 1:1", "CID"},
	    {"vsock:0x2:1", "CID"},
	    {"vsock:02:1", "CID"},
	    {"vsock:4294967295:1", "CID"},
	    {"vsock:18446744073709551618:1", "CID"},
	    {"vsock:ANY:1", "CID"},
	    {"vsock:2:", "port"},
	    {"vsock:2:any", "port"},
	    {"vsock:2:4294967295", "port"},
	    {"vsock:2:1:1", "port"},
	    {"vsock:2:1 ", "port"},
	    {"vchan:5", "vchan:DOMID:PATH"},
	    {"vchan:32752:x", "domid"},
	    {"vchan:any:x", "domid"},
	    {"vchan::x", "domid"},
	    {"vchan:5:", "1 to 29"},
	    {"vchan:5:123456789012345678901234567890", "1 to 29"},
	    {"vchan:5:/2345678901234567890123456789012345678901234567890", "1 to 29"},
	    {"vchan:5:a b", "letters"},
	    {"vchan:5:a:b", "letters"},
	    {"vchan:5:data/../x", "letters"},
	    {"vchan:5:a//b", "empty part"},
	    {"vchan:5:a/", "empty part"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct address a;
		const char *why = NULL;

		if (address_parse(&a, wrong[i][0], &why) || strstr(why, wrong[i][1]) == NULL)
			fail_msg("'%s' should be refused for '%s', not '%s'", wrong[i][0],
			    wrong[i][1], why ? why : "nothing");
	}
}

static void
test_longest_paths(void **state)
{
	char text[256];
	struct address a;
	const char *why;

	(void)state;
	snprintf(text, sizeof(text), "unix:/%0106d", 0);
	assert_true(address_parse(&a, text, &why));
	assert_int_equal(strlen(a.path), 107);
	snprintf(text, sizeof(text), "unix:/%0107d", 0);
	assert_false(address_parse(&a, text, &why));
	assert_non_null(strstr(why, "107"));
	snprintf(text, sizeof(text), "vchan:1:/%048d", 0);
	assert_true(address_parse(&a, text, &why));
	snprintf(text, sizeof(text), "vchan:1:%029d", 0);
	assert_true(address_parse(&a, text, &why));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_taken_apart),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_longest_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
