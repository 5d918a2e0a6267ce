/*
 * maker.c - makes objects of a token by several threads for a while, and then looks whether
 * each is there once.
 *
 *	caas-e2e-maker MODULE TOKEN PIN SECONDS THREADS
 *
 * Data objects, P-256 key pairs, AES keys; each with a label of its own, and every tenth is
 * destroyed again.  Prints made=N destroyed=N refused=N missing=N twice=N, and fails unless
 * some were made and the rest is 0.
 */
#include <err.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plain.h"
#include "protocol/names.h"

#define MOST_SECONDS 86400
#define MOST_THREADS 16
#define LABEL 32

static CK_BBOOL yes = CK_TRUE;
static const char usage[] = "usage: caas-e2e-maker MODULE TOKEN PIN SECONDS THREADS";
static double until;
static atomic_ulong made, destroyed, refused;

struct thread {
	pthread_t id;
	int number;
	unsigned n;      /* objects made, or tried */
	unsigned char *there; /* of each: how many are to be found */
	unsigned room;
};

static CK_SESSION_HANDLE
session(void)
{
	CK_SESSION_HANDLE s;

	must(p11->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &s),
	    "C_OpenSession");
	return s;
}

static bool
answered(const char *what, CK_RV rv)
{
	if (rv != CKR_OK && atomic_fetch_add(&refused, 1) < 5)
		warnx("%s: %s", what, ck_rv_name(rv));
	return rv == CKR_OK;
}

/* How many objects of that label there are now; *ret is one of them. */
static unsigned
make(CK_SESSION_HANDLE s, unsigned n, char *label, CK_OBJECT_HANDLE *ret)
{
	static CK_BYTE p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
	CK_MECHANISM ec = {CKM_EC_KEY_PAIR_GEN, NULL, 0}, aes = {CKM_AES_KEY_GEN, NULL, 0};
	CK_OBJECT_CLASS data = CKO_DATA;
	CK_ULONG len = 32;
	CK_OBJECT_HANDLE other;
	CK_ATTRIBUTE t[] = {{CKA_TOKEN, &yes, 1}, {CKA_LABEL, label, strlen(label)},
	    {CKA_CLASS, &data, sizeof(data)}},
	    k[] = {t[0], t[1], {CKA_VALUE_LEN, &len, sizeof(len)}},
	    p[] = {t[0], t[1], {CKA_EC_PARAMS, p256, sizeof(p256)}};

	if (n % 3 == 0)
		return answered("C_CreateObject", p11->C_CreateObject(s, t, 3, ret)) ? 1 : 0;
	if (n % 3 == 1)
		return answered("C_GenerateKey", p11->C_GenerateKey(s, &aes, k, 3, ret)) ? 1 : 0;
	return answered("C_GenerateKeyPair", p11->C_GenerateKeyPair(s, &ec, p, 3, t, 2,
	    &other, ret)) ? 2 : 0;
}

static void
one(struct thread *t, CK_SESSION_HANDLE s)
{
	CK_OBJECT_HANDLE o;
	char label[LABEL];

	if (t->n == t->room) {
		t->room = t->room ? 2 * t->room : 1024;
		if ((t->there = realloc(t->there, t->room)) == NULL)
			err(2, "realloc");
	}
	snprintf(label, sizeof(label), "made-%d-%u", t->number, t->n);
	t->there[t->n] = (unsigned char)make(s, t->n, label, &o);
	atomic_fetch_add(&made, t->there[t->n] > 0);
	if (t->n % 10 == 9 && t->there[t->n] > 0 &&
	    answered("C_DestroyObject", p11->C_DestroyObject(s, o))) {
		t->there[t->n]--;
		atomic_fetch_add(&destroyed, 1);
	}
	t->n++;
}

static void *
run(void *arg)
{
	struct thread *t = arg;
	CK_SESSION_HANDLE s = session();

	while (now() < until && atomic_load(&refused) < 100)
		one(t, s);
	return NULL;
}

/* Objects of that label, as somebody sees them who begins anew. */
static CK_ULONG
count(CK_SESSION_HANDLE s, char *label)
{
	CK_ATTRIBUTE t = {CKA_LABEL, label, strlen(label)};
	CK_OBJECT_HANDLE o[8];
	CK_ULONG n = 0;

	must(p11->C_FindObjectsInit(s, &t, 1), "C_FindObjectsInit");
	must(p11->C_FindObjects(s, o, 8, &n), "C_FindObjects");
	must(p11->C_FindObjectsFinal(s), "C_FindObjectsFinal");
	return n;
}

static void
begin(char *pin)
{
	CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};

	must(p11->C_Initialize(&args), "C_Initialize");
	must(p11->C_Login(session(), CKU_USER, (CK_UTF8CHAR_PTR)pin, strlen(pin)), "C_Login");
}

int
main(int argc, char *argv[])
{
	CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
	static struct thread threads[MOST_THREADS];
	unsigned long missing = 0, twice = 0;
	CK_SESSION_HANDLE s;
	int n;

	if (argc != 6)
		errx(2, "%s", usage);
	n = number_of(argv[5], MOST_THREADS, usage);
	until = number_of(argv[4], MOST_SECONDS, usage);
	load(argv[1]);
	must(p11->C_Initialize(&args), "C_Initialize");
	find_slot(argv[2]);
	must(p11->C_Finalize(NULL), "C_Finalize");
	begin(argv[3]);
	until += now();
	for (int i = 0; i < n; i++) {
		threads[i].number = i;
		if (pthread_create(&threads[i].id, NULL, run, &threads[i]) != 0)
			errx(2, "no thread");
	}
	for (int i = 0; i < n; i++)
		pthread_join(threads[i].id, NULL);
	must(p11->C_Finalize(NULL), "C_Finalize");
	begin(argv[3]);
	s = session();
	for (int i = 0; i < n; i++) {
		for (unsigned k = 0; k < threads[i].n; k++) {
			char label[LABEL];
			CK_ULONG there;

			snprintf(label, sizeof(label), "made-%d-%u", i, k);
			there = count(s, label);
			missing += there < threads[i].there[k];
			twice += there > threads[i].there[k];
		}
		free(threads[i].there);
	}
	must(p11->C_Finalize(NULL), "C_Finalize");
	printf("made=%lu destroyed=%lu refused=%lu missing=%lu twice=%lu\n", made, destroyed,
	    refused, missing, twice);
	return made > 0 && refused == 0 && missing == 0 && twice == 0 ? 0 : 1;
}
