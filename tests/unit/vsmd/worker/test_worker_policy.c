/* test_worker_policy.c - a grant, applied to calls */
#include "rig.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

static struct rig rig;
static CK_OBJECT_HANDLE unused;

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
	assert_int_equal(guest_make_aes(&g, "box", true, true, &unused), CKR_OK);
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

/* The object of this label and class, 0 when it is not listed. */
static CK_OBJECT_HANDLE
lookup(struct guest *g, const char *label, CK_OBJECT_CLASS class)
{
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
	return n == 1 ? h : 0;
}

static struct grant_rule *
rule(struct grant *grant, const char *label)
{
	struct grant_rule *r = &grant->rules[grant->nrules++];

	r->match.has_label = true;
	snprintf(r->match.label, sizeof(r->match.label), "%s", label);
	return r;
}

static void
test_classes(void **state)
{
	struct grant grant = rig_grant();
	CK_MECHANISM sign = {CKM_RSA_PKCS, NULL, 0}, sha = {CKM_SHA256, NULL, 0};
	CK_ATTRIBUTE t[] = {{CKA_LABEL, (void *)(uintptr_t)"x", 1}};
	CK_OBJECT_HANDLE key, pub;
	uint8_t b[16];
	struct guest g;
	int refusals;

	(void)state;
	grant.classes = 1u << CLASS_NONE | 1u << CLASS_READ | 1u << CLASS_LOGIN;
	guest_attach(&g, &rig, &grant, 0);
	guest_login(&g);
	key = lookup(&g, "web-1", CKO_PRIVATE_KEY);
	assert_int_not_equal(key, 0);
	refusals = rig.store.audits;
	assert_int_equal(CALLX(&g, C_SignInit, N(g.session), P(&sign), N(key)),
	    CKR_KEY_FUNCTION_NOT_PERMITTED);
	assert_int_equal(rig.store.audits, refusals + 1);
	assert_non_null(strstr(rig.store.events,
	    "policy-refusal call=C_SignInit why=class mechanism=CKM_RSA_PKCS 104"));
	assert_int_equal(
	    CALLX(&g, C_DigestInit, N(g.session), P(&sha)), CKR_MECHANISM_INVALID);
	assert_int_equal(
	    CALLX(&g, C_GenerateRandom, N(g.session), PL(b, 16)), CKR_RANDOM_NO_RNG);
	assert_int_equal(CALLX(&g, C_SeedRandom, N(g.session), PL(b, 16)),
	    CKR_RANDOM_SEED_NOT_SUPPORTED);
	assert_int_equal(
	    CALLX(&g, C_DestroyObject, N(g.session), N(key)), CKR_ACTION_PROHIBITED);
	assert_int_equal(CALLX(&g, C_SetAttributeValue, N(g.session), N(key), PL(t, 1)),
	    CKR_ACTION_PROHIBITED);
	assert_int_equal(CALLX(&g, C_CreateObject, N(g.session), PL(t, 1), P(&pub)),
	    CKR_TOKEN_WRITE_PROTECTED);
	assert_int_equal(
	    guest_make_aes(&g, "y", false, false, &pub), CKR_TOKEN_WRITE_PROTECTED);
	assert_int_equal(CALLX(&g, C_SetPIN, N(g.session), PL("1234", 4), PL("1234", 4)),
	    CKR_TOKEN_WRITE_PROTECTED);
	assert_int_equal(CALLX(&g, C_InitToken, N(RIG_SLOT), PL(SO_PIN, 8),
			     P("x                               ")), CKR_TOKEN_WRITE_PROTECTED);
	/* What was never begun cannot go on, and SoftHSM2 says so. */
	assert_int_equal(CALLX(&g, C_SignUpdate, N(g.session), PL("x", 1)),
	    CKR_OPERATION_NOT_INITIALIZED);
	assert_int_equal(CALLX(&g, C_Logout, N(g.session)), CKR_OK);
	assert_int_equal(guest_leave(&g), 0);

	grant.classes = 1u << CLASS_NONE;
	guest_attach(&g, &rig, &grant, 0);
	guest_open(&g);
	assert_int_equal(guest_try_login(&g, CKU_USER, USER_PIN), CKR_USER_TYPE_INVALID);
	assert_int_equal(CALLX(&g, C_FindObjectsInit, N(g.session), PL(NULL, 0)),
	    CKR_FUNCTION_REJECTED);
	assert_int_equal(guest_leave(&g), 0);

	/* A grant of nothing at all allows nothing at all. */
	memset(&grant, 0, sizeof(grant));
	guest_attach(&g, &rig, &grant, 0);
	guest_open(&g);
	assert_int_equal(guest_try_login(&g, CKU_USER, USER_PIN), CKR_USER_TYPE_INVALID);
	assert_int_equal(guest_leave(&g), 0);
}

static void
test_mechanisms_of_the_token(void **state)
{
	struct grant grant = rig_grant();
	CK_MECHANISM pkcs = {CKM_RSA_PKCS, NULL, 0}, pss = {CKM_SHA256_RSA_PKCS, NULL, 0};
	CK_MECHANISM_TYPE list[8];
	CK_MECHANISM_INFO info;
	CK_ULONG n = 8;
	CK_OBJECT_HANDLE key;
	struct guest g;

	(void)state;
	grant.limit_mechs = true;
	grant.mechs[grant.nmechs++] = CKM_RSA_PKCS;
	grant.mechs[grant.nmechs++] = CKM_ECDSA;
	guest_attach(&g, &rig, &grant, 0);
	guest_login(&g);
	assert_int_equal(CALLX(&g, C_GetMechanismList, N(RIG_SLOT),
			     {.ptr = list, .len = n, .plen = &n}), CKR_OK);
	assert_int_equal(n, 2);
	n = 1;
	assert_int_equal(CALLX(&g, C_GetMechanismList, N(RIG_SLOT),
			     {.ptr = list, .len = n, .plen = &n}), CKR_BUFFER_TOO_SMALL);
	assert_int_equal(n, 2);
	assert_int_equal(
	    CALLX(&g, C_GetMechanismList, N(RIG_SLOT), PLP(NULL, &n)), CKR_OK);
	assert_int_equal(n, 2);
	assert_int_equal(CALLX(&g, C_GetMechanismInfo, N(RIG_SLOT), N(CKM_RSA_PKCS), P(&info)),
	    CKR_OK);
	assert_int_equal(
	    CALLX(&g, C_GetMechanismInfo, N(RIG_SLOT), N(CKM_SHA256_RSA_PKCS), P(&info)),
	    CKR_MECHANISM_INVALID);
	key = lookup(&g, "web-1", CKO_PRIVATE_KEY);
	assert_int_equal(CALLX(&g, C_SignInit, N(g.session), P(&pss), N(key)),
	    CKR_MECHANISM_INVALID);
	assert_int_equal(CALLX(&g, C_SignInit, N(g.session), P(&pkcs), N(key)), CKR_OK);
	assert_int_equal(
	    guest_make_aes(&g, "z", false, false, &key), CKR_MECHANISM_INVALID);
	assert_int_equal(guest_leave(&g), 0);
}

static void
test_hidden(void **state)
{
	struct grant grant = rig_grant();
	CK_OBJECT_HANDLE ca, all[64];
	CK_MECHANISM sign = {CKM_RSA_PKCS, NULL, 0};
	uint8_t label[16];
	CK_ATTRIBUTE ask = {CKA_LABEL, label, sizeof(label)};
	CK_ULONG visible, hidden, size;
	struct guest g;

	(void)state;
	guest_attach(&g, &rig, &grant, 0);
	guest_login(&g);
	visible = guest_find(&g, all, 64);
	ca = lookup(&g, "ca", CKO_PRIVATE_KEY);
	assert_int_not_equal(ca, 0);
	assert_int_equal(guest_leave(&g), 0);

	rule(&grant, "c?")->hide = true;
	guest_attach(&g, &rig, &grant, 0);
	guest_login(&g);
	hidden = guest_find(&g, all, 64);
	assert_int_equal(hidden, visible - 2);
	assert_int_equal(lookup(&g, "ca", CKO_PRIVATE_KEY), 0);
	assert_int_not_equal(lookup(&g, "web-1", CKO_PRIVATE_KEY), 0);
	/* A small room is filled although hidden ones lie between. */
	assert_int_equal(guest_find(&g, all, hidden), hidden);
	/* A handle that is guessed is no handle.  SoftHSM2 has handed all of them out. */
	for (CK_OBJECT_HANDLE h = 1; h < 64; h++) {
		bool listed = false;

		for (CK_ULONG i = 0; i < hidden; i++)
			listed |= all[i] == h;
		if (listed)
			continue;
		assert_int_not_equal(
		    CALLX(&g, C_SignInit, N(g.session), P(&sign), N(h)), CKR_OK);
		ask.ulValueLen = sizeof(label);
		assert_int_not_equal(
		    CALLX(&g, C_GetAttributeValue, N(g.session), N(h), PL(&ask, 1)), CKR_OK);
		assert_int_not_equal(
		    CALLX(&g, C_GetObjectSize, N(g.session), N(h), P(&size)), CKR_OK);
		assert_int_not_equal(CALLX(&g, C_DestroyObject, N(g.session), N(h)), CKR_OK);
	}
	assert_int_equal(guest_leave(&g), 0);
}

static void
test_rule_mechanisms_and_names(void **state)
{
	struct grant grant = rig_grant();
	CK_MECHANISM pkcs = {CKM_RSA_PKCS, NULL, 0}, sha = {CKM_SHA256_RSA_PKCS, NULL, 0};
	CK_ATTRIBUTE t[] = {{CKA_LABEL, (void *)(uintptr_t)"free", 4}};
	CK_BBOOL no = CK_FALSE;
	CK_ATTRIBUTE session[] = {{CKA_TOKEN, &no, 1}, {CKA_ID, (void *)(uintptr_t)"f", 1}};
	CK_OBJECT_HANDLE key, ca, copy;
	struct grant_rule *r = rule(&grant, "web-*");
	struct guest g;

	(void)state;
	r->limit_mechs = true;
	r->mechs[r->nmechs++] = CKM_SHA256_RSA_PKCS;
	guest_attach(&g, &rig, &grant, 0);
	guest_login(&g);
	key = lookup(&g, "web-1", CKO_PRIVATE_KEY);
	ca = lookup(&g, "ca", CKO_PRIVATE_KEY);
	assert_int_equal(CALLX(&g, C_SignInit, N(g.session), P(&pkcs), N(key)),
	    CKR_MECHANISM_INVALID);
	assert_int_equal(CALLX(&g, C_SignInit, N(g.session), P(&sha), N(key)), CKR_OK);
	assert_int_equal(guest_sign(&g, ca), CKR_OPERATION_ACTIVE);
	guest_open(&g);
	assert_int_equal(guest_sign(&g, ca), CKR_OK);
	/* Another name would be a way out of the rule. */
	assert_int_equal(CALLX(&g, C_SetAttributeValue, N(g.session), N(key), PL(t, 1)),
	    CKR_ATTRIBUTE_READ_ONLY);
	assert_int_equal(
	    CALLX(&g, C_CopyObject, N(g.session), N(key), PL(session, 2), P(&copy)),
	    CKR_ACTION_PROHIBITED);
	assert_int_equal(
	    CALLX(&g, C_CopyObject, N(g.session), N(key), PL(session, 1), P(&copy)), CKR_OK);
	assert_int_equal(CALLX(&g, C_SignInit, N(g.session), P(&pkcs), N(copy)),
	    CKR_MECHANISM_INVALID);
	assert_int_equal(guest_leave(&g), 0);
}

static void
test_quota(void **state)
{
	struct grant grant = rig_grant();
	struct grant_rule *r = rule(&grant, "web-1");
	CK_OBJECT_HANDLE key;
	struct guest a, b;
	int refusals = rig.store.audits;

	(void)state;
	r->rate = 1;
	r->burst = 4;
	/* The bucket is the principal's, not the application's. */
	guest_attach(&a, &rig, &grant, 0);
	guest_attach(&b, &rig, &grant, 0);
	guest_login(&a);
	guest_login(&b);
	key = lookup(&a, "web-1", CKO_PRIVATE_KEY);
	for (int i = 0; i < 3; i++)
		assert_int_equal(guest_sign(&a, key), CKR_OK);
	key = lookup(&b, "web-1", CKO_PRIVATE_KEY);
	assert_int_equal(guest_sign(&b, key), CKR_OK);
	for (int i = 0; i < 20; i++)
		if (guest_sign(&b, key) == CKR_FUNCTION_REJECTED)
			goto refused;
	fail();
refused:
	assert_true(rig.store.audits > refusals);
	assert_non_null(strstr(rig.store.events, "why=quota"));
	/* Another key has its own. */
	assert_int_equal(guest_sign(&b, lookup(&b, "ca", CKO_PRIVATE_KEY)), CKR_OK);
	assert_int_equal(guest_leave(&a), 0);
	assert_int_equal(guest_leave(&b), 0);
}

/* Signatures with the key until one is refused. */
static int
sign_until(struct guest *g, CK_OBJECT_HANDLE key)
{
	int n = 0;

	while (n < 50 && guest_sign(g, key) == CKR_OK)
		n++;
	return n;
}

static void
test_quota_of_principal(void **state)
{
	struct grant grant = rig_grant();
	CK_OBJECT_HANDLE key, other;
	struct guest g;

	(void)state;
	memcpy(grant.principal, "all-keys", sizeof("all-keys"));
	grant.rate = 1;
	grant.burst = 5;
	guest_attach(&g, &rig, &grant, 0);
	guest_login(&g);
	key = lookup(&g, "web-1", CKO_PRIVATE_KEY);
	other = lookup(&g, "ca", CKO_PRIVATE_KEY);
	assert_int_equal(guest_sign(&g, key), CKR_OK);
	assert_int_equal(guest_sign(&g, other), CKR_OK);
	assert_in_range(sign_until(&g, key), 3, 20); /* a slow machine gains some */
	assert_non_null(strstr(rig.store.events, "of=principal"));
	assert_int_equal(guest_leave(&g), 0);
}

/* Whatever the key, and where there is none. */
static void
test_quota_of_mechanism(void **state)
{
	struct grant grant = rig_grant();
	CK_MECHANISM sha = {CKM_SHA256, NULL, 0}, sha1 = {CKM_SHA_1, NULL, 0};
	CK_OBJECT_HANDLE key;
	uint8_t digest[32];
	CK_ULONG len;
	struct guest g;
	int n = 0;

	(void)state;
	memcpy(grant.principal, "some-mechs", sizeof("some-mechs"));
	grant.quotas[grant.nquotas++] = (struct grant_quota){CKM_RSA_PKCS, 1, 3};
	grant.quotas[grant.nquotas++] = (struct grant_quota){CKM_SHA256, 1, 2};
	guest_attach(&g, &rig, &grant, 0);
	guest_login(&g);
	key = lookup(&g, "web-1", CKO_PRIVATE_KEY);
	assert_in_range(sign_until(&g, key), 3, 20);
	assert_non_null(strstr(rig.store.events, "of=mechanism"));
	for (; n < 50; n++) {
		if (CALLX(&g, C_DigestInit, N(g.session), P(&sha)) != CKR_OK)
			break;
		len = sizeof(digest);
		assert_int_equal(CALLX(&g, C_Digest, N(g.session), PL("x", 1), PLP(digest, &len)),
		    CKR_OK);
	}
	assert_in_range(n, 2, 20);
	assert_int_equal(CALLX(&g, C_DigestInit, N(g.session), P(&sha1)), CKR_OK);
	assert_int_equal(guest_leave(&g), 0);
}

/* A mechanism with one key; and what one bucket refuses costs the others nothing. */
static void
test_quota_of_mechanism_and_key(void **state)
{
	struct grant grant = rig_grant();
	struct grant_rule *r = rule(&grant, "web-1");
	CK_OBJECT_HANDLE key, other;
	struct guest g;

	(void)state;
	memcpy(grant.principal, "mech-of-key", sizeof("mech-of-key"));
	r->quotas[r->nquotas++] = (struct grant_quota){CKM_RSA_PKCS, 1, 2};
	grant.rate = 1;
	grant.burst = 40;
	guest_attach(&g, &rig, &grant, 0);
	guest_login(&g);
	key = lookup(&g, "web-1", CKO_PRIVATE_KEY);
	other = lookup(&g, "ca", CKO_PRIVATE_KEY);
	assert_in_range(sign_until(&g, key), 2, 20);
	assert_non_null(strstr(rig.store.events, "of=key-mechanism"));
	for (int i = 0; i < 100; i++)
		(void)guest_sign(&g, key);
	assert_int_equal(guest_sign(&g, other), CKR_OK);
	assert_int_equal(guest_leave(&g), 0);
}

/* A key that is made anew for each use draws from the same bucket. */
static void
test_quota_of_session_keys(void **state)
{
	struct grant grant = rig_grant();
	CK_MECHANISM ecb = {CKM_AES_ECB, NULL, 0};
	struct grant_rule *r = rule(&grant, "short-lived");
	CK_OBJECT_HANDLE key;
	struct guest g;
	int n = 0;

	(void)state;
	memcpy(grant.principal, "session-keys", sizeof("session-keys"));
	r->rate = 1;
	r->burst = 3;
	guest_attach(&g, &rig, &grant, 0);
	guest_login(&g);
	for (; n < 50; n++) {
		assert_int_equal(guest_make_aes(&g, "short-lived", false, false, &key), CKR_OK);
		if (CALLX(&g, C_EncryptInit, N(g.session), P(&ecb), N(key)) ==
		    CKR_FUNCTION_REJECTED)
			break;
	}
	assert_in_range(n, 3, 20);
	assert_int_equal(guest_leave(&g), 0);
}

static void
test_deny_extract(void **state)
{
	struct grant grant = rig_grant();
	CK_MECHANISM wrap = {CKM_AES_KEY_WRAP_PAD, NULL, 0};
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_AES;
	CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
	CK_ATTRIBUTE clear[] = {
	    {CKA_CLASS, &class, sizeof(class)},
	    {CKA_KEY_TYPE, &type, sizeof(type)},
	    {CKA_VALUE, (void *)(uintptr_t)"0123456789abcdef", 16},
	    {CKA_SENSITIVE, &no, 1},
	};
	CK_ATTRIBUTE extractable = {CKA_EXTRACTABLE, &yes, 1};
	uint8_t value[64] = {0}, label[16];
	CK_ATTRIBUTE ask[] = {
	    {CKA_VALUE, value, sizeof(value)},
	    {CKA_LABEL, label, sizeof(label)},
	};
	CK_OBJECT_HANDLE box, key;
	uint8_t out[64];
	CK_ULONG len = sizeof(out);
	struct guest g;

	(void)state;
	/* It can be read out by whoever may... */
	guest_attach(&g, &rig, &grant, 0);
	guest_login(&g);
	box = lookup(&g, "box", CKO_SECRET_KEY);
	assert_int_equal(CALLX(&g, C_GetAttributeValue, N(g.session), N(box), PL(ask, 2)),
	    CKR_OK);
	assert_int_equal(ask[0].ulValueLen, 32);
	assert_int_equal(guest_leave(&g), 0);

	/* ... and not by whoever may not. */
	grant.flags |= GRANT_DENY_EXTRACT;
	guest_attach(&g, &rig, &grant, 0);
	guest_login(&g);
	box = lookup(&g, "box", CKO_SECRET_KEY);
	memset(value, 0, sizeof(value));
	ask[0].ulValueLen = sizeof(value);
	ask[1].ulValueLen = sizeof(label);
	assert_int_equal(CALLX(&g, C_GetAttributeValue, N(g.session), N(box), PL(ask, 2)),
	    CKR_ATTRIBUTE_SENSITIVE);
	assert_int_equal(ask[0].ulValueLen, CK_UNAVAILABLE_INFORMATION);
	assert_int_equal(ask[1].ulValueLen, 3);
	assert_memory_equal(label, "box", 3);
	for (size_t i = 0; i < sizeof(value); i++)
		assert_int_equal(value[i], 0);
	assert_int_equal(CALLX(&g, C_WrapKey, N(g.session), P(&wrap), N(box), N(box),
			     {.ptr = out, .len = len, .plen = &len}), CKR_KEY_UNEXTRACTABLE);
	assert_int_equal(
	    guest_make_aes(&g, "no", false, true, &key), CKR_TEMPLATE_INCONSISTENT);
	assert_int_equal(guest_make_aes(&g, "yes", false, false, &key), CKR_OK);
	assert_int_equal(CALLX(&g, C_SetAttributeValue, N(g.session), N(key),
			     PL(&extractable, 1)), CKR_TEMPLATE_INCONSISTENT);
	assert_int_equal(CALLX(&g, C_CopyObject, N(g.session), N(key), PL(&extractable, 1),
			     P(&key)), CKR_TEMPLATE_INCONSISTENT);
	assert_int_equal(CALLX(&g, C_CreateObject, N(g.session), PL(clear, 4), P(&key)),
	    CKR_TEMPLATE_INCONSISTENT);
	assert_int_equal(
	    CALLX(&g, C_CreateObject, N(g.session), PL(clear, 3), P(&key)), CKR_OK);
	assert_int_equal(guest_leave(&g), 0);
}

static void
test_audit_of_uses(void **state)
{
	struct grant grant = rig_grant();
	CK_MECHANISM sign = {CKM_RSA_PKCS, NULL, 0};
	CK_OBJECT_HANDLE key;
	CK_ULONG len = 0;
	struct guest g;
	int n;

	(void)state;
	grant.flags |= GRANT_AUDIT_USE;
	guest_attach(&g, &rig, &grant, 0);
	guest_login(&g);
	key = lookup(&g, "ca", CKO_PRIVATE_KEY);
	n = rig.store.audits;
	assert_int_equal(guest_sign(&g, key), CKR_OK);
	assert_int_equal(rig.store.audits, n + 1);
	assert_non_null(strstr(rig.store.events,
	    "C_Sign class=CKO_PRIVATE_KEY label=\"ca\" mechanism=CKM_RSA_PKCS 0"));
	/* Asking for the length is no signature. */
	assert_int_equal(CALLX(&g, C_SignInit, N(g.session), P(&sign), N(key)), CKR_OK);
	assert_int_equal(
	    CALLX(&g, C_Sign, N(g.session), PL("x", 1), PLP(NULL, &len)), CKR_OK);
	assert_int_equal(rig.store.audits, n + 1);
	assert_int_equal(guest_leave(&g), 0);
}

static void
test_refusals_do_not_flood(void **state)
{
	struct grant grant = rig_grant();
	uint8_t b[4];
	struct guest g;
	int n = rig.store.audits;

	(void)state;
	grant.classes &= ~(1u << CLASS_RANDOM);
	guest_attach(&g, &rig, &grant, 0);
	guest_open(&g);
	for (int i = 0; i < 500; i++)
		assert_int_equal(
		    CALLX(&g, C_GenerateRandom, N(g.session), PL(b, 4)), CKR_RANDOM_NO_RNG);
	assert_true(rig.store.audits - n >= 20);
	assert_true(rig.store.audits - n < 250);
	assert_int_equal(guest_leave(&g), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_classes),
	    cmocka_unit_test(test_mechanisms_of_the_token),
	    cmocka_unit_test(test_hidden),
	    cmocka_unit_test(test_rule_mechanisms_and_names),
	    cmocka_unit_test(test_quota),
	    cmocka_unit_test(test_quota_of_principal),
	    cmocka_unit_test(test_quota_of_mechanism),
	    cmocka_unit_test(test_quota_of_mechanism_and_key),
	    cmocka_unit_test(test_quota_of_session_keys),
	    cmocka_unit_test(test_deny_extract),
	    cmocka_unit_test(test_audit_of_uses),
	    cmocka_unit_test(test_refusals_do_not_flood),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
