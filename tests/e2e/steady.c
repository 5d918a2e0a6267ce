/*
 * steady.c - signs by several threads for a while, and verifies every signature itself.
 *
 *	caas-e2e-steady MODULE TOKEN PIN LABEL SECONDS THREADS
 *
 * With LABEL's P-256 key; SIGTERM ends it before.  Prints signed=N refused=N wrong=N
 * longest_ms=N, and fails unless some were signed, none refused and none wrong.
 */
#include <err.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plain.h"
#include "protocol/names.h"

#define MOST_SECONDS 86400
#define MOST_THREADS 64

static CK_OBJECT_HANDLE key;
static EVP_PKEY *public;
static const char usage[] = "usage: caas-e2e-steady MODULE TOKEN PIN LABEL SECONDS THREADS";
static double until;
static atomic_ulong signed_, refused, wrong;
static volatile sig_atomic_t ended;

struct thread {
	pthread_t id;
	double longest;
};

static CK_OBJECT_HANDLE
find(CK_SESSION_HANDLE s, CK_OBJECT_CLASS class, char *label)
{
	CK_ATTRIBUTE t[] = {
	    {CKA_CLASS, &class, sizeof(class)}, {CKA_LABEL, label, strlen(label)}};
	CK_OBJECT_HANDLE o = 0;
	CK_ULONG n = 0;

	must(p11->C_FindObjectsInit(s, t, 2), "C_FindObjectsInit");
	must(p11->C_FindObjects(s, &o, 1, &n), "C_FindObjects");
	must(p11->C_FindObjectsFinal(s), "C_FindObjectsFinal");
	if (n != 1)
		errx(2, "no key %s", label);
	return o;
}

/* The point lies in an OCTET STRING. */
static void
read_public(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o)
{
	CK_BYTE point[128];
	CK_ATTRIBUTE a = {CKA_EC_POINT, point, sizeof(point)};
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	char group[] = "P-256";
	OSSL_PARAM params[] = {
	    OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group) - 1),
	    OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point + 2, 65), OSSL_PARAM_END};

	must(p11->C_GetAttributeValue(s, o, &a, 1), "C_GetAttributeValue");
	if (a.ulValueLen != 67 || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &public, EVP_PKEY_PUBLIC_KEY, params) != 1)
		errx(2, "the public key is no P-256 point");
	EVP_PKEY_CTX_free(ctx);
}

static bool
is_right(const CK_BYTE *digest, const CK_BYTE *signature, CK_ULONG len)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(public, NULL);
	ECDSA_SIG *sig = ECDSA_SIG_new();
	unsigned char *der = NULL;
	int der_len;
	bool ok = false;

	if (len == 64 && ECDSA_SIG_set0(sig, BN_bin2bn(signature, 32, NULL),
	    BN_bin2bn(signature + 32, 32, NULL)) == 1 &&
	    (der_len = i2d_ECDSA_SIG(sig, &der)) > 0)
		ok = EVP_PKEY_verify_init(ctx) == 1 &&
		    EVP_PKEY_verify(ctx, der, (size_t)der_len, digest, 32) == 1;
	OPENSSL_free(der);
	ECDSA_SIG_free(sig);
	EVP_PKEY_CTX_free(ctx);
	return ok;
}

static void
refuse(const char *what, CK_RV rv)
{
	if (atomic_fetch_add(&refused, 1) < 5)
		warnx("%s: %s", what, ck_rv_name(rv));
}

static void
sign_one(CK_SESSION_HANDLE s)
{
	CK_MECHANISM m = {CKM_ECDSA, NULL, 0};
	CK_BYTE digest[32], signature[128];
	CK_ULONG len = sizeof(signature);
	CK_RV rv;

	RAND_bytes(digest, sizeof(digest));
	if ((rv = p11->C_SignInit(s, &m, key)) != CKR_OK) {
		refuse("C_SignInit", rv);
	} else if ((rv = p11->C_Sign(s, digest, sizeof(digest), signature, &len)) != CKR_OK) {
		refuse("C_Sign", rv);
	} else {
		atomic_fetch_add(&signed_, 1);
		if (!is_right(digest, signature, len))
			atomic_fetch_add(&wrong, 1);
	}
}

static void
end(int signal)
{
	(void)signal;
	ended = 1;
}

static void *
run(void *arg)
{
	struct thread *t = arg;
	CK_SESSION_HANDLE s;

	must(p11->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &s), "C_OpenSession");
	while (!ended && now() < until) {
		double began = now(), took;

		sign_one(s);
		if ((took = now() - began) > t->longest)
			t->longest = took;
	}
	return NULL;
}

int
main(int argc, char *argv[])
{
	CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
	static struct thread threads[MOST_THREADS];
	CK_SESSION_HANDLE s;
	double longest = 0;
	int n;

	if (argc != 7)
		errx(2, "%s", usage);
	n = number_of(argv[6], MOST_THREADS, usage);
	until = number_of(argv[5], MOST_SECONDS, usage);
	load(argv[1]);
	must(p11->C_Initialize(&args), "C_Initialize");
	find_slot(argv[2]);
	must(p11->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &s), "C_OpenSession");
	must(p11->C_Login(s, CKU_USER, (CK_UTF8CHAR_PTR)argv[3], strlen(argv[3])), "C_Login");
	key = find(s, CKO_PRIVATE_KEY, argv[4]);
	read_public(s, find(s, CKO_PUBLIC_KEY, argv[4]));
	until += now();
	signal(SIGTERM, end);
	for (int i = 0; i < n; i++)
		if (pthread_create(&threads[i].id, NULL, run, &threads[i]) != 0)
			errx(2, "no thread");
	for (int i = 0; i < n; i++) {
		pthread_join(threads[i].id, NULL);
		if (threads[i].longest > longest)
			longest = threads[i].longest;
	}
	printf("signed=%lu refused=%lu wrong=%lu longest_ms=%.0f\n", signed_, refused, wrong,
	    longest * 1e3);
	EVP_PKEY_free(public);
	must(p11->C_Finalize(NULL), "C_Finalize");
	return signed_ > 0 && refused == 0 && wrong == 0 ? 0 : 1;
}
