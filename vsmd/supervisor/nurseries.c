/*
 * nurseries.c - the processes that have SoftHSM2 ready, one per slot and more while old
 * ones retire.
 *
 * A nursery and its workers are one process group.  To end a nursery is to kill the
 * group, and it is over when the group is empty: orphaned workers become children of the
 * supervisor, which is their subreaper.
 */
#include "vsmd/nursery/nursery.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/ipc.h"
#include "common/log.h"
#include "vsmd/msg.h"
#include "vsmd/supervisor/super.h"

#define START_DEADLINE 15000 /* ms until M_N_READY */
#define BACKOFF 100 /* ms after the first nursery that failed, doubled each time */
#define BACKOFF_MAX 10000
#define GIVE_UP 3     /* failures in a row after which those who wait are refused */
#define GROUP_POLL 20 /* ms between looks at a group that is ending */

static void
run(struct super *s, struct slot *slot, int pipe, bool first)
{
	const struct config_settings *c = config_settings(s->config);
	struct nursery_config config = {.slot = slot->id,
	    .directory = slot->directory,
	    .library = config_settings(s->boot)->softhsm,
	    .threads = c->threads,
	    .big = NURSERY_BIG,
	    .retire = NURSERY_RETIRE,
	    .max_sessions = c->max_sessions,
	    .max_objects = c->max_objects,
	    .max_memory = c->max_memory,
	    .shared_memory = c->shared_memory};
	char gate[1100];

	snprintf(gate, sizeof(gate), "%s/gates/%u", s->memory.path, slot->id);
	config.gate = gate;
	if (slot->counters >= 0) {
		config.counters = counters_map(slot->counters);
		close(slot->counters);
	}
	if (first)
		counters_cells_clear(config.counters);
	memcpy(config.instance, s->instance, sizeof(config.instance));
	_exit(nursery_main(pipe, &config));
}

/* False: it is none, or not now. */
static bool
on_message(struct super *s, struct nursery *n, struct buf *b)
{
	struct slot *slot = slot_find(s, n->slot);
	char why[512];
	uint32_t pid, status;
	bool ok;

	switch (buf_get_u8(b)) {
	case M_N_READY:
		ok = buf_end(b) && !n->ready;
		n->ready = true;
		n->ready_by = NEVER;
		if (ok && slot != NULL && slot->nursery == n)
			slot->failures = 0;
		break;
	case M_N_STARTED:
		pid = buf_get_u32(b);
		ok = buf_end(b) && workers_started(s, n, (pid_t)pid);
		break;
	case M_N_EXITED:
		pid = buf_get_u32(b);
		status = buf_get_u32(b);
		ok = buf_end(b) && workers_exited(s, n, (pid_t)pid, (int)status);
		break;
	case M_N_FAILED:
		buf_get_str(b, why, sizeof(why));
		ok = buf_end(b) && workers_failed(s, n, why);
		break;
	default:
		ok = false;
	}
	return ok;
}

/* Read what there is; false when the other end is gone, or has to go. */
static bool
drain(struct super *s, struct nursery *n)
{
	struct buf b;
	bool open = true;

	buf_init(&b, IPC_MAX);
	while (n->watch.fd >= 0) {
		if (ipc_recv(n->watch.fd, &b, NULL, NULL) < 0) {
			open = errno == EAGAIN;
			break;
		}
		if (!on_message(s, n, &b)) {
			log_error("a nursery broke the protocol, ending it: malformed or "
				  "unexpected message slot=%u", n->slot);
			open = false;
			break;
		}
	}
	buf_free(&b);
	return open;
}

static void
close_pipe(struct super *s, struct nursery *n)
{
	int fd = watch_remove(s, &n->watch);

	if (fd >= 0)
		close(fd);
}

/* A retired nursery whose last application has gone may go too. */
static void
end_if_idle(struct super *s, struct nursery *n)
{
	if (n->retired && n->workers.n == 0 && n->starting.n == 0)
		close_pipe(s, n);
}

static void
on_pipe(struct super *s, struct watch *w, uint32_t events)
{
	struct nursery *n = (struct nursery *)w;
	struct slot *slot = slot_find(s, n->slot);

	if (events & EPOLLOUT)
		watch_events(s, w, EPOLLIN);
	if (!drain(s, n)) {
		close_pipe(s, n); /* its exit follows */
		nursery_kill(n);
		return;
	}
	end_if_idle(s, n);
	if (slot != NULL && slot->nursery == n)
		attach_flush(s, slot);
}

/* Where its workers count; without it they do not. */
static void
make_counters(struct slot *slot)
{
	if (slot->counters < 0 && (slot->counters = counters_make()) < 0)
		log_warn("what slot %u does is not counted: %s", slot->id, strerror(errno));
}

int
nursery_fork(struct super *s, struct slot *slot)
{
	struct nursery *n = calloc(1, sizeof(*n));
	int pair[2], keep[2];

	if (n == NULL || ipc_pair(pair) < 0) {
		log_error("cannot make a nursery: %s", strerror(errno));
		free(n);
		return -1;
	}
	make_counters(slot);
	keep[0] = pair[1];
	keep[1] = slot->counters;
	if ((n->pid = child_fork(s, "vsmd-nursery", keep, keep[1] >= 0 ? 2 : 1)) == 0)
		run(s, slot, pair[1], !nurseries_of_slot(s, slot->id));
	close(pair[1]);
	if (n->pid < 0) {
		close(pair[0]);
		free(n);
		return -1;
	}
	n->slot = slot->id;
	n->ready_by = now_ms() + START_DEADLINE;
	n->next = s->nurseries;
	s->nurseries = n;
	slot->nursery = n;
	n->watch.ready = on_pipe;
	if (fcntl(pair[0], F_SETFL, O_NONBLOCK) < 0 ||
	    watch_add(s, &n->watch, pair[0], EPOLLIN) < 0) {
		log_error("cannot watch a nursery: %s", strerror(errno));
		nursery_kill(n);
		return -1;
	}
	log_debug("nursery forked slot=%u pid=%d", slot->id, (int)n->pid);
	return 0;
}

void
nursery_retire(struct super *s, struct slot *slot)
{
	struct nursery *n = slot->nursery;

	if (n == NULL)
		return;
	slot->nursery = NULL;
	n->retired = true;
	end_if_idle(s, n);
}

void
nursery_kill(struct nursery *n)
{
	(void)kill(-n->pid, SIGKILL);
}

void
nurseries_kill_slot(struct super *s, uint32_t id)
{
	for (struct nursery *n = s->nurseries; n != NULL; n = n->next)
		if (n->slot == id)
			nursery_kill(n);
}

bool
nurseries_of_slot(const struct super *s, uint32_t id)
{
	for (const struct nursery *n = s->nurseries; n != NULL; n = n->next)
		if (n->slot == id)
			return true;
	return false;
}

void
nurseries_kill_all(struct super *s)
{
	for (struct nursery *n = s->nurseries; n != NULL; n = n->next)
		nursery_kill(n);
}

void
nurseries_end_all(struct super *s)
{
	for (size_t i = 0; i < s->nslots; i++)
		nursery_retire(s, s->slots[i]);
	for (struct nursery *n = s->nurseries; n != NULL; n = n->next)
		close_pipe(s, n);
}

/* The nursery process has ended; its workers get SIGKILL now at the latest. */
static void
ended(struct super *s, struct nursery *n, int status)
{
	struct slot *slot = slot_find(s, n->slot);
	bool expected = n->retired || s->phase >= PHASE_DRAIN ||
			(slot != NULL && slot->state != SLOT_OPEN) || !s->store.ready;

	(void)drain(s, n);
	close_pipe(s, n);
	nursery_kill(n);
	n->reaped = true;
	if (slot != NULL && slot->nursery == n) {
		slot->nursery = NULL;
		if (!n->ready && !expected) {
			int64_t pause = (int64_t)BACKOFF
					<< (slot->failures < 8 ? slot->failures : 8);

			slot->failures++;
			slot->retry_at =
			    now_ms() + (pause < BACKOFF_MAX ? pause : BACKOFF_MAX);
			if (slot->failures % GIVE_UP == 0)
				attach_refuse_all(s, slot, HELLO_FAILED);
		}
	}
	s->tally[NUMBER_SUPERVISOR_NURSERY_FAILURES] += !expected;
	if (expected)
		log_debug("nursery ended slot=%u", n->slot);
	else if (WIFSIGNALED(status))
		log_error("a nursery was killed by signal %d (%s) slot=%u workers=%zu",
		    WTERMSIG(status), strsignal(WTERMSIG(status)), n->slot, n->workers.n);
	else
		log_error("a nursery ended with status %d slot=%u workers=%zu",
		    WEXITSTATUS(status), n->slot, n->workers.n);
}

bool
nurseries_exited(struct super *s, pid_t pid, int status)
{
	/* Nurseries first: one that was taken over may claim any process as its worker. */
	for (struct nursery *n = s->nurseries; n != NULL; n = n->next)
		if (!n->reaped && n->pid == pid) {
			ended(s, n, status);
			return true;
		}
	for (struct nursery *n = s->nurseries; n != NULL; n = n->next)
		if (workers_of(n, pid)) {
			(void)workers_exited(s, n, pid, status);
			return true;
		}
	return false;
}

/* The group is empty: nothing of it can touch the token any more. */
static void
nursery_free(struct super *s, struct nursery *n)
{
	struct nursery **at = &s->nurseries;
	uint32_t slot = n->slot;

	while (*at != n)
		at = &(*at)->next;
	*at = n->next;
	workers_forget_all(s, n);
	free(n);
	slots_nursery_gone(s, slot);
}

int64_t
nurseries_tick(struct super *s, int64_t now)
{
	int64_t next = NEVER;
	struct nursery *n, *after;

	for (n = s->nurseries; n != NULL; n = after) {
		after = n->next;
		if (n->reaped && kill(-n->pid, 0) < 0 && errno == ESRCH) {
			nursery_free(s, n);
			continue;
		}
		if (n->reaped && now + GROUP_POLL < next)
			next = now + GROUP_POLL;
		if (!n->reaped && n->ready_by <= now) {
			log_error(
			    "a nursery does not get ready, killing it slot=%u", n->slot);
			n->ready_by = NEVER;
			nursery_kill(n);
		}
		if (!n->reaped && n->ready_by < next)
			next = n->ready_by;
	}
	return next;
}
