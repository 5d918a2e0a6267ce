/* test_worker_index.c - the table of what objects are found by */
#include "rig.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vsmd/worker/index.h"

static struct index *x;

static int
setup(void **state)
{
	(void)state;
	x = index_make();
	return x == NULL;
}

static int
teardown(void **state)
{
	(void)state;
	index_free(x);
	return 0;
}

static struct index_object
object(unsigned number, uint64_t label, uint64_t id)
{
	struct index_object o = {.hash = {label, id}, .class = number % 3};

	/* The same bucket for many. */
	memcpy(o.name, &(uint64_t){number % 5 + 1}, 8);
	memcpy(o.name + 8, &number, sizeof(number));
	return o;
}

static size_t
by_label(uint64_t label)
{
	uint8_t names[8][VIEW_NAME];

	return index_by_hash(x, INDEX_LABEL, label, names, 8);
}

static void
test_put_find_remove(void **state)
{
	uint8_t names[8][VIEW_NAME];
	struct index_object o, known;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		o = object(i, 1000 + i / 2, 5000 + i);
		assert_true(index_put(x, &o));
	}
	for (unsigned i = 0; i < 500; i++)
		assert_int_equal(by_label(1000 + i), 2);
	assert_int_equal(by_label(1), 0);
	assert_int_equal(index_by_hash(x, INDEX_ID, 5007, names, 8), 1);
	o = object(7, 0, 0);
	assert_memory_equal(names[0], o.name, VIEW_NAME);
	assert_true(index_get(x, o.name, &known));
	assert_int_equal(known.hash[INDEX_LABEL], 1003);

	/* Another label: not found by the old one. */
	o = object(7, 77, 5007);
	assert_true(index_put(x, &o));
	assert_int_equal(by_label(77), 1);
	assert_int_equal(by_label(1003), 1);
	index_remove(x, o.name);
	index_remove(x, o.name);
	assert_int_equal(by_label(77), 0);
	assert_false(index_get(x, o.name, &known));
	/* Its place is used again. */
	o = object(5000, 78, 0);
	assert_true(index_put(x, &o));
	assert_int_equal(by_label(78), 1);
	assert_int_equal(by_label(1004), 2);
}

static void
test_room(void **state)
{
	uint8_t names[4][VIEW_NAME];

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		struct index_object o = object(i, 9, 0);

		assert_true(index_put(x, &o));
	}
	assert_int_equal(index_by_hash(x, INDEX_LABEL, 9, names, 4), 5); /* more */
	assert_int_equal(index_by_class(x, 0, names, 4), 4);
	assert_int_equal(index_by_class(x, 1, names, 4), 3);
	assert_int_equal(index_by_class(x, 9, names, 4), 0);
}

static void
test_flags_and_identity(void **state)
{
	struct index_object o = object(1, 0, 0);
	uint8_t names[4][VIEW_NAME];

	(void)state;
	o.flags = INDEX_SEALED;
	assert_true(index_put(x, &o));
	assert_int_equal(index_sealed(x), 1);
	assert_int_equal(index_by_flag(x, INDEX_SEALED, names, 4), 1);
	assert_int_equal(index_by_flag(x, INDEX_UNKNOWN, names, 4), 0);
	o.flags = INDEX_UNKNOWN;
	assert_true(index_put(x, &o));
	assert_int_equal(index_sealed(x), 0);
	assert_int_equal(index_by_flag(x, INDEX_UNKNOWN, names, 4), 1);
	o.hash[INDEX_IDENTITY] = 42;
	assert_true(index_put(x, &o));
	assert_int_equal(index_by_hash(x, INDEX_IDENTITY, 42, names, 4), 1);
	assert_int_equal(index_by_hash(x, INDEX_IDENTITY, 43, names, 4), 0);
	index_set_complete(x);
	assert_true(index_complete(x));
	index_clear(x);
	assert_false(index_complete(x));
	assert_int_equal(index_by_flag(x, INDEX_UNKNOWN, names, 4), 0);
	assert_false(index_get(x, o.name, &o));
}

static void
test_child_shares_it(void **state)
{
	struct index_object o = object(3, 33, 0);
	int status;
	pid_t pid;

	(void)state;
	if ((pid = fork()) == 0)
		_exit(index_put(x, &o) ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(by_label(33), 1);
}

/* Whoever else can write it writes what they like. */
static void
test_nonsense_ends(void **state)
{
	struct index_object o = object(3, 33, 44), known;
	uint8_t names[4][VIEW_NAME];
	uint32_t *words = (uint32_t *)(void *)x;

	(void)state;
	srandom(1);
	for (int round = 0; round < 20; round++) {
		for (size_t i = 0; i < 300000; i++)
			words[i] = round % 2 ? (uint32_t)random() % 2000
			                     : (uint32_t)random() * 2u;
		for (uint64_t h = 1; h < 50; h++) {
			(void)index_by_hash(x, INDEX_LABEL, h, names, 4);
			(void)index_by_hash(x, INDEX_IDENTITY, h, names, 4);
		}
		(void)index_by_class(x, 3, names, 4);
		(void)index_by_flag(x, INDEX_SEALED, names, 4);
		(void)index_get(x, o.name, &known);
		(void)index_put(x, &o);
		index_remove(x, o.name);
	}
	index_clear(x);
	assert_true(index_put(x, &o));
	assert_int_equal(by_label(33), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_put_find_remove, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_room, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_flags_and_identity, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_child_shares_it, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_nonsense_ends, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
