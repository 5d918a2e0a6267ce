/* test_worker_make.c - what changes the token is committed, and nothing else is */
#include "rig.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

static struct rig rig;

static int
setup(void **state)
{
	(void)state;
	rig_start(&rig, true);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	rig_stop(&rig);
	return 0;
}

static void
test_token_objects_are_committed(void **state)
{
	struct grant grant = rig_grant();
	CK_BBOOL yes = CK_TRUE;
	CK_ATTRIBUTE copy[] = {{CKA_TOKEN, &yes, 1}};
	CK_ATTRIBUTE set[] = {{CKA_LABEL, (void *)(uintptr_t)"b", 1}};
	CK_OBJECT_HANDLE key, other;
	uint64_t epoch;
	struct guest g;
	int n;

	(void)state;
	guest_attach(&g, &rig, &grant, 0);
	guest_login(&g);
	n = rig.store.commits;
	epoch = g.epoch;
	assert_int_equal(guest_make_aes(&g, "a", true, false, &key), CKR_OK);
	assert_int_equal(rig.store.commits, ++n);
	assert_int_equal(g.epoch, epoch + 1);
	assert_non_null(strstr(rig.store.events,
	    "C_GenerateKey class=CKO_SECRET_KEY label=\"a\" mechanism=CKM_AES_KEY_GEN 0"));
	assert_int_equal(CALLX(&g, C_CopyObject, N(g.session), N(key), PL(copy, 1), P(&other)),
	    CKR_OK);
	assert_int_equal(rig.store.commits, ++n);
	/* Nothing said of CKA_TOKEN: a copy is what its source is. */
	assert_int_equal(CALLX(&g, C_CopyObject, N(g.session), N(key), PL(set, 1), P(&other)),
	    CKR_OK);
	assert_int_equal(rig.store.commits, ++n);
	assert_int_equal(
	    CALLX(&g, C_SetAttributeValue, N(g.session), N(key), PL(set, 1)), CKR_OK);
	assert_int_equal(rig.store.commits, ++n);
	assert_int_equal(CALLX(&g, C_DestroyObject, N(g.session), N(key)), CKR_OK);
	assert_int_equal(rig.store.commits, ++n);
	assert_non_null(strstr(rig.store.events, "C_DestroyObject class=CKO_SECRET_KEY"));
	assert_int_equal(g.epoch, epoch + 5);
	assert_int_equal(CALLX(&g, C_DestroyObject, N(g.session), N(key)),
	    CKR_OBJECT_HANDLE_INVALID);
	assert_int_equal(rig.store.commits, n);
	assert_int_equal(guest_leave(&g), 0);
}

static void
test_session_objects_are_not(void **state)
{
	struct grant grant = rig_grant();
	CK_OBJECT_CLASS class = CKO_DATA;
	CK_ATTRIBUTE data[] = {
	    {CKA_CLASS, &class, sizeof(class)},
	    {CKA_VALUE, (void *)(uintptr_t)"value", 5},
	};
	CK_ATTRIBUTE set[] = {{CKA_LABEL, (void *)(uintptr_t)"b", 1}};
	CK_OBJECT_HANDLE key, pub, priv, obj;
	struct guest g;
	int n;

	(void)state;
	guest_attach(&g, &rig, &grant, 0);
	guest_login(&g);
	n = rig.store.commits;
	assert_int_equal(guest_make_aes(&g, "s", false, false, &key), CKR_OK);
	assert_int_equal(guest_make_rsa(&g, 1024, "s", false, &pub, &priv), CKR_OK);
	assert_int_equal(
	    CALLX(&g, C_CreateObject, N(g.session), PL(data, 2), P(&obj)), CKR_OK);
	assert_int_equal(
	    CALLX(&g, C_SetAttributeValue, N(g.session), N(obj), PL(set, 1)), CKR_OK);
	assert_int_equal(CALLX(&g, C_DestroyObject, N(g.session), N(obj)), CKR_OK);
	assert_int_equal(rig.store.commits, n);
	assert_int_equal(guest_leave(&g), 0);
}

static void
test_wrap_unwrap_derive(void **state)
{
	struct grant grant = rig_grant();
	CK_MECHANISM wrap = {CKM_AES_KEY_WRAP_PAD, NULL, 0};
	CK_KEY_DERIVATION_STRING_DATA string = {(CK_BYTE *)(uintptr_t)"0123456789abcdef", 16};
	CK_MECHANISM derive = {CKM_AES_ECB_ENCRYPT_DATA, &string, sizeof(string)};
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_AES;
	CK_BBOOL yes = CK_TRUE;
	CK_ULONG len16 = 16;
	CK_ATTRIBUTE t[] = {
	    {CKA_CLASS, &class, sizeof(class)},
	    {CKA_KEY_TYPE, &type, sizeof(type)},
	    {CKA_TOKEN, &yes, 1},
	    {CKA_UNWRAP, &yes, 1},
	    {CKA_DERIVE, &yes, 1},
	};
	CK_ATTRIBUTE d[] = {
	    {CKA_CLASS, &class, sizeof(class)},
	    {CKA_KEY_TYPE, &type, sizeof(type)},
	    {CKA_TOKEN, &yes, 1},
	    {CKA_VALUE_LEN, &len16, sizeof(len16)},
	};
	CK_ATTRIBUTE can[] = {{CKA_UNWRAP, &yes, 1}, {CKA_DERIVE, &yes, 1}};
	CK_OBJECT_HANDLE by, key, back, derived;
	uint8_t wrapped[64];
	CK_ULONG len = sizeof(wrapped);
	struct guest g;
	int n;

	(void)state;
	guest_attach(&g, &rig, &grant, 0);
	guest_login(&g);
	assert_int_equal(guest_make_aes(&g, "by", false, false, &by), CKR_OK);
	assert_int_equal(
	    CALLX(&g, C_SetAttributeValue, N(g.session), N(by), PL(can, 2)), CKR_OK);
	assert_int_equal(guest_make_aes(&g, "key", false, true, &key), CKR_OK);
	n = rig.store.audits;
	assert_int_equal(CALLX(&g, C_WrapKey, N(g.session), P(&wrap), N(by), N(key),
			     {.ptr = wrapped, .len = len, .plen = &len}), CKR_OK);
	assert_int_equal(rig.store.audits, n + 1);
	assert_non_null(strstr(rig.store.events, "C_WrapKey class=CKO_SECRET_KEY label=\"key\""));
	n = rig.store.commits;
	assert_int_equal(CALLX(&g, C_UnwrapKey, N(g.session), P(&wrap), N(by),
			     PL(wrapped, len), PL(t, 5), P(&back)), CKR_OK);
	assert_int_equal(rig.store.commits, n + 1);
	assert_int_equal(CALLX(&g, C_DeriveKey, N(g.session), P(&derive), N(by), PL(d, 4),
			     P(&derived)), CKR_OK);
	assert_int_equal(rig.store.commits, n + 2);
	assert_int_equal(guest_leave(&g), 0);
}

/* Not durable is not done: the code is the store's, no handle, and the worker ends. */
static void
test_commit_fails(void **state)
{
	struct grant grant = rig_grant();
	CK_OBJECT_HANDLE key = 0;
	struct guest g;
	struct frame f;
	int status;

	(void)state;
	guest_attach(&g, &rig, &grant, 0);
	guest_login(&g);
	rig.store.commit_rv = CKR_DEVICE_MEMORY;
	assert_int_equal(guest_make_aes(&g, "full", true, false, &key), CKR_DEVICE_MEMORY);
	assert_int_equal(key, 0);
	assert_false(guest_receive(&g, &f));
	status = guest_wait_end(&g);
	assert_int_equal(WEXITSTATUS(status), 1);
	rig.store.commit_rv = CKR_OK;
}

/* A worker that died while it wrote: the next one has the store look, and serves nothing; who
 * asked it asks again. */
static void
test_broken_token(void **state)
{
	struct grant grant = rig_grant();
	CK_OBJECT_HANDLE key;
	struct guest g;
	int n, status;

	(void)state;
	guest_attach(&g, &rig, &grant, 0);
	guest_login(&g);
	n = rig.store.commits;
	atomic_store(&rig.gate.shared->writing, 1);
	assert_int_equal(guest_make_aes(&g, "x", true, false, &key), CKR_DEVICE_REMOVED);
	assert_int_equal(g.again, 1);
	assert_int_equal(rig.store.commits, n + 1);
	status = guest_wait_end(&g);
	assert_int_equal(WEXITSTATUS(status), 0);
	atomic_store(&rig.gate.shared->writing, 0);
}

/* The store ends before it answers: worker_end() closes the channel before there is a reply, which
 * would be taken for an answer, so that the guest asks the next worker. */
static void
test_store_gone(void **state)
{
	struct grant grant = rig_grant();
	CK_OBJECT_HANDLE key;
	struct guest g;
	struct frame f;
	int status;

	(void)state;
	guest_attach(&g, &rig, &grant, 0);
	guest_login(&g);
	assert_int_equal(guest_make_aes(&g, "gone", true, false, &key), CKR_OK);
	assert_int_equal(shutdown(g.store, SHUT_RDWR), 0);
	guest_send(&g, 900, CALL_C_DestroyObject,
	    (const struct arg[ARGS_MAX]){N(g.session), N(key)});
	assert_false(guest_receive(&g, &f));
	status = guest_wait_end(&g);
	assert_int_equal(WEXITSTATUS(status), 1);
}

/* Objects that others make and destroy are seen, while they come and go. */
static void
test_seen_by_others(void **state)
{
	struct grant grant = rig_grant();
	CK_OBJECT_HANDLE key, all[64];
	struct guest a, b;
	CK_ULONG before;

	(void)state;
	guest_attach(&a, &rig, &grant, 0);
	guest_attach(&b, &rig, &grant, 0);
	guest_login(&a);
	guest_login(&b);
	before = guest_find(&b, all, 64);
	assert_int_equal(guest_make_aes(&a, "new", true, false, &key), CKR_OK);
	assert_int_equal(guest_find(&b, all, 64), before + 1);
	assert_int_equal(CALLX(&a, C_DestroyObject, N(a.session), N(key)), CKR_OK);
	assert_int_equal(guest_find(&b, all, 64), before);
	assert_int_equal(guest_leave(&a), 0);
	assert_int_equal(guest_leave(&b), 0);
}

/* As many objects as the token may have, and not one more; whoever made them. */
static void
test_objects_are_limited(void **state)
{
	struct grant grant = rig_grant();
	_Atomic uint32_t *objects = &rig.gate.shared->objects;
	CK_OBJECT_HANDLE key, other, session_key;
	CK_BBOOL yes = CK_TRUE;
	CK_ATTRIBUTE copy[] = {{CKA_TOKEN, &yes, 1}};
	uint32_t before = atomic_load(objects);
	struct guest g;
	int commits;

	(void)state;
	guest_attach(&g, &rig, &grant, 0);
	guest_login(&g);
	atomic_store(objects, RIG_OBJECTS - 1);
	assert_int_equal(guest_make_aes(&g, "last", true, false, &key), CKR_OK);
	assert_int_equal(atomic_load(objects), RIG_OBJECTS);
	commits = rig.store.commits;
	assert_int_equal(guest_make_aes(&g, "more", true, false, &other), CKR_DEVICE_MEMORY);
	assert_int_equal(CALLX(&g, C_CopyObject, N(g.session), N(key), PL(copy, 1), P(&other)),
	    CKR_DEVICE_MEMORY);
	assert_int_equal(rig.store.commits, commits);
	/* Session objects are none of the token's. */
	assert_int_equal(guest_make_aes(&g, "session", false, false, &session_key), CKR_OK);
	assert_int_equal(atomic_load(objects), RIG_OBJECTS);
	assert_int_equal(CALLX(&g, C_DestroyObject, N(g.session), N(session_key)), CKR_OK);
	assert_int_equal(atomic_load(objects), RIG_OBJECTS);
	assert_int_equal(CALLX(&g, C_DestroyObject, N(g.session), N(key)), CKR_OK);
	assert_int_equal(atomic_load(objects), RIG_OBJECTS - 1);
	assert_int_equal(guest_make_aes(&g, "again", true, false, &key), CKR_OK);
	assert_int_equal(CALLX(&g, C_DestroyObject, N(g.session), N(key)), CKR_OK);
	assert_int_equal(guest_leave(&g), 0);
	atomic_store(objects, before);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_token_objects_are_committed),
	    cmocka_unit_test(test_session_objects_are_not),
	    cmocka_unit_test(test_wrap_unwrap_derive),
	    cmocka_unit_test(test_commit_fails),
	    cmocka_unit_test(test_broken_token),
	    cmocka_unit_test(test_store_gone),
	    cmocka_unit_test(test_seen_by_others),
	    cmocka_unit_test(test_objects_are_limited),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
