/* inprocess.c - see inprocess.h */
#include "inprocess.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vsmd/nursery/softhsm.h"
#include "vsmd/worker/interpose.h"
#include "vsmd/worker/learn.h"
#include "vsmd/worker/reply.h"
#include "vsmd/worker/serve.h"
#include "vsmd/worker/slot.h"

struct worker w;
CK_FUNCTION_LIST *real, counting;
atomic_uint asked;
CK_SESSION_HANDLE session;
uint8_t out[512];
__thread CK_RV begun;
__thread CK_ULONG out_len;
const uint8_t text[64] = "what is signed in the tests, some of it for sixty-four bytes..";

static char dir[] = "/tmp/test_inprocess.XXXXXX";
static char gate_path[64];
static struct nursery_config nursery = {.slot = RIG_SLOT};
static struct worker_config config = {.nursery = &nursery};
static CK_BBOOL yes = CK_TRUE;

/* SoftHSM2 never frees the point of an EC key; that it is SoftHSM2 a short stack does not
 * tell.  In life it is gone with the worker. */
const char *__lsan_default_suppressions(void), *__asan_default_options(void);
__attribute__((visibility("default"))) const char *
__lsan_default_suppressions(void)
{
	return "leak:libsofthsm2.so";
}
__attribute__((visibility("default"))) const char *
__asan_default_options(void)
{
	return "fast_unwind_on_malloc=0";
}

static CK_RV
count_sign(CK_SESSION_HANDLE s, CK_MECHANISM_PTR m, CK_OBJECT_HANDLE o)
{
	asked++;
	return real->C_SignInit(s, m, o);
}

static CK_RV
count_encrypt(CK_SESSION_HANDLE s, CK_MECHANISM_PTR m, CK_OBJECT_HANDLE o)
{
	asked++;
	return real->C_EncryptInit(s, m, o);
}

static CK_RV
count_decrypt(CK_SESSION_HANDLE s, CK_MECHANISM_PTR m, CK_OBJECT_HANDLE o)
{
	asked++;
	return real->C_DecryptInit(s, m, o);
}

struct request *
arrive(uint32_t begin, const struct arg *begin_args, uint32_t number, const struct arg *args)
{
	struct request *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	r->w = &w;
	r->seat = calloc(1, sizeof(*r->seat));
	assert_non_null(r->seat);
	r->args = r->args_of[0];
	assert_int_equal(gate_open(&r->gate, &w.gate), 0);
	arena_init(&r->arena, 1 << 20);
	buf_init(&r->out, 1 << 20);
	frame_begin(&r->out, 1, number);
	r->call = call_by_number(number);
	memcpy(r->args_of[0], args, sizeof(r->args_of[0]));
	for (size_t i = 0; i < ARGS_MAX; i++)
		if (r->args[i].plen != NULL) {
			r->args[i].room = *r->args[i].plen;
			r->args[i].len = r->args[i].room;
			r->args[i].plen = &r->args[i].room;
		}
	if (begin != 0) {
		r->begin = call_by_number(begin);
		memcpy(r->args_of[1], begin_args, sizeof(r->args_of[1]));
	}
	(void)turn_take(&w.sessions, args[0].len, false, &r->turn);
	return r;
}

CK_RV
answer(struct request *r)
{
	struct buf b;
	CK_RV rv;

	turn_wait(&w.sessions, &r->turn);
	serve(r);
	turn_done(&w.sessions, &r->turn);
	rv = r->reply.rv;
	out_len = r->args[2].room;
	buf_view(&b, r->out.data + FRAME_HEADER, 8);
	begun = r->begin != NULL ? buf_get_u64(&b) : CKR_OK;
	assert_null(r->cached);
	arena_free(&r->arena);
	buf_free(&r->out);
	turn_free(&r->turn);
	gate_close(&r->gate);
	free(r->seat);
	free(r);
	return rv;
}

CK_RV
serve_it(uint32_t begin, const struct arg *begin_args, uint32_t number, const struct arg *args)
{
	return answer(arrive(begin, begin_args, number, args));
}

#define PLAIN(name, ...)                                                                 \
	serve_it(0, NULL, CALL_##name, (const struct arg[ARGS_MAX]){__VA_ARGS__})

CK_RV
use(uint32_t number, CK_MECHANISM *m, CK_OBJECT_HANDLE key, const void *in, CK_ULONG len,
    CK_ULONG room)
{
	const struct arg begin[ARGS_MAX] = {{.len = session}, {.ptr = m}, {.len = key}};
	const struct arg args[ARGS_MAX] = {{.len = session},
	    {.ptr = (void *)(uintptr_t)in, .len = len}, {.ptr = out, .plen = &room}};

	return serve_it(call_by_number(number)->after, begin, number, args);
}

CK_RV
sign(CK_MECHANISM *m, CK_OBJECT_HANDLE key)
{
	return use(CALL_C_Sign, m, key, "0123456789abcdef0123456789abcdef", 32, sizeof(out));
}

void
prime(CK_MECHANISM *m, CK_OBJECT_HANDLE key)
{
	unsigned before;

	for (int i = 0; i < 2; i++) /* the first may find an older epoch */
		assert_int_equal(sign(m, key), CKR_OK);
	before = asked;
	assert_int_equal(sign(m, key), CKR_OK);
	assert_int_equal(asked, before);
}

void
assert_refused(CK_MECHANISM *m, CK_OBJECT_HANDLE key)
{
	unsigned before = asked;
	CK_RV rv = sign(m, key);

	assert_int_equal(asked, before + 1);
	assert_int_not_equal(rv, CKR_OK);
	assert_int_equal(rv, begun);
	assert_int_equal(rv, real->C_SignInit(session, m, key));
}

CK_OBJECT_HANDLE
rsa_of(CK_ULONG bits, bool token, CK_OBJECT_HANDLE *ret_public)
{
	CK_MECHANISM m = {CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0};
	CK_BBOOL on = token;
	CK_ATTRIBUTE pub_t[] = {{CKA_MODULUS_BITS, &bits, sizeof(bits)}, {CKA_VERIFY, &yes, 1},
	    {CKA_ENCRYPT, &yes, 1}};
	CK_ATTRIBUTE prv_t[] = {{CKA_TOKEN, &on, 1}, {CKA_PRIVATE, &yes, 1},
	    {CKA_SIGN, &yes, 1}, {CKA_DECRYPT, &yes, 1}};
	CK_OBJECT_HANDLE any, prv;

	assert_int_equal(real->C_GenerateKeyPair(session, &m, pub_t, 3, prv_t, 4,
			     ret_public != NULL ? ret_public : &any, &prv), CKR_OK);
	return prv;
}

CK_OBJECT_HANDLE
rsa(bool token, CK_OBJECT_HANDLE *ret_public)
{
	return rsa_of(1024, token, ret_public);
}

CK_OBJECT_HANDLE
secret(CK_KEY_TYPE type, CK_ULONG len)
{
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	uint8_t value[64] = "a secret key of a test, up to sixty-four bytes";
	CK_ATTRIBUTE t[] = {{CKA_CLASS, &class, sizeof(class)}, {CKA_KEY_TYPE, &type, sizeof(type)},
	    {CKA_VALUE, value, len}, {CKA_ENCRYPT, &yes, 1}, {CKA_DECRYPT, &yes, 1},
	    {CKA_SIGN, &yes, 1}, {CKA_VERIFY, &yes, 1}};
	CK_OBJECT_HANDLE key;

	assert_int_equal(real->C_CreateObject(session, t, 7, &key), CKR_OK);
	return key;
}

static bool
make_token(void)
{
	CK_SLOT_ID slots[4];
	CK_ULONG n = 4;
	CK_SESSION_HANDLE s;
	CK_UTF8CHAR label[32] = "t                               ";

	return real->C_GetSlotList(CK_TRUE, slots, &n) == CKR_OK &&
	    real->C_InitToken(slots[0], (CK_UTF8CHAR_PTR)SO_PIN, 8, label) == CKR_OK &&
	    real->C_OpenSession(slots[0], CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &s) ==
	    CKR_OK && real->C_Login(s, CKU_SO, (CK_UTF8CHAR_PTR)SO_PIN, 8) == CKR_OK &&
	    real->C_InitPIN(s, (CK_UTF8CHAR_PTR)USER_PIN, 8) == CKR_OK &&
	    real->C_Finalize(NULL) == CKR_OK && softhsm_start(real) == CKR_OK;
}

int
inprocess_start(void **state)
{
	bool blank;

	(void)state;
	if (mkdtemp(dir) == NULL || interpose_init() != 0 || learn_init() != 0)
		return -1;
	config.grant = rig_grant();
	w.config = &config;
	w.grant = &config.grant;
	w.user = -1;
	snprintf(gate_path, sizeof(gate_path), "%s.gate", dir);
	real = softhsm_load(CAAS_SOFTHSM2, dir);
	if (real == NULL || softhsm_start(real) != CKR_OK || !make_token() ||
	    gate_file_open(&w.gate, gate_path) != 0)
		return -1;
	counting = *real;
	counting.C_SignInit = count_sign;
	counting.C_EncryptInit = count_encrypt;
	counting.C_DecryptInit = count_decrypt;
	w.fl = &counting;
	w.pool.processors = 2;
	reply_init(&w);
	pthread_mutex_init(&w.login_lock, NULL);
	pthread_mutex_init(&w.open_lock, NULL);
	sessions_init(&w.sessions, 0);
	objects_init(&w.objects);
	keycache_init(&w.keys);
	store_init(&w.store, -1);
	audit_init(&w.audit);
	if (softhsm_slot(real, &w.slot, &blank) != CKR_OK ||
	    PLAIN(C_OpenSession, {.len = RIG_SLOT}, {.len = CKF_SERIAL_SESSION | CKF_RW_SESSION},
	    {0}, {0}, {.ptr = &session}) != CKR_OK)
		return -1;
	return real->C_Login(session, CKU_USER, (CK_UTF8CHAR_PTR)USER_PIN, 8) == CKR_OK ? 0 : -1;
}

int
inprocess_stop(void **state)
{
	char command[160];

	(void)state;
	keycache_free(&w.keys);
	sessions_free(&w.sessions);
	(void)real->C_Finalize(NULL);
	snprintf(command, sizeof(command), "rm -rf %s %s", dir, gate_path);
	return system(command);
}
