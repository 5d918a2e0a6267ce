/* bounded.c - see bounded.h */
#include "vchan-transport/bounded.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "vchan-transport/deadline.h"

#define NS_PER_S 1000000000
#define STACK (256 * 1024)

struct call {
	void (*work)(void *job);
	void (*undo)(void *job);
	pthread_mutex_t lock;
	pthread_cond_t cond;
	pthread_t thread;
	bool done, late;
	max_align_t job[];
};

/* Of this process: a child of a fork has none of its parent's threads. */
static atomic_uint late;
static atomic_int owner;

static void
call_free(struct call *c)
{
	(void)pthread_cond_destroy(&c->cond);
	(void)pthread_mutex_destroy(&c->lock);
	free(c);
}

static void *
run(void *arg)
{
	struct call *c = arg;
	bool mine;

	c->work(c->job);
	(void)pthread_mutex_lock(&c->lock);
	c->done = true;
	mine = c->late;
	(void)pthread_cond_signal(&c->cond);
	(void)pthread_mutex_unlock(&c->lock);
	if (mine) { /* nobody joins it */
		(void)pthread_detach(pthread_self());
		if (c->undo != NULL)
			c->undo(c->job);
		call_free(c);
		atomic_fetch_sub(&late, 1);
	}
	return NULL;
}

static struct call *
call_new(void (*work)(void *), void (*undo)(void *), const void *job, size_t size)
{
	struct call *c = calloc(1, sizeof(*c) + size);
	pthread_condattr_t attr;

	if (c == NULL)
		return NULL;
	c->work = work;
	c->undo = undo;
	memcpy(c->job, job, size);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_mutex_init(&c->lock, NULL);
	(void)pthread_cond_init(&c->cond, &attr);
	(void)pthread_condattr_destroy(&attr);
	return c;
}

/* The application's signals are not for this thread. */
static int
start(struct call *c)
{
	pthread_attr_t attr;
	sigset_t all, before;
	int err;

	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setstacksize(&attr, STACK);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&c->thread, &attr, run, c);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	(void)pthread_attr_destroy(&attr);
	return err;
}

static bool
too_many_late(void)
{
	int self = (int)getpid();

	if (atomic_exchange(&owner, self) != self)
		atomic_store(&late, 0);
	return atomic_load(&late) >= BOUNDED_LATE;
}

/* A thread that is late comes back into this code: it must not be unloaded before. */
static void
stay_loaded(void)
{
	Dl_info self;
	void *handle;

	if (dladdr(&owner, &self) != 0 &&
	    (handle = dlopen(self.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE)) != NULL)
		(void)dlclose(handle);
}

bool
bounded_run(
    void (*work)(void *), void (*undo)(void *), void *job, size_t size, int64_t at)
{
	const struct timespec until = {.tv_sec = at / NS_PER_S, .tv_nsec = at % NS_PER_S};
	struct call *c;
	bool done;

	if (at == DEADLINE_NEVER) {
		work(job);
		return true;
	}
	if (too_many_late()) {
		errno = EAGAIN;
		return false;
	}
	if ((c = call_new(work, undo, job, size)) == NULL)
		return false;
	if ((errno = start(c)) != 0) {
		call_free(c);
		return false;
	}
	(void)pthread_mutex_lock(&c->lock);
	while (!c->done && pthread_cond_timedwait(&c->cond, &c->lock, &until) == 0)
		continue;
	done = c->done;
	c->late = !done;
	if (!done) {
		atomic_fetch_add(&late, 1);
		stay_loaded();
	}
	(void)pthread_mutex_unlock(&c->lock);
	if (!done) {
		errno = ETIMEDOUT;
		return false;
	}
	(void)pthread_join(c->thread, NULL);
	memcpy(job, c->job, size);
	call_free(c);
	return true;
}
