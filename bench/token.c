/* token.c - a PKCS#11 module as contender: one session per thread */
#include "bench/bench.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "protocol/pkcs11.h"

struct token {
	void *handle;
	CK_FUNCTION_LIST *p11;
	CK_SLOT_ID slot;
	CK_SESSION_HANDLE session; /* keeps the login */
	CK_OBJECT_HANDLE key;
	CK_MECHANISM mech;
	bool none;
};

struct token_signer {
	struct token *token;
	CK_SESSION_HANDLE session;
	CK_BYTE out[512];
};

static double first_us;

static bool
fine(const char *what, CK_RV rv)
{
	if (rv != CKR_OK)
		fprintf(stderr, "caas-bench: %s: 0x%lx\n", what, rv);
	return rv == CKR_OK;
}

static bool
find_slot(struct token *t, const char *label)
{
	CK_SLOT_ID slots[64];
	CK_ULONG n = 64;

	if (!fine("C_GetSlotList", t->p11->C_GetSlotList(CK_TRUE, slots, &n)))
		return false;
	for (CK_ULONG i = 0; i < n; i++) {
		CK_TOKEN_INFO info;

		if (t->p11->C_GetTokenInfo(slots[i], &info) == CKR_OK &&
		    strncmp((char *)info.label, label, strlen(label)) == 0 &&
		    (strlen(label) == 32 || info.label[strlen(label)] == ' ')) {
			t->slot = slots[i];
			return true;
		}
	}
	fprintf(stderr, "caas-bench: no token with label %s\n", label);
	return false;
}

static const struct {
	const char *name;
	CK_MECHANISM_TYPE gen, sign;
	CK_ULONG bits;
	const char *ec; /* DER of CKA_EC_PARAMS */
	size_t ec_len;
} keys[] = {
    [BENCH_RSA1024] = {"rsa1024", CKM_RSA_PKCS_KEY_PAIR_GEN, CKM_RSA_PKCS, 1024, NULL, 0},
    [BENCH_RSA2048] = {"rsa2048", CKM_RSA_PKCS_KEY_PAIR_GEN, CKM_RSA_PKCS, 2048, NULL, 0},
    [BENCH_RSA3072] = {"rsa3072", CKM_RSA_PKCS_KEY_PAIR_GEN, CKM_RSA_PKCS, 3072, NULL, 0},
    [BENCH_P256] = {"p256", CKM_EC_KEY_PAIR_GEN, CKM_ECDSA, 0,
        "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", 10},
    [BENCH_P384] = {"p384", CKM_EC_KEY_PAIR_GEN, CKM_ECDSA, 0, "\x06\x05\x2b\x81\x04\x00\x22", 7},
    [BENCH_ED25519] = {"ed25519", CKM_EC_EDWARDS_KEY_PAIR_GEN, CKM_EDDSA, 0,
        "\x13\x0c" "edwards25519", 14},
    [BENCH_NONE] = {"none", 0, 0, 0, NULL, 0},
};

int
bench_key_parse(const char *name)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strcmp(keys[i].name, name) == 0)
			return (int)i;
	return -1;
}

static bool
find_key(struct token *t, const char *label)
{
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_ATTRIBUTE want[] = {
	    {CKA_CLASS, &class, sizeof(class)},
	    {CKA_LABEL, (void *)(uintptr_t)label, strlen(label)},
	};
	CK_ULONG n = 0;

	return fine("C_FindObjectsInit", t->p11->C_FindObjectsInit(t->session, want, 2)) &&
	    fine("C_FindObjects", t->p11->C_FindObjects(t->session, &t->key, 1, &n)) &&
	    fine("C_FindObjectsFinal", t->p11->C_FindObjectsFinal(t->session)) && n == 1;
}

static bool
generate(struct token *t, enum bench_key key, const char *label)
{
	CK_BBOOL yes = CK_TRUE;
	CK_ULONG bits = keys[key].bits;
	void *l = (void *)(uintptr_t)label;
	CK_ATTRIBUTE pub[] = {
	    {CKA_TOKEN, &yes, sizeof(yes)},
	    {CKA_VERIFY, &yes, sizeof(yes)},
	    {CKA_LABEL, l, strlen(label)},
	    {CKA_MODULUS_BITS, &bits, sizeof(bits)},
	};
	CK_ATTRIBUTE priv[] = {
	    {CKA_TOKEN, &yes, sizeof(yes)},
	    {CKA_PRIVATE, &yes, sizeof(yes)},
	    {CKA_SIGN, &yes, sizeof(yes)},
	    {CKA_LABEL, l, strlen(label)},
	};
	CK_MECHANISM mech = {keys[key].gen, NULL, 0};
	CK_OBJECT_HANDLE pub_handle;

	if (keys[key].ec != NULL)
		pub[3] = (CK_ATTRIBUTE){CKA_EC_PARAMS, (void *)(uintptr_t)keys[key].ec,
		    keys[key].ec_len};
	return fine("C_GenerateKeyPair", t->p11->C_GenerateKeyPair(t->session, &mech, pub, 4,
	    priv, 4, &pub_handle, &t->key));
}

static void *
token_start(void *self)
{
	struct token *t = self;
	struct token_signer *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->token = t;
	if (!fine("C_OpenSession", t->p11->C_OpenSession(t->slot,
	        CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &s->session))) {
		free(s);
		return NULL;
	}
	return s;
}

static bool
token_sign(void *signer)
{
	static CK_BYTE data[32] = {1, 2, 3};
	struct token_signer *s = signer;
	struct token *t = s->token;
	CK_ULONG len = sizeof(s->out);

	if (t->none) {
		CK_SESSION_INFO info;

		return fine("C_GetSessionInfo", t->p11->C_GetSessionInfo(s->session, &info));
	}
	return fine("C_SignInit", t->p11->C_SignInit(s->session, &t->mech, t->key)) &&
	    fine("C_Sign", t->p11->C_Sign(s->session, data, sizeof(data), s->out, &len));
}

static void
token_stop(void *signer)
{
	struct token_signer *s = signer;

	(void)s->token->p11->C_CloseSession(s->session);
	free(s);
}

static bool
load(struct token *t, const char *module)
{
	CK_C_GetFunctionList get;
	CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};

	t->handle = dlopen(module, RTLD_NOW | RTLD_LOCAL);
	if (t->handle == NULL) {
		fprintf(stderr, "caas-bench: %s\n", dlerror());
		return false;
	}
	*(void **)&get = dlsym(t->handle, "C_GetFunctionList");
	return get != NULL && fine("C_GetFunctionList", get(&t->p11)) &&
	    fine("C_Initialize", t->p11->C_Initialize(&args));
}

bool
token_open(const char *module, const char *label, const char *pin, enum bench_key key,
    struct contender *ret)
{
	struct token *t = calloc(1, sizeof(*t));
	struct timespec a, b;
	char name[32];

	if (t == NULL)
		return false;
	snprintf(name, sizeof(name), "bench-%s", keys[key].name);
	clock_gettime(CLOCK_MONOTONIC, &a);
	t->none = key == BENCH_NONE;
	t->mech.mechanism = keys[key].sign;
	if (!load(t, module) || !find_slot(t, label) ||
	    !fine("C_OpenSession", t->p11->C_OpenSession(t->slot,
	        CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &t->session)) ||
	    !fine("C_Login", t->p11->C_Login(t->session, CKU_USER,
	        (CK_UTF8CHAR_PTR)(uintptr_t)pin, strlen(pin))) ||
	    (!t->none && !find_key(t, name) && !generate(t, key, name)))
		return false;
	ret->thread_start = token_start;
	ret->sign = token_sign;
	ret->thread_stop = token_stop;
	ret->self = t;
	{
		void *s = token_start(t);

		if (s == NULL || !token_sign(s))
			return false;
		token_stop(s);
	}
	clock_gettime(CLOCK_MONOTONIC, &b);
	first_us = (double)(b.tv_sec - a.tv_sec) * 1e6 + (double)(b.tv_nsec - a.tv_nsec) / 1e3;
	return true;
}

double
token_first_us(void)
{
	return first_us;
}

void
token_close(struct contender *c)
{
	struct token *t = c->self;

	(void)t->p11->C_Finalize(NULL);
	dlclose(t->handle);
	free(t);
}
