/* test_slots.c - how many slots there may be */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/ipc.h"
#include "common/log.h"
#include "vsmd/store/slots.h"

/* M_T_SLOTS with the longest of everything. */
static size_t
said(size_t slots, size_t path)
{
	return 1 + 8 + 4 + slots * (4 + 1 + 8 + 32 + 8 + 16 + 8 + path);
}

static void
their_list_fits_a_message(void **state)
{
	struct slots s;

	(void)state;
	slot_table_init(&s);
	for (size_t path = 1; path < 4096; path++) {
		assert_true(slot_table_limit(&s, path));
		assert_true(s.max >= 1 && s.max <= SLOTS_MAX);
		assert_true(said(s.max, path) <= IPC_MAX);
		if (s.max < SLOTS_MAX)
			assert_true(said(s.max + 1, path) > IPC_MAX);
	}
	slot_table_free(&s);
}

static void
no_more_than_that(void **state)
{
	struct slots s;

	(void)state;
	log_level(LOG_ERR_);
	slot_table_init(&s);
	assert_true(slot_table_limit(&s, 20000)); /* room for three */
	assert_int_equal(s.max, 3);
	for (size_t i = 0; i < 3; i++) {
		struct slot *slot = slot_table_add_blank(&s);

		assert_non_null(slot);
		assert_int_equal(slot->number, i);
		assert_null(slot_table_add_blank(&s)); /* there is a blank one */
		slot->initialized = true;
	}
	assert_null(slot_table_add_blank(&s));
	assert_null(slot_table_add(&s, 7));
	slot_table_drop(&s, s.all[1]);
	assert_non_null(slot_table_add_blank(&s));
	assert_false(slot_table_limit(&s, 30000));
	slot_table_free(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(their_list_fits_a_message),
	    cmocka_unit_test(no_more_than_that),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
