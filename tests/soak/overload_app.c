/* overload_app.c - see overload.h: what an application does */
#include <err.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "protocol/names.h"
#include "tests/e2e/plain.h"
#include "tests/soak/overload.h"

#define SECOND UINT64_C(1000000000)
#define USES 100 /* of any of the many sessions, in a second */
#define ANEW 8   /* and each so many times, the session is closed and opened */

uint64_t
overload_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
}

void
overload_sleep(uint64_t until)
{
	struct timespec ts = {(time_t)(until / SECOND), (long)(until % SECOND)};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) != 0)
		;
}

static CK_SESSION_HANDLE
session(void)
{
	CK_SESSION_HANDLE s;

	must(p11->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &s), "C_OpenSession");
	return s;
}

static CK_SESSION_HANDLE
log_in(const struct overload *o)
{
	CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
	CK_SESSION_HANDLE s;

	must(p11->C_Initialize(&args), "C_Initialize");
	find_slot(o->token);
	s = session();
	must(p11->C_Login(s, CKU_USER, (CK_UTF8CHAR_PTR)(uintptr_t)o->pin, strlen(o->pin)),
	    "C_Login");
	return s;
}

/* Sign what is random, and verify it; the time of the calls alone. */
static uint64_t
sign(struct overload *o, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key)
{
	CK_MECHANISM m = {CKM_ECDSA, NULL, 0};
	CK_BYTE digest[P256_DIGEST], signature[128];
	CK_ULONG len = sizeof(signature);
	uint64_t began, took;

	if (RAND_bytes(digest, sizeof(digest)) != 1)
		errx(2, "no random bytes");
	atomic_fetch_add(&o->shared->asked, 1);
	began = overload_now();
	must(p11->C_SignInit(s, &m, key), "C_SignInit");
	must(p11->C_Sign(s, digest, sizeof(digest), signature, &len), "C_Sign");
	took = overload_now() - began;
	if (!p256_is_right(o->public, digest, signature, len))
		errx(3, "a signature is wrong");
	atomic_fetch_add(&o->shared->right, 1);
	return took;
}

/* Until the driver, who alone holds the other end, closes it. */
static void
wait_for(const int pipe[2])
{
	char c;

	if (read(pipe[0], &c, 1) != 0)
		errx(2, "the driver is gone");
}

/* All are there; the time has begun. */
static void
begin(struct overload *o)
{
	atomic_fetch_add(&o->shared->ready, 1);
	wait_for(o->go);
}

static void
end(struct overload *o)
{
	atomic_fetch_add(&o->shared->done, 1);
	wait_for(o->stop);
	must(p11->C_Finalize(NULL), "C_Finalize");
}

void
overload_look(struct overload *o)
{
	CK_SESSION_HANDLE s = log_in(o);

	p256_point(s, p256_find(s, CKO_PUBLIC_KEY, o->label), o->shared->point);
	must(p11->C_Finalize(NULL), "C_Finalize");
}

void
overload_steady(struct overload *o, unsigned number)
{
	CK_SESSION_HANDLE s = log_in(o);
	CK_OBJECT_HANDLE key = p256_find(s, CKO_PRIVATE_KEY, o->label);
	uint64_t due;

	(void)sign(o, s, key);
	begin(o);
	due = o->shared->begin + SECOND * number / o->apps;
	for (unsigned i = 0; i < o->seconds; i++, due += SECOND) {
		overload_sleep(due);
		times_add(&o->shared->times[OVERLOAD_SIGN], sign(o, s, key));
		times_add(&o->shared->times[OVERLOAD_DUE], overload_now() - due);
	}
	end(o);
}

/* One more than there may be. */
static void
one_too_many(void)
{
	CK_SESSION_HANDLE s;
	CK_RV rv = p11->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &s);

	if (rv != CKR_SESSION_COUNT)
		errx(3, "one session too many: %s", ck_rv_name(rv));
}

void
overload_sessions(struct overload *o)
{
	CK_SESSION_HANDLE *s = calloc(o->sessions, sizeof(*s));
	CK_OBJECT_HANDLE key;
	uint64_t due;
	unsigned seed = 1, which, i = 0;

	if (s == NULL)
		err(2, NULL);
	s[0] = log_in(o);
	key = p256_find(s[0], CKO_PRIVATE_KEY, o->label);
	for (unsigned k = 1; k < o->sessions; k++)
		s[k] = session();
	one_too_many();
	begin(o);
	for (due = o->shared->begin; due < o->shared->end; due += SECOND / USES) {
		uint64_t took = 0;

		overload_sleep(due);
		which = (unsigned)rand_r(&seed) % o->sessions;
		if (++i % ANEW == 0) {
			took = overload_now();
			must(p11->C_CloseSession(s[which]), "C_CloseSession");
			s[which] = session();
			took = overload_now() - took;
		} else {
			took = sign(o, s[which], key);
		}
		times_add(&o->shared->times[OVERLOAD_SESSION], took);
	}
	one_too_many();
	end(o);
	free(s);
}

void
overload_newcomer(struct overload *o)
{
	uint64_t began = overload_now();
	CK_SESSION_HANDLE s = log_in(o);

	(void)sign(o, s, p256_find(s, CKO_PRIVATE_KEY, o->label));
	must(p11->C_CloseSession(s), "C_CloseSession");
	must(p11->C_Finalize(NULL), "C_Finalize");
	times_add(&o->shared->times[OVERLOAD_NEW], overload_now() - began);
}
