/*
 * handoff.c - a contender whose threads sleep while others do their work.
 *
 * Nothing else is there: no token, no protocol, no second process.  So it shows what of a
 * signature's cost is in sleeping and being woken, which who asks another process cannot
 * avoid either.
 */
#include "bench/bench.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DESKS 4096
#define LOOKS 64 /* of a server, before it sleeps */

enum { EMPTY, ASKED, TAKEN, DONE, FAILED };

struct desk {
	_Alignas(64) atomic_int state;
};

static struct handoff {
	struct contender inner;
	atomic_uint desks;   /* that were ever taken */
	atomic_int sleepers; /* servers */
	atomic_int calls;    /* for servers that sleep */
	struct desk desk[DESKS];
} handoff;

static void
sleep_on(atomic_int *word, int seen)
{
	(void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}

static void
wake(atomic_int *word)
{
	(void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* A request, from desk `from` on; NULL: none. */
static struct desk *
look(struct handoff *h, unsigned from)
{
	unsigned n = atomic_load(&h->desks);

	for (unsigned i = 0; i < n; i++) {
		struct desk *d = &h->desk[(from + i) % n];
		int asked = ASKED;

		if (atomic_load(&d->state) == ASKED &&
		    atomic_compare_exchange_strong(&d->state, &asked, TAKEN))
			return d;
	}
	return NULL;
}

static struct desk *
next(struct handoff *h, unsigned from)
{
	for (;;) {
		struct desk *d;
		int seen;

		for (int i = 0; i < LOOKS; i++) {
			if ((d = look(h, from)) != NULL)
				return d;
			sched_yield();
		}
		seen = atomic_load(&h->calls);
		atomic_fetch_add(&h->sleepers, 1);
		if ((d = look(h, from)) == NULL)
			sleep_on(&h->calls, seen);
		atomic_fetch_sub(&h->sleepers, 1);
		if (d != NULL)
			return d;
	}
}

/* Ends with the process. */
static void *
serve(void *arg)
{
	struct handoff *h = arg;
	void *signer = h->inner.thread_start(h->inner.self);
	struct desk *d = h->desk;

	for (;;) {
		d = next(h, (unsigned)(d - h->desk) + 1);
		atomic_store(&d->state,
		    signer != NULL && h->inner.sign(signer) ? DONE : FAILED);
		wake(&d->state);
	}
	return NULL;
}

static void *
desk_take(void *self)
{
	struct handoff *h = self;
	unsigned n = atomic_fetch_add(&h->desks, 1);

	return n < DESKS ? &h->desk[n] : NULL;
}

static bool
desk_sign(void *signer)
{
	struct desk *d = signer;
	int state;

	atomic_store(&d->state, ASKED);
	if (atomic_load(&handoff.sleepers) > 0) {
		atomic_fetch_add(&handoff.calls, 1);
		wake(&handoff.calls);
	}
	while ((state = atomic_load(&d->state)) == ASKED || state == TAKEN)
		sleep_on(&d->state, state);
	atomic_store(&d->state, EMPTY);
	return state == DONE;
}

static void
desk_leave(void *signer)
{
	(void)signer;
}

bool
handoff_open(unsigned servers, struct contender *c)
{
	handoff.inner = *c;
	for (unsigned i = 0; i < servers; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, serve, &handoff) != 0) {
			fprintf(stderr, "caas-bench: no thread could be made\n");
			return false;
		}
		pthread_detach(thread);
	}
	*c = (struct contender){desk_take, desk_sign, desk_leave, &handoff};
	return true;
}
