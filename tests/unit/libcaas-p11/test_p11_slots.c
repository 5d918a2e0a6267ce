/* slots.c and call.c: a channel is lost again before the call could use it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <assert.h>

#include "client.h"
#include "fake.h"
#include "libcaas-p11/link.h"
#include "libcaas-p11/slots.h"

static struct fake *fake;
static CK_SESSION_HANDLE s;
static CK_OBJECT_HANDLE key;
static int seen, unseen; /* channels to be lost as soon as they are there */

bool __real_resume_slot(struct slot *slot, struct link *link, uint64_t generation);
bool __wrap_resume_slot(struct slot *slot, struct link *link, uint64_t generation);

bool
__wrap_resume_slot(struct slot *slot, struct link *link, uint64_t generation)
{
	if (!__real_resume_slot(slot, link, generation))
		return false;
	if (seen > 0) { /* by another thread, that was faster to use it */
		seen--;
		link_break(link, CKR_DEVICE_REMOVED);
	} else if (unseen > 0) {
		unseen--;
		fake_kill_workers(fake);
	}
	return true;
}

static bool overtaken; /* the next login, by what another thread does */

bool __real_slot_logged_in(struct slot *slot, uint64_t generation, CK_USER_TYPE user,
    const uint8_t *ticket, size_t len);
bool __wrap_slot_logged_in(struct slot *slot, uint64_t generation, CK_USER_TYPE user,
    const uint8_t *ticket, size_t len);

bool
__wrap_slot_logged_in(struct slot *slot, uint64_t generation, CK_USER_TYPE user,
    const uint8_t *ticket, size_t len)
{
	struct link *link;
	uint64_t now;

	if (overtaken) {
		overtaken = false;
		fake_kill_workers(fake);
		link_break(slot->link, CKR_DEVICE_REMOVED);
		assert_int_equal(slot_link(slot, &link, &now), ATTACH_OK);
		assert_true(now > generation);
		link_release(link);
	}
	return __real_slot_logged_in(slot, generation, user, ticket, len);
}

static int
begin(void **state)
{
	(void)state;
	assert_int_equal(C_GetFunctionList(&p11), CKR_OK);
	s = client_begin();
	key = client_find_private(s, "key");
	assert_int_not_equal(key, 0);
	assert_int_equal(client_sign(s, key), CKR_OK);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	seen = unseen = 0;
	(void)p11->C_Finalize(NULL);
	return 0;
}

static void
lost(int how_seen, int how_unseen)
{
	CK_MECHANISM pkcs = {CKM_RSA_PKCS, NULL, 0};
	CK_BYTE data[] = "data", signature[256];
	CK_ULONG len = sizeof(signature);

	assert_int_equal(p11->C_SignInit(s, &pkcs, key), CKR_OK);
	seen = how_seen;
	unseen = how_unseen;
	fake_kill_workers(fake);
	assert_int_equal(p11->C_Sign(s, data, 4, signature, &len), CKR_OK);
	assert_int_equal(seen + unseen, 0);
	assert_int_equal(len, 128);
	assert_int_equal(client_sign(s, key), CKR_OK);
}

static void
test_lost_to_another_thread(void **state)
{
	(void)state;
	lost(1, 0);
	lost(3, 0);
}

static void
test_lost_before_the_call_was_read(void **state)
{
	(void)state;
	lost(0, 1);
	lost(0, 2);
	lost(2, 2);
}

/* Nor is it tried for ever. */
static void
test_lost_each_time(void **state)
{
	(void)state;
	seen = 1000;
	fake_kill_workers(fake);
	assert_int_not_equal(client_sign(s, key), CKR_OK);
	assert_in_range(seen, 900, 999);
	seen = 0;
	unseen = 1000;
	assert_int_not_equal(client_sign(s, key), CKR_OK);
	assert_in_range(unseen, 900, 999);
	unseen = 0;
	assert_int_equal(client_sign(s, key), CKR_OK);
}

/* Between the worker's answer to a login and what comes of it another thread has found the worker
 * gone, and made a channel to the next one, to which nobody has logged in. */
static void
test_login_overtaken(void **state)
{
	CK_SESSION_INFO info;

	(void)state;
	assert_int_equal(p11->C_Logout(s), CKR_OK);
	overtaken = true;
	assert_int_equal(p11->C_Login(s, CKU_USER, (CK_UTF8CHAR_PTR)FAKE_PIN, 4), CKR_OK);
	assert_false(overtaken);
	assert_int_equal(p11->C_GetSessionInfo(s, &info), CKR_OK);
	assert_int_equal(info.state, CKS_RW_USER_FUNCTIONS);
	key = client_find_private(s, "key");
	assert_int_equal(client_sign(s, key), CKR_OK);
	/* And it lasts. */
	fake_kill_workers(fake);
	assert_int_equal(client_sign(s, key), CKR_OK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_lost_to_another_thread, begin, end),
	    cmocka_unit_test_setup_teardown(test_lost_before_the_call_was_read, begin, end),
	    cmocka_unit_test_setup_teardown(test_lost_each_time, begin, end),
	    cmocka_unit_test_setup_teardown(test_login_overtaken, begin, end),
	};
	int failed;

	fake = fake_start();
	if (C_GetFunctionList(&p11) != CKR_OK)
		return 1;
	s = client_begin();
	assert(client_rsa(s, "key", CK_TRUE, NULL) != 0);
	(void)p11->C_Finalize(NULL);
	failed = cmocka_run_group_tests_name("slots", tests, NULL, NULL);
	fake_stop(fake);
	return failed;
}
