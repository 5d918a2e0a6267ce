/* token.c - see token.h */
#include "bench/token.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const struct token_key keys[] = {
    [BENCH_RSA1024] = {"rsa1024", CKM_RSA_PKCS_KEY_PAIR_GEN, CKM_RSA_PKCS, 1024, NULL, 0},
    [BENCH_RSA2048] = {"rsa2048", CKM_RSA_PKCS_KEY_PAIR_GEN, CKM_RSA_PKCS, 2048, NULL, 0},
    [BENCH_RSA3072] = {"rsa3072", CKM_RSA_PKCS_KEY_PAIR_GEN, CKM_RSA_PKCS, 3072, NULL, 0},
    [BENCH_P256] = {"p256", CKM_EC_KEY_PAIR_GEN, CKM_ECDSA, 0,
	"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", 10},
    [BENCH_P384] = {"p384", CKM_EC_KEY_PAIR_GEN, CKM_ECDSA, 0,
	"\x06\x05\x2b\x81\x04\x00\x22", 7},
    [BENCH_ED25519] = {"ed25519", CKM_EC_EDWARDS_KEY_PAIR_GEN, CKM_EDDSA, 0,
	"\x13\x0c"
	"edwards25519",
	14},
    [BENCH_AES] = {"aes", CKM_AES_KEY_GEN, 0, 0, NULL, 0},
    [BENCH_FIND] = {"find", 0, 0, 0, NULL, 0},
    [BENCH_NONE] = {"none", 0, 0, 0, NULL, 0},
    [BENCH_RANDOM] = {"random", 0, 0, 0, NULL, 0},
    [BENCH_SEED] = {"seed", 0, 0, 0, NULL, 0},
};

int
bench_key_parse(const char *name)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strcmp(keys[i].name, name) == 0)
			return (int)i;
	return -1;
}

const struct token_key *
token_key(enum bench_key key)
{
	return &keys[key];
}

bool
token_fine(const char *what, CK_RV rv)
{
	if (rv != CKR_OK)
		fprintf(stderr, "caas-bench: %s: 0x%lx\n", what, rv);
	return rv == CKR_OK;
}

static bool
find_slot(struct token *t, const char *label)
{
	CK_SLOT_ID slots[256];
	CK_ULONG n = 256;

	if (!token_fine("C_GetSlotList", t->p11->C_GetSlotList(CK_TRUE, slots, &n)))
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
	return get != NULL && token_fine("C_GetFunctionList", get(&t->p11)) &&
	       token_fine("C_Initialize", t->p11->C_Initialize(&args));
}

bool
token_open(struct token *t, const char *module, const char *label, const char *pin)
{
	memset(t, 0, sizeof(*t));
	return load(t, module) && find_slot(t, label) &&
	       token_fine("C_OpenSession",
		   t->p11->C_OpenSession(t->slot, CKF_SERIAL_SESSION | CKF_RW_SESSION,
		       NULL, NULL, &t->session)) &&
	       token_fine("C_Login", t->p11->C_Login(t->session, CKU_USER,
					 (CK_UTF8CHAR_PTR)(uintptr_t)pin, strlen(pin)));
}

void
token_close(struct token *t)
{
	(void)t->p11->C_Finalize(NULL);
	dlclose(t->handle);
}

bool
token_find(
    struct token *t, CK_OBJECT_CLASS class, const char *label, CK_OBJECT_HANDLE *ret)
{
	CK_ATTRIBUTE want[] = {
	    {CKA_CLASS, &class, sizeof(class)},
	    {CKA_LABEL, (void *)(uintptr_t)label, strlen(label)},
	};
	CK_ULONG n = 0;

	return token_fine(
		   "C_FindObjectsInit", t->p11->C_FindObjectsInit(t->session, want, 2)) &&
	       token_fine(
		   "C_FindObjects", t->p11->C_FindObjects(t->session, ret, 1, &n)) &&
	       token_fine("C_FindObjectsFinal", t->p11->C_FindObjectsFinal(t->session)) &&
	       n == 1;
}

static bool
make_secret(struct token *t, const char *label, CK_OBJECT_HANDLE *ret)
{
	CK_BBOOL yes = CK_TRUE;
	CK_ULONG len = 32;
	CK_ATTRIBUTE key[] = {
	    {CKA_TOKEN, &yes, sizeof(yes)},
	    {CKA_PRIVATE, &yes, sizeof(yes)},
	    {CKA_ENCRYPT, &yes, sizeof(yes)},
	    {CKA_VALUE_LEN, &len, sizeof(len)},
	    {CKA_LABEL, (void *)(uintptr_t)label, strlen(label)},
	};
	CK_MECHANISM mech = {CKM_AES_KEY_GEN, NULL, 0};

	return token_fine(
	    "C_GenerateKey", t->p11->C_GenerateKey(t->session, &mech, key, 5, ret));
}

bool
token_make(struct token *t, enum bench_key key, const char *label, CK_OBJECT_HANDLE *ret)
{
	CK_BBOOL yes = CK_TRUE;
	CK_ULONG bits = keys[key].bits;
	void *l = (void *)(uintptr_t)label;
	CK_ATTRIBUTE pub[] = {
	    {CKA_TOKEN, &yes, sizeof(yes)},
	    {CKA_VERIFY, &yes, sizeof(yes)},
	    {CKA_LABEL, l, strlen(label)},
	    {CKA_ID, l, strlen(label)},
	    {CKA_MODULUS_BITS, &bits, sizeof(bits)},
	};
	CK_ATTRIBUTE priv[] = {
	    {CKA_TOKEN, &yes, sizeof(yes)},
	    {CKA_PRIVATE, &yes, sizeof(yes)},
	    {CKA_SIGN, &yes, sizeof(yes)},
	    {CKA_LABEL, l, strlen(label)},
	    {CKA_ID, l, strlen(label)},
	};
	CK_MECHANISM mech = {keys[key].gen, NULL, 0};
	CK_OBJECT_HANDLE pub_handle;

	if (key == BENCH_AES)
		return make_secret(t, label, ret);
	if (keys[key].ec != NULL)
		pub[4] = (CK_ATTRIBUTE){
		    CKA_EC_PARAMS, (void *)(uintptr_t)keys[key].ec, keys[key].ec_len};
	return token_fine(
	    "C_GenerateKeyPair", t->p11->C_GenerateKeyPair(t->session, &mech, pub, 5,
				     priv, 5, &pub_handle, ret));
}
