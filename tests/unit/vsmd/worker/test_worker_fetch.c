/* test_worker_fetch.c - a whole search in one frame: what is told, and what is not */
#include "rig.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "protocol/fetch.h"
#include "vsmd/msg.h"
#include "vsmd/worker/state.h"

static struct rig rig;
static struct fetched got; /* by the last fetch(); good until the next */
static struct buf body;
static struct arena arena;

static void
attach(struct guest *g, const struct grant *grant)
{
	guest_attach(g, &rig, grant, 0);
	guest_login(g);
}

static CK_OBJECT_HANDLE
make_certificate(struct guest *g, const char *label, const void *value, CK_ULONG len,
    bool token)
{
	CK_OBJECT_CLASS class = CKO_CERTIFICATE;
	CK_CERTIFICATE_TYPE type = CKC_X_509;
	CK_BBOOL on_token = token, no = CK_FALSE;
	CK_ATTRIBUTE t[] = {
	    {CKA_CLASS, &class, sizeof(class)},
	    {CKA_CERTIFICATE_TYPE, &type, sizeof(type)},
	    {CKA_TOKEN, &on_token, 1},
	    {CKA_PRIVATE, &no, 1},
	    {CKA_LABEL, (void *)(uintptr_t)label, strlen(label)},
	    {CKA_SUBJECT, (void *)(uintptr_t)"subject", 7},
	    {CKA_VALUE, (void *)(uintptr_t)value, len},
	};
	CK_OBJECT_HANDLE h = 0;

	assert_int_equal(CALLX(g, C_CreateObject, N(g->session), PL(t, 7), P(&h)), CKR_OK);
	return h;
}

static int
setup(void **state)
{
	struct grant grant = rig_grant();
	CK_OBJECT_HANDLE pub, priv, aes;
	struct guest g;

	(void)state;
	rig_start(&rig, true);
	attach(&g, &grant);
	assert_int_equal(guest_make_rsa(&g, 1024, "web", true, &pub, &priv), CKR_OK);
	assert_int_equal(guest_make_rsa(&g, 1024, "ca", true, &pub, &priv), CKR_OK);
	assert_int_equal(guest_make_aes(&g, "open", true, true, &aes), CKR_OK);
	(void)make_certificate(&g, "certificate", "of value", 8, true);
	assert_int_equal(guest_leave(&g), 0);
	buf_init(&body, FRAME_MAX_DEFAULT);
	arena_init(&arena, 1 << 20);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	buf_free(&body);
	arena_free(&arena);
	rig_stop(&rig);
	return 0;
}

static void
send_fetch(struct guest *g, uint32_t flags, const CK_ATTRIBUTE *t, CK_ULONG n)
{
	const struct arg args[ARGS_MAX] = {N(g->session), PL(t, n)};
	struct buf b;

	buf_init(&b, 1 << 20);
	if (flags != 0)
		frame_begin_flags(&b, ++g->next_id, FRAME_FETCH, FRAME_FUSED);
	else
		frame_begin(&b, ++g->next_id, FRAME_FETCH);
	assert_int_equal(
	    ask_write(&b, call_by_number(CALL_C_FindObjectsInit), args), CKR_OK);
	frame_end(&b);
	guest_send_raw(g, b.data, b.len);
	buf_free(&b);
}

static CK_RV
fetch(struct guest *g, const CK_ATTRIBUTE *t, CK_ULONG n)
{
	struct frame f;

	send_fetch(g, 0, t, n);
	if (!guest_receive(g, &f))
		return CKR_DEVICE_REMOVED;
	assert_int_equal(f.id, g->next_id);
	assert_int_equal(f.call, FRAME_FETCH);
	assert_int_equal(f.flags, 0);
	arena_free(&arena);
	buf_reset(&body);
	buf_put_raw(&body, g->in.data, g->in.len);
	assert_true(fetched_read(&body, &got, &arena));
	return got.rv;
}

static CK_RV
fetch_label(struct guest *g, const char *label)
{
	CK_ATTRIBUTE t = {CKA_LABEL, (void *)(uintptr_t)label, strlen(label)};

	return fetch(g, &t, 1);
}

/* The session has no operation. */
static void
assert_idle(struct guest *g)
{
	assert_int_equal(CALLX(g, C_FindObjectsFinal, N(g->session)),
	    CKR_OPERATION_NOT_INITIALIZED);
	assert_int_equal(CALLX(g, C_FindObjectsInit, N(g->session), PL(NULL, 0)), CKR_OK);
	assert_int_equal(CALLX(g, C_FindObjectsFinal, N(g->session)), CKR_OK);
}

static bool
has(uint32_t i, CK_ATTRIBUTE_TYPE type, const void *value, size_t len)
{
	const uint8_t *p;
	size_t n;

	return fetched_attr(got.objects[i].attrs, got.objects[i].len, type, &p, &n) &&
	       (value == NULL || (n == len && memcmp(p, value, len) == 0));
}

static unsigned
count_with(CK_ATTRIBUTE_TYPE type, const void *value, size_t len)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < got.count; i++)
		n += has(i, type, value, len);
	return n;
}

static void
test_everything(void **state)
{
	struct grant grant = rig_grant();
	CK_OBJECT_HANDLE plain[16];
	struct guest g;

	(void)state;
	attach(&g, &grant);
	assert_int_equal(fetch(&g, NULL, 0), CKR_OK);
	assert_false(got.more);
	assert_int_equal(got.count, 6);
	assert_idle(&g);
	assert_int_equal(guest_find(&g, plain, 16), 6);
	for (uint32_t i = 0; i < got.count; i++) {
		unsigned seen = 0;

		for (uint32_t k = 0; k < 6; k++)
			seen += plain[k] == got.objects[i].ref.handle;
		assert_int_equal(seen, 1);
	}
	assert_int_equal(fetch_label(&g, "no such thing"), CKR_OK);
	assert_int_equal(got.count, 0);
	assert_idle(&g);
	assert_int_equal(guest_leave(&g), 0);
}

/* The identity is the one that a plain search tells; attributes are as they are asked. */
static void
test_same_as_in_many(void **state)
{
	static const CK_ATTRIBUTE_TYPE types[] = {CKA_CLASS, CKA_TOKEN, CKA_PRIVATE, CKA_LABEL,
	    CKA_ID, CKA_KEY_TYPE, CKA_MODULUS, CKA_MODULUS_BITS, CKA_PUBLIC_EXPONENT, CKA_SIGN,
	    CKA_SENSITIVE, CKA_EXTRACTABLE, CKA_SUBJECT, CKA_CERTIFICATE_TYPE, CKA_VALUE};
	struct grant grant = rig_grant();
	struct guest g;

	(void)state;
	attach(&g, &grant);
	assert_int_equal(fetch(&g, NULL, 0), CKR_OK);
	assert_int_equal(got.epoch, gate_epoch(&rig.gate));
	for (uint32_t i = 0; i < got.count; i++) {
		CK_OBJECT_HANDLE o = got.objects[i].ref.handle, found = 0;
		bool seen = false;
		CK_ULONG n;

		assert_int_equal(
		    CALLX(&g, C_FindObjectsInit, N(g.session), PL(NULL, 0)), CKR_OK);
		do {
			assert_int_equal(CALLX(&g, C_FindObjects, N(g.session),
					     {.ptr = &found, .len = 1, .plen = &n}), CKR_OK);
			if (n == 1 && found == o) {
				assert_memory_equal(g.reply.refs[0].id, got.objects[i].ref.id,
				    MSG_ID_LEN);
				seen = true;
			}
		} while (n == 1);
		assert_true(seen);
		assert_int_equal(CALLX(&g, C_FindObjectsFinal, N(g.session)), CKR_OK);
		for (size_t k = 0; k < sizeof(types) / sizeof(types[0]); k++) {
			uint8_t value[4096];
			CK_ATTRIBUTE a = {types[k], value, sizeof(value)};
			CK_RV rv = CALLX(&g, C_GetAttributeValue, N(g.session), N(o), PL(&a, 1));

			if (types[k] == CKA_VALUE && !has(i, CKA_CERTIFICATE_TYPE, NULL, 0)) {
				assert_false(has(i, CKA_VALUE, NULL, 0));
				continue;
			}
			assert_int_equal(has(i, types[k], NULL, 0), rv == CKR_OK);
			if (rv == CKR_OK)
				assert_true(has(i, types[k], value, a.ulValueLen));
		}
	}
	assert_int_equal(guest_leave(&g), 0);
}

/* A certificate's content is told, a key's never: not of one that may be had. */
static void
test_value(void **state)
{
	struct grant grant = rig_grant();
	uint8_t value[64];
	CK_ATTRIBUTE a = {CKA_VALUE, value, sizeof(value)};
	struct guest g;

	(void)state;
	for (int deny = 0; deny < 2; deny++) {
		grant.flags = deny ? GRANT_DENY_EXTRACT : 0;
		attach(&g, &grant);
		assert_int_equal(fetch_label(&g, "certificate"), CKR_OK);
		assert_int_equal(got.count, 1);
		assert_true(has(0, CKA_VALUE, "of value", 8));
		assert_int_equal(fetch_label(&g, "open"), CKR_OK);
		assert_int_equal(got.count, 1);
		assert_true(has(0, CKA_EXTRACTABLE, "\1", 1));
		assert_false(has(0, CKA_VALUE, NULL, 0));
		a.ulValueLen = sizeof(value);
		assert_int_equal(CALLX(&g, C_GetAttributeValue, N(g.session),
				     N(got.objects[0].ref.handle), PL(&a, 1)),
		    deny ? CKR_ATTRIBUTE_SENSITIVE : CKR_OK);
		/* Nor anything else that is secret, of any object. */
		assert_int_equal(fetch(&g, NULL, 0), CKR_OK);
		assert_int_equal(count_with(CKA_VALUE, NULL, 0), 1);
		assert_int_equal(count_with(CKA_PRIVATE_EXPONENT, NULL, 0), 0);
		assert_int_equal(count_with(CKA_PRIME_1, NULL, 0), 0);
		assert_int_equal(guest_leave(&g), 0);
	}
}

static void
test_hidden(void **state)
{
	struct grant grant = rig_grant();
	struct guest g;

	(void)state;
	grant.rules[grant.nrules].match.has_label = grant.rules[grant.nrules].hide = true;
	memcpy(grant.rules[grant.nrules++].match.label, "ca", sizeof("ca"));
	attach(&g, &grant);
	assert_int_equal(fetch(&g, NULL, 0), CKR_OK);
	assert_int_equal(got.count, 4);
	assert_int_equal(count_with(CKA_LABEL, "ca", 2), 0);
	assert_int_equal(count_with(CKA_LABEL, "web", 3), 2);
	assert_int_equal(fetch_label(&g, "ca"), CKR_OK);
	assert_int_equal(got.count, 0);
	assert_idle(&g);
	assert_int_equal(guest_leave(&g), 0);
}

/* Another guest renames an object to one that is hidden, and back, all the time. */
struct renamer {
	struct guest *guest;
	CK_OBJECT_HANDLE object;
	atomic_bool stop;
};

static void *
rename_all_the_time(void *arg)
{
	struct renamer *r = arg;
	bool hide = true;

	while (!r->stop) {
		const char *name = hide ? "hidden" : "seen";
		CK_ATTRIBUTE a = {CKA_LABEL, (void *)(uintptr_t)name, strlen(name)};

		if (CALLX(r->guest, C_SetAttributeValue, N(r->guest->session), N(r->object),
			PL(&a, 1)) != CKR_OK)
			break;
		hide = !hide;
	}
	return NULL;
}

static void
test_hidden_since_the_search(void **state)
{
	struct grant grant = rig_grant();
	struct renamer renamer = {.stop = false};
	struct guest g, another;
	pthread_t thread;

	(void)state;
	attach(&another, &grant);
	renamer.guest = &another;
	renamer.object = make_certificate(&another, "seen", "x", 1, true);
	grant.rules[grant.nrules].match.has_label = grant.rules[grant.nrules].hide = true;
	memcpy(grant.rules[grant.nrules++].match.label, "hidden", sizeof("hidden"));
	attach(&g, &grant);
	assert_int_equal(
	    pthread_create(&thread, NULL, rename_all_the_time, &renamer), 0);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(fetch(&g, NULL, 0), CKR_OK);
		assert_int_equal(count_with(CKA_LABEL, "hidden", 6), 0);
	}
	renamer.stop = true;
	pthread_join(thread, NULL);
	assert_int_equal(CALLX(&another, C_DestroyObject, N(another.session),
			     N(renamer.object)), CKR_OK);
	assert_int_equal(guest_leave(&another), 0);
	assert_int_equal(guest_leave(&g), 0);
}

/* What nobody is logged in for is neither found nor told. */
static void
test_public_session(void **state)
{
	struct grant grant = rig_grant();
	struct guest g;

	(void)state;
	guest_attach(&g, &rig, &grant, 0);
	guest_open(&g);
	assert_int_equal(fetch(&g, NULL, 0), CKR_OK);
	assert_true(got.count > 0);
	assert_int_equal(count_with(CKA_PRIVATE, "\1", 1), 0);
	assert_int_equal(count_with(CKA_PRIVATE, "\0", 1), got.count);
	/* The same session, logged in, and out again. */
	assert_int_equal(guest_try_login(&g, CKU_USER, USER_PIN), CKR_OK);
	assert_int_equal(fetch(&g, NULL, 0), CKR_OK);
	assert_int_equal(got.count, 6);
	assert_int_not_equal(count_with(CKA_PRIVATE, "\1", 1), 0);
	assert_int_equal(CALLX(&g, C_Logout, N(g.session)), CKR_OK);
	assert_int_equal(fetch(&g, NULL, 0), CKR_OK);
	assert_int_equal(count_with(CKA_PRIVATE, "\1", 1), 0);
	assert_int_equal(guest_leave(&g), 0);
}

static void
test_policy_refuses(void **state)
{
	struct grant grant = rig_grant();
	struct guest g;
	int n;

	(void)state;
	grant.classes &= ~(1u << CLASS_READ);
	attach(&g, &grant);
	rig.store.events[0] = '\0';
	n = rig.store.audits;
	assert_int_equal(CALLX(&g, C_FindObjectsInit, N(g.session), PL(NULL, 0)),
	    CKR_FUNCTION_REJECTED);
	assert_int_equal(rig.store.audits, n + 1);
	assert_int_equal(fetch(&g, NULL, 0), CKR_FUNCTION_REJECTED);
	assert_int_equal(rig.store.audits, n + 2);
	assert_non_null(
	    strstr(rig.store.events, "policy-refusal call=C_FindObjectsInit why=class"));
	assert_int_equal(CALLX(&g, C_FindObjectsFinal, N(g.session)),
	    CKR_OPERATION_NOT_INITIALIZED);
	assert_int_equal(guest_leave(&g), 0);
}

static void
test_refused_by_the_token(void **state)
{
	struct grant grant = rig_grant();
	CK_MECHANISM sha = {CKM_SHA256, NULL, 0};
	CK_SESSION_HANDLE session;
	struct guest g;

	(void)state;
	attach(&g, &grant);
	session = g.session;
	assert_int_equal(CALLX(&g, C_DigestInit, N(session), P(&sha)), CKR_OK);
	assert_int_equal(fetch(&g, NULL, 0), CKR_OPERATION_ACTIVE);
	assert_int_equal(CALLX(&g, C_DigestUpdate, N(session), PL("x", 1)), CKR_OK);
	guest_open(&g);
	assert_int_equal(fetch(&g, NULL, 0), CKR_OK);
	assert_int_equal(CALLX(&g, C_FindObjectsInit, N(g.session), PL(NULL, 0)), CKR_OK);
	assert_int_equal(fetch(&g, NULL, 0), CKR_OPERATION_ACTIVE);
	assert_int_equal(CALLX(&g, C_FindObjectsFinal, N(g.session)), CKR_OK);
	assert_idle(&g);
	g.session = 4711;
	assert_int_equal(fetch(&g, NULL, 0), CKR_SESSION_HANDLE_INVALID);
	assert_int_equal(guest_leave(&g), 0);
}

/* More than one reply holds: the search stays active, and goes on where the reply ended. */
static void
test_more(void **state)
{
	struct grant grant = rig_grant();
	CK_OBJECT_HANDLE o[16], first;
	CK_ULONG n;
	struct guest g;

	(void)state;
	attach(&g, &grant);
	for (int i = 0; i < FETCH_MAX - 1; i++)
		(void)make_certificate(&g, "many", "x", 1, false);
	assert_int_equal(fetch_label(&g, "many"), CKR_OK);
	assert_false(got.more);
	assert_int_equal(got.count, FETCH_MAX - 1);
	assert_idle(&g);
	for (int i = 0; i < 4; i++)
		(void)make_certificate(&g, "many", "x", 1, false);
	assert_int_equal(fetch_label(&g, "many"), CKR_OK);
	assert_true(got.more);
	assert_int_equal(got.count, FETCH_MAX);
	first = got.objects[0].ref.handle;
	assert_int_equal(count_with(CKA_LABEL, "many", 4), FETCH_MAX);
	assert_int_equal(fetch_label(&g, "many"), CKR_OPERATION_ACTIVE);
	assert_int_equal(CALLX(&g, C_FindObjects, N(g.session),
			     {.ptr = o, .len = 16, .plen = &n}), CKR_OK);
	assert_int_equal(n, 3);
	for (CK_ULONG i = 0; i < n; i++)
		assert_int_not_equal(o[i], first);
	assert_int_equal(CALLX(&g, C_FindObjectsFinal, N(g.session)), CKR_OK);
	assert_idle(&g);
	/* As many as there is room for: there may be more, and is not. */
	for (CK_ULONG i = 0; i < n; i++)
		assert_int_equal(CALLX(&g, C_DestroyObject, N(g.session), N(o[i])), CKR_OK);
	assert_int_equal(fetch_label(&g, "many"), CKR_OK);
	assert_true(got.more);
	assert_int_equal(CALLX(&g, C_FindObjects, N(g.session),
			     {.ptr = o, .len = 16, .plen = &n}), CKR_OK);
	assert_int_equal(n, 0);
	assert_int_equal(CALLX(&g, C_FindObjectsFinal, N(g.session)), CKR_OK);
	assert_int_equal(guest_leave(&g), 0);
}

/* Attributes are told as long as they are not too many, objects are all told. */
static void
test_bytes(void **state)
{
	static uint8_t value[4096];
	struct grant grant = rig_grant();
	size_t all = 0, with = 0;
	struct guest g;

	(void)state;
	attach(&g, &grant);
	for (int i = 0; i < 200; i++)
		(void)make_certificate(&g, "large", value, sizeof(value), false);
	assert_int_equal(fetch_label(&g, "large"), CKR_OK);
	assert_int_equal(got.count, 200);
	for (uint32_t i = 0; i < got.count; i++) {
		assert_int_not_equal(got.objects[i].ref.handle, 0);
		all += got.objects[i].len;
		with += got.objects[i].len > 0;
		assert_true(got.objects[i].len == 0 ||
		    has(i, CKA_VALUE, value, sizeof(value)));
	}
	assert_true(all <= FETCH_BYTES);
	assert_in_range(with, 100, FETCH_BYTES / sizeof(value));
	assert_idle(&g);
	/* One that is too long for its place is told without it. */
	(void)make_certificate(&g, "longer", (uint8_t[4097]){1}, 4097, false);
	assert_int_equal(fetch_label(&g, "longer"), CKR_OK);
	assert_int_equal(got.count, 1);
	assert_false(has(0, CKA_VALUE, NULL, 0));
	assert_true(has(0, CKA_SUBJECT, "subject", 7));
	assert_int_equal(guest_leave(&g), 0);
}

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
	struct grant grant = rig_grant();
	struct guest g;
	struct buf b;

	(void)state;
	attach(&g, &grant);
	send_fetch(&g, FRAME_FUSED, NULL, 0);
	assert_breach(&g);
	/* No arguments; and one byte too many of them. */
	for (int i = 0; i < 2; i++) {
		const struct arg args[ARGS_MAX] = {N(1), PL(NULL, 0)};

		attach(&g, &grant);
		buf_init(&b, 4096);
		frame_begin(&b, ++g.next_id, FRAME_FETCH);
		if (i == 1) {
			assert_int_equal(ask_write(&b,
					     call_by_number(CALL_C_FindObjectsInit), args),
			    CKR_OK);
			buf_put_u8(&b, 0);
		}
		frame_end(&b);
		guest_send_raw(&g, b.data, b.len);
		buf_free(&b);
		assert_breach(&g);
	}
}

static int64_t
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* Whoever writes does not wait for all that is told of a search, nor do all who wait for
 * the writer then. */
static void
test_lets_writers_pass(void **state)
{
	struct grant grant = rig_grant();
	CK_ATTRIBUTE a = {CKA_LABEL, (void *)(uintptr_t)"written", 7};
	struct guest g, writer;
	CK_OBJECT_HANDLE o;
	struct frame f;
	bool passed = false;
	int64_t took;

	(void)state;
	attach(&g, &grant);
	attach(&writer, &grant);
	for (int i = 0; i < FETCH_MAX - 1; i++)
		(void)make_certificate(&g, "many", "x", 1, false);
	o = make_certificate(&writer, "written", "x", 1, true);
	for (int i = 0; i < 50 && !passed; i++) {
		CK_ATTRIBUTE t = {CKA_LABEL, (void *)(uintptr_t)"many", 4};
		struct pollfd p = {.fd = g.fd, .events = POLLIN};

		assert_int_equal(fetch(&g, &t, 1), CKR_OK); /* they are known now */
		took = now_us();
		assert_int_equal(fetch(&g, &t, 1), CKR_OK);
		took = now_us() - took;
		send_fetch(&g, 0, &t, 1);
		(void)usleep((useconds_t)(took * 3 / 4)); /* found, and being told */
		assert_int_equal(CALLX(&writer, C_SetAttributeValue, N(writer.session), N(o),
				     PL(&a, 1)), CKR_OK);
		passed = poll(&p, 1, 0) == 0;
		assert_true(guest_receive(&g, &f));
	}
	assert_true(passed);
	assert_int_equal(CALLX(&writer, C_DestroyObject, N(writer.session), N(o)), CKR_OK);
	assert_int_equal(guest_leave(&writer), 0);
	assert_int_equal(guest_leave(&g), 0);
}

/* In one breath with others, on the same session and on another. */
static void
test_takes_its_turn(void **state)
{
	struct grant grant = rig_grant();
	struct frame f;
	struct guest g;
	uint32_t first;

	(void)state;
	attach(&g, &grant);
	first = g.next_id + 1;
	for (int i = 0; i < 20; i++)
		send_fetch(&g, 0, NULL, 0);
	for (int i = 0; i < 20; i++) {
		assert_true(guest_receive(&g, &f));
		assert_in_range(f.id, first, g.next_id);
		assert_int_equal(f.call, FRAME_FETCH);
		arena_free(&arena);
		assert_true(fetched_read(&g.in, &got, &arena));
		assert_int_equal(got.rv, CKR_OK);
		assert_int_equal(got.count, 6);
	}
	assert_int_equal(guest_leave(&g), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_everything),
	    cmocka_unit_test(test_same_as_in_many),
	    cmocka_unit_test(test_value),
	    cmocka_unit_test(test_hidden),
	    cmocka_unit_test(test_hidden_since_the_search),
	    cmocka_unit_test(test_public_session),
	    cmocka_unit_test(test_policy_refuses),
	    cmocka_unit_test(test_refused_by_the_token),
	    cmocka_unit_test(test_more),
	    cmocka_unit_test(test_bytes),
	    cmocka_unit_test(test_breaches),
	    cmocka_unit_test(test_lets_writers_pass),
	    cmocka_unit_test(test_takes_its_turn),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
