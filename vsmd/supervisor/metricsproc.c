/* metricsproc.c - the process that shows the metrics: started once there is something to
 * show, asked nothing, answered what it asks. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/ipc.h"
#include "common/log.h"
#include "vsmd/metrics/metrics.h"
#include "vsmd/msg.h"
#include "vsmd/supervisor/super.h"

#define BACKOFF 1000 /* ms before the first restart, doubled each time */
#define DOUBLINGS 6
#define STABLE 60000
#define KIND_ADMIN 1 /* a pipe that asks as administrators do: but see the grant's flags */

static void
close_pipe(struct super *s)
{
	int fd = watch_remove(s, &s->metrics.watch);

	if (fd >= 0)
		close(fd);
}

static void
put_numbers(struct super *s, struct buf *b)
{
	uint64_t *n = s->tally;

	n[NUMBER_SUPERVISOR_UPTIME] = (uint64_t)(now_ms() - s->started) / 1000;
	n[NUMBER_SUPERVISOR_APPLICATIONS_LIMIT] = limits_applications(s);
	n[NUMBER_SUPERVISOR_WAITING] = greet_count(s);
	n[NUMBER_SUPERVISOR_ADMINISTRATORS] = s->nadmins;
	buf_put_u8(b, NUMBERS_SUPERVISOR);
	for (unsigned i = 0; i < NUMBERS_SUPERVISOR; i++)
		buf_put_u64(b, n[i]);
}

static const struct slot *
slot_from(const struct super *s, uint32_t from)
{
	const struct slot *found = NULL;

	for (size_t i = 0; i < s->nslots; i++) {
		const struct slot *slot = s->slots[i];

		if (slot->id >= from && slot->listed && (found == NULL || slot->id < found->id))
			found = slot;
	}
	return found;
}

static void
put_slot(struct super *s, struct buf *b, const struct slot *slot)
{
	static struct counters counters; /* large */
	struct counters_sum sum;

	buf_put_u8(b, slot != NULL);
	if (slot == NULL)
		return;
	counters_copy(slot->counters, &counters);
	counters_read(&counters, &sum);
	buf_put_u32(b, slot->id);
	buf_put_str(b, slot->label);
	buf_put_u32(b, workers_count(s, slot->id));
	buf_put_u64(b, workers_sessions(s, slot, &counters));
	counters_sum_write(b, &sum);
}

/* It asks for all slots at most once a second.  One that was taken over would keep us from
 * our work. */
static bool
too_often(struct super *s)
{
	int64_t now = now_ms();

	if (now - s->metrics.window >= 1000) {
		s->metrics.window = now;
		s->metrics.asked = 0;
	}
	return s->metrics.asked++ > 4 * (s->nslots + 1);
}

static bool
answer(struct super *s, struct buf *ask)
{
	uint8_t type = buf_get_u8(ask);
	uint32_t from = buf_get_u32(ask);
	struct buf b;
	bool ok;

	if (!buf_end(ask) || type != M_P_ASK || too_often(s))
		return false;
	buf_init(&b, IPC_MAX);
	buf_put_u8(&b, M_P_ANSWER);
	put_numbers(s, &b);
	put_slot(s, &b, slot_from(s, from));
	/* A pipe that is full has not been read: it asks one thing at a time. */
	ok = ipc_send(s->metrics.watch.fd, &b, NULL, 0) == 0;
	buf_free(&b);
	return ok;
}

static void
on_pipe(struct super *s, struct watch *w, uint32_t events)
{
	struct buf b;

	(void)events;
	buf_init(&b, IPC_MAX);
	if (ipc_recv(w->fd, &b, NULL, NULL) < 0) {
		if (errno != EAGAIN)
			close_pipe(s); /* its exit follows */
	} else if (!answer(s, &b)) {
		log_error("the process of metrics broke the protocol, ending it");
		close_pipe(s);
		metrics_kill(s);
	}
	buf_free(&b);
}

/* The store hears of a pipe that may ask for its status, and nothing else. */
static int
tell_store(struct super *s, int fd)
{
	static struct grant grant; /* large */
	struct buf b;
	int rc;

	snprintf(grant.principal, sizeof(grant.principal), "vsmd-metrics");
	grant.flags = GRANT_STATUS;
	buf_init(&b, IPC_MAX);
	buf_put_u8(&b, M_S_ATTACH);
	buf_put_u32(&b, 0);
	buf_put_u8(&b, KIND_ADMIN);
	grant_write(&b, &grant);
	rc = store_send(s, &b, &fd, 1);
	buf_free(&b);
	return rc;
}

static int
start(struct super *s, const char *address)
{
	int super[2], store[2], keep[2];
	pid_t pid = -1;

	if (ipc_pair(super) < 0)
		return -1;
	if (ipc_pair(store) < 0) {
		close(super[0]);
		close(super[1]);
		return -1;
	}
	keep[0] = super[1];
	keep[1] = store[1];
	if (fcntl(super[0], F_SETFL, O_NONBLOCK) == 0 && tell_store(s, store[0]) == 0 &&
	    (pid = child_fork(s, "vsmd-metrics", keep, 2)) == 0) {
		struct metrics_config config = {
		    .address = address, .supervisor = super[1], .store = store[1]};

		_exit(metrics_main(&config));
	}
	close(super[1]);
	close(store[0]);
	close(store[1]);
	if (pid < 0) {
		close(super[0]);
		return -1;
	}
	s->metrics.pid = pid;
	s->metrics.since = now_ms();
	s->metrics.watch.ready = on_pipe;
	if (watch_add(s, &s->metrics.watch, super[0], EPOLLIN) < 0) {
		s->metrics.watch.fd = -1;
		close(super[0]);
		metrics_kill(s);
	}
	return 0;
}

/* After a failure: not at once. */
static void
again(struct super *s)
{
	unsigned n = s->metrics.failures < DOUBLINGS ? s->metrics.failures : DOUBLINGS;

	s->metrics.failures++;
	s->metrics.retry_at = now_ms() + ((int64_t)BACKOFF << n);
}

int64_t
metrics_tick(struct super *s, int64_t now)
{
	const char *address = config_settings(s->config)->metrics;

	if (s->phase != PHASE_SERVE || !s->store.ready || s->metrics.pid != 0 ||
	    address == NULL)
		return NEVER;
	if (now < s->metrics.retry_at)
		return s->metrics.retry_at;
	if (start(s, address) == 0)
		return NEVER;
	log_error("cannot start the process of metrics: %s", strerror(errno));
	again(s);
	return s->metrics.retry_at;
}

bool
metrics_exited(struct super *s, pid_t pid, int status)
{
	if (s->metrics.pid == 0 || pid != s->metrics.pid)
		return false;
	s->metrics.pid = 0;
	close_pipe(s);
	if (s->metrics.ending || s->phase != PHASE_SERVE || !s->store.ready) {
		s->metrics.ending = false;
		return true;
	}
	if (status == 0) { /* it has seen first that the store is gone */
		again(s);
		return true;
	}
	s->tally[NUMBER_SUPERVISOR_METRICS_FAILURES]++;
	if (WIFSIGNALED(status))
		log_error("the process of metrics was killed by signal %d (%s)%s",
		    WTERMSIG(status), strsignal(WTERMSIG(status)),
		    WTERMSIG(status) == SIGSYS ? ": a system call outside its confinement"
					       : "");
	else
		log_error("the process of metrics ended with status %d", WEXITSTATUS(status));
	if (now_ms() - s->metrics.since > STABLE)
		s->metrics.failures = 0;
	again(s);
	return true;
}

void
metrics_kill(struct super *s)
{
	if (s->metrics.pid > 0)
		(void)kill(s->metrics.pid, SIGKILL);
}

void
metrics_restart(struct super *s)
{
	s->metrics.failures = 0;
	s->metrics.retry_at = 0;
	s->metrics.ending = s->metrics.pid > 0;
	metrics_kill(s);
}
