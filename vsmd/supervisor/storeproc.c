/* storeproc.c - the store process: started, heard, and started again when it dies. */
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
#include "vsmd/msg.h"
#include "vsmd/store/seed.h"
#include "vsmd/store/store.h"
#include "vsmd/supervisor/super.h"

#define TRIES 5	    /* restarts in a row */
#define BACKOFF 100 /* ms before the first, doubled each time */
#define STABLE 1000 /* ms of service after which earlier failures are forgotten */

static void
run(struct super *s, int pipe)
{
	const struct config_settings *c = config_settings(s->boot);
	char *tpm_state = NULL;
	struct store_config config = {.state = c->state,
	    .memory = s->memory.path,
	    .tpm = s->tpm.wanted ? s->tpm.tpm.address : c->tpm,
	    .policy = c->tpm_policy,
	    .approvals = c->approvals,
	    .pin_tries = c->pin_tries,
	    .anchor = c->anchor,
	    .anchor_budget = c->anchor_budget,
	    .audit_rotate = (uint64_t)c->audit_rotate * 1024,
	    .audit_keep = c->audit_keep,
	    .sandbox = c->sandbox};

	if (s->tpm.wanted && asprintf(&tpm_state, "%s/tpm", c->state) < 0)
		_exit(1);
	config.tpm_state = tpm_state;
	_exit(store_main(pipe, &config));
}

static void
close_pipe(struct super *s)
{
	int fd = watch_remove(s, &s->store.watch);

	if (fd >= 0)
		close(fd);
}

/* What it has said after that is not heard. */
static void
breach(struct super *s, const char *what)
{
	log_error("the store broke the protocol, ending it: %s", what);
	close_pipe(s);
	store_kill(s);
}

/* The first slots: the store is open. */
static void
on_ready(struct super *s)
{
	s->store.ready = true;
	s->store.since = now_ms();
	if (s->phase == PHASE_OPEN) {
		if (listen_open(s) < 0) {
			super_stop(s, 1);
			return;
		}
		super_phase(s, PHASE_SERVE, 0);
		notify_ready(s);
	} else
		log_info("the store is open again");
}

static void
on_slots(struct super *s, struct buf *b)
{
	if (!slots_update(s, b)) {
		breach(s, "slots");
		return;
	}
	if (!s->store.ready)
		on_ready(s);
	for (size_t i = 0; i < s->nslots; i++)
		attach_flush(s, s->slots[i]);
}

/* Nurseries are forked later, and their workers begin with what is mixed in here. */
static bool
seeded(struct buf *b)
{
	const uint8_t *seed = buf_get_raw(b, SEED_LEN);

	if (seed == NULL || !buf_end(b))
		return false;
	seed_mix(seed);
	return true;
}

static void
on_message(struct super *s, struct buf *b)
{
	char line[512];

	switch (buf_get_u8(b)) {
	case M_T_SLOTS:
		on_slots(s, b);
		return;
	case M_T_DISCARD:
		if (!slots_discard(s, b))
			breach(s, "discard");
		return;
	case M_T_STATUS:
		buf_get_str(b, line, sizeof(line));
		if (!buf_end(b))
			breach(s, "status");
		else
			notify_status(line);
		return;
	case M_T_SEED:
		if (!seeded(b))
			breach(s, "seed");
		return;
	case M_T_TPM_FAILED:
		if (!buf_end(b))
			breach(s, "TPM");
		else
			tpm_kill(s);
		return;
	default:
		breach(s, "unknown message");
	}
}

static void
on_pipe(struct super *s, struct watch *w, uint32_t events)
{
	struct buf b;

	if (events & EPOLLOUT) {
		watch_events(s, w, EPOLLIN);
		for (size_t i = 0; i < s->nslots; i++)
			attach_flush(s, s->slots[i]);
	}
	if (!(events & ~(uint32_t)EPOLLOUT))
		return;
	buf_init(&b, IPC_MAX);
	if (ipc_recv(w->fd, &b, NULL, NULL) == 0)
		on_message(s, &b);
	else if (errno != EAGAIN)
		close_pipe(s); /* its exit follows */
	buf_free(&b);
}

int
store_start(struct super *s)
{
	int pair[2], keep[2];

	s->store.retry_at = NEVER;
	if (ipc_pair(pair) < 0) {
		log_error("cannot make the store's pipe: %s", strerror(errno));
		return -1;
	}
	/* It keeps the lock of the state: while it lives no other may open. */
	keep[0] = pair[1];
	keep[1] = s->lock_state;
	if ((s->store.pid = child_fork(s, "vsmd-store", keep, 2)) == 0)
		run(s, pair[1]);
	close(pair[1]);
	s->store.watch.ready = on_pipe;
	if (s->store.pid < 0) {
		s->store.pid = 0;
		close(pair[0]);
		return -1;
	}
	if (fcntl(pair[0], F_SETFL, O_NONBLOCK) < 0 ||
	    watch_add(s, &s->store.watch, pair[0], EPOLLIN) < 0) {
		log_error("cannot watch the store: %s", strerror(errno));
		return -1;
	}
	return 0;
}

int
store_send(struct super *s, const struct buf *b, const int *fds, size_t nfds)
{
	if (s->store.watch.fd < 0) {
		errno = ECONNRESET;
		return -1;
	}
	return ipc_send(s->store.watch.fd, b, fds, nfds);
}

void
store_wait_room(struct super *s)
{
	watch_events(s, &s->store.watch, EPOLLIN | EPOLLOUT);
}

void
store_end(struct super *s)
{
	struct buf b;

	if (s->store.pid == 0)
		return;
	s->store.stopping = true;
	buf_init(&b, 8);
	buf_put_u8(&b, M_S_STOP);
	if (store_send(s, &b, NULL, 0) < 0)
		close_pipe(s); /* it stops for that too */
	buf_free(&b);
}

void
store_kill(struct super *s)
{
	if (s->store.pid > 0)
		(void)kill(s->store.pid, SIGKILL);
}

static void
describe(int status)
{
	if (WIFSIGNALED(status))
		log_error("the store was killed by signal %d (%s)", WTERMSIG(status),
		    strsignal(WTERMSIG(status)));
	else
		log_error("the store ended with status %d", WEXITSTATUS(status));
}

bool
store_exited(struct super *s, pid_t pid, int status)
{
	int64_t now = now_ms();

	if (pid != s->store.pid)
		return false;
	s->store.pid = 0;
	close_pipe(s);
	if (s->store.stopping) {
		if (status != 0)
			describe(status);
		return true;
	}
	describe(status);
	if (s->store.ready && now - s->store.since > STABLE)
		s->store.failures = 0;
	s->store.ready = false;
	/* Nothing that was not made durable may be seen again: workers end, memory is
	 * made anew from the disk. */
	slots_store_gone(s);
	nurseries_kill_all(s);
	admin_kill_all(s);
	metrics_restart(s);
	s->tally[NUMBER_SUPERVISOR_STORE_FAILURES]++;
	if (s->phase == PHASE_OPEN) {
		/* It has said why; trying again would say it again. */
		log_error("cannot start: the store did not open");
		super_stop(s, 1);
	} else if (s->phase == PHASE_SERVE && s->store.failures >= TRIES) {
		log_error("the store died %u times: giving up", s->store.failures + 1);
		super_stop(s, 1);
	} else if (s->phase != PHASE_SERVE)
		super_stop(s, 1); /* it died while all was ending */
	else
		s->store.retry_at = now + ((int64_t)BACKOFF << s->store.failures++);
	return true;
}

int64_t
store_tick(struct super *s, int64_t now)
{
	if (s->phase != PHASE_SERVE || s->store.pid != 0 || s->store.retry_at == NEVER)
		return NEVER;
	if (now < s->store.retry_at)
		return s->store.retry_at;
	/* Their directories are about to go. */
	if (s->nurseries != NULL)
		return now + 20;
	memory_empty(s);
	if (store_start(s) < 0)
		super_stop(s, 1);
	return NEVER;
}
