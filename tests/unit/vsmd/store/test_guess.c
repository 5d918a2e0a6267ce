/* test_guess.c - pauses between guesses, by principal */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vsmd/store/guess.h"
#include "vsmd/store/slots.h"

static struct slot slot;
static struct map map;

static int
setup(void **state)
{
	(void)state;
	memset(&slot, 0, sizeof(slot));
	slot.number = 7;
	map_init(&map);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	free(slot.guesses);
	map_free(&map);
	return 0;
}

/* As a commit does. */
static bool
apply(const struct txn *t)
{
	struct buf body;
	bool ok;

	buf_init(&body, 65536);
	txn_write(t, &body);
	ok = buf_ok(&body) && txn_apply(&body, &map);
	buf_free(&body);
	return ok;
}

/* What a restart leaves. */
static void
forget_memory(void)
{
	free(slot.guesses);
	slot.guesses = NULL;
	slot.nguesses = 0;
}

static void
wrong(const char *principal, enum pin_user user, unsigned times, int64_t now)
{
	struct txn t;

	for (txn_init(&t); times > 0; times--)
		guess_wrong(&slot, &t, guess_of(&slot, &t, &map, principal, now), user, now);
	assert_true(txn_ok(&t));
	assert_true(apply(&t));
	txn_clear(&t);
}

static int64_t
pause_of(const char *principal, enum pin_user user, int64_t now)
{
	struct guess *g;
	struct txn none;

	txn_init(&none);
	g = guess_of(&slot, &none, &map, principal, now);
	return g->after[user] > now ? g->after[user] - now : 0;
}

static void
pauses_double(void **state)
{
	int64_t last = 0;

	(void)state;
	for (uint32_t n = 0; n < GUESS_FREE; n++)
		assert_int_equal(guess_pause(n), 0);
	assert_int_equal(guess_pause(GUESS_FREE), GUESS_PAUSE);
	assert_int_equal(guess_pause(GUESS_FREE + 3), 8 * GUESS_PAUSE);
	for (uint32_t n = GUESS_FREE; n < 100; n++) {
		assert_true(guess_pause(n) >= last);
		last = guess_pause(n);
	}
	assert_int_equal(last, GUESS_PAUSE_MAX);
	assert_int_equal(guess_pause(UINT32_MAX), GUESS_PAUSE_MAX);
}

static void
each_principal_and_user(void **state)
{
	(void)state;
	wrong("web", PIN_USER, GUESS_FREE + 1, 1000);
	assert_int_equal(pause_of("web", PIN_USER, 1000), 2 * GUESS_PAUSE);
	assert_int_equal(pause_of("web", PIN_USER, 1000 + 2 * GUESS_PAUSE), 0);
	assert_int_equal(pause_of("web", PIN_SO, 1000), 0);
	assert_int_equal(pause_of("we", PIN_USER, 1000), 0);
	assert_int_equal(pause_of("webb", PIN_USER, 1000), 0);
}

static void
a_restart_keeps_the_count(void **state)
{
	(void)state;
	wrong("web", PIN_SO, GUESS_FREE, 1000);
	wrong("dns", PIN_SO, 1, 1000);
	forget_memory();
	assert_int_equal(pause_of("web", PIN_SO, 9000000), GUESS_PAUSE);
	assert_int_equal(pause_of("dns", PIN_SO, 9000000), 0);
	wrong("web", PIN_SO, 1, 9000000);
	assert_int_equal(pause_of("web", PIN_SO, 9000000), 2 * GUESS_PAUSE);
}

static void
right_ends_it(void **state)
{
	struct txn t;
	size_t len;

	(void)state;
	txn_init(&t);
	wrong("web", PIN_USER, 20, 1000);
	wrong("web", PIN_SO, 1, 1000);
	assert_true(guess_right(&slot, &t, &map, guess_of(&slot, &t, &map, "web", 0), PIN_USER));
	assert_int_equal(pause_of("web", PIN_USER, 1000), 0);
	assert_true(apply(&t));
	txn_clear(&t);
	assert_non_null(map_get(&map, "slot/7/guess/web", &len));
	/* Nothing to write twice; and with the last count the record goes. */
	assert_false(guess_right(&slot, &t, &map, guess_of(&slot, &t, &map, "web", 0), PIN_USER));
	assert_true(guess_right(&slot, &t, &map, guess_of(&slot, &t, &map, "web", 0), PIN_SO));
	assert_true(apply(&t));
	assert_null(map_get(&map, "slot/7/guess/web", &len));
	txn_clear(&t);
}

/* Of all principals, those that only the disk knows of too. */
static void
a_new_pin_forgets(void **state)
{
	struct txn t;

	(void)state;
	wrong("web", PIN_USER, 20, 1000);
	wrong("web", PIN_SO, 20, 1000);
	wrong("dns", PIN_USER, 20, 1000);
	forget_memory();
	wrong("new", PIN_USER, 20, 1000);
	txn_init(&t);
	guess_forget(&slot, &t, &map, PIN_USER);
	assert_true(apply(&t));
	txn_clear(&t);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pause_of("web", PIN_USER, 1000), 0);
		assert_int_equal(pause_of("dns", PIN_USER, 1000), 0);
		assert_int_equal(pause_of("new", PIN_USER, 1000), 0);
		assert_true(pause_of("web", PIN_SO, 1000) > 0);
		forget_memory();
	}
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(pauses_double),
	    T(each_principal_and_user),
	    T(a_restart_keeps_the_count),
	    T(right_ends_it),
	    T(a_new_pin_forgets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
