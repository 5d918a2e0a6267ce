/* call.c and begun.c: a worker ends that had read a call, and perhaps done it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <assert.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"
#include "fake.h"

static struct fake *fake;
static CK_SESSION_HANDLE s;
static CK_OBJECT_HANDLE private, public;
static CK_MECHANISM pkcs = {CKM_RSA_PKCS, NULL, 0}, sha_rsa = {CKM_SHA256_RSA_PKCS, NULL, 0},
		    sha = {CKM_SHA256, NULL, 0};
static CK_BYTE data[] = "data";

static int
begin(void **state)
{
	CK_OBJECT_HANDLE pair[2];

	(void)state;
	client_load();
	s = client_begin();
	private = client_find_private(s, "key");
	assert_int_equal(client_find(s, "key", pair, 2), 2);
	public = pair[0] == private ? pair[1] : pair[0];
	return 0;
}

static int
begin_without_shortcuts(void **state)
{
	assert_int_equal(setenv("CAAS_VSM_SHORTCUTS", "off", 1), 0);
	(void)begin(state);
	return unsetenv("CAAS_VSM_SHORTCUTS");
}

static int
end(void **state)
{
	(void)state;
	fake->mode = FAKE_HONEST;
	fake->knows_once = fake->forgets_once = 0;
	(void)p11->C_Finalize(NULL);
	client_unload();
	return 0;
}

static int
begin_with_names(void **state)
{
	fake->knows_once = 1;
	fake->onces = fake->repeated = 0;
	return begin(state);
}

/* The next call is done by n workers that end, and perhaps answered by one more. */
static void
let_die(int n)
{
	fake->dying = n;
	fake->mode = FAKE_DIES;
}

static void
assert_all_died(void)
{
	assert_int_equal(fake->mode, FAKE_HONEST);
}

static void
verify(const CK_BYTE *signature, CK_ULONG len)
{
	assert_int_equal(p11->C_VerifyInit(s, &pkcs, public), CKR_OK);
	assert_int_equal(p11->C_Verify(s, data, 4, (CK_BYTE_PTR)(uintptr_t)signature, len),
	    CKR_OK);
}

/* A first time, when the beginning is sent by itself, and later, when it may be held. */
static void
test_signature(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		CK_BYTE signature[256];
		CK_ULONG len = sizeof(signature);

		assert_int_equal(p11->C_SignInit(s, &pkcs, private), CKR_OK);
		let_die(1);
		assert_int_equal(p11->C_Sign(s, data, 4, signature, &len), CKR_OK);
		assert_all_died();
		verify(signature, len);
		/* And it is over. */
		len = sizeof(signature);
		assert_int_equal(p11->C_Sign(s, data, 4, signature, &len),
		    CKR_OPERATION_NOT_INITIALIZED);
	}
}

static void
test_between_beginning_and_signature(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		CK_BYTE signature[256];
		CK_ULONG len = 0;

		assert_int_equal(p11->C_SignInit(s, &pkcs, private), CKR_OK);
		fake_kill_workers(fake);
		assert_int_equal(p11->C_Sign(s, data, 4, NULL, &len), CKR_OK);
		fake_kill_workers(fake);
		len--;
		assert_int_equal(p11->C_Sign(s, data, 4, signature, &len),
		    CKR_BUFFER_TOO_SMALL);
		fake_kill_workers(fake);
		assert_int_equal(p11->C_Sign(s, data, 4, signature, &len), CKR_OK);
		verify(signature, len);
		fake_kill_workers(fake);
		assert_int_equal(p11->C_Sign(s, data, 4, signature, &len),
		    CKR_OPERATION_NOT_INITIALIZED);
	}
}

static void
test_the_beginning_itself(void **state)
{
	CK_BYTE signature[256];
	CK_ULONG len = sizeof(signature);

	(void)state;
	let_die(1);
	assert_int_equal(p11->C_SignInit(s, &pkcs, private), CKR_OK);
	assert_all_died();
	assert_int_equal(p11->C_SignInit(s, &pkcs, private), CKR_OPERATION_ACTIVE);
	assert_int_equal(p11->C_Sign(s, data, 4, signature, &len), CKR_OK);
	verify(signature, len);
}

/* Its data are gone; the session is not. */
static void
test_several_parts(void **state)
{
	CK_BYTE out[256];
	CK_ULONG len = sizeof(out);

	(void)state;
	assert_int_equal(p11->C_SignInit(s, &sha_rsa, private), CKR_OK);
	assert_int_equal(p11->C_SignUpdate(s, data, 4), CKR_OK);
	let_die(1);
	assert_int_equal(p11->C_SignFinal(s, out, &len), CKR_OPERATION_NOT_INITIALIZED);
	assert_all_died();
	/* Nor is it begun again as one in a single part. */
	assert_int_equal(p11->C_SignInit(s, &sha_rsa, private), CKR_OK);
	assert_int_equal(p11->C_SignUpdate(s, data, 4), CKR_OK);
	fake_kill_workers(fake);
	len = sizeof(out);
	assert_int_equal(
	    p11->C_Sign(s, data, 4, out, &len), CKR_OPERATION_NOT_INITIALIZED);
	assert_int_equal(p11->C_DigestInit(s, &sha), CKR_OK);
	let_die(1);
	assert_int_equal(p11->C_DigestUpdate(s, data, 4), CKR_OPERATION_NOT_INITIALIZED);
	assert_int_equal(p11->C_DigestInit(s, &sha), CKR_OK);
	len = sizeof(out);
	assert_int_equal(p11->C_Digest(s, data, 4, out, &len), CKR_OK);
}

static void
test_other_calls(void **state)
{
	CK_SESSION_INFO info;
	CK_TOKEN_INFO token;
	CK_SESSION_HANDLE other;
	CK_OBJECT_HANDLE o[4];
	CK_BYTE label[16];
	CK_ATTRIBUTE a = {CKA_LABEL, label, sizeof(label)};

	(void)state;
	let_die(1);
	assert_int_equal(p11->C_OpenSession(FAKE_SLOT, RW, NULL, NULL, &other), CKR_OK);
	let_die(1);
	assert_int_equal(client_find(other, "key", o, 4), 2);
	let_die(1);
	assert_int_equal(p11->C_GetTokenInfo(FAKE_SLOT, &token), CKR_OK);
	let_die(1);
	assert_int_equal(p11->C_CloseSession(other), CKR_OK);
	assert_int_equal(p11->C_GetSessionInfo(other, &info), CKR_SESSION_HANDLE_INVALID);
	let_die(1);
	assert_int_equal(p11->C_SetAttributeValue(s, public, &a, 0), CKR_OK);
	let_die(1);
	assert_int_equal(p11->C_Logout(s), CKR_OK);
	assert_int_equal(p11->C_GetSessionInfo(s, &info), CKR_OK);
	assert_int_equal(info.state, CKS_RW_PUBLIC_SESSION);
	let_die(1);
	assert_int_equal(p11->C_Login(s, CKU_USER, (CK_UTF8CHAR_PTR)FAKE_PIN, 4), CKR_OK);
	assert_int_equal(p11->C_GetSessionInfo(s, &info), CKR_OK);
	assert_int_equal(info.state, CKS_RW_USER_FUNCTIONS);
	assert_all_died();
}

/* It was destroyed by who could not say so. */
static void
test_destruction(void **state)
{
	CK_OBJECT_HANDLE o = client_data(s, "destroyed", CK_TRUE), found[2];
	CK_ULONG size;

	(void)state;
	let_die(1);
	assert_int_equal(p11->C_DestroyObject(s, o), CKR_OK);
	assert_int_equal(p11->C_GetObjectSize(s, o, &size), CKR_OBJECT_HANDLE_INVALID);
	assert_int_equal(p11->C_DestroyObject(s, o), CKR_OBJECT_HANDLE_INVALID);
	assert_int_equal(client_find(s, "destroyed", found, 2), 0);
}

/* What lasts is made once or not at all, what does not is made again. */
static void
test_creation(void **state)
{
	CK_OBJECT_HANDLE o, found[4];
	CK_ULONG size;

	(void)state;
	let_die(1);
	o = client_data(s, "of-session", CK_FALSE);
	assert_int_not_equal(o, 0);
	assert_int_equal(p11->C_GetObjectSize(s, o, &size), CKR_OK);
	assert_int_equal(client_find(s, "of-session", found, 4), 1);
	let_die(1);
	assert_int_equal(client_data(s, "lasting", CK_TRUE), 0);
	assert_all_died();
	assert_int_equal(client_find(s, "lasting", found, 4), 1);
	assert_int_equal(p11->C_DestroyObject(s, found[0]), CKR_OK);
	let_die(1);
	assert_int_equal(p11->C_SetPIN(s, (CK_UTF8CHAR_PTR)FAKE_PIN, 4,
	    (CK_UTF8CHAR_PTR)FAKE_PIN, 4), CKR_DEVICE_REMOVED);
}

/* By its name, it is made once whatever was lost. */
static void
test_creation_by_name(void **state)
{
	CK_OBJECT_HANDLE o, pub, found[4];
	CK_ULONG size;

	(void)state;
	let_die(2);
	o = client_data(s, "named", CK_TRUE);
	assert_int_not_equal(o, 0);
	assert_all_died();
	assert_int_equal(fake->repeated, 2);
	assert_int_equal(client_find(s, "named", found, 4), 1);
	assert_int_equal(found[0], o);
	assert_int_equal(p11->C_DestroyObject(s, o), CKR_OK);
	let_die(1);
	o = client_rsa(s, "named-pair", CK_TRUE, &pub);
	assert_int_equal(client_find(s, "named-pair", found, 4), 2);
	assert_int_equal(client_sign(s, o), CKR_OK);
	assert_int_equal(p11->C_GetObjectSize(s, pub, &size), CKR_OK);
	assert_int_equal(p11->C_DestroyObject(s, pub), CKR_OK);
	assert_int_equal(p11->C_DestroyObject(s, o), CKR_OK);
	/* Two that are alike are two. */
	fake->repeated = 0;
	assert_int_not_equal(client_data(s, "alike", CK_TRUE), 0);
	assert_int_not_equal(client_data(s, "alike", CK_TRUE), 0);
	assert_int_equal(fake->repeated, 0);
	assert_int_equal(client_find(s, "alike", found, 4), 2);
	for (int i = 0; i < 2; i++)
		assert_int_equal(p11->C_DestroyObject(s, found[i]), CKR_OK);
	/* What dies with the session needs no name. */
	fake->onces = 0;
	assert_int_not_equal(client_data(s, "of-session", CK_FALSE), 0);
	assert_int_equal(fake->onces, 0);
}

/* The next vsmd is an older one, which knows nothing of names: then nobody does. */
static void
test_creation_by_name_forgotten(void **state)
{
	CK_OBJECT_HANDLE found[4];

	(void)state;
	fake->forgets_once = 1;
	let_die(1);
	assert_int_equal(client_data(s, "forgotten", CK_TRUE), 0);
	assert_int_equal(client_find(s, "forgotten", found, 4), 1);
	assert_int_equal(p11->C_DestroyObject(s, found[0]), CKR_OK);
}

/* vsmd is being restarted while somebody comes, or comes back. */
static void
test_end_of_a_hello(void **state)
{
	CK_ULONG n = 0;

	(void)state;
	fake->dying = 3;
	fake->mode = FAKE_DIES_EARLY;
	assert_int_equal(p11->C_Finalize(NULL), CKR_OK);
	assert_int_equal(p11->C_Initialize(NULL), CKR_OK);
	assert_int_equal(p11->C_GetSlotList(CK_TRUE, NULL, &n), CKR_OK);
	assert_int_equal(n, 2);
	assert_all_died();
	fake->dying = 3;
	fake->mode = FAKE_DIES_EARLY;
	assert_int_equal(p11->C_OpenSession(FAKE_SLOT, RW, NULL, NULL, &s), CKR_OK);
	assert_all_died();
	fake_kill_workers(fake);
	fake->dying = 3;
	fake->mode = FAKE_DIES_EARLY;
	assert_int_equal(p11->C_GenerateRandom(s, data, 4), CKR_OK);
	memcpy(data, "data", 4);
	assert_all_died();
}

/* A child of fork() whose first call meets no vsmd waits for one as others do. */
static void
test_child_while_away(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	fake_kill(fake);
	assert_true((pid = fork()) >= 0);
	if (pid == 0) {
		alarm(60);
		_exit(client_sign(s, private) == CKR_OK ? 0 : 1);
	}
	(void)usleep(300000);
	fake_restart(fake);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* A call that every worker dies of. */
static void
test_not_for_ever(void **state)
{
	CK_BYTE b[4];

	(void)state;
	let_die(2);
	assert_int_equal(p11->C_GenerateRandom(s, b, 4), CKR_OK);
	assert_all_died();
	let_die(10);
	assert_int_equal(p11->C_GenerateRandom(s, b, 4), CKR_DEVICE_REMOVED);
	assert_int_equal(fake->dying, 7);
	fake->mode = FAKE_HONEST;
	assert_int_equal(client_sign(s, private), CKR_OK);
}

#define BOTH(f) cmocka_unit_test_setup_teardown(f, begin, end), \
	cmocka_unit_test_setup_teardown(f, begin_without_shortcuts, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    BOTH(test_signature),
	    BOTH(test_between_beginning_and_signature),
	    BOTH(test_the_beginning_itself),
	    BOTH(test_several_parts),
	    BOTH(test_other_calls),
	    BOTH(test_destruction),
	    BOTH(test_creation),
	    cmocka_unit_test_setup_teardown(test_creation_by_name, begin_with_names, end),
	    cmocka_unit_test_setup_teardown(
		test_creation_by_name_forgotten, begin_with_names, end),
	    BOTH(test_end_of_a_hello),
	    BOTH(test_child_while_away),
	    BOTH(test_not_for_ever),
	};
	int failed;

	fake = fake_start();
	client_load();
	s = client_begin();
	assert(client_rsa(s, "key", CK_TRUE, NULL) != 0);
	(void)p11->C_Finalize(NULL);
	client_unload();
	failed = cmocka_run_group_tests_name("repeat", tests, NULL, NULL);
	fake_stop(fake);
	return failed;
}
