/* test_worker_keycache.c - keys that were learnt: when they are used, and when no more */
#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "protocol/mech.h"
#include "vsmd/nursery/softhsm.h"
#include "vsmd/worker/interpose.h"
#include "vsmd/worker/learn.h"
#include "vsmd/worker/reply.h"
#include "vsmd/worker/serve.h"

/* A worker in this process, so that one sees whether it asked SoftHSM2. */
static char dir[] = "/tmp/test_keycache.XXXXXX";
static char gate_path[64];
static struct worker w;
static struct nursery_config nursery = {.slot = RIG_SLOT};
static struct worker_config config = {.nursery = &nursery};
static CK_FUNCTION_LIST *real, counting;
static atomic_uint asked; /* SoftHSM2, for a beginning */
static bool lies;      /* what it signs is wrong */
static bool refuses;   /* to begin: somebody is changing the key just now */
static CK_SESSION_HANDLE session;
static uint8_t out[512];
static __thread CK_RV begun; /* of the last request */
static __thread CK_ULONG out_len;
static pthread_t opener; /* see close_while_another_opens() */
static bool opens;

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

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

static CK_RV
count_sign(CK_SESSION_HANDLE s, CK_MECHANISM_PTR m, CK_OBJECT_HANDLE o)
{
	asked++;
	if (refuses)
		return CKR_KEY_FUNCTION_NOT_PERMITTED;
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

static CK_RV
sign_or_lie(CK_SESSION_HANDLE s, CK_BYTE_PTR in, CK_ULONG len, CK_BYTE_PTR to, CK_ULONG_PTR plen)
{
	CK_RV rv = real->C_Sign(s, in, len, to, plen);

	if (lies && rv == CKR_OK && to != NULL)
		to[0] ^= 1;
	return rv;
}

/* As loop.c does it with a frame: it is read, its turn will come; */
static struct request *
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

/* and is served. */
static CK_RV
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

static CK_RV
serve_it(uint32_t begin, const struct arg *begin_args, uint32_t number, const struct arg *args)
{
	return answer(arrive(begin, begin_args, number, args));
}

#define PLAIN(name, ...)                                                                 \
	serve_it(0, NULL, CALL_##name, (const struct arg[ARGS_MAX]){__VA_ARGS__})

static CK_RV
use(uint32_t number, CK_MECHANISM *m, CK_OBJECT_HANDLE key, const void *in, CK_ULONG len,
    CK_ULONG room)
{
	const struct arg begin[ARGS_MAX] = {{.len = session}, {.ptr = m}, {.len = key}};
	const struct arg args[ARGS_MAX] = {{.len = session},
	    {.ptr = (void *)(uintptr_t)in, .len = len}, {.ptr = out, .plen = &room}};

	return serve_it(call_by_number(number)->after, begin, number, args);
}

static CK_RV
sign(CK_MECHANISM *m, CK_OBJECT_HANDLE key)
{
	return use(CALL_C_Sign, m, key, "0123456789abcdef0123456789abcdef", 32, sizeof(out));
}

static unsigned
cached(void)
{
	const struct keycache_set *sets = w.keys.sets;
	unsigned n = 0;

	for (size_t i = 0; sets != NULL && i < KEYCACHE_SETS; i++)
		for (size_t k = 0; k < KEYCACHE_WAYS; k++)
			n += sets[i].way[k] != NULL;
	return n;
}

/* The key is ready: SoftHSM2 is asked once, if at all, and then not any more. */
static void
prime(CK_MECHANISM *m, CK_OBJECT_HANDLE key)
{
	unsigned before;

	for (int i = 0; i < 2; i++) /* the first may find an older epoch */
		assert_int_equal(sign(m, key), CKR_OK);
	before = asked;
	assert_int_equal(sign(m, key), CKR_OK);
	assert_int_equal(asked, before);
}

/* Refused, by SoftHSM2, and as it refuses it. */
static void
assert_refused(CK_MECHANISM *m, CK_OBJECT_HANDLE key)
{
	unsigned before = asked;
	CK_RV rv = sign(m, key);

	assert_int_equal(asked, before + 1);
	assert_int_not_equal(rv, CKR_OK);
	assert_int_equal(rv, begun);
	assert_int_equal(rv, real->C_SignInit(session, m, key));
}

static CK_OBJECT_HANDLE
rsa_of(CK_ULONG bits, bool token, CK_OBJECT_HANDLE *pub)
{
	CK_MECHANISM m = {CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0};
	CK_BBOOL on = token;
	CK_ATTRIBUTE pub_t[] = {{CKA_MODULUS_BITS, &bits, sizeof(bits)}, {CKA_VERIFY, &yes, 1},
	    {CKA_ENCRYPT, &yes, 1}};
	CK_ATTRIBUTE prv_t[] = {{CKA_TOKEN, &on, 1}, {CKA_PRIVATE, &yes, 1},
	    {CKA_SIGN, &yes, 1}, {CKA_DECRYPT, &yes, 1}};
	CK_OBJECT_HANDLE any, prv;

	assert_int_equal(real->C_GenerateKeyPair(session, &m, pub_t, 3, prv_t, 4,
			     pub != NULL ? pub : &any, &prv), CKR_OK);
	return prv;
}

static CK_OBJECT_HANDLE
rsa(bool token, CK_OBJECT_HANDLE *pub)
{
	return rsa_of(1024, token, pub);
}

static CK_OBJECT_HANDLE
curve(CK_MECHANISM_TYPE type, const void *params, CK_ULONG len, CK_OBJECT_HANDLE *pub)
{
	CK_MECHANISM m = {type, NULL, 0};
	CK_ATTRIBUTE pub_t[] = {
	    {CKA_EC_PARAMS, (void *)(uintptr_t)params, len}, {CKA_VERIFY, &yes, 1}};
	CK_ATTRIBUTE prv_t[] = {{CKA_PRIVATE, &yes, 1}, {CKA_SIGN, &yes, 1}};
	CK_OBJECT_HANDLE prv;

	assert_int_equal(
	    real->C_GenerateKeyPair(session, &m, pub_t, 2, prv_t, 2, pub, &prv), CKR_OK);
	return prv;
}

static CK_OBJECT_HANDLE
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

static void
verify(CK_MECHANISM *m, CK_OBJECT_HANDLE pub, const void *in, CK_ULONG len)
{
	assert_int_equal(real->C_VerifyInit(session, m, pub), CKR_OK);
	assert_int_equal(real->C_Verify(session, (CK_BYTE_PTR)(uintptr_t)in, len, out, out_len),
	    CKR_OK);
}

static const uint8_t text[64] = "what is signed in the tests, some of it for sixty-four bytes..";

/* By SoftHSM2, and then by the key that it used: both verify. */
static void
signs(CK_MECHANISM_TYPE type, void *param, CK_ULONG param_len, CK_OBJECT_HANDLE key,
    CK_OBJECT_HANDLE pub, CK_ULONG len)
{
	CK_MECHANISM m = {type, param, param_len};

	for (int i = 0; i < 4; i++) {
		unsigned before = asked;
		CK_RV rv = use(CALL_C_Sign, &m, key, text, len, sizeof(out));

		if (rv != CKR_OK || (i > 1 && asked != before))
			print_message("mechanism 0x%lx\n", type);
		assert_int_equal(rv, CKR_OK);
		if (i > 1)
			assert_int_equal(asked, before);
		verify(&m, pub, text, len);
	}
}

static void
test_signatures(void **state)
{
	static const uint8_t p256[] = {6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7};
	static const uint8_t p384[] = {6, 5, 0x2b, 0x81, 4, 0, 0x22};
	static const uint8_t p521[] = {6, 5, 0x2b, 0x81, 4, 0, 0x23};
	static const uint8_t ed[] = "\x13\x0c" "edwards25519";
	CK_RSA_PKCS_PSS_PARAMS pss = {CKM_SHA256, CKG_MGF1_SHA256, 32};
	CK_OBJECT_HANDLE pub, key = rsa(false, &pub);

	(void)state;
	signs(CKM_RSA_PKCS, NULL, 0, key, pub, 35);
	signs(CKM_RSA_X_509, NULL, 0, key, pub, 60);
	signs(CKM_SHA1_RSA_PKCS, NULL, 0, key, pub, 64);
	signs(CKM_SHA256_RSA_PKCS, NULL, 0, key, pub, 64);
	signs(CKM_SHA384_RSA_PKCS, NULL, 0, key, pub, 64);
	signs(CKM_SHA512_RSA_PKCS, NULL, 0, key, pub, 64);
	signs(CKM_RSA_PKCS_PSS, &pss, sizeof(pss), key, pub, 32);
	signs(CKM_SHA256_RSA_PKCS_PSS, &pss, sizeof(pss), key, pub, 64);
	key = curve(CKM_EC_KEY_PAIR_GEN, p256, sizeof(p256), &pub);
	signs(CKM_ECDSA, NULL, 0, key, pub, 32);
	key = curve(CKM_EC_KEY_PAIR_GEN, p384, sizeof(p384), &pub);
	signs(CKM_ECDSA, NULL, 0, key, pub, 48);
	key = curve(CKM_EC_KEY_PAIR_GEN, p521, sizeof(p521), &pub);
	signs(CKM_ECDSA, NULL, 0, key, pub, 64);
	key = curve(CKM_EC_EDWARDS_KEY_PAIR_GEN, ed, sizeof(ed) - 1, &pub);
	signs(CKM_EDDSA, NULL, 0, key, pub, 64);
	key = secret(CKK_GENERIC_SECRET, 64);
	signs(CKM_SHA256_HMAC, NULL, 0, key, key, 64);
	signs(CKM_SHA512_HMAC, NULL, 0, key, key, 64);
}

/* A modulus that does not fill its bytes, and the smallest and larger ones. */
static void
test_sizes(void **state)
{
	static const CK_ULONG bits[] = {512, 1023, 1025, 2048, 3072};
	CK_RSA_PKCS_PSS_PARAMS pss = {CKM_SHA_1, CKG_MGF1_SHA1, 20}, none = {CKM_SHA256,
	    CKG_MGF1_SHA256, 0};
	CK_OBJECT_HANDLE pub, key;

	(void)state;
	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		key = rsa_of(bits[i], false, &pub);
		signs(CKM_RSA_PKCS, NULL, 0, key, pub, 53);
		signs(CKM_SHA256_RSA_PKCS, NULL, 0, key, pub, 64);
		signs(CKM_SHA1_RSA_PKCS_PSS, &pss, sizeof(pss), key, pub, 64);
		signs(CKM_RSA_PKCS_PSS, &none, sizeof(none), key, pub, 32);
	}
}

/* There and back, twice by SoftHSM2 and twice by the key, with another vector each time. */
static void
crypts(CK_MECHANISM *m, uint8_t *vary, CK_OBJECT_HANDLE to, CK_OBJECT_HANDLE from, CK_ULONG len)
{
	uint8_t cipher[512];

	for (int i = 0; i < 4; i++) {
		unsigned before = asked;
		CK_ULONG n = sizeof(cipher);

		if (vary != NULL)
			(*vary)++;
		if (to == from) {
			assert_int_equal(use(CALL_C_Encrypt, m, to, text, len, sizeof(out)), CKR_OK);
			n = out_len;
			memcpy(cipher, out, n);
		} else {
			assert_int_equal(real->C_EncryptInit(session, m, to), CKR_OK);
			assert_int_equal(real->C_Encrypt(session, (CK_BYTE_PTR)(uintptr_t)text,
					     len, cipher, &n), CKR_OK);
		}
		memset(out, 0, sizeof(out));
		assert_int_equal(use(CALL_C_Decrypt, m, from, cipher, n, sizeof(out)), CKR_OK);
		if (i > 1 && asked != before)
			print_message("mechanism 0x%lx\n", m->mechanism);
		if (i > 1)
			assert_int_equal(asked, before);
		assert_memory_equal(
		    m->mechanism == CKM_RSA_X_509 ? out + out_len - len : out, text, len);
	}
}

static void
test_ciphers(void **state)
{
	uint8_t iv[16] = {1}, aad[5] = {2};
	CK_GCM_PARAMS_V3 gcm = {iv, 12, 96, aad, 5, 128};
	CK_AES_CTR_PARAMS ctr = {.ulCounterBits = 128};
	CK_RSA_PKCS_OAEP_PARAMS oaep = {CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, NULL, 0};
	CK_MECHANISM m = {CKM_AES_GCM, &gcm, sizeof(gcm)};
	CK_OBJECT_HANDLE pub, key;

	(void)state;
	for (CK_ULONG len = 16; len <= 32; len += 8) {
		key = secret(CKK_AES, len);
		m = (CK_MECHANISM){CKM_AES_GCM, &gcm, sizeof(gcm)};
		crypts(&m, iv, key, key, 33);
		m = (CK_MECHANISM){CKM_AES_CBC, iv, 16};
		crypts(&m, iv, key, key, 48);
		m = (CK_MECHANISM){CKM_AES_CBC_PAD, iv, 16};
		crypts(&m, iv, key, key, 33);
		m = (CK_MECHANISM){CKM_AES_ECB, NULL, 0};
		crypts(&m, NULL, key, key, 48);
		m = (CK_MECHANISM){CKM_AES_CTR, &ctr, sizeof(ctr)};
		crypts(&m, ctr.cb, key, key, 33);
	}
	key = rsa(false, &pub);
	m = (CK_MECHANISM){CKM_RSA_PKCS, NULL, 0};
	crypts(&m, NULL, pub, key, 33);
	m = (CK_MECHANISM){CKM_RSA_PKCS_OAEP, &oaep, sizeof(oaep)};
	crypts(&m, NULL, pub, key, 33);
	m = (CK_MECHANISM){CKM_RSA_X_509, NULL, 0};
	crypts(&m, NULL, pub, key, 60);
}

/* What SoftHSM2 refuses is refused with its code, and what it goes on with goes on. */
static void
test_what_does_not_succeed(void **state)
{
	CK_MECHANISM m = {CKM_RSA_PKCS, NULL, 0}, gcm_m;
	CK_OBJECT_HANDLE key = rsa(false, NULL), aes = secret(CKK_AES, 16);
	uint8_t long_text[200] = {0}, iv[12] = {0};
	CK_GCM_PARAMS_V3 gcm = {iv, 12, 96, NULL, 0, 128};
	unsigned before;
	CK_RV rv;

	(void)state;
	prime(&m, key);
	rv = use(CALL_C_Sign, &m, key, long_text, 200, sizeof(out));
	assert_int_equal(begun, CKR_OK);
	assert_int_equal(real->C_SignInit(session, &m, key), CKR_OK);
	out_len = sizeof(out);
	assert_int_equal(rv, real->C_Sign(session, long_text, 200, out, &out_len));
	prime(&m, key);
	before = asked;
	assert_int_equal(use(CALL_C_Sign, &m, key, text, 32, 5), CKR_BUFFER_TOO_SMALL);
	assert_int_equal(asked, before + 1);
	assert_int_equal(out_len, 128);
	/* It is active now, so no other can begin, learnt or not. */
	assert_int_equal(sign(&m, key), CKR_OPERATION_ACTIVE);
	assert_int_equal(begun, CKR_OPERATION_ACTIVE);
	assert_int_equal(PLAIN(C_Sign, {.len = session}, {.ptr = (void *)(uintptr_t)text, .len = 32},
			     {.ptr = out, .plen = &(CK_ULONG){sizeof(out)}}), CKR_OK);
	prime(&m, key);
	/* A tag that is wrong. */
	gcm_m = (CK_MECHANISM){CKM_AES_GCM, &gcm, sizeof(gcm)};
	for (int i = 0; i < 3; i++) {
		uint8_t cipher[48];

		assert_int_equal(
		    use(CALL_C_Encrypt, &gcm_m, aes, text, 32, sizeof(out)), CKR_OK);
		memcpy(cipher, out, 48);
		assert_int_equal(
		    use(CALL_C_Decrypt, &gcm_m, aes, cipher, 48, sizeof(out)), CKR_OK);
		cipher[40] ^= 1;
		rv = use(CALL_C_Decrypt, &gcm_m, aes, cipher, 48, sizeof(out));
		assert_int_equal(real->C_DecryptInit(session, &gcm_m, aes), CKR_OK);
		out_len = sizeof(out);
		assert_int_equal(rv, real->C_Decrypt(session, cipher, 48, out, &out_len));
		assert_int_not_equal(rv, CKR_OK);
	}
}

/* SoftHSM2 ends a counter where it would begin anew. */
static void
test_counter_runs_out(void **state)
{
	CK_AES_CTR_PARAMS ctr = {.ulCounterBits = 128};
	CK_MECHANISM m = {CKM_AES_CTR, &ctr, sizeof(ctr)};
	CK_OBJECT_HANDLE aes = secret(CKK_AES, 16);
	uint8_t plain[64];

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(use(CALL_C_Encrypt, &m, aes, text, 33, sizeof(out)), CKR_OK);
		assert_int_equal(use(CALL_C_Decrypt, &m, aes, text, 33, sizeof(out)), CKR_OK);
	}
	memset(ctr.cb, 0xff, sizeof(ctr.cb));
	for (unsigned last = 0xfc; last <= 0xff; last++)
		for (CK_ULONG len = 15; len <= 64; len++) {
			CK_ULONG n = sizeof(plain);
			CK_RV rv;

			ctr.cb[15] = (uint8_t)last;
			assert_int_equal(real->C_EncryptInit(session, &m, aes), CKR_OK);
			rv = real->C_Encrypt(
			    session, (CK_BYTE_PTR)(uintptr_t)text, len, plain, &n);
			assert_int_equal(use(CALL_C_Encrypt, &m, aes, text, len, sizeof(out)), rv);
			if (rv == CKR_OK)
				assert_memory_equal(out, plain, len);
			assert_int_equal(use(CALL_C_Decrypt, &m, aes, text, len, sizeof(out)),
			    rv == CKR_OK ? CKR_OK : CKR_ENCRYPTED_DATA_LEN_RANGE);
		}
}

/* A parameter where there should be none, and one that says too much: SoftHSM2 judges. */
static void
test_parameters(void **state)
{
	static const CK_MECHANISM_TYPE types[] = {CKM_RSA_PKCS, CKM_RSA_X_509,
	    CKM_SHA256_RSA_PKCS, CKM_SHA256_HMAC};
	CK_RSA_PKCS_OAEP_PARAMS oaep = {CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, NULL, 0};
	CK_MECHANISM m = {CKM_RSA_PKCS_OAEP, &oaep, sizeof(oaep)};
	CK_OBJECT_HANDLE pub, prv = rsa(false, &pub), hmac = secret(CKK_GENERIC_SECRET, 32);
	uint8_t cipher[128];
	CK_ULONG n = sizeof(cipher);
	unsigned before;

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		CK_MECHANISM plain = {types[i], NULL, 0}, with = {types[i], cipher, 100};
		CK_OBJECT_HANDLE key = types[i] == CKM_SHA256_HMAC ? hmac : prv;

		prime(&plain, key);
		before = asked;
		for (unsigned k = 0; k < 3; k++)
			assert_int_equal(sign(&with, key), CKR_OK);
		assert_int_equal(asked, before + 3);
	}
	assert_int_equal(real->C_EncryptInit(session, &m, pub), CKR_OK);
	assert_int_equal(
	    real->C_Encrypt(session, (CK_BYTE_PTR)(uintptr_t)text, 32, cipher, &n), CKR_OK);
	for (int i = 0; i < 3; i++)
		assert_int_equal(use(CALL_C_Decrypt, &m, prv, cipher, n, sizeof(out)), CKR_OK);
	for (int i = 0; i < 3; i++) {
		CK_ULONG room = sizeof(out);
		CK_RV rv;

		oaep.source = i == 0 ? 0 : CKZ_DATA_SPECIFIED;
		oaep.pSourceData = i == 0 ? NULL : cipher;
		oaep.ulSourceDataLen = i == 2 ? 4 : 0;
		before = asked;
		rv = use(CALL_C_Decrypt, &m, prv, cipher, n, sizeof(out));
		assert_int_equal(asked, before + 1);
		if (real->C_DecryptInit(session, &m, prv) == CKR_OK)
			assert_int_equal(rv, real->C_Decrypt(session, cipher, n, out, &room));
		else
			assert_int_equal(rv, begun);
	}
}

/* Nothing to sign, nothing in the ciphertext: no sign of a SoftHSM2 that is not known. */
static void
test_empty(void **state)
{
	uint8_t iv[16] = {0};
	CK_GCM_PARAMS_V3 gcm = {iv, 12, 96, NULL, 0, 128};
	CK_MECHANISM m = {CKM_SHA256_HMAC, NULL, 0}, gcm_m = {CKM_AES_GCM, &gcm, sizeof(gcm)};
	CK_MECHANISM cbc_m = {CKM_AES_CBC_PAD, iv, sizeof(iv)};
	CK_OBJECT_HANDLE key = secret(CKK_GENERIC_SECRET, 32), aes = secret(CKK_AES, 16);
	uint8_t cipher[16];
	unsigned before;

	(void)state;
	for (int i = 0; i < 20; i++) {
		assert_int_equal(use(CALL_C_Sign, &m, key, text, 0, sizeof(out)), CKR_OK);
		assert_int_equal(use(CALL_C_Encrypt, &gcm_m, aes, text, 0, sizeof(out)), CKR_OK);
		assert_int_equal(out_len, 16);
		memcpy(cipher, out, 16);
		assert_int_equal(use(CALL_C_Decrypt, &gcm_m, aes, cipher, 16, sizeof(out)), CKR_OK);
		assert_int_equal(out_len, 0);
		before = asked;
	}
	assert_false(w.keys.off);
	assert_int_equal(use(CALL_C_Decrypt, &gcm_m, aes, cipher, 16, sizeof(out)), CKR_OK);
	assert_int_equal(asked, before);
	/* The room that SoftHSM2 asks for is enough. */
	for (int i = 0; i < 4; i++) {
		before = asked;
		assert_int_equal(use(CALL_C_Encrypt, &cbc_m, aes, text, 33, 48), CKR_OK);
		assert_int_equal(out_len, 48);
	}
	assert_int_equal(asked, before);
	assert_int_equal(use(CALL_C_Encrypt, &cbc_m, aes, text, 32, 47), CKR_BUFFER_TOO_SMALL);
	assert_int_equal(PLAIN(C_Encrypt, {.len = session},
			     {.ptr = (void *)(uintptr_t)text, .len = 32},
			     {.ptr = out, .plen = &(CK_ULONG){48}}), CKR_OK);
}

/* The key does not succeed, and SoftHSM2 does not even begin: that is what is said. */
static void
test_refused_after_all(void **state)
{
	CK_MECHANISM m = {CKM_RSA_PKCS, NULL, 0};
	CK_OBJECT_HANDLE key = rsa(false, NULL);

	(void)state;
	prime(&m, key);
	refuses = true;
	assert_int_equal(use(CALL_C_Sign, &m, key, text, 32, 5), CKR_KEY_FUNCTION_NOT_PERMITTED);
	assert_int_equal(begun, CKR_KEY_FUNCTION_NOT_PERMITTED);
	refuses = false;
	prime(&m, key);
}

static void
test_another_operation_is_active(void **state)
{
	CK_MECHANISM m = {CKM_RSA_PKCS, NULL, 0}, sha = {CKM_SHA256, NULL, 0};
	CK_OBJECT_HANDLE key = rsa(false, NULL);

	(void)state;
	prime(&m, key);
	assert_int_equal(PLAIN(C_DigestInit, {.len = session}, {.ptr = &sha}), CKR_OK);
	assert_int_equal(sign(&m, key), CKR_OPERATION_ACTIVE);
	assert_int_equal(PLAIN(C_DigestFinal, {.len = session},
			     {.ptr = out, .plen = &(CK_ULONG){sizeof(out)}}), CKR_OK);
	prime(&m, key);
	assert_int_equal(PLAIN(C_FindObjectsInit, {.len = session}, {.len = 0}), CKR_OK);
	assert_int_equal(sign(&m, key), CKR_OPERATION_ACTIVE);
	assert_int_equal(PLAIN(C_FindObjectsFinal, {.len = session}), CKR_OK);
	prime(&m, key);
}

static void
test_destroyed(void **state)
{
	CK_MECHANISM m = {CKM_RSA_PKCS, NULL, 0};
	CK_OBJECT_HANDLE key = rsa(false, NULL);

	(void)state;
	prime(&m, key);
	assert_int_equal(
	    PLAIN(C_DestroyObject, {.len = session}, {.len = key}), CKR_OK);
	assert_refused(&m, key);
}

static void
test_attribute_changed(void **state)
{
	CK_MECHANISM m = {CKM_RSA_PKCS, NULL, 0};
	CK_OBJECT_HANDLE key = rsa(false, NULL);
	CK_ATTRIBUTE t = {CKA_SIGN, &no, 1};

	(void)state;
	prime(&m, key);
	assert_int_equal(PLAIN(C_SetAttributeValue, {.len = session}, {.len = key},
			     {.ptr = &t, .len = 1}), CKR_OK);
	assert_refused(&m, key);
}

/* Another application's change: it has been committed, and the epoch says so. */
static void
test_changed_by_another(void **state)
{
	CK_MECHANISM m = {CKM_RSA_PKCS, NULL, 0};
	CK_OBJECT_HANDLE key = rsa(true, NULL), other = rsa(true, NULL);
	CK_ATTRIBUTE t = {CKA_SIGN, &no, 1};

	(void)state;
	prime(&m, other);
	prime(&m, key);
	assert_int_equal(real->C_SetAttributeValue(session, key, &t, 1), CKR_OK);
	atomic_fetch_add(&w.gate.shared->epoch, 1);
	assert_refused(&m, key);
	/* Nothing of before is left, also of keys that nobody asks for. */
	assert_int_equal(cached(), 0);
	prime(&m, other);
	assert_int_equal(real->C_DestroyObject(session, other), CKR_OK);
	atomic_fetch_add(&w.gate.shared->epoch, 1);
	assert_refused(&m, other);
}

static void
test_session_closed(void **state)
{
	CK_MECHANISM m = {CKM_RSA_PKCS, NULL, 0};
	CK_SESSION_HANDLE first = session, second;
	CK_OBJECT_HANDLE key, token;
	unsigned before;

	(void)state;
	assert_int_equal(PLAIN(C_OpenSession, {.len = RIG_SLOT},
			     {.len = CKF_SERIAL_SESSION | CKF_RW_SESSION}, {0}, {0},
			     {.ptr = &second}), CKR_OK);
	token = rsa(true, NULL);
	session = second;
	key = rsa(false, NULL);
	session = first;
	prime(&m, key);
	prime(&m, token);
	assert_int_equal(PLAIN(C_CloseSession, {.len = second}), CKR_OK);
	before = asked;
	assert_int_equal(sign(&m, token), CKR_OK);
	assert_int_equal(asked, before); /* that one is as it was */
	assert_refused(&m, key);
}

/* It was sent behind C_CloseSession, in one breath. */
static void
test_asked_in_a_closed_session(void **state)
{
	CK_MECHANISM m = {CKM_RSA_PKCS, NULL, 0};
	CK_SESSION_HANDLE second;
	CK_OBJECT_HANDLE key = rsa(true, NULL);
	struct request *close, *behind;

	(void)state;
	assert_int_equal(PLAIN(C_OpenSession, {.len = RIG_SLOT},
			     {.len = CKF_SERIAL_SESSION | CKF_RW_SESSION}, {0}, {0},
			     {.ptr = &second}), CKR_OK);
	prime(&m, key);
	close = arrive(0, NULL, CALL_C_CloseSession,
	    (const struct arg[ARGS_MAX]){{.len = second}});
	behind = arrive(CALL_C_SignInit,
	    (const struct arg[ARGS_MAX]){{.len = second}, {.ptr = &m}, {.len = key}},
	    CALL_C_Sign, (const struct arg[ARGS_MAX]){{.len = second},
	    {.ptr = (void *)(uintptr_t)text, .len = 32},
	    {.ptr = out, .plen = &(CK_ULONG){sizeof(out)}}});
	assert_int_equal(answer(close), CKR_OK);
	prime(&m, key); /* whatever the closing dropped */
	assert_int_equal(answer(behind), CKR_SESSION_HANDLE_INVALID);
	assert_int_equal(begun, CKR_SESSION_HANDLE_INVALID);
}

static void *
open_meanwhile(void *ret)
{
	assert_int_equal(PLAIN(C_OpenSession, {.len = RIG_SLOT},
			     {.len = CKF_SERIAL_SESSION | CKF_RW_SESSION}, {0}, {0},
			     {.ptr = ret}), CKR_OK);
	return NULL;
}

static CK_RV
close_while_another_opens(CK_SESSION_HANDLE s)
{
	CK_RV rv = real->C_CloseSession(s);

	if (opens) {
		opens = false;
		assert_int_equal(
		    pthread_create(&opener, NULL, open_meanwhile, &session), 0);
		usleep(100000);
	}
	return rv;
}

/* With the last session went the login, although there is another by now. */
static void
test_last_session_closed(void **state)
{
	CK_MECHANISM m = {CKM_RSA_PKCS, NULL, 0};
	CK_OBJECT_HANDLE key = rsa(true, NULL);

	(void)state;
	prime(&m, key);
	assert_int_equal(sessions_count(&w.sessions), 1);
	opens = true;
	assert_int_equal(PLAIN(C_CloseSession, {.len = session}), CKR_OK);
	pthread_join(opener, NULL);
	assert_int_equal(sessions_count(&w.sessions), 1);
	assert_refused(&m, key);
	assert_int_equal(real->C_Login(session, CKU_USER, (CK_UTF8CHAR_PTR)USER_PIN, 8), CKR_OK);
}

/* What the cache stands on: a handle of SoftHSM2 never names another object later. */
static void
test_handles_are_not_used_again(void **state)
{
	CK_OBJECT_HANDLE key, last = 0;
	CK_SESSION_HANDLE first = session, second;

	(void)state;
	for (int i = 0; i < 12; i++) {
		(void)open_meanwhile(&second);
		session = i % 2 ? second : first;
		key = secret(CKK_AES, 16);
		assert_true(key > last);
		last = key;
		if (i % 3 == 0)
			assert_int_equal(real->C_DestroyObject(session, key), CKR_OK);
		session = first;
		assert_int_equal(PLAIN(C_CloseSession, {.len = second}), CKR_OK);
		if (i % 4 == 0) {
			assert_int_equal(PLAIN(C_Logout, {.len = session}), CKR_OK);
			assert_int_equal(real->C_Login(
			    session, CKU_USER, (CK_UTF8CHAR_PTR)USER_PIN, 8), CKR_OK);
		}
	}
}

static void
test_logged_out(void **state)
{
	CK_MECHANISM m = {CKM_RSA_PKCS, NULL, 0};
	CK_OBJECT_HANDLE key = rsa(true, NULL);

	(void)state;
	prime(&m, key);
	assert_int_equal(PLAIN(C_Logout, {.len = session}), CKR_OK);
	assert_refused(&m, key);
	assert_int_equal(real->C_Login(session, CKU_USER, (CK_UTF8CHAR_PTR)USER_PIN, 8), CKR_OK);
}

static void
test_always_authenticate(void **state)
{
	CK_MECHANISM gen = {CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0}, m = {CKM_RSA_PKCS, NULL, 0};
	CK_ULONG bits = 1024;
	CK_ATTRIBUTE pub_t[] = {{CKA_MODULUS_BITS, &bits, sizeof(bits)}};
	CK_ATTRIBUTE prv_t[] = {{CKA_PRIVATE, &yes, 1}, {CKA_SIGN, &yes, 1},
	    {CKA_ALWAYS_AUTHENTICATE, &yes, 1}};
	CK_OBJECT_HANDLE pub, key;

	(void)state;
	assert_int_equal(
	    real->C_GenerateKeyPair(session, &gen, pub_t, 1, prv_t, 3, &pub, &key), CKR_OK);
	for (int i = 0; i < 3; i++) {
		unsigned before = asked;

		assert_int_equal(sign(&m, key), CKR_USER_NOT_LOGGED_IN);
		assert_int_equal(asked, before + 1);
		(void)real->C_SignInit(session, &m, key);
		(void)real->C_Login(session, CKU_CONTEXT_SPECIFIC, (CK_UTF8CHAR_PTR)USER_PIN, 8);
		out_len = sizeof(out);
		assert_int_equal(real->C_Sign(session, (CK_BYTE_PTR)(uintptr_t)text, 32, out,
				     &out_len), CKR_OK);
	}
}

/* A key is used when it has given what SoftHSM2 gave, and not before. */
static void
test_unproven(void **state)
{
	CK_MECHANISM m = {CKM_SHA256_RSA_PKCS, NULL, 0};
	CK_OBJECT_HANDLE key = rsa(false, NULL);
	unsigned before = asked;

	(void)state;
	lies = true;
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(sign(&m, key), CKR_OK);
		assert_int_equal(asked, before + i + 1);
	}
	lies = false;
	/* Again and again: SoftHSM2 is not the one that is known here. */
	assert_true(w.keys.off);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(sign(&m, key), CKR_OK);
	assert_int_equal(asked, before + 23);
	atomic_store(&w.keys.off, false);
	atomic_store(&w.keys.unproven, 0);
	prime(&m, key);
}

/* More keys than there are places: those that are there are right. */
static void
test_full(void **state)
{
	CK_MECHANISM m = {CKM_SHA256_HMAC, NULL, 0};
	CK_OBJECT_HANDLE key[KEYCACHE_MAX + 200];
	uint8_t first[32];
	unsigned before;

	(void)state;
	for (size_t i = 0; i < KEYCACHE_MAX + 200; i++) {
		key[i] = secret(CKK_GENERIC_SECRET, 32 + i % 32);
		assert_int_equal(sign(&m, key[i]), CKR_OK);
		assert_true(cached() <= KEYCACHE_MAX);
	}
	assert_true(cached() > KEYCACHE_MAX * 3 / 4);
	before = asked;
	for (size_t i = 0; i < KEYCACHE_MAX + 200; i++) {
		assert_int_equal(sign(&m, key[i]), CKR_OK);
		memcpy(first, out, sizeof(first));
		assert_int_equal(real->C_SignInit(session, &m, key[i]), CKR_OK);
		out_len = sizeof(out);
		assert_int_equal(real->C_Sign(session,
		    (CK_BYTE_PTR)(uintptr_t)"0123456789abcdef0123456789abcdef", 32, out, &out_len),
		    CKR_OK);
		assert_memory_equal(first, out, sizeof(first));
	}
	assert_in_range(asked - before, 100, KEYCACHE_MAX);
}

#define THREADS 4
#define THREAD_KEYS 6

struct signer {
	pthread_t thread;
	CK_SESSION_HANDLE session;
	const CK_OBJECT_HANDLE *key;
	uint8_t (*right)[32]; /* what each key gives */
	bool failed;
};

static atomic_bool over;

static void *
sign_on(void *arg)
{
	struct signer *me = arg;
	CK_MECHANISM m = {CKM_SHA256_HMAC, NULL, 0};

	for (unsigned i = 0; !atomic_load(&over) && !me->failed; i++) {
		uint8_t got[32];
		CK_ULONG room = sizeof(got);
		unsigned k = i % THREAD_KEYS;
		const struct arg begin[ARGS_MAX] = {
		    {.len = me->session}, {.ptr = &m}, {.len = me->key[k]}};
		const struct arg args[ARGS_MAX] = {{.len = me->session},
		    {.ptr = (void *)(uintptr_t)text, .len = 32}, {.ptr = got, .plen = &room}};

		me->failed =
		    serve_it(CALL_C_SignInit, begin, CALL_C_Sign, args) != CKR_OK ||
		    memcmp(got, me->right[k], sizeof(got)) != 0;
	}
	return NULL;
}

/* Keys come and go while they are used. */
static void
test_threads(void **state)
{
	CK_MECHANISM m = {CKM_SHA256_HMAC, NULL, 0};
	CK_OBJECT_HANDLE key[THREAD_KEYS];
	uint8_t right[THREAD_KEYS][32];
	struct signer signer[THREADS];
	CK_SESSION_HANDLE other;

	(void)state;
	for (CK_ULONG i = 0; i < THREAD_KEYS; i++) {
		CK_ULONG n = sizeof(right[i]);

		key[i] = secret(CKK_GENERIC_SECRET, 32 + i);
		assert_int_equal(real->C_SignInit(session, &m, key[i]), CKR_OK);
		assert_int_equal(real->C_Sign(session, (CK_BYTE_PTR)(uintptr_t)text, 32,
				     right[i], &n), CKR_OK);
	}
	for (int i = 0; i < THREADS; i++) {
		signer[i] = (struct signer){.key = key, .right = right};
		(void)open_meanwhile(&signer[i].session);
		assert_int_equal(
		    pthread_create(&signer[i].thread, NULL, sign_on, &signer[i]), 0);
	}
	for (int i = 0; i < 300; i++) {
		switch (i % 3) {
		case 0:
			keycache_drop(&w.keys);
			break;
		case 1:
			(void)open_meanwhile(&other);
			assert_int_equal(PLAIN(C_CloseSession, {.len = other}), CKR_OK);
			break;
		default:
			atomic_fetch_add(&w.gate.shared->epoch, 1);
			break;
		}
		usleep(1000);
	}
	atomic_store(&over, true);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(signer[i].thread, NULL);
		assert_false(signer[i].failed);
		assert_int_equal(PLAIN(C_CloseSession, {.len = signer[i].session}), CKR_OK);
	}
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

static int
start(void **state)
{
	bool blank;

	(void)state;
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
	counting.C_Sign = sign_or_lie;
	counting.C_CloseSession = close_while_another_opens;
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

static int
stop(void **state)
{
	char command[160];

	(void)state;
	keycache_free(&w.keys);
	sessions_free(&w.sessions);
	(void)real->C_Finalize(NULL);
	snprintf(command, sizeof(command), "rm -rf %s %s", dir, gate_path);
	return system(command);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_signatures),
	    cmocka_unit_test(test_sizes),
	    cmocka_unit_test(test_ciphers),
	    cmocka_unit_test(test_what_does_not_succeed),
	    cmocka_unit_test(test_counter_runs_out),
	    cmocka_unit_test(test_parameters),
	    cmocka_unit_test(test_empty),
	    cmocka_unit_test(test_refused_after_all),
	    cmocka_unit_test(test_another_operation_is_active),
	    cmocka_unit_test(test_destroyed),
	    cmocka_unit_test(test_attribute_changed),
	    cmocka_unit_test(test_changed_by_another),
	    cmocka_unit_test(test_session_closed),
	    cmocka_unit_test(test_asked_in_a_closed_session),
	    cmocka_unit_test(test_last_session_closed),
	    cmocka_unit_test(test_handles_are_not_used_again),
	    cmocka_unit_test(test_logged_out),
	    cmocka_unit_test(test_always_authenticate),
	    cmocka_unit_test(test_unproven),
	    cmocka_unit_test(test_full),
	    cmocka_unit_test(test_threads),
	};

	if (mkdtemp(dir) == NULL || interpose_init() != 0 || learn_init() != 0)
		return 1;
	return cmocka_run_group_tests(tests, start, stop);
}
