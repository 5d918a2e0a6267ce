/* test_arena.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/arena.h"

static void
memory_is_zeroed_and_aligned(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a, 1 << 20);
	for (size_t size = 1; size < 9000; size = size * 2 + 1) {
		unsigned char *p = arena_alloc(&a, size);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xff, size);
	}
	arena_free(&a);
	assert_int_equal(a.used, 0);
}

static void
allocations_do_not_overlap(void **state)
{
	struct arena a;
	unsigned char *p[600];

	(void)state;
	arena_init(&a, 1 << 20);
	for (size_t i = 0; i < 600; i++) {
		assert_non_null(p[i] = arena_alloc(&a, 1 + i % 40));
		memset(p[i], (int)(i % 251), 1 + i % 40);
	}
	for (size_t i = 0; i < 600; i++)
		for (size_t k = 0; k < 1 + i % 40; k++)
			assert_int_equal(p[i][k], i % 251);
	arena_free(&a);
}

static void
bound_is_on_the_sum(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a, 100);
	assert_non_null(arena_alloc(&a, 60));
	assert_null(arena_alloc(&a, 41));
	assert_non_null(arena_alloc(&a, 40));
	assert_null(arena_alloc(&a, 1));
	assert_null(arena_room(&a, 1));
	assert_non_null(arena_alloc(&a, 0));
	arena_free(&a);
	assert_non_null(arena_alloc(&a, 100));
	arena_free(&a);
}

static void
products_are_checked(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a, SIZE_MAX);
	assert_null(arena_array(&a, SIZE_MAX / 2, 3));
	assert_null(arena_alloc(&a, SIZE_MAX));
	assert_null(arena_room(&a, SIZE_MAX));
	assert_non_null(arena_array(&a, 0, 16));
	assert_non_null(arena_array(&a, 10, 16));
	arena_free(&a);
}

static void
used_part_of_a_room_ends_it(void **state)
{
	struct arena a;
	unsigned char *room, *small, *next;

	(void)state;
	arena_init(&a, 1 << 20);
	assert_non_null(room = arena_room(&a, 100000));
	memset(room, 1, 500);
	arena_used(&a, room, 500);
	/* What follows must not lie in the part that is not wiped. */
	assert_non_null(next = arena_alloc(&a, 16));
	assert_true(next < room || next >= room + 100000);
	assert_non_null(small = arena_room(&a, 10));
	arena_used(&a, small, 5);
	arena_used(&a, &a, 5);
	arena_free(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(memory_is_zeroed_and_aligned),
	    cmocka_unit_test(allocations_do_not_overlap),
	    cmocka_unit_test(bound_is_on_the_sum),
	    cmocka_unit_test(products_are_checked),
	    cmocka_unit_test(used_part_of_a_room_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
