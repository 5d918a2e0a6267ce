/* test_worker_once.c - requests with a name, sent once or again (FRAME_ONCE) */
#include "rig.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static struct rig rig;
static struct guest g;
static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
static CK_ULONG len16 = 16;
static CK_MECHANISM aes = {CKM_AES_KEY_GEN, NULL, 0};

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

static int
begin(void **state)
{
	struct grant grant = rig_grant();

	(void)state;
	guest_attach(&g, &rig, &grant, 0);
	guest_login(&g);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	assert_int_equal(guest_leave(&g), 0);
	return 0;
}

static uint32_t
made_in_gate(void)
{
	uint32_t n = 0;
	int fd = open(rig.gate_path, O_RDONLY);

	assert_int_equal(pread(fd, &n, sizeof(n), GATE_MADE), sizeof(n));
	close(fd);
	return n;
}

static void
send_named(uint32_t flag, const void *name, size_t len, uint32_t number,
    const struct arg *args)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	frame_begin_flags(&b, ++g.next_id, number, flag);
	buf_put_raw(&b, name, len);
	if (args != NULL)
		assert_int_equal(ask_write(&b, call_by_number(number), args), CKR_OK);
	frame_end(&b);
	guest_send_raw(&g, b.data, b.len);
	buf_free(&b);
}

static CK_RV
named(uint32_t flag, const char name[16], uint32_t number, const struct arg *args)
{
	struct frame f;

	send_named(flag, name, 16, number, args);
	if (!guest_receive(&g, &f))
		return CKR_DEVICE_REMOVED;
	assert_int_equal(f.call, number);
	return guest_read_reply(&g, number, args);
}

static CK_RV
make_aes(uint32_t flag, const char name[16], const char *label, CK_BBOOL *token,
    CK_OBJECT_HANDLE *ret)
{
	CK_ATTRIBUTE t[] = {{CKA_TOKEN, token, 1},
	    {CKA_LABEL, (void *)(uintptr_t)label, strlen(label)},
	    {CKA_VALUE_LEN, &len16, sizeof(len16)}};

	return named(flag, name, CALL_C_GenerateKey,
	    (const struct arg[ARGS_MAX]){N(g.session), P(&aes), PL(t, 3), P(ret)});
}

static CK_ULONG
count(void)
{
	CK_OBJECT_HANDLE all[64];

	return guest_find(&g, all, 64);
}

static void
test_again_is_the_same(void **state)
{
	uint32_t made = made_in_gate();
	CK_OBJECT_HANDLE key = 0, again = 0;
	CK_ULONG objects;

	(void)state;
	assert_int_equal(make_aes(FRAME_ONCE, "the first name ", "one", &yes, &key), CKR_OK);
	assert_int_equal(made_in_gate(), made + 1);
	objects = count();
	assert_int_equal(rig.store.onces, 0); /* nobody asks who is not told to */
	assert_int_equal(
	    make_aes(FRAME_REPEATED, "the first name ", "one", &yes, &again), CKR_OK);
	assert_int_equal(again, key);
	assert_int_equal(count(), objects);
	assert_int_equal(rig.store.onces, 1);
	/* The first record may have been lost with its worker. */
	assert_non_null(strstr(rig.store.events, "label=\"one\" mechanism=CKM_AES_KEY_GEN repeated=yes"));
	/* Also in the next worker. */
	(void)end(NULL);
	(void)begin(NULL);
	assert_int_equal(
	    make_aes(FRAME_REPEATED, "the first name ", "one", &yes, &again), CKR_OK);
	assert_int_equal(count(), objects);
	assert_int_equal(CALLX(&g, C_DestroyObject, N(g.session), N(again)), CKR_OK);
	assert_int_equal(count(), objects - 1);
	/* Destroyed since: which one it was cannot be told, and no other takes its place. */
	assert_int_equal(make_aes(FRAME_REPEATED, "the first name ", "one", &yes, &again),
	    CKR_DEVICE_REMOVED);
	assert_int_equal(count(), objects - 1);
}

static void
test_unknown_is_made(void **state)
{
	CK_OBJECT_HANDLE key;
	CK_ULONG objects = count();

	(void)state;
	assert_int_equal(make_aes(FRAME_REPEATED, "never heard of ", "two", &yes, &key), CKR_OK);
	assert_int_equal(count(), objects + 1);
	assert_int_equal(make_aes(FRAME_REPEATED, "never heard of ", "two", &yes, &key), CKR_OK);
	assert_int_equal(count(), objects + 1);
}

static void
test_pair(void **state)
{
	CK_MECHANISM ec = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
	CK_BYTE p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
	CK_ATTRIBUTE public[] = {{CKA_TOKEN, &yes, 1}, {CKA_EC_PARAMS, p256, sizeof(p256)}},
	    private[] = {{CKA_TOKEN, &yes, 1}};
	CK_OBJECT_HANDLE pair[2], again[2];
	const struct arg first[ARGS_MAX] = {N(g.session), P(&ec), PL(public, 2),
	    PL(private, 1), P(&pair[0]), P(&pair[1])},
	    second[ARGS_MAX] = {N(g.session), P(&ec), PL(public, 2), PL(private, 1),
		P(&again[0]), P(&again[1])};

	(void)state;
	assert_int_equal(
	    named(FRAME_ONCE, "a pair of keys ", CALL_C_GenerateKeyPair, first), CKR_OK);
	assert_int_equal(
	    named(FRAME_REPEATED, "a pair of keys ", CALL_C_GenerateKeyPair, second), CKR_OK);
	assert_memory_equal(pair, again, sizeof(pair));
	assert_int_equal(g.reply.nrefs, 2);
}

/* Half of it went with the worker: what is left of it makes place for a new one. */
static void
test_half_a_pair(void **state)
{
	CK_MECHANISM ec = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
	CK_BYTE p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
	CK_ATTRIBUTE public[] = {{CKA_TOKEN, &no, 1}, {CKA_EC_PARAMS, p256, sizeof(p256)}},
	    private[] = {{CKA_TOKEN, &yes, 1}, {CKA_LABEL, (void *)(uintptr_t)"half", 4}};
	CK_OBJECT_HANDLE pair[2];
	CK_ULONG objects = count(), size;

	(void)state;
	for (int i = 0; i < 2; i++) {
		const struct arg args[ARGS_MAX] = {N(g.session), P(&ec), PL(public, 2),
		    PL(private, 2), P(&pair[0]), P(&pair[1])};

		assert_int_equal(named(i == 0 ? FRAME_ONCE : FRAME_REPEATED,
		    "half of a pair ", CALL_C_GenerateKeyPair, args), CKR_OK);
		assert_int_equal(count(), objects + 2);
		assert_int_equal(strstr(rig.store.events,
		    "C_GenerateKeyPair half=destroyed class=CKO_PRIVATE_KEY") != NULL, i);
		for (int k = 0; k < 2; k++)
			assert_int_equal(CALLX(&g, C_GetObjectSize, N(g.session), N(pair[k]),
			    P(&size)), CKR_OK);
		(void)end(NULL);
		(void)begin(NULL);
		assert_int_equal(count(), objects + 1);
	}
}

/* Of two that are alike, as private keys of a curve are that have no label, one was destroyed:
 * the request's name decides, whatever handle comes with it. */
static void
test_destruction(void **state)
{
	CK_MECHANISM ec = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
	CK_BYTE p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
	CK_ATTRIBUTE public[] = {{CKA_TOKEN, &yes, 1}, {CKA_EC_PARAMS, p256, sizeof(p256)}},
	    private[] = {{CKA_TOKEN, &yes, 1}};
	CK_OBJECT_HANDLE pub, twins[2];
	uint8_t id[MSG_ID_LEN];
	CK_ULONG objects, size;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(CALLX(&g, C_GenerateKeyPair, N(g.session), P(&ec),
		    PL(public, 2), PL(private, 1), P(&pub), P(&twins[i])), CKR_OK);
		if (i > 0)
			assert_memory_not_equal(id, g.reply.refs[1].id, sizeof(id));
		memcpy(id, g.reply.refs[1].id, sizeof(id));
	}
	objects = count();
	assert_int_equal(named(FRAME_ONCE, "end of a twin  ", CALL_C_DestroyObject,
	    (const struct arg[ARGS_MAX]){N(g.session), N(twins[0])}), CKR_OK);
	assert_int_equal(count(), objects - 1);
	assert_int_equal(named(FRAME_REPEATED, "end of a twin  ", CALL_C_DestroyObject,
	    (const struct arg[ARGS_MAX]){N(g.session), N(twins[1])}), CKR_OK);
	assert_int_equal(count(), objects - 1);
	assert_int_equal(
	    CALLX(&g, C_GetObjectSize, N(g.session), N(twins[1]), P(&size)), CKR_OK);
	assert_non_null(strstr(rig.store.events, "C_DestroyObject repeated=yes 0"));
	/* What was not done yet is. */
	assert_int_equal(named(FRAME_REPEATED, "end of another ", CALL_C_DestroyObject,
	    (const struct arg[ARGS_MAX]){N(g.session), N(twins[1])}), CKR_OK);
	assert_int_equal(count(), objects - 2);
	assert_int_equal(named(FRAME_REPEATED, "end of neither ", CALL_C_DestroyObject,
	    (const struct arg[ARGS_MAX]){N(g.session), N(0)}), CKR_OBJECT_HANDLE_INVALID);
}

/* A change is made once, whatever handle comes with it, and the object stays what it is. */
static void
test_change(void **state)
{
	CK_OBJECT_CLASS data = CKO_DATA;
	CK_ATTRIBUTE t[] = {{CKA_CLASS, &data, sizeof(data)}, {CKA_TOKEN, &yes, 1},
	    {CKA_LABEL, (void *)(uintptr_t)"in-use", 6}};
	CK_ATTRIBUTE label[] = {{CKA_LABEL, (void *)(uintptr_t)"retired", 7}};
	CK_OBJECT_HANDLE key, next;
	struct object_ref before;
	CK_BYTE text[7];

	(void)state;
	assert_int_equal(named(FRAME_ONCE, "to be renamed  ", CALL_C_CreateObject,
	    (const struct arg[ARGS_MAX]){N(g.session), PL(t, 3), P(&key)}), CKR_OK);
	before = g.reply.refs[0];
	assert_int_equal(named(FRAME_ONCE, "another label  ", CALL_C_SetAttributeValue,
	    (const struct arg[ARGS_MAX]){N(g.session), N(key), PL(label, 1)}), CKR_OK);
	assert_int_equal(named(FRAME_ONCE, "its successor  ", CALL_C_CreateObject,
	    (const struct arg[ARGS_MAX]){N(g.session), PL(t, 3), P(&next)}), CKR_OK);
	assert_memory_not_equal(g.reply.refs[0].id, before.id, MSG_ID_LEN);
	assert_int_equal(named(FRAME_REPEATED, "another label  ", CALL_C_SetAttributeValue,
	    (const struct arg[ARGS_MAX]){N(g.session), N(next), PL(label, 1)}), CKR_OK);
	/* The successor kept its label. */
	label[0].pValue = text;
	assert_int_equal(
	    CALLX(&g, C_GetAttributeValue, N(g.session), N(next), PL(label, 1)), CKR_OK);
	assert_int_equal(label[0].ulValueLen, 6);
	assert_memory_equal(text, "in-use", 6);
}

/* Two that are alike in all attributes. */
static void
test_twins(void **state)
{
	CK_OBJECT_CLASS data = CKO_DATA;
	CK_ATTRIBUTE t[] = {{CKA_CLASS, &data, sizeof(data)}, {CKA_TOKEN, &yes, 1}};
	CK_OBJECT_HANDLE o, one, two;
	const struct arg args[ARGS_MAX] = {N(g.session), PL(t, 2), P(&o)};

	(void)state;
	assert_int_equal(
	    named(FRAME_ONCE, "the first twin ", CALL_C_CreateObject, args), CKR_OK);
	one = o;
	assert_int_equal(
	    named(FRAME_ONCE, "the second twin", CALL_C_CreateObject, args), CKR_OK);
	two = o;
	assert_int_equal(named(FRAME_REPEATED, "the first twin ", CALL_C_CreateObject, args),
	    CKR_OK);
	assert_int_equal(o, one);
	assert_int_equal(named(FRAME_REPEATED, "the second twin", CALL_C_CreateObject, args),
	    CKR_OK);
	assert_int_equal(o, two);
}

/* An object of the session needs no name, and leaves none. */
static void
test_session_object(void **state)
{
	uint32_t made = made_in_gate();
	CK_OBJECT_HANDLE a, b;
	int onces = rig.store.onces;

	(void)state;
	assert_int_equal(make_aes(FRAME_ONCE, "of the session ", "s", &no, &a), CKR_OK);
	assert_int_equal(make_aes(FRAME_REPEATED, "of the session ", "s", &no, &b), CKR_OK);
	assert_int_not_equal(a, b);
	assert_int_equal(made_in_gate(), made);
	assert_int_equal(rig.store.onces, onces);
}

static void
test_what_fails_is_not_named(void **state)
{
	uint32_t made = made_in_gate();
	CK_OBJECT_HANDLE o;
	CK_ATTRIBUTE bad[] = {{CKA_TOKEN, &yes, 1}, {CKA_VALUE_LEN, &yes, 1}};

	(void)state;
	assert_int_not_equal(named(FRAME_ONCE, "bad attributes ", CALL_C_GenerateKey,
	    (const struct arg[ARGS_MAX]){N(g.session), P(&aes), PL(bad, 2), P(&o)}), CKR_OK);
	assert_int_equal(made_in_gate(), made);
}

static void
breach(uint32_t flag, size_t len, uint32_t number, const struct arg *args)
{
	struct grant grant = rig_grant();
	struct frame f;

	guest_attach(&g, &rig, &grant, 0);
	guest_open(&g);
	send_named(flag, "a name of sixtee", len, number, args);
	assert_false(guest_receive(&g, &f));
	(void)guest_wait_end(&g);
}

static void
test_breaches(void **state)
{
	const struct arg one[ARGS_MAX] = {N(1)};

	(void)state;
	breach(FRAME_ONCE, 16, CALL_C_GetSlotInfo, one);
	breach(FRAME_ONCE, 16, CALL_C_GetSessionInfo, one);
	breach(FRAME_REPEATED, 16, CALL_C_FindObjectsFinal, one);
	breach(FRAME_ONCE, 15, CALL_C_GenerateKey, NULL);
	breach(FRAME_REPEATED, 16, CALL_C_GenerateKey, NULL);
	breach(FRAME_ONCE, 16, FRAME_RESUME, NULL);
	breach(FRAME_ONCE, 16, FRAME_FETCH, NULL);
}

/* More than the store has taken: the last ones have no name, and all is well. */
static void
test_no_room(void **state)
{
	uint32_t n = GATE_MADE_MAX;
	int fd = open(rig.gate_path, O_RDWR);
	CK_OBJECT_HANDLE o;

	(void)state;
	assert_int_equal(pwrite(fd, &n, sizeof(n), GATE_MADE), sizeof(n));
	assert_int_equal(make_aes(FRAME_ONCE, "one too many   ", "many", &yes, &o), CKR_OK);
	assert_int_equal(made_in_gate(), GATE_MADE_MAX);
	n = 0;
	assert_int_equal(pwrite(fd, &n, sizeof(n), GATE_MADE), sizeof(n));
	close(fd);
}

#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(test_again_is_the_same),
	    T(test_unknown_is_made),
	    T(test_pair),
	    T(test_half_a_pair),
	    T(test_destruction),
	    T(test_change),
	    T(test_twins),
	    T(test_session_object),
	    T(test_what_fails_is_not_named),
	    cmocka_unit_test(test_breaches),
	    T(test_no_room),
	};

	return cmocka_run_group_tests_name("once", tests, setup, teardown);
}
