/* test_revoked.c - logins that were logged out, and those that were not */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vsmd/store/revoked.h"

#define SLOT 3

static void
name(uint8_t login[TICKET_LOGIN], unsigned n)
{
	memset(login, 0, TICKET_LOGIN);
	memcpy(login, &n, sizeof(n));
}

static void
logged_out(void **state)
{
	uint8_t a[TICKET_LOGIN], b[TICKET_LOGIN];
	struct revoked r;
	struct map m;

	(void)state;
	map_init(&m);
	revoked_init(&r);
	name(a, 1);
	name(b, 2);
	assert_true(revoked_add(&r, &m, SLOT, a));
	assert_true(revoked_has(&r, &m, SLOT, a));
	assert_false(revoked_has(&r, &m, SLOT, b));
	assert_false(revoked_has(&r, &m, SLOT + 1, a));
	revoked_free(&r);
	map_free(&m);
}

/* Whoever is still logged in does not feel how many others log out. */
static void
many_logouts_void_no_other_login(void **state)
{
	uint8_t login[TICKET_LOGIN], kept[TICKET_LOGIN];
	const unsigned all = 3 * REVOKED_MAX;
	struct revoked r;
	struct map m;

	(void)state;
	map_init(&m);
	revoked_init(&r);
	name(kept, all + 1);
	for (unsigned n = 0; n < all; n++) {
		name(login, n);
		assert_true(revoked_add(&r, &m, SLOT, login));
		assert_true(revoked_has(&r, &m, SLOT, login));
		assert_int_equal(login_epoch(NULL, &m, SLOT), 0);
	}
	assert_int_equal(login_epoch(NULL, &r.later, SLOT), 0);
	assert_false(revoked_has(&r, &m, SLOT, kept));
	name(login, all - REVOKED_MAX);
	assert_true(revoked_has(&r, &m, SLOT, login));
	name(login, all - REVOKED_MAX - 1);
	assert_false(revoked_has(&r, &m, SLOT, login));
	revoked_free(&r);
	map_free(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(logged_out),
	    cmocka_unit_test(many_logouts_void_no_other_login),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
