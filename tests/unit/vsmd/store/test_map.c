/* test_map.c - the map, and transactions over it */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/secmem.h"
#include "vsmd/store/txn.h"

static void
put_get_remove(void **state)
{
	struct map m;
	size_t len;

	(void)state;
	map_init(&m);
	assert_null(map_get(&m, "a", &len));
	assert_false(map_remove(&m, "a"));
	assert_true(map_put(&m, "a", "one", 3));
	assert_true(map_put(&m, "a", "three", 5));
	assert_true(map_put(&m, "empty", NULL, 0));
	assert_memory_equal(map_get(&m, "a", &len), "three", 5);
	assert_int_equal(len, 5);
	assert_non_null(map_get(&m, "empty", &len));
	assert_int_equal(len, 0);
	assert_int_equal(m.count, 2);
	assert_int_equal(m.bytes, 1 + 5 + 5);
	assert_true(map_remove(&m, "a"));
	assert_null(map_get(&m, "a", &len));
	assert_int_equal(m.bytes, 5);
	map_free(&m);
	assert_int_equal(m.count, 0);
}

/* Does that address lie in a mapping with this flag of /proc/self/smaps? */
static bool
has_flag(const void *p, const char *flag)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	unsigned long from, to;
	bool here = false, has = false;
	char line[512];

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			here = (uintptr_t)p >= from && (uintptr_t)p < to;
		else if (here && strncmp(line, "VmFlags:", 8) == 0)
			has = strstr(line, flag) != NULL;
	}
	fclose(f);
	return has;
}

/* The user PINs of all tokens lie here as long as vsmd runs. */
static void
pins_are_locked_and_not_dumped(void **state)
{
	void *other = sec_alloc(1);
	struct map m;
	size_t len;

	(void)state;
	map_init(&m);
	assert_true(map_put(&m, "slot/0/pin/user", "123456", 6));
	assert_true(map_put(&m, "slot/0/pin/user", "1234567", 7));
	assert_true(map_put(&m, "slot/1/pin/user", NULL, 0));
	assert_true(map_put(&m, "slot/0/file/pin/user.object", "data", 4));
	assert_memory_equal(map_get(&m, "slot/0/pin/user", &len), "1234567", 7);
	assert_int_equal(len, 7);
	assert_true(has_flag(map_get(&m, "slot/0/pin/user", &len), " dd"));
	/* Where nothing can be, as with a sanitizer, they are not either. */
	assert_int_equal(has_flag(map_get(&m, "slot/0/pin/user", &len), " lo"),
	    has_flag(other, " lo"));
	assert_true(has_flag(map_get(&m, "slot/1/pin/user", &len), " dd"));
	assert_int_equal(len, 0);
	assert_false(has_flag(map_get(&m, "slot/0/file/pin/user.object", &len), " dd"));
	assert_true(map_remove(&m, "slot/0/pin/user"));
	map_free(&m);
	sec_free(other);
}

static bool
count(void *arg, const char *key, const uint8_t *value, size_t len)
{
	(void)key, (void)value, (void)len;
	return ++*(unsigned *)arg < 1000;
}

static void
many_keys_and_prefixes(void **state)
{
	unsigned n = 0;
	struct map m;
	size_t len;
	char key[32];

	(void)state;
	map_init(&m);
	for (unsigned i = 0; i < 5000; i++) {
		snprintf(key, sizeof(key), "slot/%u/x", i % 10 * 1000 + i / 10);
		assert_true(map_put(&m, key, &i, sizeof(i)));
	}
	assert_int_equal(m.count, 5000);
	assert_non_null(map_get(&m, "slot/9499/x", &len));
	assert_true(map_each(&m, "slot/10/", count, &n));
	assert_int_equal(n, 1);
	n = 0;
	assert_false(map_each(&m, "slot/", count, &n));
	assert_int_equal(n, 1000);
	map_free(&m);
}

static void
transactions_round_trip(void **state)
{
	struct txn t, other;
	struct buf body;
	struct map m;
	size_t len;

	(void)state;
	map_init(&m);
	txn_init(&t);
	txn_init(&other);
	buf_init(&body, 4096);
	assert_true(map_put(&m, "gone", "x", 1));
	txn_put(&t, "a", "1", 1);
	txn_remove(&t, "gone");
	txn_put(&other, "a", "2", 1);
	txn_put(&other, "b", NULL, 0);
	txn_take(&t, &other);
	assert_int_equal(other.n, 0);
	assert_memory_equal(txn_get(&t, &m, "a", &len), "2", 1);
	assert_null(txn_get(&t, &m, "gone", &len));
	txn_write(&t, &body);
	assert_true(buf_ok(&body));
	assert_true(txn_apply(&body, &m));
	assert_memory_equal(map_get(&m, "a", &len), "2", 1);
	assert_null(map_get(&m, "gone", &len));
	assert_non_null(map_get(&m, "b", &len));
	txn_cut(&t, 1);
	assert_memory_equal(txn_get(&t, &m, "a", &len), "1", 1);
	txn_clear(&t);
	buf_free(&body);
	map_free(&m);
}

/* Every cut body is refused. */
static void
bodies_that_are_cut(void **state)
{
	struct buf body, view;
	struct txn t;

	(void)state;
	txn_init(&t);
	buf_init(&body, 4096);
	txn_put(&t, "key", "value", 5);
	txn_remove(&t, "other");
	txn_write(&t, &body);
	for (size_t n = 0; n <= body.len; n++) {
		struct map m;

		map_init(&m);
		buf_view(&view, body.data, n);
		assert_int_equal(txn_apply(&view, &m), n == body.len);
		map_free(&m);
	}
	txn_clear(&t);
	buf_free(&body);
}

static void
errors_stick(void **state)
{
	char key[MAP_KEY_MAX + 1];
	struct txn t;
	struct buf b;

	(void)state;
	memset(key, 'k', sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	txn_init(&t);
	txn_put(&t, key, "x", 1);
	txn_put(&t, "good", "x", 1);
	assert_false(txn_ok(&t));
	buf_init(&b, 100);
	txn_write(&t, &b);
	assert_false(buf_ok(&b));
	buf_free(&b);
	txn_clear(&t);
	assert_true(txn_ok(&t));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(put_get_remove),
	    cmocka_unit_test(pins_are_locked_and_not_dumped),
	    cmocka_unit_test(many_keys_and_prefixes),
	    cmocka_unit_test(transactions_round_trip),
	    cmocka_unit_test(bodies_that_are_cut),
	    cmocka_unit_test(errors_stick),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
