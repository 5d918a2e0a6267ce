/* test_store_open.c - when the store opens, and when it does not */
#include <linux/magic.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cmocka.h>

#include "dirs.h"
#include "group.h"

static void
the_first_start_has_a_blank_slot(void **state)
{
	RIG(r);

	assert_int_equal(r->nslots, 1);
	assert_int_equal(r->slots[0].number, 0);
	assert_false(r->slots[0].initialized);
	assert_true(r->seeded);
	assert_int_equal(rig_stop(r), 0);
	assert_true(rig_start(r));
	assert_true(r->seeded);
	assert_int_equal(r->nslots, 1);
	assert_int_equal(r->slots[0].number, 0);
}

static void
not_on_a_disk(void **state)
{
	struct statfs fs;
	struct rig r;

	(void)state;
	rig_init(&r);
	dirs_remove(r.memory);
	r.memory = dirs_make("/var/tmp");
	if (statfs(r.memory, &fs) != 0 || fs.f_type == TMPFS_MAGIC) {
		print_message("SKIPPED: /var/tmp is no disk here\n");
		rig_free(&r);
		skip();
	}
	r.config.memory = r.memory;
	assert_false(rig_start(&r));
	rig_free(&r);
}

static void
wrong_pcrs_and_approvals(void **state)
{
	RIG(r);

	close(group_token(r, 0, "one"));
	assert_int_equal(rig_stop(r), 0);
	dirs_save(r->state, "tpm-state", "B1", 2);
	assert_false(rig_start(r));
	r->config.approvals = "/nowhere"; /* the fake TPM takes any */
	assert_true(rig_start(r));
	assert_int_equal(rig_stop(r), 0);
	r->config.approvals = NULL; /* it was sealed again to B */
	assert_true(rig_start(r));
	assert_int_equal(rig_stop(r), 0);
	dirs_unlink(r->state, "tpm-state");
	assert_false(rig_start(r));
	dirs_save(r->state, "tpm-state", "B1", 2);
	assert_true(rig_start(r));
	assert_true(rig_slot(r, 0)->initialized);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, group_setup, group_teardown)
	const struct CMUnitTest tests[] = {
	    T(the_first_start_has_a_blank_slot),
	    T(wrong_pcrs_and_approvals),
	    cmocka_unit_test(not_on_a_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
