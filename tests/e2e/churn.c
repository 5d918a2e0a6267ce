/*
 * churn.c - makes session objects and destroys them, by the hundred thousand, as a server does
 * with a key of each TLS handshake (tests/e2e/churn.sh).
 *
 *	caas-e2e-churn MODULE TOKEN PIN derive|create|generate COUNT THREADS
 *
 * Beside them it keeps an AES key, and looks now and then whether that still encrypts as it
 * did.  A line for each STEP that are done, and one answered on standard input to go on; at
 * last made=N refused=N wrong=N.  Fails unless the last two are 0.
 */
#include <err.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plain.h"
#include "protocol/names.h"

#define STEP 20000
#define LOOK 1000 /* objects between looks at the key that is kept */
#define MOST 100000000
#define MOST_THREADS 64
#define P256_POINT 65

static const char usage[] =
    "usage: caas-e2e-churn MODULE TOKEN PIN derive|create|generate COUNT THREADS";
static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
static CK_BYTE p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
static atomic_ulong made, refused, wrong;
static unsigned long count;
static const char *how;

static CK_OBJECT_HANDLE kept, base;
static CK_BYTE ciphertext[16], peer[P256_POINT];

static bool
answered(const char *what, CK_RV rv)
{
	if (rv != CKR_OK && atomic_fetch_add(&refused, 1) < 5)
		warnx("%s: %s", what, ck_rv_name(rv));
	return rv == CKR_OK;
}

static CK_SESSION_HANDLE
session(void)
{
	CK_SESSION_HANDLE s;

	must(p11->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &s),
	    "C_OpenSession");
	return s;
}

static bool
encrypt(CK_SESSION_HANDLE s, CK_BYTE ret[16])
{
	CK_MECHANISM ecb = {CKM_AES_ECB, NULL, 0};
	CK_BYTE text[] = "sixteen bytes...";
	CK_ULONG len = 16;

	return answered("C_EncryptInit", p11->C_EncryptInit(s, &ecb, kept)) &&
	    answered("C_Encrypt", p11->C_Encrypt(s, text, 16, ret, &len)) && len == 16;
}

/* What is there all the time. */
static void
begin(CK_SESSION_HANDLE s)
{
	CK_MECHANISM aes = {CKM_AES_KEY_GEN, NULL, 0}, ec = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
	CK_ULONG len = 32;
	CK_BYTE point[P256_POINT + 2];
	CK_OBJECT_HANDLE public;
	CK_ATTRIBUTE k[] = {{CKA_TOKEN, &no, 1}, {CKA_PRIVATE, &yes, 1}, {CKA_ENCRYPT, &yes, 1},
	    {CKA_VALUE_LEN, &len, sizeof(len)}};
	CK_ATTRIBUTE pub[] = {{CKA_TOKEN, &no, 1}, {CKA_EC_PARAMS, p256, sizeof(p256)}},
	    prv[] = {{CKA_TOKEN, &no, 1}, {CKA_DERIVE, &yes, 1}};
	CK_ATTRIBUTE where = {CKA_EC_POINT, point, sizeof(point)};

	must(p11->C_GenerateKey(s, &aes, k, 4, &kept), "C_GenerateKey");
	must(p11->C_GenerateKeyPair(s, &ec, pub, 2, prv, 2, &public, &base), "C_GenerateKeyPair");
	must(p11->C_GetAttributeValue(s, public, &where, 1), "C_GetAttributeValue");
	memcpy(peer, point + 2, sizeof(peer));
	if (!encrypt(s, ciphertext))
		errx(2, "the key that is kept cannot be used");
}

static CK_RV
make(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE *ret)
{
	CK_OBJECT_CLASS secret = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_GENERIC_SECRET;
	CK_ULONG len = 32;
	CK_BYTE value[32] = "thirty-two bytes of a known key";
	CK_ECDH1_DERIVE_PARAMS ecdh = {.kdf = CKD_NULL,
	    .pPublicData = peer,
	    .ulPublicDataLen = sizeof(peer)};
	CK_MECHANISM derive = {CKM_ECDH1_DERIVE, &ecdh, sizeof(ecdh)},
		     aes = {CKM_AES_KEY_GEN, NULL, 0};
	CK_ATTRIBUTE t[] = {{CKA_CLASS, &secret, sizeof(secret)},
	    {CKA_KEY_TYPE, &type, sizeof(type)}, {CKA_TOKEN, &no, 1}, {CKA_PRIVATE, &no, 1},
	    {CKA_SENSITIVE, &no, 1}, {CKA_EXTRACTABLE, &yes, 1},
	    {CKA_VALUE_LEN, &len, sizeof(len)}};

	if (how[0] == 'd')
		return p11->C_DeriveKey(s, &derive, base, t, 7, ret);
	if (how[0] == 'g')
		return p11->C_GenerateKey(s, &aes, t + 2, 5, ret);
	t[6] = (CK_ATTRIBUTE){CKA_VALUE, value, sizeof(value)};
	return p11->C_CreateObject(s, t, 7, ret);
}

/* Whoever watches has looked. */
static void
step(unsigned long n)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	char line[16];

	pthread_mutex_lock(&lock);
	printf("%lu\n", n);
	if (fflush(stdout) != 0 || fgets(line, sizeof(line), stdin) == NULL)
		errx(2, "nobody watches");
	pthread_mutex_unlock(&lock);
}

static void *
run(void *arg)
{
	CK_SESSION_HANDLE s = session();
	CK_OBJECT_HANDLE o;
	CK_BYTE now_is[16];
	unsigned long n;

	(void)arg;
	while ((n = atomic_fetch_add(&made, 1)) < count && atomic_load(&refused) < 100) {
		if (answered("making it", make(s, &o)))
			(void)answered("C_DestroyObject", p11->C_DestroyObject(s, o));
		if (n % LOOK == LOOK - 1 && encrypt(s, now_is) &&
		    memcmp(now_is, ciphertext, sizeof(now_is)) != 0)
			atomic_fetch_add(&wrong, 1);
		if (n % STEP == STEP - 1)
			step(n + 1);
	}
	must(p11->C_CloseSession(s), "C_CloseSession");
	return NULL;
}

int
main(int argc, char **argv)
{
	pthread_t threads[MOST_THREADS];
	CK_SESSION_HANDLE s;
	int n;

	if (argc != 7)
		errx(2, "%s", usage);
	how = argv[4];
	count = (unsigned long)number_of(argv[5], MOST, usage);
	n = number_of(argv[6], MOST_THREADS, usage);
	load(argv[1]);
	must(p11->C_Initialize(&(CK_C_INITIALIZE_ARGS){.flags = CKF_OS_LOCKING_OK}),
	    "C_Initialize");
	find_slot(argv[2]);
	s = session();
	must(p11->C_Login(s, CKU_USER, (CK_BYTE *)argv[3], strlen(argv[3])), "C_Login");
	begin(s);
	step(0);
	for (int i = 0; i < n; i++)
		if (pthread_create(&threads[i], NULL, run, NULL) != 0)
			errx(2, "no thread");
	for (int i = 0; i < n; i++)
		(void)pthread_join(threads[i], NULL);
	printf("made=%lu refused=%lu wrong=%lu\n", count, atomic_load(&refused),
	    atomic_load(&wrong));
	must(p11->C_Finalize(NULL), "C_Finalize");
	return atomic_load(&refused) != 0 || atomic_load(&wrong) != 0;
}
