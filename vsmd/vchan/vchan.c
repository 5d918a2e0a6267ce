/* vchan.c - see vchan.h */
#include "vsmd/vchan/vchan.h"

#include <errno.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/ipc.h"
#include "common/log.h"
#include "common/proctitle.h"
#include "vchan-transport/relay.h"
#include "vsmd/confine/confine.h"
#include "vsmd/msg.h"

#define DEVICES "/dev/xen"
#define PAUSE 100 /* ms without accepting, when there are no descriptors left */
#define BURST 16

enum { AT_SUPERVISOR, AT_WATCH, AT_LISTENER, AT_RELAYS };

struct server {
	const struct vchan_config *config;
	struct couple_watch *watch; /* NULL: the address needs none */
	struct listener *listener;  /* NULL: nobody is coupled */
	bool stopping;              /* the supervisor is gone */
	struct relay **relays;
	struct pollfd *polls; /* AT_*, then two for each relay */
	size_t n;             /* relays */
	bool pausing;
};

static int
tell(const struct vchan_config *c, enum msg type, const int *fds, size_t nfds)
{
	struct buf b;
	int rc;

	buf_init(&b, 16);
	buf_put_u8(&b, (uint8_t)type);
	rc = ipc_send(c->supervisor, &b, fds, nfds);
	buf_free(&b);
	return rc;
}

/* What the next poll is for; its timeout. */
static int
prepare(struct server *s)
{
	bool now = false;
	bool accepts = s->listener != NULL && !s->stopping && s->n < s->config->max;

	s->polls[AT_SUPERVISOR].fd = !s->stopping ? s->config->supervisor : -1;
	s->polls[AT_LISTENER].fd = accepts && !s->pausing ? listener_fd(s->listener) : -1;
	for (size_t i = 0; i < s->n; i++)
		now |= relay_poll(s->relays[i], &s->polls[AT_RELAYS + 2 * i], false);
	if (now)
		return 0;
	return s->pausing ? PAUSE : -1;
}

/* A guest's channel, which is closed when it cannot be served. */
static void
take(struct server *s, struct channel *guest)
{
	struct channel *served = NULL;
	struct relay *r;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0) {
		if (tell(s->config, M_V_CHANNEL, &pair[0], 1) < 0 ||
		    (served = channel_from_fd(pair[1])) == NULL)
			(void)close(pair[1]);
		(void)close(pair[0]);
	}
	if (served == NULL) {
		if (log_may("guest"))
			log_warn("a guest cannot be served: %s", strerror(errno));
		channel_close(guest);
		s->pausing = true;
	} else if ((r = relay_new(guest, served)) == NULL) {
		if (log_may("guest"))
			log_warn("no memory for a guest's channel");
	} else {
		/* Not polled yet: the first look at it finds nothing at worst. */
		memset(&s->polls[AT_RELAYS + 2 * s->n], 0, 2 * sizeof(struct pollfd));
		s->relays[s->n++] = r;
	}
}

static void
take_all(struct server *s)
{
	struct channel *guest;
	struct peer peer;

	for (int i = 0; i < BURST && s->n < s->config->max && !s->pausing; i++) {
		if ((guest = listener_accept(s->listener, &peer)) == NULL) {
			s->pausing = errno != EAGAIN;
			return;
		}
		take(s, guest);
	}
}

static void
move_bytes(struct server *s)
{
	for (size_t i = 0; i < s->n;) {
		struct pollfd *p = &s->polls[AT_RELAYS + 2 * i];

		if ((p[0].events && !p[0].revents && p[1].events && !p[1].revents) ||
		    relay_move(s->relays[i], p, false)) {
			i++;
			continue;
		}
		relay_free(s->relays[i]);
		s->relays[i] = s->relays[--s->n];
		memcpy(p, &s->polls[AT_RELAYS + 2 * s->n], 2 * sizeof(*p));
	}
}

static void
stop_listening(struct server *s)
{
	listener_close(s->listener);
	s->listener = NULL;
}

/* Whom the address means may have changed: nobody is at the other end of what there was. */
static bool
listen_anew(struct server *s)
{
	const char *address = s->config->address;

	stop_listening(s);
	while (s->n > 0)
		relay_free(s->relays[--s->n]);
	if (s->stopping || (s->listener = transport_listen(address, 0)) != NULL) {
		log_info("the other domain is another, or was restarted address=%s", address);
		return true;
	}
	if (errno != EHOSTDOWN)
		return false;
	log_info("the other domain is gone address=%s", address);
	return true;
}

/* One turn; false when poll(2) fails, or nobody can be listened to any more. */
static bool
turn(struct server *s)
{
	int wait = prepare(s);

	if (poll(s->polls, AT_RELAYS + 2 * s->n, wait) < 0)
		return errno == EINTR;
	s->pausing = false;
	if (s->polls[AT_WATCH].revents != 0 && transport_changed(s->watch))
		return listen_anew(s);
	move_bytes(s);
	/* It says nothing: this is its end. */
	if (s->polls[AT_SUPERVISOR].revents != 0) {
		s->stopping = true;
		stop_listening(s);
	} else if (s->polls[AT_LISTENER].fd >= 0 && s->polls[AT_LISTENER].revents != 0) {
		take_all(s);
	}
	return true;
}

int
vchan_serve(const struct vchan_config *config, struct couple_watch *watch,
    struct listener *listener)
{
	struct server s = {.config = config, .watch = watch, .listener = listener};
	bool ok;

	s.relays = calloc(config->max, sizeof(*s.relays));
	s.polls = calloc(AT_RELAYS + 2 * config->max, sizeof(*s.polls));
	ok = s.relays != NULL && s.polls != NULL && tell(config, M_V_READY, NULL, 0) == 0;
	if (ok) {
		for (int i = 0; i < AT_RELAYS; i++)
			s.polls[i].events = POLLIN;
		s.polls[AT_WATCH].fd = watch != NULL ? transport_watch_fd(watch) : -1;
	}
	while (ok && (!s.stopping || s.n > 0))
		ok = turn(&s);
	if (!ok)
		log_error("%s: %s", config->address, strerror(errno));
	while (s.n > 0)
		relay_free(s.relays[--s.n]);
	stop_listening(&s);
	transport_watch_close(watch);
	free(s.relays);
	free(s.polls);
	return ok ? 0 : 1;
}

/* For each channel: two of Xen's devices, two to wait on, the socket. */
static void
raise_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &r);
	}
}

static int
close_the_door(void)
{
	/* A new ring opens the devices, and writes to XenStore where it is; a thread of
	 * libxenstore waits for what changes there. */
	static const int calls[] = {SCMP_SYS(openat), SCMP_SYS(ioctl), SCMP_SYS(stat),
	    SCMP_SYS(newfstatat), SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2),
	    SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(eventfd2),
	    SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime), SCMP_SYS(pipe),
	    SCMP_SYS(pipe2), SCMP_SYS(socketpair), SCMP_SYS(getsockopt),
	    SCMP_SYS(setsockopt)};
	static const struct confine_path paths[] = {{DEVICES, true}};
	const struct confine door = {.role = "vsmd-vchan", .paths = paths, .npaths = 1,
	    .syscalls = calls, .nsyscalls = sizeof(calls) / sizeof(calls[0]),
	    .flags = CONFINE_DEVICES | CONFINE_THREADS};

	return confine(&door);
}

int
vchan_main(const struct vchan_config *config)
{
	struct couple_watch *w;
	struct listener *l;
	const char *why;

	log_name("vsmd-vchan");
	proctitle_set("vsmd-vchan", config->address);
	signal(SIGPIPE, SIG_IGN);
	raise_limit();
	/* This loads Xen's library. */
	if (!transport_address_ok(config->address, &why)) {
		log_error("cannot listen: %s: %s", config->address, why);
		return 1;
	}
	if (close_the_door() < 0)
		return 1;
	/* First, so that no change is missed. */
	if ((w = transport_watch(config->address)) == NULL && errno != 0) {
		log_error("cannot watch: %s", transport_strerror(config->address, errno));
		return 1;
	}
	if ((l = transport_listen(config->address, 0)) == NULL && (w == NULL || errno != EHOSTDOWN)) {
		log_error("cannot listen: %s", transport_strerror(config->address, errno));
		transport_watch_close(w);
		return 1;
	}
	return vchan_serve(config, w, l);
}
