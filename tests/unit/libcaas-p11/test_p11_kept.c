/* test_p11_kept.c - session objects that vsmd gave to be kept come back (blob.c, resume.c) */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "client.h"
#include "fake.h"

static struct fake *fake;
static CK_SESSION_HANDLE s;

static int
begin(void **state)
{
	(void)state;
	fake->keeps = 1;
	fake->kept = fake->restored = 0;
	client_load();
	s = client_begin();
	return 0;
}

static int
end(void **state)
{
	(void)state;
	fake->mode = FAKE_HONEST;
	fake->keeps = 0;
	(void)p11->C_Finalize(NULL);
	client_unload();
	return 0;
}

static bool
is_called(CK_OBJECT_HANDLE o, const char *label)
{
	CK_BYTE value[64];
	CK_ATTRIBUTE a = {CKA_LABEL, value, sizeof(value)};
	CK_ULONG size;

	/* The second is never answered here. */
	return p11->C_GetAttributeValue(s, o, &a, 1) == CKR_OK &&
	    p11->C_GetObjectSize(s, o, &size) == CKR_OK &&
	    a.ulValueLen == strlen(label) && memcmp(value, label, strlen(label)) == 0;
}

static void
keep_two(void)
{
	CK_OBJECT_HANDLE a = client_data(s, "first", CK_FALSE), b;

	b = client_data(s, "second", CK_FALSE);
	while (fake->kept < 2)
		(void)usleep(1000);
	fake_kill_workers(fake);
	assert_true(is_called(a, "first"));
	assert_true(is_called(b, "second"));
	assert_int_equal(fake->restored, 2);
	/* And again. */
	fake_kill_workers(fake);
	assert_true(is_called(a, "first"));
	assert_true(is_called(b, "second"));
	assert_int_equal(p11->C_DestroyObject(s, b), CKR_OK);
	fake_kill_workers(fake);
	assert_false(is_called(b, "second"));
	assert_true(is_called(a, "first"));
	assert_int_equal(fake->restored, 5);
}

static void
test_they_come_back(void **state)
{
	(void)state;
	keep_two();
}

static void
test_before_the_reply(void **state)
{
	(void)state;
	fake->keeps = 2;
	keep_two();
}

/* The frame that came last, when nobody was reading: it is read when the end is noticed. */
static void
test_unread(void **state)
{
	CK_OBJECT_HANDLE o = client_data(s, "idle", CK_FALSE);

	(void)state;
	while (fake->kept < 1)
		(void)usleep(1000);
	fake_kill(fake);
	fake_restart(fake);
	assert_true(is_called(o, "idle"));
}

/* Changed since: it is lost rather than as it was before. */
static void
test_changed(void **state)
{
	CK_ATTRIBUTE label = {CKA_LABEL, (void *)(uintptr_t)"now", 3};
	CK_OBJECT_HANDLE o = client_data(s, "before", CK_FALSE);

	(void)state;
	while (fake->kept < 1)
		(void)usleep(1000);
	assert_true(is_called(o, "before"));
	assert_int_equal(p11->C_SetAttributeValue(s, o, &label, 1), CKR_OK);
	fake_kill_workers(fake);
	assert_false(is_called(o, "before"));
	assert_false(is_called(o, "now"));
}

static void
test_they_end(void **state)
{
	CK_SESSION_HANDLE t;
	CK_OBJECT_HANDLE o;

	(void)state;
	assert_int_equal(p11->C_OpenSession(FAKE_SLOT, RW, NULL, NULL, &t), CKR_OK);
	o = client_data(t, "theirs", CK_FALSE);
	while (fake->kept < 1)
		(void)usleep(1000);
	assert_int_equal(p11->C_CloseSession(t), CKR_OK);
	fake_kill_workers(fake);
	assert_false(is_called(o, "theirs"));
	assert_int_equal(client_find(s, "theirs", &o, 1), 0);
	assert_int_equal(fake->restored, 0);
}

/* A vsmd of another build keeps none. */
static void
test_none_is_kept(void **state)
{
	CK_OBJECT_HANDLE o = client_data(s, "first", CK_FALSE), p;

	(void)state;
	while (fake->kept < 1)
		(void)usleep(1000);
	fake->keeps = 0;
	fake_kill_workers(fake);
	p = client_data(s, "second", CK_FALSE);
	assert_false(is_called(o, "first"));
	assert_true(is_called(p, "second"));
	assert_int_equal(fake->restored, 0);
}

static void
test_torn(void **state)
{
	CK_OBJECT_HANDLE o;

	(void)state;
	fake->keeps = 2;
	fake->mode = FAKE_KEPT_TORN;
	assert_int_equal(client_data(s, "torn", CK_FALSE), 0);
	fake->mode = FAKE_HONEST;
	fake->keeps = 0;
	o = client_data(s, "whole", CK_FALSE);
	assert_true(is_called(o, "whole"));
}

static int
child_has_none(void)
{
	CK_OBJECT_HANDLE o;

	return client_find(s, "parents", &o, 1) == 0;
}

static void
test_fork(void **state)
{
	CK_OBJECT_HANDLE o = client_data(s, "parents", CK_FALSE);

	(void)state;
	while (fake->kept < 1)
		(void)usleep(1000);
	assert_int_equal(client_in_child(child_has_none), 0);
	assert_int_equal(fake->restored, 0);
	assert_true(is_called(o, "parents"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(test_they_come_back),
	    T(test_before_the_reply),
	    T(test_unread),
	    T(test_changed),
	    T(test_they_end),
	    T(test_none_is_kept),
	    T(test_torn),
	    T(test_fork),
	};

	int failed;

	fake = fake_start();
	failed = cmocka_run_group_tests_name("kept", tests, NULL, NULL);
	fake_stop(fake);
	return failed;
}
