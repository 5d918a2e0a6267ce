/* worker.c - see worker.h */
#include "vsmd/worker/worker.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "common/log.h"
#include "common/proctitle.h"
#include "vchan-transport/berth.h"
#include "vchan-transport/shm.h"
#include "vsmd/confine/confine.h"
#include "vsmd/worker/interpose.h"
#include "vsmd/worker/reply.h"
#include "vsmd/worker/serve.h"
#include "vsmd/worker/slot.h"

#define DRAIN 30000       /* ms that a write to the token may still take at the end */
#define MEMORY_MAX 1024   /* MiB, where the configuration says nothing */
#define FILES_SPARE 64    /* descriptors beside those of threads */
#define FILES_EACH 8      /* of one thread: its gate, and what SoftHSM2 opens */
#define MMAPPED (256 << 10) /* bytes from which memory is mapped, and unmapped when it is free */
#define SILENCE_LEAST 300 /* ms: less would be beats without end */

void
worker_end(struct worker *w, int status)
{
	/* Before the guest learns of it: what it asks of the next worker, no thread still begins
	 * here. */
	gate_shut(&w->gate);
	pool_end(&w->pool, status);
	channel_shutdown(w->channel);
}

/*
 * Keys stay out of the swap.  A limit that is too small would make later allocations
 * fail, so it is all or nothing; vsmd's unit lifts it.
 */
static void
lock_memory(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur != RLIM_INFINITY ||
	    mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0)
		log_debug("memory is not locked, raise LimitMEMLOCK= to infinity");
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED
#endif

/* A guest can send large frames on every thread: it runs out before the host does. */
static void
limit_memory(unsigned mib)
{
#ifndef SANITIZED /* which map terabytes */
	rlim_t most = (rlim_t)(mib != 0 ? mib : MEMORY_MAX) << 20;
	struct rlimit limit = {most, most};

	if (setrlimit(RLIMIT_DATA, &limit) != 0)
		log_debug("memory is not limited: %s", strerror(errno));
#else
	(void)mib;
#endif
}

/* What a worker that goes astray opens is taken from nobody else. */
static void
limit_files(unsigned threads)
{
	struct rlimit limit;
	rlim_t most = FILES_SPARE + (rlim_t)FILES_EACH * threads;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max <= most)
		return;
	limit.rlim_cur = limit.rlim_max = most;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		log_debug("descriptors are not limited: %s", strerror(errno));
}

static struct confine_filter filter; /* inherited */

static struct confine
confinement(void)
{
	return (struct confine){.role = "vsmd-worker", .syscalls = confine_worker,
	    .nsyscalls = confine_worker_count,
	    .flags = CONFINE_THREADS | CONFINE_FILTER_ONLY, .filter = &filter};
}

int
worker_prepare(void)
{
	struct confine c = confinement();

	return confine_filter_make(&c, &filter);
}

static int
confine_this(void)
{
	struct confine c = confinement();

	return confine(&c);
}

/* The guest and this side can. */
static bool
shares_memory(const struct worker_config *c)
{
	return c->nursery->shared_memory && (c->hello.flags & HELLO_SHARED_MEMORY);
}

/* Answer the hello, which the supervisor has read. */
static int
greet(struct worker *w)
{
	const struct hello_ask *ask = &w->config->hello;
	struct hello_answer answer = {.version = HELLO_VERSION, .status = HELLO_OK};
	uint8_t raw[HELLO_LEN];
	struct iovec v = {.iov_base = raw, .iov_len = sizeof(raw)};

	w->max_frame = ask->max_frame < FRAME_MAX_DEFAULT ? ask->max_frame : FRAME_MAX_DEFAULT;
	w->silence = ask->silence;
	if (w->silence != 0 && w->silence < SILENCE_LEAST)
		w->silence = SILENCE_LEAST;
	if (ask->version != HELLO_VERSION)
		answer.status = HELLO_BAD_VERSION;
	else if (w->max_frame < FRAME_MAX_LEAST || ask->purpose != HELLO_TOKEN ||
	    ask->slot != w->config->nursery->slot)
		answer.status = HELLO_REFUSED;
	answer.max_frame = w->max_frame;
	answer.silence = w->silence;
	answer.epoch = gate_epoch(&w->gate);
	answer.flags = ask->flags & (HELLO_ONCE | HELLO_KEEP);
	if (answer.status == HELLO_OK && shares_memory(w->config))
		answer.flags |= HELLO_SHARED_MEMORY;
	memcpy(answer.instance, w->config->nursery->instance, sizeof(answer.instance));
	hello_answer_write(raw, &answer);
	if (channel_writev(w->channel, &v, 1, WORKER_WRITE_DEADLINE) != 0) {
		log_info("the guest went away before its hello was answered");
		return -1;
	}
	if ((answer.flags & HELLO_SHARED_MEMORY) &&
	    (w->channel = shm_offer(w->channel, WORKER_WRITE_DEADLINE)) == NULL) {
		log_info("the guest went away before memory was shared with it");
		return -1;
	}
	return answer.status == HELLO_OK ? 0 : -1;
}

/* Behind the gate: SoftHSM2 looks into the token's files. */
static int
find_slot(struct worker *w)
{
	struct gate gate;
	bool blank = true;
	CK_RV rv;

	if (gate_file_open(&w->gate, w->config->nursery->gate) != 0 ||
	    gate_open(&gate, &w->gate) != 0) {
		log_error("gate %s: %s", w->config->nursery->gate, strerror(errno));
		return -1;
	}
	gate_enter(&gate, GATE_SHARED);
	atomic_store(&w->seen, gate_epoch(&w->gate));
	rv = softhsm_slot(w->fl, &w->slot, &blank);
	gate_leave(&gate);
	gate_close(&gate);
	atomic_store(&w->blank, blank);
	if (rv != CKR_OK)
		log_error("SoftHSM2 has no slot: 0x%lx", rv);
	return rv == CKR_OK ? 0 : -1;
}

static int
open_worker(struct worker *w, const struct worker_config *config)
{
	w->config = config;
	w->grant = &config->grant;
	w->fl = config->backend;
	w->user = -1;
	atomic_store(&w->pins, config->pins);
	reply_init(w);
	pthread_mutex_init(&w->login_lock, NULL);
	pthread_mutex_init(&w->open_lock, NULL);
	sessions_init(&w->sessions, config->nursery->max_sessions);
	objects_init(&w->objects);
	keycache_init(&w->keys);
	keep_init(&w->keep, config->hello.flags & HELLO_KEEP);
	lookup_init(&w->lookup);
	store_init(&w->store, config->store);
	store_patience(&w->store, config->hello.silence);
	audit_init(&w->audit);
	if (find_slot(w) != 0)
		return -1;
	if ((w->channel = channel_from_fd(config->channel)) == NULL) {
		log_error("channel: %s", strerror(errno));
		return -1;
	}
	return 0;
}

/* Room for a large message goes back to the system when it is done: each of the threads has
 * one some day, and the C library, left to itself, would keep room for the largest with each. */
static void
return_memory(void)
{
	(void)mallopt(M_MMAP_THRESHOLD, MMAPPED);
	(void)mallopt(M_TRIM_THRESHOLD, 2 * MMAPPED);
}

int
worker_main(const struct worker_config *config)
{
	char title[2 * GRANT_NAME + 32];
	struct worker *w = calloc(1, sizeof(*w));
	int status;

	log_name("vsmd-worker");
	log_caused_by(config->grant.principal);
	snprintf(title, sizeof(title), "slot %u %s %s", config->nursery->slot,
	    config->grant.principal, config->grant.peer);
	proctitle_set("vsmd-worker", title);
	interpose_exit_at_once();
	return_memory();
	lock_memory();
	limit_memory(config->nursery->max_memory);
	limit_files(config->nursery->threads);
	if (w == NULL || open_worker(w, config) != 0 || confine_this() != 0)
		return 1;
	if (greet(w) != 0)
		return 1;
	inbox_init(&w->inbox, w->max_frame);
	w->inbox.near = channel_berth(w->channel, 0) != NULL;
	keep_room(&w->keep, w->inbox.near);
	status = pool_run(w, config->nursery->threads);
	if (reply_waits(w))
		(void)reply_flush(w);
	/* Threads may still run, so nothing is freed; the caller ends the process. */
	if (!gate_drain(&w->gate, DRAIN))
		log_error("ended while a call was writing to the token");
	return status;
}
