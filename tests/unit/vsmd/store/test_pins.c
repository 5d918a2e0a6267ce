/* test_pins.c - wrong PINs counted, tickets, the PINs' copies: the store process asked as
 * a worker asks */
#include <poll.h>
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
#include "vsmd/store/guess.h"
#include "vsmd/store/pins.h"

#define LOCKOUT GRANT_PIN_LOCKOUT

static CK_RV
fail_login(int fd, uint8_t type)
{
	CK_RV rv = rig_simple(fd, M_W_LOGIN_MAY, type);

	return rv != CKR_OK ? rv : rig_login_done(fd, type, false, "", NULL, NULL);
}

/* A login of `fd` that has to wait: longer than `ms`.  And how it ends. */
static void
login_waits(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct buf b;

	buf_init(&b, IPC_MAX);
	buf_put_u8(&b, M_W_LOGIN_MAY);
	buf_put_u8(&b, CKU_USER);
	assert_int_equal(ipc_send(fd, &b, NULL, 0), 0);
	assert_int_equal(poll(&p, 1, ms), 0);
	buf_free(&b);
}

static void
login_ends(int fd, CK_RV rv)
{
	struct buf b;

	buf_init(&b, IPC_MAX);
	assert_int_equal(ipc_recv(fd, &b, NULL, NULL), 0);
	assert_int_equal(buf_get_u8(&b), M_W_ANSWER);
	assert_int_equal(buf_get_u64(&b), rv);
	assert_true(buf_end(&b));
	buf_free(&b);
}

/* Four workers of one principal, and the logins of three under way. */
static void
three_log_in(struct rig *r, int fds[4])
{
	for (int i = 0; i < 4; i++)
		fds[i] = rig_attach(r, 0, false, "web", LOCKOUT);
	for (int i = 0; i < 3; i++)
		assert_int_equal(rig_simple(fds[i], M_W_LOGIN_MAY, CKU_USER), CKR_OK);
}

static void
flags_follow_the_count(void **state)
{
	struct pin_tries t = {{0, 0}};

	(void)state;
	assert_int_equal(pins_flags(&t, 3), 0);
	t.failed[PIN_USER] = 1;
	assert_int_equal(pins_flags(&t, 3), CKF_USER_PIN_COUNT_LOW);
	t.failed[PIN_USER] = 2;
	assert_int_equal(
	    pins_flags(&t, 3), CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY);
	t.failed[PIN_USER] = 3;
	assert_int_equal(pins_flags(&t, 3), CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_LOCKED);
	t.failed[PIN_USER] = 0;
	t.failed[PIN_SO] = 9;
	assert_int_equal(pins_flags(&t, 3), CKF_SO_PIN_COUNT_LOW | CKF_SO_PIN_LOCKED);
	assert_int_equal(pins_flags(&t, 0), 0);
}

static void
so_verifier(void **state)
{
	const uint8_t *v;
	struct txn t;
	struct map m;
	size_t len;

	(void)state;
	map_init(&m);
	txn_init(&t);
	assert_true(pins_put_so(&t, 0, (const uint8_t *)"so-pin", 6));
	v = txn_get(&t, &m, "slot/0/pin/so", &len);
	assert_true(pins_check_so(v, len, (const uint8_t *)"so-pin", 6));
	assert_false(pins_check_so(v, len, (const uint8_t *)"so-pim", 6));
	assert_false(pins_check_so(v, len, (const uint8_t *)"", 0));
	assert_false(pins_check_so(v, len - 1, (const uint8_t *)"so-pin", 6));
	assert_false(pins_check_so(NULL, 0, (const uint8_t *)"so-pin", 6));
	txn_clear(&t);
}

static void
three_wrong_pins_lock(void **state)
{
	int fd;
	RIG(r);

	fd = rig_attach(r, 0, false, "web", LOCKOUT);
	assert_int_equal(fail_login(fd, CKU_USER), CKR_OK);
	assert_int_equal(rig_token_flags(fd), CKF_USER_PIN_COUNT_LOW);
	assert_int_equal(fail_login(fd, CKU_CONTEXT_SPECIFIC), CKR_OK);
	assert_int_equal(
	    rig_token_flags(fd), CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY);
	/* Durable before the answer: a kill does not give tries back. */
	rig_kill(r);
	close(fd);
	assert_true(rig_start(r));
	fd = rig_attach(r, 0, false, "web", LOCKOUT);
	assert_int_equal(fail_login(fd, CKU_USER), CKR_OK);
	assert_int_equal(fail_login(fd, CKU_USER), CKR_PIN_LOCKED);
	assert_int_equal(rig_simple(fd, M_W_LOGIN_MAY, CKU_SO), CKR_OK);
	/* C_InitPIN by the SO sets it free. */
	assert_int_equal(rig_pin_changed(fd, CKU_USER, "new"), CKR_OK);
	assert_int_equal(rig_commit(fd, NULL, NULL, NULL), CKR_OK);
	assert_int_equal(rig_simple(fd, M_W_LOGIN_MAY, CKU_USER), CKR_OK);
	assert_int_equal(rig_token_flags(fd), 0);
	close(fd);
}

static void
success_starts_again(void **state)
{
	int fd;
	RIG(r);

	fd = rig_attach(r, 0, false, "web", LOCKOUT);
	assert_int_equal(fail_login(fd, CKU_USER), CKR_OK);
	assert_int_equal(fail_login(fd, CKU_USER), CKR_OK);
	assert_int_equal(rig_simple(fd, M_W_LOGIN_MAY, CKU_USER), CKR_OK);
	assert_int_equal(rig_login_done(fd, CKU_USER, true, "pin", NULL, NULL), CKR_OK);
	assert_int_equal(rig_token_flags(fd), 0);
	close(fd);
}

static void
without_lockout_nothing_is_counted(void **state)
{
	int fd;
	RIG(r);

	fd = rig_attach(r, 0, false, "web", 0);
	for (int i = 0; i < 10; i++)
		assert_int_equal(fail_login(fd, CKU_USER), CKR_OK);
	assert_int_equal(rig_token_flags(fd), 0);
	close(fd);
}

/* Guesses in parallel are no more guesses. */
static void
logins_under_way_count(void **state)
{
	int fds[4];
	RIG(r);

	three_log_in(r, fds);
	login_waits(fds[3], 50);
	for (int i = 0; i < 3; i++)
		assert_int_equal(
		    rig_login_done(fds[i], CKU_USER, false, "", NULL, NULL), CKR_OK);
	login_ends(fds[3], CKR_PIN_LOCKED);
	for (int i = 0; i < 4; i++)
		close(fds[i]);
}

/* Many logins at once are no guesses: who has had no wrong PIN is not refused, however long
 * those under way take. */
static void
logins_at_once_are_no_guesses(void **state)
{
	int fds[4];
	RIG(r);

	three_log_in(r, fds);
	login_waits(fds[3], 5500);
	assert_int_equal(rig_login_done(fds[0], CKU_USER, true, "pin", NULL, NULL), CKR_OK);
	login_ends(fds[3], CKR_OK);
	for (int i = 0; i < 4; i++)
		close(fds[i]);
}

/* Ask for a login; the store has read it when this returns. */
static void
come(int fd, int other)
{
	struct buf b;

	buf_init(&b, IPC_MAX);
	buf_put_u8(&b, M_W_LOGIN_MAY);
	buf_put_u8(&b, CKU_USER);
	assert_int_equal(ipc_send(fd, &b, NULL, 0), 0);
	buf_free(&b);
	(void)rig_token_flags(other);
}

/* Which of them may try now; n: none. */
static size_t
next_of(const int *fds, size_t n, int ms)
{
	struct pollfd p[8];
	struct buf b;

	assert_true(n <= 8);
	for (size_t i = 0; i < n; i++)
		p[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
	(void)poll(p, n, ms);
	for (size_t i = 0; i < n; i++) {
		if (p[i].revents == 0)
			continue;
		buf_init(&b, IPC_MAX);
		assert_int_equal(ipc_recv(fds[i], &b, NULL, NULL), 0);
		assert_int_equal(buf_get_u8(&b), M_W_ANSWER);
		assert_int_equal(buf_get_u64(&b), CKR_OK);
		buf_free(&b);
		return i;
	}
	return n;
}

/* `busy` have all tries under way and end one after the other: those that wait are let try in
 * this order. */
static void
served_in_order(int busy[3], const int *waiting, size_t n, const size_t *order)
{
	int under_way[11] = {busy[0], busy[1], busy[2]};

	assert_true(n <= 8);
	assert_int_equal(next_of(waiting, n, 50), n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(
		    rig_login_done(under_way[i], CKU_USER, true, "pin", NULL, NULL), CKR_OK);
		assert_int_equal(next_of(waiting, n, 20000), order[i]);
		assert_int_equal(next_of(waiting, n, 0), n);
		under_way[3 + i] = waiting[order[i]];
	}
}

static void
logins_are_served_as_they_came(void **state)
{
	static const size_t order[] = {0, 1, 2, 3};
	int busy[3], waiting[4], other;
	RIG(r);

	for (int i = 0; i < 3; i++) {
		busy[i] = rig_attach(r, 0, false, "busy", LOCKOUT);
		assert_int_equal(rig_simple(busy[i], M_W_LOGIN_MAY, CKU_USER), CKR_OK);
	}
	waiting[0] = rig_attach(r, 0, false, "a", LOCKOUT);
	waiting[2] = rig_attach(r, 0, false, "c", LOCKOUT);
	waiting[3] = rig_attach(r, 0, false, "d", LOCKOUT);
	waiting[1] = rig_attach(r, 0, false, "b", LOCKOUT);
	other = rig_attach(r, 0, false, "other", LOCKOUT);
	for (int i = 0; i < 4; i++)
		come(waiting[i], other);
	served_in_order(busy, waiting, 4, order);
	for (int i = 0; i < 4; i++)
		close(waiting[i]);
	for (int i = 0; i < 3; i++)
		close(busy[i]);
	close(other);
}

/* Nor does who keeps many waiting keep others from it. */
static void
logins_of_each_principal_in_turn(void **state)
{
	static const size_t order[] = {0, 4, 1, 5, 2, 3};
	int busy[3], waiting[6], other;
	RIG(r);

	for (int i = 0; i < 3; i++) {
		busy[i] = rig_attach(r, 0, false, "busy", LOCKOUT);
		assert_int_equal(rig_simple(busy[i], M_W_LOGIN_MAY, CKU_USER), CKR_OK);
	}
	other = rig_attach(r, 0, false, "other", LOCKOUT);
	for (int i = 0; i < 6; i++) {
		waiting[i] = rig_attach(r, 0, false, i < 4 ? "many" : "few", LOCKOUT);
		come(waiting[i], other);
	}
	served_in_order(busy, waiting, 6, order);
	for (int i = 0; i < 6; i++)
		close(waiting[i]);
	for (int i = 0; i < 3; i++)
		close(busy[i]);
	close(other);
}

/* Who guesses waits, others with the same PIN do not; a restart changes nothing. */
static void
guessing_is_slowed(void **state)
{
	int web, dns;
	RIG(r);

	rig_kill(r);
	r->config.pin_tries = 100;
	for (int run = 0; run < 2; run++) {
		assert_true(rig_start(r));
		web = rig_attach(r, 0, false, "web", LOCKOUT);
		dns = rig_attach(r, 0, false, "dns", LOCKOUT);
		/* So many that no login waits for the end of the pause. */
		for (int i = 0; i < 12 && run == 0; i++)
			assert_int_equal(
			    rig_login_done(web, CKU_USER, false, "", NULL, NULL), CKR_OK);
		assert_int_equal(
		    rig_simple(web, M_W_LOGIN_MAY, CKU_USER), CKR_FUNCTION_FAILED);
		assert_int_equal(
		    rig_simple(web, M_W_LOGIN_MAY, CKU_CONTEXT_SPECIFIC), CKR_FUNCTION_FAILED);
		assert_int_equal(rig_simple(web, M_W_LOGIN_MAY, CKU_SO), CKR_OK);
		assert_int_equal(rig_simple(dns, M_W_LOGIN_MAY, CKU_USER), CKR_OK);
		/* This sets the lock's count back, and not that of who guesses. */
		assert_int_equal(
		    rig_login_done(dns, CKU_USER, true, "pin", NULL, NULL), CKR_OK);
		assert_int_equal(rig_token_flags(web), 0);
		assert_int_equal(
		    rig_simple(web, M_W_LOGIN_MAY, CKU_USER), CKR_FUNCTION_FAILED);
		close(web);
		close(dns);
		rig_kill(r);
	}
	assert_true(rig_start(r));
	web = rig_attach(r, 0, false, "web", LOCKOUT);
	assert_int_equal(rig_pin_changed(web, CKU_USER, "new"), CKR_OK);
	assert_int_equal(rig_commit(web, NULL, NULL, NULL), CKR_OK);
	assert_int_equal(rig_simple(web, M_W_LOGIN_MAY, CKU_USER), CKR_OK);
	close(web);
}

/* After some wrong ones a principal has one guess at a time, and each after a pause. */
static void
one_guess_at_a_time(void **state)
{
	int one, two;
	RIG(r);

	rig_kill(r);
	r->config.pin_tries = 100;
	assert_true(rig_start(r));
	one = rig_attach(r, 0, false, "web", LOCKOUT);
	two = rig_attach(r, 0, false, "web", LOCKOUT);
	for (int i = 0; i < GUESS_FREE; i++)
		assert_int_equal(fail_login(one, CKU_USER), CKR_OK);
	assert_int_equal(rig_simple(one, M_W_LOGIN_MAY, CKU_USER), CKR_OK);
	login_waits(two, 50);
	assert_int_equal(rig_login_done(one, CKU_USER, true, "pin", NULL, NULL), CKR_OK);
	login_ends(two, CKR_OK);
	close(one);
	close(two);
}

static void
a_pin_waits_for_its_commit(void **state)
{
	char pin[64];
	int a, b;
	RIG(r);

	a = rig_attach(r, 0, false, "web", GRANT_CHANNEL_LOGIN);
	b = rig_attach(r, 0, false, "web", GRANT_CHANNEL_LOGIN);
	assert_int_equal(rig_pin_changed(a, CKU_USER, "secret"), CKR_OK);
	assert_int_equal(rig_commit(b, NULL, NULL, NULL), CKR_OK);
	assert_int_equal(rig_channel_pin(b, pin), CKR_USER_PIN_NOT_INITIALIZED);
	assert_int_equal(rig_commit(a, NULL, NULL, NULL), CKR_OK);
	assert_int_equal(rig_channel_pin(b, pin), CKR_OK);
	assert_string_equal(pin, "secret");
	close(a);
	close(b);
}

static void
tickets_open_where_they_should(void **state)
{
	uint8_t *ticket = NULL, *old;
	size_t len = 0, old_len;
	char pin[64];
	int a, b;
	RIG(r);

	a = rig_attach(r, 0, false, "web", 0);
	assert_int_equal(
	    rig_login_done(a, CKU_USER, true, "user-pin", &ticket, &len), CKR_OK);
	assert_true(len > 0 && len < 300);
	b = rig_attach(r, 0, false, "web", 0);
	assert_int_equal(rig_ticket_open(b, ticket, len, pin), CKR_OK);
	assert_string_equal(pin, "user-pin");
	close(b);
	/* Another principal, an altered ticket, none. */
	b = rig_attach(r, 0, false, "dns", 0);
	assert_int_equal(rig_ticket_open(b, ticket, len, pin), CKR_USER_NOT_LOGGED_IN);
	close(b);
	b = rig_attach(r, 0, false, "web", 0);
	for (size_t i = 0; i < len; i++) {
		ticket[i] ^= 1;
		assert_int_equal(
		    rig_ticket_open(b, ticket, len, pin), CKR_USER_NOT_LOGGED_IN);
		ticket[i] ^= 1;
	}
	for (size_t n = 0; n < len; n += 7)
		assert_int_equal(
		    rig_ticket_open(b, ticket, n, pin), CKR_USER_NOT_LOGGED_IN);
	close(a);
	close(b);
	/* It outlives the store. */
	rig_kill(r);
	assert_true(rig_start(r));
	a = rig_attach(r, 0, false, "web", 0);
	assert_int_equal(rig_ticket_open(a, ticket, len, pin), CKR_OK);
	/* Not a change of PIN. */
	assert_int_equal(rig_pin_changed(a, CKU_USER, "other"), CKR_OK);
	assert_int_equal(rig_commit(a, NULL, NULL, NULL), CKR_OK);
	assert_int_equal(rig_ticket_open(a, ticket, len, pin), CKR_USER_NOT_LOGGED_IN);
	old = ticket;
	old_len = len;
	assert_int_equal(
	    rig_login_done(a, CKU_USER, true, "other", &ticket, &len), CKR_OK);
	assert_int_equal(rig_ticket_open(a, ticket, len, pin), CKR_OK);
	assert_int_equal(rig_ticket_open(a, old, old_len, pin), CKR_USER_NOT_LOGGED_IN);
	free(old);
	free(ticket);
	close(a);
}

static void
a_ticket_of_another_slot(void **state)
{
	uint8_t *ticket = NULL;
	char pin[64];
	size_t len = 0;
	int a, b;
	RIG(r);

	a = group_token(r, 0, "one");
	assert_int_equal(
	    rig_login_done(a, CKU_USER, true, "user-pin", &ticket, &len), CKR_OK);
	b = rig_attach(r, 1, false, "web", 0);
	assert_int_equal(rig_ticket_open(b, ticket, len, pin), CKR_USER_NOT_LOGGED_IN);
	free(ticket);
	close(a);
	close(b);
}

/* A forked child's logout leaves its parent logged in; the last one's does not. */
static void
logout_voids_tickets(void **state)
{
	uint8_t *ticket = NULL;
	size_t len = 0;
	char pin[64];
	int parent, child;
	RIG(r);

	parent = rig_attach(r, 0, false, "web", 0);
	assert_int_equal(
	    rig_login_done(parent, CKU_USER, true, "pin", &ticket, &len), CKR_OK);
	child = rig_attach(r, 0, false, "web", 0);
	assert_int_equal(rig_ticket_open(child, ticket, len, pin), CKR_OK);
	assert_int_equal(rig_simple(child, M_W_LOGGED_OUT, CKU_USER), CKR_OK);
	assert_int_equal(rig_ticket_open(child, ticket, len, pin), CKR_OK);
	assert_int_equal(rig_simple(child, M_W_LOGGED_OUT, CKU_USER), CKR_OK);
	assert_int_equal(rig_simple(parent, M_W_LOGGED_OUT, CKU_SO), CKR_OK);
	assert_int_equal(rig_ticket_open(child, ticket, len, pin), CKR_OK);
	assert_int_equal(rig_simple(child, M_W_LOGGED_OUT, CKU_USER), CKR_OK);
	assert_int_equal(rig_simple(parent, M_W_LOGGED_OUT, CKU_USER), CKR_OK);
	assert_int_equal(
	    rig_ticket_open(child, ticket, len, pin), CKR_USER_NOT_LOGGED_IN);
	/* Written with the next commit. */
	assert_int_equal(rig_pin_changed(parent, CKU_SO, "x"), CKR_OK);
	assert_int_equal(rig_commit(parent, NULL, NULL, NULL), CKR_OK);
	close(parent);
	close(child);
	rig_kill(r);
	assert_true(rig_start(r));
	parent = rig_attach(r, 0, false, "web", 0);
	assert_int_equal(
	    rig_ticket_open(parent, ticket, len, pin), CKR_USER_NOT_LOGGED_IN);
	close(parent);
	free(ticket);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, group_setup, group_teardown)
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(flags_follow_the_count),
	    cmocka_unit_test(so_verifier),
	    T(three_wrong_pins_lock),
	    T(success_starts_again),
	    T(without_lockout_nothing_is_counted),
	    T(logins_under_way_count),
	    T(logins_at_once_are_no_guesses),
	    T(logins_are_served_as_they_came),
	    T(logins_of_each_principal_in_turn),
	    T(guessing_is_slowed),
	    T(one_guess_at_a_time),
	    T(a_pin_waits_for_its_commit),
	    T(tickets_open_where_they_should),
	    T(a_ticket_of_another_slot),
	    T(logout_voids_tickets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
