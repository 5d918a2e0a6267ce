/* test_worker_keep.c - session objects that are given to the guest, and come back */
#include "rig.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/resume.h"

#define TICKET "1" USER_PIN
#define MOST 8
#define MANY 16
#define LARGE 7000  /* bytes of each */
#define IDLE_MOST 5 /* of them without a request: 32 KiB and one */
#define SOON 5000   /* ms: it comes within that */
#define NEVER 300   /* ms: what has not come by then does not come */

static struct rig rig;
static struct grant grant;
static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
static CK_BYTE p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};

/* What a guest keeps. */
static struct {
	uint8_t pass[KEPT_MAX_PASS];
	size_t pass_len;
	struct {
		CK_OBJECT_HANDLE handle;
		uint8_t bytes[KEPT_MAX_OBJECT];
		size_t len;
	} object[MOST];
	uint32_t n;
} kept;

static unsigned seen;

/* The body of such a frame. */
static void
note(struct guest *g)
{
	struct kept k;

	seen++;
	assert_true(kept_read(&g->in, &k));
	if (k.pass_len > 0) {
		memcpy(kept.pass, k.pass, k.pass_len);
		kept.pass_len = k.pass_len;
	}
	if (kept.n == MOST)
		return;
	kept.object[kept.n].handle = k.handle;
	kept.object[kept.n].len = k.object_len;
	memcpy(kept.object[kept.n++].bytes, k.object, k.object_len);
}

static int
setup(void **state)
{
	(void)state;
	rig_start(&rig, true);
	rig.hello_flags = HELLO_KEEP;
	rig.on_kept = note;
	grant = rig_grant();
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
	(void)state;
	memset(&kept, 0, sizeof(kept));
	seen = 0;
	return 0;
}

static void
take(struct guest *g)
{
	struct frame f;

	assert_true(guest_receive(g, &f));
	assert_int_equal(f.call, FRAME_KEPT);
	assert_int_equal(f.id, 0);
	note(g);
}

static bool
comes(struct guest *g, int ms)
{
	struct pollfd p = {.fd = g->fd, .events = POLLIN};

	return poll(&p, 1, ms) == 1;
}

/* Until there are n. */
static void
await(struct guest *g, uint32_t n)
{
	while (kept.n < n) {
		assert_true(comes(g, SOON));
		take(g);
	}
}

/* The next worker, with all that is kept in one session; handles into `ret`. */
static CK_RV
resume_as(struct guest *g, const char *ticket, CK_FLAGS flags, CK_OBJECT_HANDLE *ret)
{
	struct resume_kept list[MOST];
	struct resume ask = {.user = 1 + CKU_USER, .ticket = (const uint8_t *)ticket,
	    .ticket_len = strlen(ticket), .session_flags = &flags, .nsessions = 1,
	    .kept = list, .nkept = kept.n, .pass = kept.pass, .pass_len = kept.pass_len};
	struct resumed done;
	struct frame f;
	struct buf b;

	if (ticket[0] == '\0')
		ask.user = 0;
	for (uint32_t i = 0; i < kept.n; i++)
		list[i] = (struct resume_kept){kept.object[i].bytes, kept.object[i].len, 0};
	guest_attach(g, &rig, &grant, 0);
	buf_init(&b, 1 << 20);
	frame_begin(&b, 1, FRAME_RESUME);
	resume_ask_write(&b, &ask);
	frame_end(&b);
	guest_send_raw(g, b.data, b.len);
	buf_free(&b);
	assert_true(guest_receive(g, &f));
	assert_int_equal(f.call, FRAME_RESUME);
	assert_true(resume_answer_read(&g->in, &ask, &done, &g->arena));
	g->next_id = 1;
	g->session = done.sessions[0];
	memcpy(ret, done.kept, kept.n * sizeof(*ret));
	return done.rv;
}

static CK_RV
resume(struct guest *g, CK_OBJECT_HANDLE *ret)
{
	return resume_as(g, TICKET, CKF_SERIAL_SESSION | CKF_RW_SESSION, ret);
}

/* Everything that may be asked of a key. */
static const CK_ATTRIBUTE_TYPE asked[] = {CKA_CLASS, CKA_TOKEN, CKA_PRIVATE, CKA_LABEL,
    CKA_MODIFIABLE, CKA_COPYABLE, CKA_KEY_TYPE, CKA_ID, CKA_START_DATE, CKA_DERIVE, CKA_LOCAL,
    CKA_KEY_GEN_MECHANISM, CKA_SENSITIVE, CKA_ENCRYPT, CKA_DECRYPT, CKA_SIGN, CKA_VERIFY,
    CKA_WRAP, CKA_UNWRAP, CKA_EXTRACTABLE, CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE,
    CKA_ALWAYS_AUTHENTICATE, CKA_CHECK_VALUE, CKA_VALUE, CKA_VALUE_LEN, CKA_EC_PARAMS,
    CKA_EC_POINT, CKA_TRUSTED, CKA_WRAP_WITH_TRUSTED, CKA_ALLOWED_MECHANISMS, CKA_SUBJECT,
    CKA_APPLICATION};

static size_t
describe(struct guest *g, CK_OBJECT_HANDLE o, uint8_t ret[8192])
{
	size_t used = 0;

	memset(ret, 0, 8192);
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		uint8_t value[256] = {0};
		CK_ATTRIBUTE a = {asked[i], value, sizeof(value)};
		CK_RV rv = CALLX(g, C_GetAttributeValue, N(g->session), N(o), PL(&a, 1));

		memcpy(ret + used, &rv, sizeof(rv));
		memcpy(ret + used + 8, &a.ulValueLen, sizeof(CK_ULONG));
		used += 16;
		if (rv == CKR_OK && a.ulValueLen <= sizeof(value)) {
			memcpy(ret + used, value, a.ulValueLen);
			used += a.ulValueLen;
		}
		assert_true(used < 8192 - 512);
	}
	return used;
}

static void
assert_same(const uint8_t *a, size_t a_len, struct guest *g, CK_OBJECT_HANDLE o)
{
	uint8_t *b = malloc(8192);
	size_t len;

	assert_non_null(b);
	len = describe(g, o, b);
	assert_int_equal(len, a_len);
	assert_memory_equal(a, b, len);
	free(b);
}

static CK_OBJECT_HANDLE
aes(struct guest *g, const char *label, CK_BBOOL private, CK_BBOOL *copyable,
    CK_BBOOL *modifiable)
{
	CK_MECHANISM mech = {CKM_AES_KEY_GEN, NULL, 0};
	CK_ULONG len = 32;
	CK_ATTRIBUTE t[9] = {{CKA_TOKEN, &no, 1}, {CKA_VALUE_LEN, &len, sizeof(len)},
	    {CKA_LABEL, (void *)(uintptr_t)label, strlen(label)}, {CKA_ENCRYPT, &yes, 1},
	    {CKA_EXTRACTABLE, &no, 1}, {CKA_SENSITIVE, &yes, 1}, {CKA_PRIVATE, &private, 1}};
	CK_ULONG n = 7;
	CK_OBJECT_HANDLE o;

	if (copyable != NULL)
		t[n++] = (CK_ATTRIBUTE){CKA_COPYABLE, copyable, 1};
	if (modifiable != NULL)
		t[n++] = (CK_ATTRIBUTE){CKA_MODIFIABLE, modifiable, 1};
	assert_int_equal(CALLX(g, C_GenerateKey, N(g->session), P(&mech), PL(t, n), P(&o)),
	    CKR_OK);
	return o;
}

static CK_RV
encrypt(struct guest *g, CK_OBJECT_HANDLE key, uint8_t ret[16])
{
	CK_MECHANISM mech = {CKM_AES_ECB, NULL, 0};
	CK_ULONG len = 16;
	CK_RV rv = CALLX(g, C_EncryptInit, N(g->session), P(&mech), N(key));

	return rv != CKR_OK ? rv
	    : CALLX(g, C_Encrypt, N(g->session), PL("sixteen bytes...", 16), PLP(ret, &len));
}

static void
pair(struct guest *g, CK_OBJECT_HANDLE *pub, CK_OBJECT_HANDLE *prv)
{
	CK_MECHANISM mech = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
	CK_ATTRIBUTE a[] = {{CKA_TOKEN, &no, 1}, {CKA_EC_PARAMS, p256, sizeof(p256)},
	    {CKA_VERIFY, &yes, 1}, {CKA_PRIVATE, &no, 1}};
	CK_ATTRIBUTE b[] = {{CKA_TOKEN, &no, 1}, {CKA_SIGN, &yes, 1}, {CKA_SENSITIVE, &yes, 1},
	    {CKA_EXTRACTABLE, &no, 1}, {CKA_PRIVATE, &yes, 1}};

	assert_int_equal(CALLX(g, C_GenerateKeyPair, N(g->session), P(&mech), PL(a, 4),
			     PL(b, 5), P(pub), P(prv)), CKR_OK);
}

static CK_OBJECT_HANDLE
data(struct guest *g, const char *label, CK_BBOOL private)
{
	CK_OBJECT_CLASS class = CKO_DATA;
	CK_ATTRIBUTE t[] = {{CKA_CLASS, &class, sizeof(class)}, {CKA_TOKEN, &no, 1},
	    {CKA_PRIVATE, &private, 1}, {CKA_LABEL, (void *)(uintptr_t)label, strlen(label)},
	    {CKA_VALUE, (void *)(uintptr_t)"content", 7}};
	CK_OBJECT_HANDLE o;

	assert_int_equal(
	    CALLX(g, C_CreateObject, N(g->session), PL(t, 5), P(&o)), CKR_OK);
	return o;
}

/* Of every kind; used, and described, before and after, also a second time. */
static void
test_objects_come_back(void **state)
{
	CK_MECHANISM ecdsa = {CKM_ECDSA, NULL, 0};
	uint8_t *what[5], before[16], after[16], digest[32] = "digest", sig[64];
	CK_OBJECT_HANDLE o[5], back[MOST], all[64];
	CK_ULONG len = sizeof(sig);
	size_t lens[5];
	struct guest g;

	(void)state;
	guest_attach(&g, &rig, &grant, 0);
	assert_int_equal(g.hello.flags & HELLO_KEEP, HELLO_KEEP);
	guest_login(&g);
	o[0] = aes(&g, "secret", CK_TRUE, NULL, NULL);
	o[1] = aes(&g, "fixed", CK_FALSE, NULL, &no);
	pair(&g, &o[2], &o[3]);
	o[4] = data(&g, "data", CK_FALSE);
	assert_int_equal(encrypt(&g, o[0], before), CKR_OK);
	for (int i = 0; i < 5; i++) {
		assert_non_null(what[i] = malloc(8192));
		lens[i] = describe(&g, o[i], what[i]);
	}
	await(&g, 5);
	assert_true(kept.pass_len > 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(kept.object[i].handle, o[i]);
	assert_int_equal(guest_leave(&g), 0);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(resume(&g, back), CKR_OK);
		for (int i = 0; i < 5; i++) {
			assert_int_not_equal(back[i], 0);
			assert_same(what[i], lens[i], &g, back[i]);
		}
		assert_int_equal(encrypt(&g, back[0], after), CKR_OK);
		assert_memory_equal(before, after, 16);
		assert_int_equal(CALLX(&g, C_SignInit, N(g.session), P(&ecdsa), N(back[3])),
		    CKR_OK);
		assert_int_equal(
		    CALLX(&g, C_Sign, N(g.session), PL(digest, 32), PLP(sig, &len)), CKR_OK);
		assert_int_equal(CALLX(&g, C_VerifyInit, N(g.session), P(&ecdsa), N(back[2])),
		    CKR_OK);
		assert_int_equal(
		    CALLX(&g, C_Verify, N(g.session), PL(digest, 32), PL(sig, 64)), CKR_OK);
		/* They are there once, and nothing else. */
		assert_int_equal(guest_find(&g, all, 64), 5);
		assert_int_equal(CALLX(&g, C_DestroyObject, N(g.session), N(back[4])), CKR_OK);
		assert_int_equal(guest_find(&g, all, 64), 4);
		assert_int_equal(guest_leave(&g), 0);
	}
	for (int i = 0; i < 5; i++)
		free(what[i]);
}

/* They end with their session, and private ones with the login. */
static void
test_they_end(void **state)
{
	CK_SESSION_INFO info;
	CK_SESSION_HANDLE first;
	CK_OBJECT_HANDLE back[MOST], all[8];
	uint8_t out[16];
	struct guest g;

	(void)state;
	guest_attach(&g, &rig, &grant, 0);
	guest_login(&g);
	(void)aes(&g, "secret", CK_TRUE, NULL, NULL);
	(void)data(&g, "data", CK_FALSE);
	await(&g, 2);
	assert_int_equal(guest_leave(&g), 0);

	assert_int_equal(resume(&g, back), CKR_OK);
	assert_int_equal(CALLX(&g, C_Logout, N(g.session)), CKR_OK);
	assert_int_not_equal(encrypt(&g, back[0], out), CKR_OK);
	assert_int_equal(guest_find(&g, all, 8), 1);
	first = g.session;
	guest_open(&g);
	assert_int_equal(CALLX(&g, C_CloseSession, N(first)), CKR_OK);
	assert_int_equal(guest_find(&g, all, 8), 0);
	assert_int_equal(guest_leave(&g), 0);

	/* Our own session is none of the application's: with its last one it is logged out. */
	assert_int_equal(resume(&g, back), CKR_OK);
	(void)aes(&g, "another", CK_TRUE, NULL, NULL);
	await(&g, 3);
	assert_int_equal(CALLX(&g, C_CloseSession, N(g.session)), CKR_OK);
	guest_open(&g);
	assert_int_equal(CALLX(&g, C_GetSessionInfo, N(g.session), P(&info)), CKR_OK);
	assert_int_equal(info.state, CKS_RW_PUBLIC_SESSION);
	assert_int_equal(guest_leave(&g), 0);
}

/* A private one does not come back under another login, or none. */
static void
test_another_login(void **state)
{
	CK_OBJECT_HANDLE back[MOST];
	struct guest g;

	(void)state;
	guest_attach(&g, &rig, &grant, 0);
	guest_login(&g);
	(void)aes(&g, "secret", CK_TRUE, NULL, NULL);
	(void)aes(&g, "public", CK_FALSE, NULL, NULL);
	await(&g, 2);
	assert_int_equal(guest_leave(&g), 0);
	assert_int_equal(resume_as(&g, "", CKF_SERIAL_SESSION, back), CKR_OK);
	assert_int_equal(back[0], 0);
	assert_int_not_equal(back[1], 0);
	assert_int_equal(guest_leave(&g), 0);
	/* The same user and PIN, but another ticket. */
	assert_int_equal(resume_as(&g, "b" USER_PIN, CKF_SERIAL_SESSION, back), CKR_OK);
	assert_int_equal(back[0], 0);
	assert_int_not_equal(back[1], 0);
	assert_int_equal(guest_leave(&g), 0);
	assert_int_equal(resume_as(&g, "0" SO_PIN, CKF_SERIAL_SESSION | CKF_RW_SESSION, back),
	    CKR_USER_NOT_LOGGED_IN); /* as another user than was asked for */
	assert_int_equal(back[0], 0);
	assert_int_equal(guest_leave(&g), 0);
}

/* What was changed is kept as it is now; what was destroyed soon is never sent. */
static void
test_changes(void **state)
{
	CK_ATTRIBUTE label = {CKA_LABEL, (void *)(uintptr_t)"renamed", 7};
	CK_OBJECT_HANDLE o, back[MOST];
	uint8_t value[32];
	CK_ATTRIBUTE got = {CKA_LABEL, value, sizeof(value)};
	struct guest g;

	(void)state;
	guest_attach(&g, &rig, &grant, 0);
	guest_login(&g);
	o = aes(&g, "short", CK_TRUE, NULL, NULL);
	assert_int_equal(CALLX(&g, C_DestroyObject, N(g.session), N(o)), CKR_OK);
	assert_false(comes(&g, NEVER));
	o = aes(&g, "named", CK_TRUE, NULL, NULL);
	await(&g, 1);
	assert_int_equal(
	    CALLX(&g, C_SetAttributeValue, N(g.session), N(o), PL(&label, 1)), CKR_OK);
	await(&g, 2);
	assert_int_equal(kept.object[1].handle, o);
	assert_int_equal(guest_leave(&g), 0);
	assert_int_equal(resume(&g, back), CKR_OK);
	assert_int_equal(
	    CALLX(&g, C_GetAttributeValue, N(g.session), N(back[1]), PL(&got, 1)), CKR_OK);
	assert_int_equal(got.ulValueLen, 7);
	assert_memory_equal(value, "renamed", 7);
	assert_int_equal(guest_leave(&g), 0);
}

/* Before a worker sends its guest to another one it gives away what is not due yet. */
static void
test_before_another_worker(void **state)
{
	CK_OBJECT_HANDLE back[MOST];
	struct guest g, other;

	(void)state;
	guest_attach(&other, &rig, &grant, 0);
	guest_login(&other);
	guest_attach(&g, &rig, &grant, 0);
	guest_open(&g);
	(void)data(&g, "young", CK_FALSE);
	assert_int_equal(CALLX(&other, C_SetPIN, N(other.session), PL(USER_PIN, 8),
			     PL("another1", 8)), CKR_OK);
	assert_int_equal(guest_try_login(&g, CKU_USER, "another1"), CKR_DEVICE_REMOVED);
	assert_int_equal(g.again, 1);
	assert_int_equal(kept.n, 1);
	assert_int_equal(guest_wait_end(&g), 0);
	assert_int_equal(CALLX(&other, C_SetPIN, N(other.session), PL("another1", 8),
			     PL(USER_PIN, 8)), CKR_OK);
	assert_int_equal(guest_leave(&other), 0);
	assert_int_equal(resume_as(&g, "", CKF_SERIAL_SESSION, back), CKR_OK);
	assert_int_not_equal(back[0], 0);
	assert_int_equal(guest_leave(&g), 0);
}

/* In a session that may only read, and without a login. */
static void
test_read_only(void **state)
{
	CK_OBJECT_HANDLE back[MOST];
	struct guest g;

	(void)state;
	guest_attach(&g, &rig, &grant, 0);
	assert_int_equal(CALLX(&g, C_OpenSession, N(RIG_SLOT), N(CKF_SERIAL_SESSION), P(NULL),
			     P(NULL), P(&g.session)), CKR_OK);
	(void)data(&g, "data", CK_FALSE);
	await(&g, 1);
	assert_int_equal(guest_leave(&g), 0);
	assert_int_equal(resume_as(&g, "", CKF_SERIAL_SESSION, back), CKR_OK);
	assert_int_not_equal(back[0], 0);
	assert_int_equal(guest_leave(&g), 0);
}

/* SoftHSM2 does not copy it, so it cannot be had. */
static void
test_not_copyable(void **state)
{
	struct guest g;

	(void)state;
	guest_attach(&g, &rig, &grant, 0);
	guest_login(&g);
	(void)aes(&g, "stays", CK_TRUE, &no, NULL);
	assert_false(comes(&g, NEVER));
	assert_int_equal(guest_leave(&g), 0);
}

/* Nothing of it comes to a guest that has not said that it keeps it. */
static void
test_unasked(void **state)
{
	struct guest g;

	(void)state;
	rig.hello_flags = 0;
	guest_attach(&g, &rig, &grant, 0);
	rig.hello_flags = HELLO_KEEP;
	assert_int_equal(g.hello.flags, 0);
	guest_login(&g);
	(void)aes(&g, "secret", CK_TRUE, NULL, NULL);
	assert_false(comes(&g, NEVER));
	assert_int_equal(guest_leave(&g), 0);
}

/* With each byte altered, shorter, with another pass, or none: nothing comes back, and the
 * worker serves. */
static void
test_forged(void **state)
{
	CK_OBJECT_HANDLE back[MOST];
	struct guest g;
	size_t len;

	(void)state;
	guest_attach(&g, &rig, &grant, 0);
	guest_login(&g);
	(void)data(&g, "data", CK_FALSE);
	await(&g, 1);
	len = kept.object[0].len;
	/* Another application of the same principal. */
	assert_int_equal(guest_leave(&g), 0);
	guest_attach(&g, &rig, &grant, 0);
	guest_login(&g);
	(void)data(&g, "theirs", CK_FALSE);
	await(&g, 2);
	assert_int_equal(guest_leave(&g), 0); /* its pass is the one there is now */
	assert_int_equal(resume(&g, back), CKR_OK);
	assert_int_equal(back[0], 0);
	assert_int_not_equal(back[1], 0);
	assert_int_equal(guest_leave(&g), 0);
	kept.object[0] = kept.object[1];
	len = kept.object[0].len;
	/* Six of them and the right one in each resume. */
	for (size_t at = 0; at < len;) {
		kept.n = 0;
		for (int i = 0; i < MOST - 1 && at < len; i++, at++) {
			kept.object[kept.n + 1] = kept.object[0];
			kept.object[++kept.n].bytes[at] ^= (uint8_t)(1u << at % 8);
		}
		kept.n++;
		assert_int_equal(resume(&g, back), CKR_OK);
		assert_int_not_equal(back[0], 0);
		for (uint32_t i = 1; i < kept.n; i++)
			assert_int_equal(back[i], 0);
		assert_int_equal(guest_leave(&g), 0);
	}
	kept.n = 1;
	for (size_t cut = 1; cut < len; cut += len / 5) {
		kept.object[0].len = cut;
		assert_int_equal(resume(&g, back), CKR_OK);
		assert_int_equal(back[0], 0);
		assert_int_equal(guest_leave(&g), 0);
	}
	kept.object[0].len = len;
	rig.store.refuse_pass = 1;
	assert_int_equal(resume(&g, back), CKR_OK);
	assert_int_equal(back[0], 0);
	rig.store.refuse_pass = 0;
	/* The application goes on with a pass of its own. */
	(void)data(&g, "new", CK_FALSE);
	await(&g, 2);
	assert_int_equal(guest_leave(&g), 0);
	assert_int_equal(resume(&g, back), CKR_OK);
	assert_int_equal(back[0], 0);
	assert_int_not_equal(back[1], 0);
	assert_int_equal(guest_leave(&g), 0);
	kept.pass_len = 0;
	assert_int_equal(resume(&g, back), CKR_OK);
	assert_int_equal(back[1], 0);
	assert_int_equal(guest_leave(&g), 0);
}

/* So many large objects, asked for without waiting: they come of age while nothing is asked. */
static void
make_many(struct guest *g)
{
	static uint8_t value[LARGE];
	CK_OBJECT_CLASS class = CKO_DATA;
	CK_ATTRIBUTE t[] = {{CKA_CLASS, &class, sizeof(class)}, {CKA_TOKEN, &no, 1},
	    {CKA_PRIVATE, &no, 1}, {CKA_VALUE, value, sizeof(value)}};
	CK_OBJECT_HANDLE o;
	struct frame f;

	for (uint32_t i = 1; i <= MANY; i++)
		guest_send(g, i, CALL_C_CreateObject,
		    (const struct arg[ARGS_MAX]){N(g->session), PL(t, 4), P(&o)});
	for (int replies = 0; replies < MANY;) {
		assert_true(guest_receive(g, &f));
		if (f.call == FRAME_KEPT)
			note(g);
		else
			replies++;
	}
}

/* A guest that does nothing is sent little; when it asks again, the rest comes. */
static void
test_little_at_a_time(void **state)
{
	CK_SESSION_INFO info;
	unsigned made = 0, idle;
	struct guest g;

	(void)state;
	guest_attach(&g, &rig, &grant, 0);
	guest_login(&g);
	/* Where making them takes long, the first are of age before the last is asked for. */
	for (int i = 0; i < 20 && seen == made; i++) {
		make_many(&g);
		made += MANY;
		for (idle = 0; comes(&g, NEVER); idle++)
			take(&g);
		assert_in_range(idle, 0, IDLE_MOST);
	}
	assert_in_range(seen, 1, made - 1);
	for (unsigned i = 0; i < made && seen < made; i++) {
		assert_int_equal(
		    CALLX(&g, C_GetSessionInfo, N(g.session), P(&info)), CKR_OK);
		for (idle = 0; comes(&g, NEVER); idle++)
			take(&g);
		assert_in_range(idle, 0, IDLE_MOST);
	}
	assert_int_equal(seen, made);
	assert_int_equal(guest_leave(&g), 0);
}

#define T(f) cmocka_unit_test_setup(f, begin)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(test_objects_come_back),
	    T(test_they_end),
	    T(test_another_login),
	    T(test_changes),
	    T(test_before_another_worker),
	    T(test_read_only),
	    T(test_not_copyable),
	    T(test_unasked),
	    T(test_forged),
	    T(test_little_at_a_time),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
