/* test_xen.c - Xen's library is there when it is asked for, or its absence is said */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vchan-transport/transport.h"
#include "vchan-transport/xen.h"

#ifndef ABSENT
static void
test_loaded(void **state)
{
	const char *why = "";

	(void)state;
	if (!xen_load(&why)) {
		print_message("skipped: %s\n", why);
		skip();
	}
	assert_null(why);
	assert_non_null(xen.server_init);
	assert_non_null(xen.gnttab_close);
	assert_true(transport_address_ok("vchan:5:data/caas", &why));
}

#else

/* Built a second time for a library that no machine has. */
static void
test_absent(void **state)
{
	const char *why = NULL;

	(void)state;
	assert_false(xen_load(&why));
	assert_non_null(strstr(why, "libxenvchan.so.none"));
	assert_false(xen_load(&why)); /* and again */
	why = NULL;
	assert_false(transport_address_ok("vchan:5:data/caas", &why));
	assert_non_null(strstr(why, "libxenvchan.so.none"));
	assert_null(transport_connect("vchan:5:data/caas", 0));
	assert_int_equal(errno, EPROTONOSUPPORT);
	assert_non_null(strstr(transport_strerror("vchan:5:data/caas", errno), "installed"));
	assert_true(transport_address_ok("unix:/run/caas/vsmd.sock", &why));
}

#endif

int
main(void)
{
	const struct CMUnitTest tests[] = {
#ifdef ABSENT
	    cmocka_unit_test(test_absent),
#else
	    cmocka_unit_test(test_loaded),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
