/* test_worker_fused.c - a beginning and its operation in one frame */
#include "rig.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "vsmd/msg.h"
#include "vsmd/worker/state.h"

static struct rig rig;
static CK_MECHANISM pkcs = {CKM_RSA_PKCS, NULL, 0}, hash = {CKM_SHA256_RSA_PKCS, NULL, 0};

/* What came of the last fused request. */
static CK_RV begun;
static uint8_t out[256];
static CK_ULONG len;

static int
setup(void **state)
{
	struct grant grant = rig_grant();
	CK_OBJECT_HANDLE pub, priv;
	struct guest g;

	(void)state;
	rig_start(&rig, true);
	guest_attach(&g, &rig, &grant, 0);
	guest_login(&g);
	assert_int_equal(guest_make_rsa(&g, 1024, "web-1", true, &pub, &priv), CKR_OK);
	assert_int_equal(guest_make_rsa(&g, 1024, "ca", true, &pub, &priv), CKR_OK);
	assert_int_equal(guest_leave(&g), 0);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	rig_stop(&rig);
	return 0;
}

static CK_OBJECT_HANDLE
private_key(struct guest *g, const char *label)
{
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_ATTRIBUTE t[] = {
	    {CKA_CLASS, &class, sizeof(class)},
	    {CKA_LABEL, (void *)(uintptr_t)label, strlen(label)},
	};
	CK_OBJECT_HANDLE h = 0;
	CK_ULONG n = 0;

	assert_int_equal(CALLX(g, C_FindObjectsInit, N(g->session), PL(t, 2)), CKR_OK);
	assert_int_equal(
	    CALLX(g, C_FindObjects, N(g->session), {.ptr = &h, .len = 1, .plen = &n}), CKR_OK);
	assert_int_equal(CALLX(g, C_FindObjectsFinal, N(g->session)), CKR_OK);
	assert_int_equal(n, 1);
	return h;
}

/* Any two calls in a frame with the flag. */
static void
send_fused(struct guest *g, uint32_t begin, const struct arg *begin_args, uint32_t number,
    const struct arg *args)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	frame_begin_flags(&b, ++g->next_id, number, FRAME_FUSED);
	if (begin != 0)
		assert_int_equal(ask_write(&b, call_by_number(begin), begin_args), CKR_OK);
	if (args != NULL)
		assert_int_equal(ask_write(&b, call_by_number(number), args), CKR_OK);
	frame_end(&b);
	assert_true(buf_ok(&b));
	guest_send_raw(g, b.data, b.len);
	buf_free(&b);
}

static CK_RV
fused(struct guest *g, uint32_t begin, const struct arg *begin_args, uint32_t number,
    const struct arg *args)
{
	struct frame f;

	send_fused(g, begin, begin_args, number, args);
	if (!guest_receive(g, &f))
		return CKR_DEVICE_REMOVED;
	assert_int_equal(f.id, g->next_id);
	assert_int_equal(f.call, number);
	assert_int_equal(f.flags, 0);
	memset(&g->reply, 0, sizeof(g->reply));
	arena_free(&g->arena);
	assert_true(answer_read_fused(
	    &g->in, call_by_number(number), args, &begun, &g->reply, &g->arena));
	return g->reply.rv;
}

static CK_RV
sign_with(struct guest *g, CK_MECHANISM *m, CK_OBJECT_HANDLE key)
{
	const struct arg begin[ARGS_MAX] = {N(g->session), P(m), N(key)};
	const struct arg args[ARGS_MAX] = {N(g->session), PL("data", 4), PLP(out, &len)};

	len = sizeof(out);
	return fused(g, CALL_C_SignInit, begin, CALL_C_Sign, args);
}

static void
attach(struct guest *g, const struct grant *grant)
{
	guest_attach(g, &rig, grant, 0);
	guest_login(g);
}

static unsigned
records_of(const char *what)
{
	unsigned n = 0;

	pthread_mutex_lock(&rig.store.lock);
	for (const char *p = rig.store.events; (p = strstr(p, what)) != NULL; p++)
		n++;
	pthread_mutex_unlock(&rig.store.lock);
	return n;
}

/* Again and again: by SoftHSM2, and by whatever the worker has learnt. */
static void
test_same_as_in_two(void **state)
{
	struct grant grant = rig_grant();
	uint8_t two[256];
	CK_ULONG two_len = sizeof(two);
	CK_OBJECT_HANDLE key;
	struct guest g;

	(void)state;
	attach(&g, &grant);
	key = private_key(&g, "ca");
	assert_int_equal(CALLX(&g, C_SignInit, N(g.session), P(&hash), N(key)), CKR_OK);
	assert_int_equal(
	    CALLX(&g, C_Sign, N(g.session), PL("data", 4), PLP(two, &two_len)), CKR_OK);
	for (int i = 0; i < 5; i++) {
		memset(out, 0, sizeof(out));
		assert_int_equal(sign_with(&g, &hash, key), CKR_OK);
		assert_int_equal(begun, CKR_OK);
		assert_int_equal(len, two_len);
		assert_memory_equal(out, two, len);
		/* It is over: nothing is left active, nothing is left to go on with. */
		assert_int_equal(CALLX(&g, C_SignUpdate, N(g.session), PL("x", 1)),
		    CKR_OPERATION_NOT_INITIALIZED);
	}
	assert_int_equal(guest_leave(&g), 0);
}

static void
test_beginning_fails_and_nothing_is_done(void **state)
{
	struct grant grant = rig_grant();
	CK_MECHANISM no = {CKM_VENDOR_DEFINED, NULL, 0};
	CK_OBJECT_HANDLE key;
	struct guest g;

	(void)state;
	attach(&g, &grant);
	key = private_key(&g, "ca");
	memset(out, 7, sizeof(out));
	assert_int_equal(sign_with(&g, &no, key), CKR_MECHANISM_INVALID);
	assert_int_equal(begun, CKR_MECHANISM_INVALID);
	assert_int_equal(sign_with(&g, &pkcs, 12345), CKR_OBJECT_HANDLE_INVALID);
	assert_int_equal(begun, CKR_OBJECT_HANDLE_INVALID);
	assert_int_equal(out[0], 7);
	/* Another is active: it stays so, and is not what is done. */
	assert_int_equal(CALLX(&g, C_SignInit, N(g.session), P(&hash), N(key)), CKR_OK);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(sign_with(&g, &pkcs, key), CKR_OPERATION_ACTIVE);
		assert_int_equal(begun, CKR_OPERATION_ACTIVE);
	}
	assert_int_equal(out[0], 7);
	len = sizeof(out);
	assert_int_equal(
	    CALLX(&g, C_Sign, N(g.session), PL("data", 4), PLP(out, &len)), CKR_OK);
	/* A session that is none, twice the same. */
	g.session = 4711;
	assert_int_equal(sign_with(&g, &pkcs, key), CKR_SESSION_HANDLE_INVALID);
	assert_int_equal(begun, CKR_SESSION_HANDLE_INVALID);
	assert_int_equal(guest_leave(&g), 0);
}

/* The operation that a room too small leaves is the one that was begun. */
static void
test_room_too_small(void **state)
{
	struct grant grant = rig_grant();
	CK_OBJECT_HANDLE key;
	struct guest g;

	(void)state;
	attach(&g, &grant);
	key = private_key(&g, "ca");
	for (int i = 0; i < 4; i++) {
		const struct arg begin[ARGS_MAX] = {N(g.session), P(&pkcs), N(key)};
		const struct arg args[ARGS_MAX] = {
		    N(g.session), PL("data", 4), PLP(i & 1 ? NULL : out, &len)};

		len = 5;
		assert_int_equal(fused(&g, CALL_C_SignInit, begin, CALL_C_Sign, args),
		    i & 1 ? CKR_OK : CKR_BUFFER_TOO_SMALL);
		assert_int_equal(begun, CKR_OK);
		assert_int_equal(len, 128);
		assert_int_equal(CALLX(&g, C_SignInit, N(g.session), P(&pkcs), N(key)),
		    CKR_OPERATION_ACTIVE);
		assert_int_equal(CALLX(&g, C_Sign, N(g.session), PL("data", 4),
				     PLP(out, &len)), CKR_OK);
		assert_int_equal(sign_with(&g, &pkcs, key), CKR_OK);
	}
	assert_int_equal(guest_leave(&g), 0);
}

static void
test_policy_refuses_the_beginning(void **state)
{
	struct grant grant = rig_grant();
	struct grant_rule *r = &grant.rules[grant.nrules++];
	CK_OBJECT_HANDLE key, ca;
	struct guest g;
	int n;

	(void)state;
	r->match.has_label = true;
	memcpy(r->match.label, "web-*", sizeof("web-*"));
	r->limit_mechs = true;
	r->mechs[r->nmechs++] = CKM_SHA256_RSA_PKCS;
	attach(&g, &grant);
	key = private_key(&g, "web-1");
	ca = private_key(&g, "ca");
	n = rig.store.audits;
	assert_int_equal(sign_with(&g, &pkcs, key), CKR_MECHANISM_INVALID);
	assert_int_equal(begun, CKR_MECHANISM_INVALID);
	assert_int_equal(rig.store.audits, n + 1);
	assert_true(records_of("policy-refusal call=C_SignInit why=mechanism"
	    " class=CKO_PRIVATE_KEY label=\"web-1\" mechanism=CKM_RSA_PKCS") > 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(sign_with(&g, &hash, key), CKR_OK);
		assert_int_equal(sign_with(&g, &pkcs, ca), CKR_OK);
		assert_int_equal(sign_with(&g, &pkcs, key), CKR_MECHANISM_INVALID);
	}
	assert_int_equal(guest_leave(&g), 0);

	grant = rig_grant();
	grant.classes &= ~(1u << CLASS_USE);
	attach(&g, &grant);
	n = rig.store.audits;
	assert_int_equal(sign_with(&g, &pkcs, private_key(&g, "ca")),
	    CKR_KEY_FUNCTION_NOT_PERMITTED);
	assert_int_equal(begun, CKR_KEY_FUNCTION_NOT_PERMITTED);
	assert_int_equal(rig.store.audits, n + 1);
	assert_true(records_of("policy-refusal call=C_SignInit why=class") > 0);
	assert_int_equal(guest_leave(&g), 0);

	grant = rig_grant();
	grant.limit_mechs = true;
	grant.mechs[grant.nmechs++] = CKM_SHA256_RSA_PKCS;
	attach(&g, &grant);
	assert_int_equal(
	    sign_with(&g, &pkcs, private_key(&g, "ca")), CKR_MECHANISM_INVALID);
	assert_int_equal(sign_with(&g, &hash, private_key(&g, "ca")), CKR_OK);
	assert_int_equal(guest_leave(&g), 0);
}

/* A key that the policy hides is none, fused or not. */
static void
test_hidden(void **state)
{
	struct grant grant = rig_grant();
	CK_OBJECT_HANDLE ca;
	struct guest g;

	(void)state;
	attach(&g, &grant);
	ca = private_key(&g, "ca");
	assert_int_equal(guest_leave(&g), 0);
	grant.rules[grant.nrules].match.has_label = grant.rules[grant.nrules].hide = true;
	memcpy(grant.rules[grant.nrules++].match.label, "ca", sizeof("ca"));
	attach(&g, &grant);
	(void)private_key(&g, "web-1");
	for (CK_OBJECT_HANDLE h = 1; h < ca + 32; h++)
		if (h != private_key(&g, "web-1"))
			assert_int_not_equal(sign_with(&g, &pkcs, h), CKR_OK);
	assert_int_equal(guest_leave(&g), 0);
}

/* One signature, one draw: as many as the burst, and then no more. */
static void
test_quota_is_drawn_once(void **state)
{
	struct grant grant = rig_grant();
	struct grant_rule *r = &grant.rules[grant.nrules++];
	CK_OBJECT_HANDLE key;
	struct guest g;
	int passed = 0;

	(void)state;
	r->match.has_label = true;
	memcpy(r->match.label, "web-1", sizeof("web-1"));
	r->rate = 1;
	r->burst = 10;
	attach(&g, &grant);
	key = private_key(&g, "web-1");
	while (passed < 20 && sign_with(&g, &pkcs, key) == CKR_OK)
		passed++;
	assert_int_equal(begun, CKR_FUNCTION_REJECTED);
	assert_in_range(passed, 10, 13); /* a slow machine gains some */
	assert_int_equal(guest_sign(&g, key), CKR_FUNCTION_REJECTED);
	assert_int_equal(guest_leave(&g), 0);
}

static void
test_use_is_recorded_once(void **state)
{
	static const char *const record =
	    "\nC_Sign class=CKO_PRIVATE_KEY label=\"ca\" mechanism=CKM_SHA256_RSA_PKCS 0\n";
	struct grant grant = rig_grant();
	CK_OBJECT_HANDLE key;
	struct guest g;
	unsigned n;

	(void)state;
	grant.flags |= GRANT_AUDIT_USE;
	attach(&g, &grant);
	key = private_key(&g, "ca");
	n = records_of("\nC_Sign ");
	for (unsigned i = 1; i < 5; i++) {
		assert_int_equal(sign_with(&g, &hash, key), CKR_OK);
		assert_int_equal(records_of("\nC_Sign "), n + i);
		assert_true(records_of(record) > 0);
	}
	/* Nothing was signed: nothing to be recorded. */
	assert_int_not_equal(sign_with(&g, &hash, 12345), CKR_OK);
	assert_int_equal(records_of("\nC_Sign "), n + 4);
	assert_int_equal(guest_leave(&g), 0);
}

/* Each on a guest of its own: the worker ends. */
static void
assert_breach(struct guest *g)
{
	struct frame f;

	assert_false(guest_receive(g, &f));
	assert_int_equal(WEXITSTATUS(guest_wait_end(g)), M_WORKER_BREACH);
}

static void
test_breaches(void **state)
{
	static const uint32_t alone[] = {CALL_C_GetSessionInfo, CALL_C_SignInit,
	    CALL_C_SignFinal, CALL_C_Logout, CALL_C_SignUpdate};
	struct grant grant = rig_grant();
	CK_SESSION_INFO info;
	struct arg args[ARGS_MAX], begin[ARGS_MAX];
	CK_SESSION_HANDLE first;
	struct guest g;

	(void)state;
	/* A flag on calls that have no beginning. */
	for (size_t i = 0; i < sizeof(alone) / sizeof(alone[0]); i++) {
		attach(&g, &grant);
		memset(args, 0, sizeof(args));
		args[0].len = g.session;
		args[1].ptr = alone[i] == CALL_C_SignInit ? (void *)&pkcs : (void *)&info;
		if (alone[i] == CALL_C_SignFinal)
			args[1] = (struct arg)PLP(out, &len);
		len = sizeof(out);
		send_fused(&g, 0, NULL, alone[i], args);
		assert_breach(&g);
	}
	/* Two sessions. */
	attach(&g, &grant);
	first = g.session;
	guest_open(&g);
	memcpy(begin, (struct arg[3]){N(first), P(&pkcs), N(1)}, 3 * sizeof(args[0]));
	len = sizeof(out);
	memcpy(args, (struct arg[3]){N(g.session), PL("data", 4), PLP(out, &len)},
	    3 * sizeof(args[0]));
	send_fused(&g, CALL_C_SignInit, begin, CALL_C_Sign, args);
	assert_breach(&g);
	/* The beginning of something else, or none, or nothing else. */
	attach(&g, &grant);
	begin[0].len = args[0].len = g.session;
	send_fused(&g, CALL_C_DigestInit, begin, CALL_C_Sign, args);
	assert_breach(&g);
	attach(&g, &grant);
	begin[0].len = args[0].len = g.session;
	send_fused(&g, 0, NULL, CALL_C_Sign, args);
	assert_breach(&g);
	attach(&g, &grant);
	begin[0].len = g.session;
	send_fused(&g, CALL_C_SignInit, begin, CALL_C_Sign, NULL);
	assert_breach(&g);
}

/* The flag on what is no call at all. */
static void
test_flag_on_other_frames(void **state)
{
	static const uint32_t numbers[] = {FRAME_RESUME, FRAME_BEAT, FRAME_AGAIN, 0, 93, 4711,
	    CALL_C_GetInfo, CALL_C_MessageSignInit};
	struct grant grant = rig_grant();
	struct guest g;

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		guest_attach(&g, &rig, &grant, 0);
		send_fused(&g, 0, NULL, numbers[i], NULL);
		assert_breach(&g);
	}
}

static void
test_digest_and_verify(void **state)
{
	struct grant grant = rig_grant();
	CK_MECHANISM sha = {CKM_SHA256, NULL, 0};
	CK_OBJECT_HANDLE pub, priv;
	struct guest g;

	(void)state;
	attach(&g, &grant);
	assert_int_equal(guest_make_rsa(&g, 1024, "pair", false, &pub, &priv), CKR_OK);
	for (int i = 0; i < 4; i++) {
		const struct arg digest_begin[ARGS_MAX] = {N(g.session), P(&sha)};
		const struct arg digest[ARGS_MAX] = {
		    N(g.session), PL("data", 4), PLP(out, &len)};
		const struct arg verify_begin[ARGS_MAX] = {N(g.session), P(&pkcs), N(pub)};
		const struct arg verify[ARGS_MAX] = {
		    N(g.session), PL(i == 3 ? "date" : "data", 4), PL(out, 128)};

		len = 32;
		assert_int_equal(
		    fused(&g, CALL_C_DigestInit, digest_begin, CALL_C_Digest, digest), CKR_OK);
		assert_int_equal(len, 32);
		assert_int_equal(sign_with(&g, &pkcs, priv), CKR_OK);
		assert_int_equal(
		    fused(&g, CALL_C_VerifyInit, verify_begin, CALL_C_Verify, verify),
		    i == 3 ? CKR_SIGNATURE_INVALID : CKR_OK);
		assert_int_equal(begun, CKR_OK);
	}
	assert_int_equal(guest_leave(&g), 0);
}

static CK_OBJECT_HANDLE
learn(struct guest *g)
{
	CK_OBJECT_HANDLE key = private_key(g, "ca");

	for (int i = 0; i < 5; i++)
		assert_int_equal(sign_with(g, &pkcs, key), CKR_OK);
	return key;
}

/* A login outlives the PIN that it was made with, as with SoftHSM2: here and elsewhere, and
 * for keys that were learnt. */
static void
test_pin_changed(void **state)
{
	struct grant grant = rig_grant();
	CK_OBJECT_HANDLE key[2];
	struct guest a, b;

	(void)state;
	attach(&a, &grant);
	attach(&b, &grant);
	key[0] = learn(&a);
	key[1] = learn(&b);
	assert_int_equal(CALLX(&b, C_SetPIN, N(b.session), PL(USER_PIN, strlen(USER_PIN)),
			     PL(USER_PIN, strlen(USER_PIN))), CKR_OK);
	assert_int_equal(sign_with(&a, &pkcs, key[0]), CKR_OK);
	assert_int_equal(sign_with(&b, &pkcs, key[1]), CKR_OK);
	assert_int_equal(CALLX(&b, C_Logout, N(b.session)), CKR_OK);
	assert_int_equal(sign_with(&b, &pkcs, key[1]), CKR_OBJECT_HANDLE_INVALID);
	assert_int_equal(guest_leave(&a), 0);
	assert_int_equal(guest_leave(&b), 0);
}

/* Another application made the token anew: the last of these tests, for nothing is left. */
static void
test_token_made_anew(void **state)
{
	struct grant grant = rig_grant();
	CK_OBJECT_HANDLE key, all[8];
	struct guest a, b;

	(void)state;
	attach(&a, &grant);
	key = learn(&a);
	guest_attach(&b, &rig, &grant, 0);
	assert_int_equal(CALLX(&b, C_InitToken, N(RIG_SLOT), PL(SO_PIN, strlen(SO_PIN)),
			     P("anew                            ")), CKR_OK);
	memset(out, 7, sizeof(out));
	assert_int_equal(sign_with(&a, &pkcs, key), CKR_OBJECT_HANDLE_INVALID);
	assert_int_equal(begun, CKR_OBJECT_HANDLE_INVALID);
	assert_int_equal(out[0], 7);
	guest_open(&b);
	assert_int_equal(guest_find(&b, all, 8), 0);
	assert_int_equal(guest_leave(&a), 0);
	assert_int_equal(guest_leave(&b), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_same_as_in_two),
	    cmocka_unit_test(test_beginning_fails_and_nothing_is_done),
	    cmocka_unit_test(test_room_too_small),
	    cmocka_unit_test(test_policy_refuses_the_beginning),
	    cmocka_unit_test(test_hidden),
	    cmocka_unit_test(test_quota_is_drawn_once),
	    cmocka_unit_test(test_use_is_recorded_once),
	    cmocka_unit_test(test_breaches),
	    cmocka_unit_test(test_flag_on_other_frames),
	    cmocka_unit_test(test_digest_and_verify),
	    cmocka_unit_test(test_pin_changed),
	    cmocka_unit_test(test_token_made_anew),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
