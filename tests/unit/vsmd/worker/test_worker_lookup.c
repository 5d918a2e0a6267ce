/* test_worker_lookup.c - finding objects where SoftHSM2 sees a part of the token */
#include "rig.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "protocol/resume.h"

#define MANY 40

static struct rig rig;
static struct guest a;

/* A token with MANY key pairs, seen in part by everybody. */
static int
setup(void **state)
{
	struct grant grant = rig_grant();
	CK_OBJECT_HANDLE pub, key;

	(void)state;
	rig_prepare(&rig);
	rig.config.big = 0;
	rig_launch(&rig);
	rig_make_token(&rig);
	guest_attach(&a, &rig, &grant, 0);
	guest_login(&a);
	for (int i = 0; i < MANY; i++) {
		char label[16];

		snprintf(label, sizeof(label), "key-%d", i);
		assert_int_equal(
		    guest_make_rsa(&a, 1024, label, true, &pub, &key), CKR_OK);
	}
	assert_int_equal(guest_leave(&a), 0);
	guest_attach(&a, &rig, &grant, 0);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	assert_int_equal(guest_leave(&a), 0);
	rig_stop(&rig);
	return 0;
}

static CK_ULONG
find_by(struct guest *g, CK_ATTRIBUTE *t, CK_ULONG n, CK_OBJECT_HANDLE *ret)
{
	CK_OBJECT_HANDLE all[256];
	CK_ULONG found = 0;

	assert_int_equal(CALLX(g, C_FindObjectsInit, N(g->session), PL(t, n)), CKR_OK);
	assert_int_equal(CALLX(g, C_FindObjects, N(g->session),
			     {.ptr = all, .len = 256, .plen = &found}), CKR_OK);
	if (ret != NULL)
		*ret = all[0];
	assert_int_equal(CALLX(g, C_FindObjectsFinal, N(g->session)), CKR_OK);
	return found;
}

static CK_ULONG
find(struct guest *g, const char *label, CK_OBJECT_HANDLE *ret)
{
	CK_ATTRIBUTE t = {CKA_LABEL, (void *)(uintptr_t)label, strlen(label)};

	return find_by(g, &t, 1, ret);
}

static CK_ULONG
find_class(struct guest *g, CK_OBJECT_CLASS class, const char *label, CK_OBJECT_HANDLE *ret)
{
	CK_ATTRIBUTE t[] = {{CKA_CLASS, &class, sizeof(class)},
	    {CKA_LABEL, (void *)(uintptr_t)label, label ? strlen(label) : 0}};

	return find_by(g, t, label ? 2 : 1, ret);
}

static CK_RV
rename_object(struct guest *g, CK_OBJECT_HANDLE h, const char *label, const char *id)
{
	CK_ATTRIBUTE t[] = {{CKA_LABEL, (void *)(uintptr_t)label, strlen(label)},
	    {CKA_ID, (void *)(uintptr_t)id, strlen(id)}};

	return CALLX(g, C_SetAttributeValue, N(g->session), N(h), PL(t, 2));
}

static void
test_by_label(void **state)
{
	CK_OBJECT_HANDLE h, again;

	(void)state;
	guest_open(&a);
	/* Nobody is logged in: the public half, and not by its class either. */
	assert_int_equal(find(&a, "key-7", &h), 1);
	assert_int_equal(find_class(&a, CKO_PRIVATE_KEY, "key-7", NULL), 0);
	assert_int_equal(find_class(&a, CKO_PRIVATE_KEY, NULL, NULL), 0);
	assert_int_equal(guest_try_login(&a, CKU_USER, USER_PIN), CKR_OK);
	assert_int_equal(find(&a, "key-7", &again), 2);
	assert_int_equal(find_class(&a, CKO_PUBLIC_KEY, "key-7", &again), 1);
	assert_int_equal(h, again);
	assert_int_equal(find_class(&a, CKO_PRIVATE_KEY, "key-7", &h), 1);
	assert_int_equal(guest_sign(&a, h), CKR_OK);
	assert_int_equal(find(&a, "key-8", NULL), 2);
	assert_int_equal(find_class(&a, CKO_PRIVATE_KEY, "key-7", &again), 1);
	assert_int_equal(h, again);
	assert_int_equal(find(&a, "no such key", NULL), 0);
	assert_int_equal(find(&a, "", NULL), 0);
	assert_int_equal(CALLX(&a, C_Logout, N(a.session)), CKR_OK);
	assert_int_equal(find(&a, "key-7", NULL), 1);
	assert_int_equal(find(&a, "key-9", NULL), 1);
	assert_int_equal(guest_sign(&a, h), CKR_OBJECT_HANDLE_INVALID);
	assert_int_equal(guest_try_login(&a, CKU_USER, USER_PIN), CKR_OK);
	assert_int_equal(find_class(&a, CKO_PRIVATE_KEY, "key-9", &h), 1);
	assert_int_equal(guest_sign(&a, h), CKR_OK);
	/* The Security Officer sees what everybody sees. */
	assert_int_equal(CALLX(&a, C_Logout, N(a.session)), CKR_OK);
	assert_int_equal(guest_try_login(&a, CKU_SO, SO_PIN), CKR_OK);
	assert_int_equal(find(&a, "key-10", NULL), 1);
}

static void
test_what_others_change(void **state)
{
	struct grant grant = rig_grant();
	CK_OBJECT_HANDLE pub, key, ours, other;
	struct guest b;

	(void)state;
	guest_login(&a);
	guest_attach(&b, &rig, &grant, 0);
	guest_login(&b);
	assert_int_equal(find_class(&a, CKO_PRIVATE_KEY, "key-3", &ours), 1);
	/* Made by another, of which nothing was known. */
	assert_int_equal(find(&a, "new", NULL), 0);
	assert_int_equal(guest_make_rsa(&b, 1024, "new", true, &pub, &key), CKR_OK);
	assert_int_equal(find(&a, "new", NULL), 2);
	assert_int_equal(find(&b, "new", NULL), 2);
	/* Renamed. */
	assert_int_equal(find_class(&b, CKO_PRIVATE_KEY, "key-3", &other), 1);
	assert_int_equal(rename_object(&b, other, "renamed", "its id"), CKR_OK);
	assert_int_equal(find_class(&a, CKO_PRIVATE_KEY, "key-3", NULL), 0);
	assert_int_equal(find_class(&a, CKO_PRIVATE_KEY, "renamed", &key), 1);
	assert_int_equal(key, ours);
	assert_int_equal(find_by(&a, &(CK_ATTRIBUTE){CKA_ID, (void *)(uintptr_t)"its id", 6}, 1, &key), 1);
	assert_int_equal(key, ours);
	/* One that is seen, and one that is not seen yet. */
	assert_int_equal(CALLX(&b, C_DestroyObject, N(b.session), N(other)), CKR_OK);
	assert_int_equal(find_class(&a, CKO_PRIVATE_KEY, "renamed", NULL), 0);
	assert_int_equal(guest_sign(&a, ours), CKR_OBJECT_HANDLE_INVALID);
	assert_int_equal(find_class(&b, CKO_PRIVATE_KEY, "key-4", &other), 1);
	assert_int_equal(CALLX(&b, C_DestroyObject, N(b.session), N(other)), CKR_OK);
	assert_int_equal(find(&a, "key-4", NULL), 1);
	assert_int_equal(guest_leave(&b), 0);
}

static void
test_class_and_all(void **state)
{
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_OBJECT_HANDLE h, all[256];
	CK_BBOOL yes = CK_TRUE;
	CK_ATTRIBUTE sign = {CKA_SIGN, &yes, 1}, odd = {CKA_CLASS, &class, 3};

	(void)state;
	guest_login(&a);
	assert_int_equal(find_class(&a, CKO_CERTIFICATE, NULL, NULL), 0);
	assert_int_equal(find_class(&a, CKO_PRIVATE_KEY, "key-3", &h), 1);
	assert_int_equal(find_class(&a, CKO_PRIVATE_KEY, NULL, NULL), MANY);
	/* What the index does not know of. */
	assert_int_equal(find_by(&a, &odd, 1, NULL), 0);
	assert_int_equal(find_by(&a, &sign, 1, NULL), MANY);
	assert_int_equal(guest_find(&a, all, 256), 2 * MANY);
	assert_int_equal(find_class(&a, CKO_PRIVATE_KEY, "key-3", &all[0]), 1);
	assert_int_equal(h, all[0]);
	assert_int_equal(guest_sign(&a, h), CKR_OK);
}

static void
test_own_objects(void **state)
{
	CK_OBJECT_HANDLE pub, key, h, all[256];

	(void)state;
	guest_login(&a);
	assert_int_equal(guest_make_rsa(&a, 1024, "mine", true, &pub, &key), CKR_OK);
	assert_int_equal(guest_make_aes(&a, "session", false, false, &h), CKR_OK);
	assert_int_equal(find(&a, "mine", NULL), 2);
	assert_int_equal(find_class(&a, CKO_PRIVATE_KEY, "mine", &h), 1);
	assert_int_equal(h, key);
	assert_int_equal(find(&a, "session", NULL), 1);
	assert_int_equal(rename_object(&a, key, "mine too", ""), CKR_OK);
	assert_int_equal(find(&a, "mine", NULL), 1);
	assert_int_equal(find(&a, "mine too", NULL), 1);
	assert_int_equal(find(&a, "key-1", NULL), 2);
	assert_int_equal(guest_sign(&a, key), CKR_OK);
	assert_int_equal(CALLX(&a, C_DestroyObject, N(a.session), N(key)), CKR_OK);
	assert_int_equal(find(&a, "mine too", NULL), 0);
	assert_int_equal(find(&a, "key-2", NULL), 2);
	/* SoftHSM2 has just written, and is to see the whole. */
	assert_int_equal(guest_make_rsa(&a, 1024, "last", true, &pub, &key), CKR_OK);
	assert_int_equal(guest_find(&a, all, 256), 2 * MANY + 4);
}

/* The same, when what made the view whole failed before SoftHSM2 looked. */
static void
test_whole_in_vain(void **state)
{
	CK_ATTRIBUTE t = {CKA_LABEL, (void *)(uintptr_t)"key-1", 5};
	CK_OBJECT_HANDLE pub, key, all[256];

	(void)state;
	guest_login(&a);
	assert_int_equal(CALLX(&a, C_FindObjectsInit, N(a.session), PL(&t, 1)), CKR_OK);
	assert_int_equal(CALLX(&a, C_FindObjectsInit, N(a.session), PL(NULL, 0)),
	    CKR_OPERATION_ACTIVE);
	assert_int_equal(guest_make_rsa(&a, 1024, "last", true, &pub, &key), CKR_OK);
	assert_int_equal(CALLX(&a, C_FindObjectsFinal, N(a.session)), CKR_OK);
	assert_int_equal(guest_find(&a, all, 256), 2 * MANY + 2);
	assert_int_equal(guest_find(&a, all, 256), 2 * MANY + 2);
}

/* Policy hides what the index has shown. */
static void
test_hidden(void **state)
{
	struct grant grant = rig_grant();
	struct guest b;

	(void)state;
	grant.nrules = 1;
	grant.rules[0].hide = true;
	grant.rules[0].match.has_label = true;
	snprintf(grant.rules[0].match.label, GRANT_NAME, "key-1*");
	guest_attach(&b, &rig, &grant, 0);
	guest_login(&b);
	assert_int_equal(find(&b, "key-2", NULL), 2);
	assert_int_equal(find(&b, "key-12", NULL), 0);
	assert_int_equal(find_class(&b, CKO_PRIVATE_KEY, NULL, NULL), MANY - 11);
	assert_int_equal(guest_leave(&b), 0);
}

static void
resume(struct guest *g, const uint8_t (*ids)[MSG_ID_LEN], uint32_t n, struct resumed *ret)
{
	CK_FLAGS flags = CKF_SERIAL_SESSION | CKF_RW_SESSION;
	struct resume ask = {.user = 1 + CKU_USER, .ticket = (const uint8_t *)"1" USER_PIN,
	    .ticket_len = 1 + strlen(USER_PIN), .session_flags = &flags, .nsessions = 1,
	    .ids = (uint8_t(*)[MSG_ID_LEN])(uintptr_t)ids, .nids = n};
	struct frame f;
	struct buf b;

	buf_init(&b, 1 << 20);
	frame_begin(&b, 1, FRAME_RESUME);
	resume_ask_write(&b, &ask);
	frame_end(&b);
	guest_send_raw(g, b.data, b.len);
	buf_free(&b);
	assert_true(guest_receive(g, &f));
	assert_true(resume_answer_read(&g->in, &ask, ret, &g->arena));
	assert_int_equal(ret->rv, CKR_OK);
	g->next_id = 1;
	g->session = ret->sessions[0];
}

static void
test_resume(void **state)
{
	struct grant grant = rig_grant();
	uint8_t ids[3][MSG_ID_LEN];
	struct resumed done;
	struct guest b;
	CK_ULONG n;
	CK_OBJECT_HANDLE h[2];
	CK_ATTRIBUTE t = {CKA_LABEL, (void *)(uintptr_t)"key-5", 5};

	(void)state;
	guest_login(&a);
	assert_int_equal(CALLX(&a, C_FindObjectsInit, N(a.session), PL(&t, 1)), CKR_OK);
	assert_int_equal(CALLX(&a, C_FindObjects, N(a.session),
			     {.ptr = h, .len = 2, .plen = &n}), CKR_OK);
	assert_int_equal(n, 2);
	memcpy(ids[0], a.reply.refs[0].id, MSG_ID_LEN);
	memcpy(ids[1], a.reply.refs[1].id, MSG_ID_LEN);
	assert_int_equal(CALLX(&a, C_FindObjectsFinal, N(a.session)), CKR_OK);
	memset(ids[2], 0, MSG_ID_LEN);

	/* With and without one that nobody knows. */
	for (uint32_t count = 2; count <= 3; count++) {
		guest_attach(&b, &rig, &grant, 0);
		resume(&b, (const uint8_t(*)[MSG_ID_LEN])ids, count, &done);
		assert_int_not_equal(done.objects[0], 0);
		assert_int_not_equal(done.objects[1], 0);
		h[0] = done.objects[ids[0][MSG_ID_FLAGS] & MSG_ID_PRIVATE ? 0 : 1];
		assert_int_equal(guest_sign(&b, h[0]), CKR_OK);
		assert_int_equal(find(&b, "key-6", NULL), 2);
		assert_int_equal(guest_leave(&b), 0);
	}
}

/* Two that are alike in all attributes, each known as itself, also when it is alone. */
static void
test_twins(void **state)
{
	struct grant grant = rig_grant();
	CK_OBJECT_CLASS class = CKO_DATA;
	CK_BBOOL yes = CK_TRUE;
	CK_ATTRIBUTE t[] = {{CKA_CLASS, &class, sizeof(class)}, {CKA_TOKEN, &yes, 1},
	    {CKA_LABEL, (void *)(uintptr_t)"twin", 4}, {CKA_VALUE, (void *)(uintptr_t)"v", 1}};
	CK_OBJECT_HANDLE h[2];
	uint8_t ids[2][MSG_ID_LEN];
	struct resumed done;
	struct guest b;

	(void)state;
	guest_login(&a);
	assert_int_equal(find(&a, "twin", NULL), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
		    CALLX(&a, C_CreateObject, N(a.session), PL(t, 4), P(&h[i])), CKR_OK);
		memcpy(ids[i], a.reply.refs[0].id, MSG_ID_LEN);
	}
	guest_attach(&b, &rig, &grant, 0);
	resume(&b, (const uint8_t(*)[MSG_ID_LEN])ids, 2, &done);
	assert_int_not_equal(done.objects[0], 0);
	assert_int_not_equal(done.objects[1], 0);
	assert_int_not_equal(done.objects[0], done.objects[1]);
	assert_int_equal(guest_leave(&b), 0);
	assert_int_equal(CALLX(&a, C_DestroyObject, N(a.session), N(h[0])), CKR_OK);
	guest_attach(&b, &rig, &grant, 0);
	resume(&b, (const uint8_t(*)[MSG_ID_LEN])ids, 2, &done);
	assert_int_equal(done.objects[0], 0);
	assert_int_not_equal(done.objects[1], 0);
	assert_int_equal(guest_leave(&b), 0);
}

/* C_InitToken removes also what was never seen. */
static void
test_init_token(void **state)
{
	struct grant grant = rig_grant();
	CK_OBJECT_HANDLE all[256];
	uint8_t label[32];
	struct guest b;

	(void)state;
	guest_login(&a);
	assert_int_equal(find(&a, "key-7", NULL), 2);
	assert_int_equal(CALLX(&a, C_CloseSession, N(a.session)), CKR_OK);
	memset(label, ' ', sizeof(label));
	assert_int_equal(
	    CALLX(&a, C_InitToken, N(RIG_SLOT), PL(SO_PIN, strlen(SO_PIN)), P(label)), CKR_OK);
	guest_attach(&b, &rig, &grant, 0);
	guest_open(&b);
	assert_int_equal(guest_try_login(&b, CKU_SO, SO_PIN), CKR_OK);
	assert_int_equal(
	    CALLX(&b, C_InitPIN, N(b.session), PL(USER_PIN, strlen(USER_PIN))), CKR_OK);
	assert_int_equal(CALLX(&b, C_CloseSession, N(b.session)), CKR_OK);
	guest_login(&b);
	assert_int_equal(find(&b, "key-7", NULL), 0);
	assert_int_equal(guest_find(&b, all, 256), 0);
	assert_int_equal(guest_make_rsa(&b, 1024, "fresh", true, &all[0], &all[1]), CKR_OK);
	assert_int_equal(find(&b, "fresh", NULL), 2);
	assert_int_equal(guest_leave(&b), 0);
	guest_attach(&b, &rig, &grant, 0);
	guest_login(&b);
	assert_int_equal(find(&b, "fresh", NULL), 2);
	assert_int_equal(guest_leave(&b), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_by_label, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_what_others_change, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_class_and_all, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_own_objects, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_whole_in_vain, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_hidden, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_resume, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_twins, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_init_token, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
