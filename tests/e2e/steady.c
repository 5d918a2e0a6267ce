/*
 * steady.c - signs by several threads for a while, and verifies every signature itself.
 *
 *	caas-e2e-steady MODULE TOKEN PIN LABEL SECONDS THREADS
 *
 * With LABEL's P-256 key; SIGTERM ends it before.  Prints signed=N refused=N wrong=N
 * longest_ms=N, and fails unless some were signed, none refused and none wrong.
 */
#include <err.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "p256.h"
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
	CK_BYTE digest[P256_DIGEST], signature[128];
	CK_ULONG len = sizeof(signature);
	CK_RV rv;

	RAND_bytes(digest, sizeof(digest));
	if ((rv = p11->C_SignInit(s, &m, key)) != CKR_OK) {
		refuse("C_SignInit", rv);
	} else if ((rv = p11->C_Sign(s, digest, sizeof(digest), signature, &len)) != CKR_OK) {
		refuse("C_Sign", rv);
	} else {
		atomic_fetch_add(&signed_, 1);
		if (!p256_is_right(public, digest, signature, len))
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
	CK_BYTE point[P256_POINT];
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
	key = p256_find(s, CKO_PRIVATE_KEY, argv[4]);
	p256_point(s, p256_find(s, CKO_PUBLIC_KEY, argv[4]), point);
	public = p256_public(point);
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
