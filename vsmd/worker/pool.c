/* pool.c - see pool.h */
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "vsmd/worker/reply.h"
#include "vsmd/worker/state.h"

#define STACK (512 * 1024)
#define LINGER 60 /* ms that the watch stays up after the last request */

#define LOOKS 64   /* at the reader and the channel, before going to sleep */

/* What the watch must be woken for; from the third on it sleeps for long. */
enum resting { TICKING, CALM, UNTIL_BEAT, UNTIL_REQUEST };

struct start {
	struct worker *w;
	unsigned number;
};

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void *
thread_main(void *arg)
{
	struct start start = *(struct start *)arg;
	struct seat seat = {.number = start.number};

	free(arg);
	loop(start.w, &seat);
	return NULL;
}

/* With the lock held. */
static bool
add_thread(struct worker *w)
{
	struct pool *p = &w->pool;
	struct start *start;
	pthread_attr_t attr;
	pthread_t id;
	int rc;

	if (p->total == p->max || (start = malloc(sizeof(*start))) == NULL)
		return false;
	start->w = w;
	start->number = p->total;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	rc = pthread_create(&id, &attr, thread_main, start);
	pthread_attr_destroy(&attr);
	if (rc != 0) {
		free(start);
		return false;
	}
	p->total++;
	return true;
}

/* With the lock held: the role is free, let somebody take it; of those that are just done, if
 * the caller is patient, and the watch is not. */
static void
vacate(struct worker *w, bool patient)
{
	struct pool *p = &w->pool;

	p->vacant = true;
	if (p->idle > 0)
		pthread_cond_signal(&p->follow);
	else if (!patient || atomic_load(&p->finishing) == 0)
		(void)add_thread(w); /* none more: whoever is done first takes it */
	else if (atomic_load(&p->resting) != TICKING)
		pthread_cond_signal(&p->watch);
}

/* With the lock held, or the role. */
static void
is_done(struct pool *p, struct seat *seat)
{
	if (seat->finishing)
		atomic_fetch_sub(&p->finishing, 1);
	seat->finishing = false;
}

unsigned
pool_active(struct pool *p)
{
	unsigned off = atomic_load(&p->idle) + atomic_load(&p->aside);
	unsigned total = atomic_load(&p->total);

	return total > off ? total - off : 0;
}

/* The reader serves, and frames wait: be the reader. */
static bool
take_over_now(struct worker *w, struct seat *seat)
{
	struct pool *p = &w->pool;
	uint64_t role = atomic_load(&p->role), next = ((role >> 1) + 1) << 1;

	if ((role & 1) == 0 || atomic_load(&p->ended) ||
	    (atomic_load(&p->waiting) == 0 && !channel_arrived(w->channel)) ||
	    !atomic_compare_exchange_strong(&p->role, &role, next))
		return false;
	p->count = next >> 1;
	seat->role = next;
	return true;
}

/*
 * The same; in a crowd, look for it for a while, and let others run meanwhile: to sleep and to
 * be woken takes longer, and a processor that has halted longer still.
 */
static bool
take_over(struct worker *w, struct seat *seat)
{
	for (int i = 0; i < LOOKS; i++) {
		if (take_over_now(w, seat))
			return true;
		if (atomic_load(&w->pool.crowd) == 0 || atomic_load(&w->pool.role) == 0)
			return false;
		sched_yield();
	}
	return false;
}

bool
pool_lead(struct worker *w, struct seat *seat)
{
	struct pool *p = &w->pool;
	bool ended;

	if (take_over(w, seat)) {
		is_done(p, seat);
		return true;
	}
	pthread_mutex_lock(&p->lock);
	is_done(p, seat);
	while (!p->vacant && !atomic_load(&p->ended)) {
		p->idle++;
		pthread_cond_wait(&p->follow, &p->lock);
		p->idle--;
	}
	ended = atomic_load(&p->ended);
	if (!ended) {
		p->vacant = false;
		seat->role = ++p->count << 1;
		atomic_store(&p->role, seat->role);
	}
	pthread_mutex_unlock(&p->lock);
	return !ended;
}

void
pool_promote(struct worker *w, struct seat *seat)
{
	struct pool *p = &w->pool;
	uint64_t mine = seat->role;

	if (mine == 0)
		return;
	seat->role = 0;
	/* The watch may have been faster. */
	if (!atomic_compare_exchange_strong(&p->role, &mine, 0))
		return;
	pthread_mutex_lock(&p->lock);
	vacate(w, true);
	pthread_mutex_unlock(&p->lock);
}

void
pool_vacate(struct worker *w, struct seat *seat)
{
	struct pool *p = &w->pool;
	uint64_t mine = seat->role;

	if (mine == 0)
		return;
	seat->role = 0;
	if (!atomic_compare_exchange_strong(&p->role, &mine, 0))
		return;
	pthread_mutex_lock(&p->lock);
	p->vacant = true;
	if (atomic_load(&p->resting) != TICKING)
		pthread_cond_signal(&p->watch);
	pthread_mutex_unlock(&p->lock);
}

static void
wake_watch(struct pool *p)
{
	pthread_mutex_lock(&p->lock);
	pthread_cond_signal(&p->watch);
	pthread_mutex_unlock(&p->lock);
}

void
pool_begin(struct worker *w, struct seat *seat, unsigned waiting)
{
	struct pool *p = &w->pool;
	int resting;

	seat->waiting = waiting;
	if (seat->role != 0) {
		atomic_store(&p->waiting, waiting);
		seat->role = (++p->count << 1) | 1;
		atomic_store(&p->role, seat->role);
	}
	resting = atomic_load(&p->resting);
	if (resting == UNTIL_REQUEST || (resting == UNTIL_BEAT && seat->role != 0))
		wake_watch(p);
}

bool
pool_keep(struct worker *w, struct seat *seat)
{
	struct pool *p = &w->pool;
	uint64_t mine = seat->role, next;

	if (mine == 0)
		return false;
	/* p->count is the holder's; it is ours if the exchange succeeds. */
	next = ((mine >> 1) + 1) << 1;
	if (!atomic_compare_exchange_strong(&p->role, &mine, next)) {
		seat->role = 0;
		return false;
	}
	p->count = next >> 1;
	seat->role = next;
	return true;
}

bool
pool_holds(struct pool *p, const struct seat *seat)
{
	return seat->role != 0 && atomic_load(&p->role) == seat->role;
}

void
pool_stir(struct pool *p)
{
	if (atomic_load(&p->resting) != TICKING)
		wake_watch(p);
}

void
pool_expect(struct pool *p)
{
	if (atomic_load(&p->resting) >= UNTIL_BEAT)
		wake_watch(p);
}

bool
pool_note(struct pool *p, struct seat *seat, uint32_t id)
{
	uint64_t key = (uint64_t)id + 1;

	if (atomic_load(&p->outstanding) > 0)
		for (unsigned i = 0; i < p->max; i++)
			if (atomic_load(&p->serving[i]) == key)
				return false;
	atomic_store(&p->serving[seat->number], key);
	atomic_fetch_add(&p->outstanding, 1);
	return true;
}

void
pool_forget(struct pool *p, struct seat *seat)
{
	atomic_store(&p->serving[seat->number], 0);
	atomic_fetch_sub(&p->outstanding, 1);
}

void
pool_finishing(struct pool *p, struct seat *seat)
{
	seat->finishing = true;
	atomic_fetch_add(&p->finishing, 1);
}

void
pool_end(struct pool *p, int status)
{
	pthread_mutex_lock(&p->lock);
	if (!atomic_exchange(&p->ended, true))
		p->status = status;
	pthread_cond_broadcast(&p->follow);
	pthread_cond_signal(&p->watch);
	pthread_mutex_unlock(&p->lock);
}

static void
wait_ms(struct pool *p, int64_t ms)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec += ms / 1000;
	ts.tv_nsec += (ms % 1000) * 1000000;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_sec++;
		ts.tv_nsec -= 1000000000;
	}
	pthread_cond_timedwait(&p->watch, &p->lock, &ts);
}

struct watch {
	uint64_t role;       /* seen at the last tick */
	int linger;          /* ms */
	bool vacant;         /* seen at the last tick: nobody reads, */
	uint64_t count;      /* after so many changes of the role */
	unsigned long sent;  /* seen last */
	int64_t quiet_since; /* nothing was sent since then */
};

/* Milliseconds until a beat is due; sends it when it is. */
static int64_t
beat(struct worker *w, struct watch *x)
{
	unsigned long sent = atomic_load(&w->sent);
	int64_t now = now_ms(), every = w->silence / 3;

	if (sent != x->sent || atomic_load(&w->pool.outstanding) == 0) {
		x->sent = sent;
		x->quiet_since = now;
	} else if (now - x->quiet_since >= every) {
		pthread_mutex_unlock(&w->pool.lock);
		reply_beat(w);
		pthread_mutex_lock(&w->pool.lock);
		x->quiet_since = now;
	}
	return x->quiet_since + every - now;
}

/* Nobody waits, or is likely to.  With the lock held. */
static bool
is_calm(struct worker *w)
{
	return atomic_load(&w->pool.crowd) == 0 && !w->pool.vacant && !reply_waits(w);
}

/* Sleep for one tick, or until a beat is due.  With the lock held. */
static void
tick(struct worker *w, struct watch *x, int64_t due)
{
	struct pool *p = &w->pool;
	int ms = POOL_TICK;

	/* Said first, then looked: who changes it does it the other way round. */
	atomic_store(&p->resting, CALM);
	if (is_calm(w))
		ms = POOL_CALM;
	else
		atomic_store(&p->resting, TICKING);
	x->linger -= ms;
	wait_ms(p, due < ms && due > 0 ? due : ms);
	atomic_store(&p->resting, TICKING);
}

/* Sleep until a request, a beat (in `due` ms; 0: there is none) or something to be kept.  With
 * the lock held. */
static void
rest(struct worker *w, int64_t due)
{
	int64_t keep = keep_wait(w);

	if (keep != INT64_MAX && (due == 0 || keep < due))
		due = keep > 0 ? keep : 1;
	if (due > 0)
		wait_ms(&w->pool, due);
	else
		pthread_cond_wait(&w->pool.watch, &w->pool.lock);
}

/* With the lock held. */
static void
watch(struct worker *w, struct watch *x)
{
	struct pool *p = &w->pool;
	uint64_t role = atomic_load(&p->role);
	int64_t due = w->silence ? beat(w, x) : INT64_MAX;

	if ((role & 1) && role == x->role &&
	    atomic_compare_exchange_strong(&p->role, &role, 0)) {
		vacate(w, false);
		role = 0;
	}
	/* Who deferred a reply is still busy with the next request. */
	if (reply_waits(w)) {
		pthread_mutex_unlock(&p->lock);
		if (!reply_flush(w))
			worker_end(w, 1);
		pthread_mutex_lock(&p->lock);
	}
	if (keep_wait(w) == 0) {
		pthread_mutex_unlock(&p->lock);
		keep_push(w);
		pthread_mutex_lock(&p->lock);
	}
	/* Given up, and everybody still busy a tick later: one more has to read.  Not when it
	 * was taken and given up again meanwhile, as calls of a part of a tick do. */
	if (p->vacant && x->vacant && p->count == x->count) {
		vacate(w, false);
		x->vacant = false;
	} else {
		x->vacant = p->vacant;
	}
	x->count = p->count;
	if (x->vacant || role != x->role || (role & 1))
		x->linger = LINGER;
	x->role = role;
	if (x->linger > 0) {
		tick(w, x, due);
		return;
	}
	/* Say that we rest, then look once more: pool_begin(), pool_stir() and pool_expect()
	 * do it the other way round. */
	if (atomic_load(&p->outstanding) > 0 && w->silence) {
		atomic_store(&p->resting, UNTIL_BEAT);
		if (atomic_load(&p->role) == x->role && !reply_waits(w))
			rest(w, due > 0 ? due : 1);
	} else {
		atomic_store(&p->resting, UNTIL_REQUEST);
		if (atomic_load(&p->role) == x->role && !reply_waits(w) &&
		    (atomic_load(&p->outstanding) == 0 || !w->silence) &&
		    !atomic_load(&p->ended))
			rest(w, 0);
	}
	atomic_store(&p->resting, TICKING);
}

static unsigned
processors(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	return sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

int
pool_run(struct worker *w, unsigned threads)
{
	struct pool *p = &w->pool;
	struct watch x = {.quiet_since = now_ms()};
	pthread_condattr_t attr;

	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->follow, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&p->watch, &attr);
	pthread_condattr_destroy(&attr);
	p->max = threads == 0 ? 1 : threads > POOL_MAX ? POOL_MAX : threads;
	p->processors = processors();
	p->vacant = true;
	pthread_mutex_lock(&p->lock);
	if (!add_thread(w)) {
		log_error("no thread could be made: %s", "raise the limit of tasks");
		pthread_mutex_unlock(&p->lock);
		return 1;
	}
	while (!atomic_load(&p->ended))
		watch(w, &x);
	pthread_mutex_unlock(&p->lock);
	return p->status;
}
