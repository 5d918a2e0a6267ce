/* run.c - see supervisor.h: start, the loop, the stop. */
#include "vsmd/supervisor/supervisor.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "common/proctitle.h"
#include "vsmd/supervisor/super.h"

#define DRAIN_SECONDS 5	 /* nurseries and administrators end */
#define CLOSE_SECONDS 30 /* the store makes durable what it has begun */

int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int
watch_add(struct super *s, struct watch *w, int fd, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = w};

	w->fd = fd;
	w->events = events;
	return epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &e);
}

void
watch_events(struct super *s, struct watch *w, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = w};

	if (w->fd >= 0 && w->events != events &&
	    epoll_ctl(s->epoll, EPOLL_CTL_MOD, w->fd, &e) == 0)
		w->events = events;
}

int
watch_remove(struct super *s, struct watch *w)
{
	int fd = w->fd;

	if (fd >= 0)
		(void)epoll_ctl(s->epoll, EPOLL_CTL_DEL, fd, NULL);
	w->fd = -1;
	return fd;
}

void
super_phase(struct super *s, enum phase phase, int64_t seconds)
{
	s->phase = phase;
	s->phase_until = seconds > 0 ? now_ms() + seconds * 1000 : NEVER;
}

void
super_stop(struct super *s, int status)
{
	if (s->exit_status == 0)
		s->exit_status = status;
	if (s->phase >= PHASE_DRAIN)
		return;
	notify_stopping();
	log_info("stopping");
	listen_close(s);
	greet_close_all(s, HELLO_BUSY);
	for (size_t i = 0; i < s->nslots; i++)
		attach_refuse_all(s, s->slots[i], HELLO_BUSY);
	nurseries_end_all(s);
	admin_kill_all(s);
	metrics_kill(s);
	super_phase(s, PHASE_DRAIN, DRAIN_SECONDS);
}

/* Everything at once: the second SIGTERM. */
static void
stop_now(struct super *s)
{
	log_warn("stopping at once: what is not yet durable is lost");
	nurseries_kill_all(s);
	admin_kill_all(s);
	store_kill(s);
	s->phase_until = 0;
}

static void
on_signals(struct super *s)
{
	if (s->signalled_stop) {
		s->signalled_stop = false;
		if (s->stops++ == 0)
			super_stop(s, 0);
		else
			stop_now(s);
	}
	if (s->signalled_reload) {
		s->signalled_reload = false;
		if (s->phase == PHASE_SERVE)
			reload(s);
	}
	if (s->signalled_child) {
		s->signalled_child = false;
		signals_reap(s);
	}
}

/* From one phase of the stop to the next. */
static void
stop_tick(struct super *s, int64_t now)
{
	if (s->phase == PHASE_DRAIN) {
		if (now >= s->phase_until) {
			nurseries_kill_all(s);
			admin_kill_all(s);
		}
		if (s->nurseries == NULL && (s->nadmins == 0 || now >= s->phase_until)) {
			super_phase(s, PHASE_CLOSE, s->stops > 1 ? 1 : CLOSE_SECONDS);
			store_end(s);
		}
	}
	if (s->phase == PHASE_CLOSE) {
		if (s->store.pid != 0 && now >= s->phase_until) {
			if (s->stops <= 1)
				log_error("the store does not end in %d s: killing it",
				    CLOSE_SECONDS);
			store_kill(s);
		}
		if (s->store.pid == 0)
			s->phase = PHASE_DONE;
	}
}

static int64_t
earliest(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Lines that peers have caused, and that were left out. */
static int64_t
log_tick(int64_t now)
{
	int wait = log_left_out();

	return wait < 0 ? NEVER : now + wait;
}

static int64_t
tick(struct super *s, int64_t now)
{
	int64_t next = NEVER;

	next = earliest(next, listen_tick(s, now));
	next = earliest(next, greet_tick(s, now));
	next = earliest(next, attach_tick(s, now));
	next = earliest(next, slots_tick(s, now));
	next = earliest(next, nurseries_tick(s, now));
	next = earliest(next, store_tick(s, now));
	next = earliest(next, tpm_tick(s, now));
	next = earliest(next, vchan_tick(s, now));
	next = earliest(next, metrics_tick(s, now));
	next = earliest(next, notify_tick(s, now));
	next = earliest(next, log_tick(now));
	stop_tick(s, now);
	/* Past its end a phase only waits for processes that were killed. */
	if (s->phase >= PHASE_DRAIN && s->phase_until > now)
		next = earliest(next, s->phase_until);
	else if (s->phase >= PHASE_DRAIN)
		next = earliest(next, now + 100);
	return next;
}

/* One event at a time: what it frees cannot be in a batch that is still being read. */
static void
loop(struct super *s)
{
	while (s->phase != PHASE_DONE) {
		int64_t now = now_ms(), next = tick(s, now), wait;
		struct epoll_event e;
		struct watch *w;
		int n;

		if (s->phase == PHASE_DONE)
			return;
		wait = next == NEVER ? -1 : next > now ? next - now : 0;
		n = epoll_wait(s->epoll, &e, 1, (int)(wait > INT_MAX ? INT_MAX : wait));
		if (n < 0 && errno != EINTR)
			log_fatal("epoll_wait: %s", strerror(errno));
		if (n == 1) {
			w = e.data.ptr;
			w->ready(s, w, e.events);
		}
		on_signals(s);
	}
}

static int
start(struct super *s)
{
	const struct config_settings *c = config_settings(s->boot);
	uid_t uid;
	gid_t gid;

	if (harden_user(c, &uid, &gid) < 0 || places_open(s, uid, gid) < 0 ||
	    memory_make(s, uid, gid) < 0 || harden_drop(c) < 0 || harden_deny() < 0)
		return -1;
	/* Workers whose nursery died become ours: so we know when they are gone. */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0) {
		log_error("PR_SET_CHILD_SUBREAPER: %s", strerror(errno));
		return -1;
	}
	notify_watchdog_init(s);
	if (tpm_start(s) < 0 || store_start(s) < 0)
		return -1;
	return 0;
}

static void
finish(struct super *s)
{
	listen_close(s);
	store_kill(s);
	tpm_end(s);
	memory_remove(s);
	places_close(s);
	slots_free(s);
	limits_free(s);
	free(s->admins);
	signals_close(s);
	if (s->epoll >= 0)
		close(s->epoll);
	if (s->boot != s->config)
		config_free(s->boot);
	config_free(s->config);
}

int
supervisor_main(const char *file, struct config *config)
{
	struct super s = {.file = file,
	    .config = config,
	    .boot = config,
	    .started = now_ms(),
	    .epoll = -1,
	    .lock_runtime = -1,
	    .lock_state = -1,
	    .phase_until = NEVER};
	const struct config_settings *c = config_settings(config);

	log_level((enum log_level)c->log_level);
	proctitle_set("vsmd", NULL);
	s.store.watch.fd = s.signals.fd = s.metrics.watch.fd = -1;
	harden_limits();
	limits_init(&s);
	if (getrandom(s.instance, sizeof(s.instance), 0) != sizeof(s.instance) ||
	    (s.epoll = epoll_create1(EPOLL_CLOEXEC)) < 0 || signals_init(&s) < 0) {
		log_error("cannot start: %s", strerror(errno));
		s.exit_status = 1;
	} else if (start(&s) < 0)
		s.exit_status = 1;
	else {
		log_info("started state=%s tpm=%s%s", c->state, c->tpm,
		    c->sandbox ? " sandbox" : "");
		loop(&s);
	}
	finish(&s);
	log_info("stopped");
	return s.exit_status;
}
