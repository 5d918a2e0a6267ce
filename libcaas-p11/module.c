/* module.c - see module.h */
#include "libcaas-p11/module.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "libcaas-p11/fork.h"

enum { OFF, ON, STOPPING };

static struct module module;
static atomic_int state;
static atomic_uint calls; /* in flight */
static pid_t starter;     /* the process that `calls` are of */

/*
 * Who starts, stops or adopts the module.  The word is the holder's process id: in a
 * forked child one that another thread of the parent held is seen to be nobody's.
 */
static _Atomic pid_t turn;

static void
pause_shortly(void)
{
	const struct timespec t = {.tv_nsec = 200000};

	(void)nanosleep(&t, NULL);
}

static void
turn_take(void)
{
	pid_t me = getpid(), holder = 0;

	for (;;) {
		holder = atomic_load(&turn);
		if (holder == me)
			pause_shortly();
		else if (atomic_compare_exchange_weak(&turn, &holder, me))
			return;
	}
}

static void
turn_give(void)
{
	atomic_store(&turn, 0);
}

static bool
random_app(void)
{
	return getrandom(module.app, sizeof(module.app), 0) ==
	       (ssize_t)sizeof(module.app);
}

/* We are the child: caller has the turn. */
static void
adopt(void)
{
	CK_RV rv = lock_renew(&module.lock);

	if (rv == CKR_OK)
		rv = slots_renew(&module);
	if (rv == CKR_OK)
		rv = handles_renew(&module.handles);
	/* To vsmd the child is another application, with sessions of its own. */
	(void)random_app();
	module.inherited = true;
	atomic_store(&calls, 0);
	starter = getpid();
	fork_watch();
	/* The application's own function had no lock for us. */
	if (rv != CKR_OK)
		atomic_store(&state, OFF);
}

static void
adopt_if_forked(void)
{
	turn_take();
	if (atomic_load(&state) == ON && fork_happened())
		adopt();
	turn_give();
}

struct module *
module_enter(void)
{
	if (atomic_load_explicit(&state, memory_order_acquire) == ON && fork_happened())
		adopt_if_forked();
	atomic_fetch_add(&calls, 1);
	if (atomic_load(&state) == ON)
		return &module;
	atomic_fetch_sub(&calls, 1);
	return NULL;
}

void
module_leave(void)
{
	atomic_fetch_sub(&calls, 1);
}

bool
module_stopping(void)
{
	return atomic_load(&state) != ON;
}

bool
module_started(void)
{
	return atomic_load(&state) == ON;
}

static void
discard(void)
{
	slots_free(&module);
	handles_free(&module.handles);
	lock_free(&module.lock);
	free(module.list);
	memset(&module, 0, sizeof(module));
}

/* Caller has the turn. */
static void
stop(void)
{
	atomic_store(&state, STOPPING);
	/* A thread may be about to make a channel: break them until all have left. */
	for (;;) {
		slots_stop(&module, CKR_CRYPTOKI_NOT_INITIALIZED);
		if (atomic_load(&calls) == 0)
			break;
		pause_shortly();
	}
	fork_unwatch();
	discard();
	atomic_store(&state, OFF);
}

static CK_RV
start(const struct lock_how *how)
{
	CK_RV rv;

	memset(&module, 0, sizeof(module));
	module.how = *how;
	module.as = (struct attach_as){.config = &module.config, .app = module.app,
	    .how = &module.how, .stop = module_stopping};
	if (!config_load(&module.config) || !random_app())
		return CKR_GENERAL_ERROR;
	if ((rv = lock_init(&module.lock, &module.how)) != CKR_OK)
		return rv;
	if ((rv = handles_init(&module.handles, &module.how)) != CKR_OK) {
		lock_free(&module.lock);
		return rv;
	}
	if (starter != getpid())
		atomic_store(&calls, 0);
	starter = getpid();
	fork_watch();
	atomic_store(&state, ON);
	return CKR_OK;
}

/* Not to be cancelled: the turn would never come back.  *ret is for turn_done(). */
static void
turn_begin(int *ret)
{
	(void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, ret);
	turn_take();
}

static void
turn_done(int cancel)
{
	turn_give();
	(void)pthread_setcancelstate(cancel, NULL);
}

CK_RV
module_start(const struct lock_how *how)
{
	CK_RV rv = CKR_OK;
	int cancel;

	turn_begin(&cancel);
	/* Stopping, while we have the turn: a thread of the parent was at it when we were
	 * forked, and what it left cannot be trusted. */
	if (atomic_load(&state) == STOPPING) {
		memset(&module, 0, sizeof(module));
		atomic_store(&state, OFF);
	}
	if (atomic_load(&state) == ON) {
		if (fork_happened())
			adopt();
		if (atomic_load(&state) == ON && module.inherited)
			stop();
		else if (atomic_load(&state) == ON)
			rv = CKR_CRYPTOKI_ALREADY_INITIALIZED;
	}
	if (rv == CKR_OK)
		rv = start(how);
	turn_done(cancel);
	return rv;
}

CK_RV
module_stop(void)
{
	CK_RV rv = CKR_OK;
	int cancel;

	turn_begin(&cancel);
	if (atomic_load(&state) != ON) {
		rv = CKR_CRYPTOKI_NOT_INITIALIZED;
	} else {
		if (fork_happened())
			adopt();
		if (atomic_load(&state) == ON)
			stop();
	}
	turn_done(cancel);
	return rv;
}
