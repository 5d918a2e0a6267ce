/* test_pass.c - the key of an application's session objects: the store process asked as a
 * worker asks */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/ipc.h"
#include "group.h"
#include "vsmd/msg.h"
#include "vsmd/store/pass.h"

struct got {
	uint8_t pass[PASS_MAX], key[CRYPT_KEY];
	size_t len;
};

static CK_RV
ask(int fd, const uint8_t *pass, size_t len, struct got *ret)
{
	const uint8_t *p;
	struct buf b;
	CK_RV rv;

	buf_init(&b, IPC_MAX);
	buf_put_u8(&b, M_W_KEEP);
	buf_put_bytes(&b, pass, len);
	rv = rig_ask(fd, &b, &b);
	if (rv == CKR_OK) {
		p = buf_get_bytes(&b, &ret->len);
		assert_non_null(p);
		assert_in_range(ret->len, 1, sizeof(ret->pass));
		memcpy(ret->pass, p, ret->len);
		p = buf_get_raw(&b, sizeof(ret->key));
		assert_non_null(p);
		memcpy(ret->key, p, sizeof(ret->key));
	}
	assert_true(buf_end(&b));
	buf_free(&b);
	return rv;
}

static void
opens_where_it_should(void **state)
{
	struct got mine, again, other;
	int a, b;
	RIG(r);

	a = rig_attach(r, 0, false, "web", 0);
	assert_int_equal(ask(a, NULL, 0, &mine), CKR_OK);
	assert_int_equal(ask(a, NULL, 0, &other), CKR_OK);
	assert_memory_not_equal(mine.key, other.key, sizeof(mine.key));
	b = rig_attach(r, 0, false, "web", 0);
	assert_int_equal(ask(b, mine.pass, mine.len, &again), CKR_OK);
	assert_memory_equal(mine.key, again.key, sizeof(mine.key));
	assert_int_equal(again.len, mine.len);
	assert_memory_equal(mine.pass, again.pass, mine.len);
	close(b);
	/* Another principal; altered, cut. */
	b = rig_attach(r, 0, false, "dns", 0);
	assert_int_equal(ask(b, mine.pass, mine.len, &again), CKR_USER_NOT_LOGGED_IN);
	for (size_t i = 0; i < mine.len; i++) {
		mine.pass[i] ^= 1;
		assert_int_equal(ask(a, mine.pass, mine.len, &again), CKR_USER_NOT_LOGGED_IN);
		mine.pass[i] ^= 1;
	}
	for (size_t n = 1; n < mine.len; n += 7)
		assert_int_equal(ask(a, mine.pass, n, &again), CKR_USER_NOT_LOGGED_IN);
	close(a);
	close(b);
	/* It outlives the store. */
	rig_kill(r);
	assert_true(rig_start(r));
	a = rig_attach(r, 0, false, "web", 0);
	assert_int_equal(ask(a, mine.pass, mine.len, &again), CKR_OK);
	assert_memory_equal(mine.key, again.key, sizeof(mine.key));
	/* Not a change of PIN. */
	assert_int_equal(rig_pin_changed(a, CKU_USER, "other"), CKR_OK);
	assert_int_equal(rig_commit(a, NULL, NULL, NULL), CKR_OK);
	assert_int_equal(ask(a, mine.pass, mine.len, &again), CKR_USER_NOT_LOGGED_IN);
	assert_int_equal(ask(a, NULL, 0, &other), CKR_OK);
	assert_int_equal(ask(a, other.pass, other.len, &again), CKR_OK);
	close(a);
}

/* Of another slot. */
static void
of_another_slot(void **state)
{
	struct got mine, again;
	int a, b;
	RIG(r);

	a = group_token(r, 0, "one");
	assert_int_equal(ask(a, NULL, 0, &mine), CKR_OK);
	b = rig_attach(r, 1, false, "web", 0);
	assert_int_equal(ask(b, mine.pass, mine.len, &again), CKR_USER_NOT_LOGGED_IN);
	close(a);
	close(b);
}

/* A login's ticket is no pass: the keys are two. */
static void
a_ticket_is_none(void **state)
{
	uint8_t *ticket = NULL;
	struct got got;
	char pin[64];
	size_t len = 0;
	int a;
	RIG(r);

	a = rig_attach(r, 0, false, "web", 0);
	assert_int_equal(rig_login_done(a, CKU_USER, true, "pin", &ticket, &len), CKR_OK);
	assert_int_equal(ask(a, ticket, len, &got), CKR_USER_NOT_LOGGED_IN);
	assert_int_equal(ask(a, NULL, 0, &got), CKR_OK);
	assert_int_equal(rig_ticket_open(a, got.pass, got.len, pin), CKR_USER_NOT_LOGGED_IN);
	free(ticket);
	close(a);
}

#define T(f) cmocka_unit_test_setup_teardown(f, group_setup, group_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(opens_where_it_should),
	    T(of_another_slot),
	    T(a_ticket_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
