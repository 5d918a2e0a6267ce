/* handles.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "libcaas-p11/handles.h"
#include "libcaas-p11/slots.h"

static const struct lock_how native;
static struct handles h;
static struct slot a, b;

static int
begin(void **state)
{
	(void)state;
	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	a.generation = b.generation = 1;
	return handles_init(&h, &native) == CKR_OK ? 0 : -1;
}

static int
end(void **state)
{
	(void)state;
	handles_free(&h);
	blob_forget(&a.astray);
	return 0;
}

static CK_SESSION_HANDLE
session(struct slot *slot, CK_ULONG remote)
{
	CK_SESSION_HANDLE s;

	assert_int_equal(
	    handles_add_session(&h, slot, slot->generation, remote, 4, &s), CKR_OK);
	return s;
}

static CK_OBJECT_HANDLE
object(struct slot *slot, CK_ULONG remote, CK_SESSION_HANDLE owner)
{
	struct object_ref ref = {.handle = remote};
	CK_OBJECT_HANDLE o;

	if (owner == 0)
		memset(ref.id, (int)remote, MSG_ID_FLAGS);
	ref.id[MSG_ID_FLAGS] = owner != 0 ? MSG_ID_SESSION : 0;
	assert_int_equal(handles_add_objects(&h, slot, slot->generation, &ref, 1, owner,
			     owner == 0, &o), CKR_OK);
	return o;
}

static CK_RV
translate(uint32_t number, const struct arg *args, struct arg *remote,
    struct arena *arena, struct slot **ret_slot)
{
	uint64_t generation;
	CK_RV rv = handles_translate(&h, call_by_number(number), args, remote, arena,
	    ret_slot, &generation);

	if (rv == CKR_OK)
		assert_int_equal(generation, (*ret_slot)->generation);
	return rv;
}

/* What the worker would be told for this object in this session; ~0 without a session. */
static CK_ULONG
remote_of(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o)
{
	struct arg args[ARGS_MAX] = {{.len = s}, {.len = o}}, remote[ARGS_MAX];
	struct slot *slot;
	CK_RV rv = translate(CALL_C_DestroyObject, args, remote, NULL, &slot);

	if (rv == CKR_OK)
		return remote[1].len;
	assert_int_equal(rv, CKR_SESSION_HANDLE_INVALID);
	return ~0ul;
}

static struct slot *
slot_of(CK_SESSION_HANDLE s)
{
	struct arg args[ARGS_MAX] = {{.len = s}}, remote[ARGS_MAX];
	struct slot *slot;

	return translate(CALL_C_Logout, args, remote, NULL, &slot) == CKR_OK ? slot : NULL;
}

/* Handles in the parameter of a mechanism, too; the application's own stays as it is. */
static void
test_translate_parameter(void **state)
{
	CK_SESSION_HANDLE s = session(&a, 70);
	CK_OBJECT_HANDLE base = object(&a, 7, 0), other = object(&a, 8, 0);
	CK_OBJECT_HANDLE foreign = object(&b, 9, 0), param = other;
	CK_MECHANISM m = {CKM_CONCATENATE_BASE_AND_KEY, &param, sizeof(param)}, *sent;
	CK_MECHANISM plain = {CKM_SHA256_RSA_PKCS, NULL, 0};
	struct arg args[ARGS_MAX] = {{.len = s}, {.ptr = &m}, {.len = base}};
	struct arg remote[ARGS_MAX];
	struct arena arena;
	struct slot *slot;

	(void)state;
	arena_init(&arena, 4096);
	assert_int_equal(
	    translate(CALL_C_DeriveKey, args, remote, &arena, &slot), CKR_OK);
	sent = remote[1].ptr;
	assert_int_equal(*(CK_OBJECT_HANDLE *)sent->pParameter, 8);
	assert_int_equal(remote[2].len, 7);
	assert_int_equal(param, other);
	param = foreign;
	assert_int_equal(
	    translate(CALL_C_DeriveKey, args, remote, &arena, &slot), CKR_OK);
	sent = remote[1].ptr;
	assert_int_equal(*(CK_OBJECT_HANDLE *)sent->pParameter, CK_INVALID_HANDLE);
	args[1].ptr = &plain;
	assert_int_equal(
	    translate(CALL_C_DeriveKey, args, remote, &arena, &slot), CKR_OK);
	assert_ptr_equal(remote[1].ptr, &plain);
	arena_free(&arena);
	arena_init(&arena, 0);
	args[1].ptr = &m;
	assert_int_equal(
	    translate(CALL_C_DeriveKey, args, remote, &arena, &slot), CKR_HOST_MEMORY);
}

static void
test_translate(void **state)
{
	CK_SESSION_HANDLE s = session(&a, 70), t = session(&b, 70);
	CK_OBJECT_HANDLE o = object(&a, 7, 0), p = object(&b, 7, 0);

	(void)state;
	assert_int_not_equal(s, t);
	assert_int_not_equal(o, p);
	assert_int_equal(remote_of(s, o), 7);
	assert_int_equal(remote_of(t, p), 7);
	assert_int_equal(remote_of(s, p), 0); /* of another slot */
	assert_int_equal(remote_of(s, s), 0); /* a session is no object */
	assert_int_equal(remote_of(s, 0), 0);
	assert_int_equal(remote_of(o, o), ~0ul);
	assert_int_equal(remote_of(0, o), ~0ul);
	assert_ptr_equal(slot_of(t), &b);
	assert_null(slot_of(o));
}

static void
test_same_object_same_handle(void **state)
{
	CK_OBJECT_HANDLE o = object(&a, 7, 0);

	(void)state;
	assert_int_equal(object(&a, 7, 0), o);
	handles_drop_object(&h, o);
	assert_int_not_equal(object(&a, 7, 0), o);
}

static void
test_no_handle_for_no_object(void **state)
{
	(void)state;
	assert_int_equal(object(&a, 0, 0), 0);
}

static void
test_sessions_take_their_objects(void **state)
{
	CK_SESSION_HANDLE s = session(&a, 1), t = session(&a, 2);
	CK_OBJECT_HANDLE mine = object(&a, 10, t), token = object(&a, 11, 0);

	(void)state;
	assert_false(handles_drop_session(&h, t));
	assert_int_equal(remote_of(s, mine), 0);
	assert_int_equal(remote_of(s, token), 11);
	assert_int_equal(a.nsessions, 1);
	assert_true(handles_drop_session(&h, s));
	s = session(&a, 3);
	assert_int_equal(remote_of(s, token), 0);
}

static void
test_drop_slot_spares_others(void **state)
{
	CK_SESSION_HANDLE s = session(&a, 1), t = session(&b, 1);

	(void)state;
	handles_drop_slot(&h, &a);
	assert_null(slot_of(s));
	assert_ptr_equal(slot_of(t), &b);
	assert_int_equal(a.nsessions, 0);
}

static void
test_many(void **state)
{
	CK_SESSION_HANDLE s = session(&a, 1);
	CK_OBJECT_HANDLE *o = calloc(20000, sizeof(*o));

	(void)state;
	for (CK_ULONG i = 0; i < 20000; i++)
		o[i] = object(&a, i + 1, 0);
	for (CK_ULONG i = 0; i < 20000; i += 2)
		handles_drop_object(&h, o[i]);
	for (CK_ULONG i = 0; i < 20000; i++)
		assert_int_equal(remote_of(s, o[i]), i % 2 ? i + 1 : 0);
	for (CK_ULONG i = 1; i < 20000; i += 2)
		assert_int_equal(object(&a, i + 1, 0), o[i]);
	free(o);
}

/* Open and close for ever: the dead do not pile up. */
static void
test_churn(void **state)
{
	(void)state;
	for (CK_ULONG i = 1; i < 200000; i++)
		handles_drop_session(&h, session(&a, i));
}

static void
test_old_channel(void **state)
{
	struct object_ref ref = {.handle = 1};
	CK_OBJECT_HANDLE o;

	(void)state;
	assert_int_equal(handles_add_session(&h, &a, 0, 1, 4, &o), CKR_DEVICE_REMOVED);
	assert_int_equal(
	    handles_add_objects(&h, &a, 2, &ref, 1, 0, true, &o), CKR_DEVICE_REMOVED);
}

static void
test_moved(void **state)
{
	CK_SESSION_HANDLE s = session(&a, 1), gone = session(&a, 2),
			  other = session(&b, 1);
	CK_OBJECT_HANDLE o = object(&a, 10, 0), lost = object(&a, 11, 0);
	CK_OBJECT_HANDLE mine = object(&a, 12, s), theirs = object(&b, 10, 0), late;
	const struct object_ref ref = {.handle = 13, .id = {13}};
	CK_ULONG sessions[2], objects[2];
	struct handles_held held;

	(void)state;
	assert_int_equal(handles_held(&h, &a, KEPT_MAX_ALL, &held), CKR_OK);
	assert_int_equal(held.nsessions, 2);
	assert_int_equal(held.nobjects, 2); /* not the session object */
	assert_int_equal(held.nkept, 0);
	/* What would not be moved is not entered: its call is asked again. */
	assert_int_equal(handles_add_session(&h, &a, 1, 3, 4, &late), CKR_DEVICE_REMOVED);
	assert_int_equal(handles_add_objects(&h, &a, 1, &ref, 1, s, false, &late),
	    CKR_DEVICE_REMOVED);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(held.flags[i], 4);
		sessions[i] = held.sessions[i] == s ? 101 : 0;
		objects[i] = held.objects[i] == o ? 110 : 0;
		assert_int_equal(held.ids[i][0], held.objects[i] == o ? 10 : 11);
	}
	assert_int_equal(handles_moved(&h, &a, 2, &held, sessions, objects, NULL), CKR_OK);
	handles_held_free(&held);
	assert_int_equal(a.generation, 2);
	assert_int_equal(remote_of(s, o), 110);
	assert_int_equal(remote_of(s, lost), 0);
	assert_int_equal(remote_of(s, mine), 0);
	assert_int_equal(remote_of(gone, o), ~0ul);
	assert_int_equal(remote_of(other, theirs), 10);
	assert_int_equal(object(&a, 110, 0), o);
	assert_int_not_equal(object(&a, 10, 0), o);
}

/* vsmd gives what it sealed of an object that it knows by this handle. */
static void
keep(CK_OBJECT_HANDLE remote, const char *text, uint64_t generation)
{
	struct kept k = {.handle = remote, .object = (const uint8_t *)text,
	    .object_len = strlen(text)};

	handles_keep(&h, &a, generation, &k);
}

/* What is kept of session objects moves with them, in their sessions. */
static void
test_kept(void **state)
{
	CK_SESSION_HANDLE s = session(&a, 1), t = session(&a, 2);
	CK_OBJECT_HANDLE mine = object(&a, 12, s), theirs = object(&a, 13, t);
	CK_OBJECT_HANDLE lost = object(&a, 14, s), late;
	CK_ULONG sessions[2], kept[4];
	struct handles_held held;

	(void)state;
	keep(12, "old", 1);
	keep(12, "mine", 1);
	keep(13, "theirs", 1);
	keep(14, "of another channel", 2);
	keep(15, "astray", 1);
	late = object(&a, 15, t); /* comes after what is kept of it */
	assert_int_equal(handles_held(&h, &a, KEPT_MAX_ALL, &held), CKR_OK);
	assert_int_equal(held.nobjects, 0);
	assert_int_equal(held.nkept, 3);
	for (uint32_t i = 0; i < 3; i++) {
		CK_OBJECT_HANDLE o = held.kept[i].object;
		const char *text = o == mine ? "mine" : o == theirs ? "theirs" : "astray";

		assert_true(o == mine || o == theirs || o == late);
		assert_int_equal(held.kept[i].blob->len, strlen(text));
		assert_memory_equal(held.kept[i].blob->bytes, text, strlen(text));
		assert_int_equal(held.sessions[held.kept[i].session], o == mine ? s : t);
		kept[i] = o == mine ? 112 : o == theirs ? 0 : 115;
	}
	for (int i = 0; i < 2; i++)
		sessions[i] = held.sessions[i] == s ? 101 : 102;
	assert_int_equal(handles_moved(&h, &a, 2, &held, sessions, NULL, kept), CKR_OK);
	handles_held_free(&held);
	assert_int_equal(remote_of(s, mine), 112);
	assert_int_equal(remote_of(s, theirs), 0);
	assert_int_equal(remote_of(s, lost), 0);
	assert_int_equal(remote_of(s, late), 115);
	/* They still end with their sessions, and are still kept. */
	(void)handles_drop_session(&h, t);
	assert_int_equal(remote_of(s, late), 0);
	assert_int_equal(handles_held(&h, &a, KEPT_MAX_ALL, &held), CKR_OK);
	assert_int_equal(held.nkept, 1);
	handles_held_free(&held);
	/* No more than there is room for. */
	assert_int_equal(handles_held(&h, &a, 3, &held), CKR_OK);
	assert_int_equal(held.nkept, 0);
	handles_held_free(&held);
	assert_int_equal(a.kept, 4);
	handles_drop_object(&h, mine);
	assert_int_equal(a.kept, 0);
	assert_int_equal(handles_held(&h, &a, KEPT_MAX_ALL, &held), CKR_OK);
	assert_int_equal(held.nkept, 0);
	handles_held_free(&held);
}

/* An object was changed: what was kept of it before is void, but not what came meanwhile. */
static void
test_kept_of_before(void **state)
{
	CK_SESSION_HANDLE s = session(&a, 1);
	CK_OBJECT_HANDLE o = object(&a, 12, s);
	uint64_t before;

	(void)state;
	assert_int_equal(handles_kept(&h, o), 0);
	keep(12, "before", 1);
	before = handles_kept(&h, o);
	assert_int_not_equal(before, 0);
	handles_unkeep(&h, o, before);
	assert_int_equal(handles_kept(&h, o), 0);
	keep(12, "after", 1);
	assert_int_not_equal(handles_kept(&h, o), before);
	handles_unkeep(&h, o, before);
	assert_int_not_equal(handles_kept(&h, o), 0);
}

/* There is an end to what is kept. */
static void
test_kept_bound(void **state)
{
	CK_SESSION_HANDLE s = session(&a, 1);
	static uint8_t large[KEPT_MAX_OBJECT];
	struct kept k = {.object = large, .object_len = sizeof(large)};
	CK_ULONG n = KEPT_MAX_ALL / sizeof(large);

	(void)state;
	for (k.handle = 1; k.handle <= n + 10; k.handle++) {
		CK_OBJECT_HANDLE o = object(&a, k.handle, s);

		handles_keep(&h, &a, 1, &k);
		assert_int_equal(handles_kept(&h, o) != 0, k.handle <= n);
	}
	assert_int_equal(a.kept, KEPT_MAX_ALL);
	(void)session(&a, 2);
	(void)handles_drop_session(&h, s);
	assert_int_equal(a.kept, 0);
}

/* The child of a fork has no session objects. */
static void
test_kept_in_the_child(void **state)
{
	CK_SESSION_HANDLE s = session(&a, 1);
	struct handles_held held;

	(void)state;
	(void)object(&a, 12, s);
	keep(12, "mine", 1);
	keep(13, "astray", 1);
	a.nsessions = b.nsessions = 0;
	assert_int_equal(handles_renew(&h), CKR_OK);
	(void)object(&a, 13, s);
	assert_int_equal(handles_held(&h, &a, KEPT_MAX_ALL, &held), CKR_OK);
	assert_int_equal(held.nkept, 0);
	handles_held_free(&held);
}

static void
test_renew(void **state)
{
	CK_SESSION_HANDLE s = session(&a, 1);
	CK_OBJECT_HANDLE o = object(&a, 10, 0);

	(void)state;
	handles_lock_all(&h); /* another thread had them when we were forked */
	a.nsessions = b.nsessions = 0;
	assert_int_equal(handles_renew(&h), CKR_OK);
	assert_int_equal(a.nsessions, 1);
	assert_int_equal(remote_of(s, o), 10);
	assert_int_equal(object(&a, 10, 0), o);
}

/* An object as a search finds it. */
static CK_OBJECT_HANDLE
found(CK_ULONG remote, uint8_t id, uint8_t flags)
{
	struct object_ref ref = {.handle = remote};
	CK_OBJECT_HANDLE o;

	memset(ref.id, id, MSG_ID_FLAGS);
	ref.id[MSG_ID_FLAGS] = flags;
	assert_int_equal(
	    handles_add_objects(&h, &a, 1, &ref, 1, 0, true, &o), CKR_OK);
	return o;
}

/* Logging in and out for ever, finding the same private objects each time. */
static void
test_logouts_do_not_pile_up(void **state)
{
	CK_SESSION_HANDLE s = session(&a, 1);
	CK_OBJECT_HANDLE first, last = 0;
	CK_ULONG remote = 0;
	struct handles_held held;

	(void)state;
	first = found(++remote, 1, MSG_ID_PRIVATE);
	for (int round = 0; round < 1000; round++) {
		handles_logged_out(&h, &a, handles_mark());
		for (int i = 0; i < 20; i++)
			last = found(++remote, (uint8_t)(i + 1), MSG_ID_PRIVATE);
	}
	assert_int_equal(handles_held(&h, &a, KEPT_MAX_ALL, &held), CKR_OK);
	assert_int_equal(held.nobjects, 20);
	handles_held_free(&held);
	assert_int_equal(remote_of(s, first), 0);
	assert_int_equal(remote_of(s, last), remote);
}

/* Two public objects that look the same, of which one is not seen for 5000 logouts. */
static void
test_public_objects_are_never_lost(void **state)
{
	CK_SESSION_HANDLE s = session(&a, 1);
	CK_OBJECT_HANDLE one = found(1, 5, 0), twin = found(2, 5, 0), prv, other;

	(void)state;
	for (CK_ULONG i = 0; i < 5000; i++) {
		prv = found(10 + i, 6, MSG_ID_PRIVATE);
		assert_int_equal(found(2, 5, 0), twin);
		handles_logged_out(&h, &a, handles_mark());
		assert_int_equal(remote_of(s, prv), 0);
	}
	assert_int_equal(remote_of(s, one), 1);
	assert_int_equal(remote_of(s, twin), 2);
	/* A logout voids nothing on another slot. */
	other = object(&b, 1, 0);
	handles_logged_out(&h, &a, handles_mark());
	assert_int_equal(remote_of(session(&b, 1), other), 1);
}

/* Another thread logged in and searched before the one that logged out was told so. */
static void
test_logout_spares_a_later_login(void **state)
{
	CK_SESSION_HANDLE s = session(&a, 1);
	CK_OBJECT_HANDLE before = found(1, 5, MSG_ID_PRIVATE), after;
	uint64_t mark = handles_mark();

	(void)state;
	after = found(2, 5, MSG_ID_PRIVATE);
	handles_logged_out(&h, &a, mark);
	assert_int_equal(remote_of(s, before), 0);
	assert_int_equal(remote_of(s, after), 2);
}

#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(test_translate),
	    T(test_translate_parameter),
	    T(test_same_object_same_handle),
	    T(test_no_handle_for_no_object),
	    T(test_sessions_take_their_objects),
	    T(test_drop_slot_spares_others),
	    T(test_many),
	    T(test_churn),
	    T(test_old_channel),
	    T(test_moved),
	    T(test_kept),
	    T(test_kept_of_before),
	    T(test_kept_bound),
	    T(test_kept_in_the_child),
	    T(test_renew),
	    T(test_logouts_do_not_pile_up),
	    T(test_public_objects_are_never_lost),
	    T(test_logout_spares_a_later_login),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
