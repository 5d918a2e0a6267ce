/*
 * vchanproc.c - the processes that keep the channels which cannot be passed to a worker, one
 * for each address (vsmd/vchan/).
 *
 * Such a process reads what the guest writes to shared memory.  So of what it says only that
 * somebody is there is believed: who that is, is in the address.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/ipc.h"
#include "common/log.h"
#include "vchan-transport/address.h"
#include "vsmd/msg.h"
#include "vsmd/supervisor/super.h"
#include "vsmd/vchan/vchan.h"

#define CHANNELS_MAX 256
#define START_PATIENCE 15000 /* ms until it listens, at the start of vsmd */
#define BURST 16
#define BACKOFF 500 /* ms before the first restart, doubled each time */
#define DOUBLINGS 6
#define STABLE 60000

static void
close_pipe(struct super *s, struct vchan *v)
{
	int fd = watch_remove(s, &v->watch);

	if (fd >= 0)
		close(fd);
}

static bool
take_channel(struct super *s, const struct vchan *v, int fd)
{
	const struct peer peer = {.kind = PEER_DOMID, .id = v->domid};
	struct channel *channel = channel_from_fd(fd);

	if (channel == NULL)
		return false;
	greet_begin(s, channel, &peer);
	return true;
}

/* False: a breach. */
static bool
message(struct super *s, struct vchan *v, struct buf *b, const int *fds, size_t nfds)
{
	uint8_t type = buf_get_u8(b);

	if (buf_end(b) && type == M_V_READY && nfds == 0 && !v->ready) {
		v->ready = true;
		log_info("listening address=%s", v->address);
		return true;
	}
	if (buf_end(b) && type == M_V_CHANNEL && nfds == 1 && v->ready &&
	    take_channel(s, v, fds[0]))
		return true;
	for (size_t i = 0; i < nfds; i++)
		close(fds[i]);
	return false;
}

static void
on_pipe(struct super *s, struct watch *w, uint32_t events)
{
	struct vchan *v = (struct vchan *)w;
	int fds[IPC_MAX_FDS];
	size_t nfds;
	struct buf b;

	(void)events;
	buf_init(&b, IPC_MAX);
	for (int i = 0; i < BURST && v->watch.fd >= 0; i++) {
		if (ipc_recv(v->watch.fd, &b, fds, &nfds) == 0) {
			if (message(s, v, &b, fds, nfds))
				continue;
			log_error("a process of a vchan broke the protocol, ending it "
				  "address=%s", v->address);
			close_pipe(s, v);
			(void)kill(v->pid, SIGKILL);
		} else if (errno == EBADMSG) { /* no descriptors left: that guest tries again */
			if (log_may("listen"))
				log_error("cannot accept: address=%s", v->address);
			continue;
		} else if (errno != EAGAIN) {
			close_pipe(s, v); /* its exit follows */
		}
		break;
	}
	buf_free(&b);
}

static int
start(struct super *s, struct vchan *v)
{
	int pair[2];

	if (ipc_pair(pair) < 0)
		return -1;
	v->ready = false;
	v->pid = child_fork(s, "vsmd-vchan", &pair[1], 1);
	if (v->pid == 0) {
		const struct vchan_config config = {
		    .address = v->address, .supervisor = pair[1], .max = CHANNELS_MAX};

		_exit(vchan_main(&config));
	}
	close(pair[1]);
	v->since = now_ms();
	v->watch.ready = on_pipe;
	if (v->pid > 0 && fcntl(pair[0], F_SETFL, O_NONBLOCK) == 0 &&
	    watch_add(s, &v->watch, pair[0], EPOLLIN) == 0)
		return 0;
	v->watch.fd = -1;
	close(pair[0]);
	if (v->pid > 0)
		(void)kill(v->pid, SIGKILL);
	else
		v->pid = 0;
	return -1;
}

int
vchan_open(struct super *s, const char *address)
{
	struct vchan *v = &s->vchans[s->nvchans];
	struct address a;
	const char *why;

	if (!address_parse(&a, address, &why)) {
		log_error("cannot listen: %s: %s", address, why);
		return -1;
	}
	memset(v, 0, sizeof(*v));
	v->watch.fd = -1;
	v->address = address;
	v->domid = a.id;
	v->retry_at = NEVER;
	s->nvchans++;
	if (start(s, v) < 0) {
		log_error("cannot listen: %s: %s", address, strerror(errno));
		return -1;
	}
	/* Nobody is served before all addresses are there. */
	while (!v->ready && v->watch.fd >= 0) {
		struct pollfd p = {.fd = v->watch.fd, .events = POLLIN};
		int left = (int)(v->since + START_PATIENCE - now_ms());

		if (left <= 0 || (poll(&p, 1, left) < 0 && errno != EINTR))
			break;
		on_pipe(s, &v->watch, EPOLLIN);
	}
	if (v->ready)
		return 0;
	log_error("cannot listen: nobody does at %s", address); /* and it has said why */
	return -1;
}

void
vchan_close_all(struct super *s)
{
	for (size_t i = 0; i < s->nvchans; i++) {
		close_pipe(s, &s->vchans[i]);
		s->vchans[i].retry_at = NEVER;
	}
}

bool
vchan_exited(struct super *s, pid_t pid, int status)
{
	struct vchan *v = NULL;
	unsigned n;

	for (size_t i = 0; i < s->nvchans; i++)
		if (s->vchans[i].pid == pid)
			v = &s->vchans[i];
	if (v == NULL)
		return false;
	v->pid = 0;
	close_pipe(s, v);
	if (s->phase >= PHASE_DRAIN)
		return true;
	if (WIFSIGNALED(status))
		log_error("a process of a vchan was killed by signal %d (%s)%s address=%s",
		    WTERMSIG(status), strsignal(WTERMSIG(status)),
		    WTERMSIG(status) == SIGSYS ? ": a system call outside its confinement" : "",
		    v->address);
	else
		log_error("a process of a vchan ended with status %d address=%s",
		    WEXITSTATUS(status), v->address);
	if (now_ms() - v->since > STABLE)
		v->failures = 0;
	n = v->failures < DOUBLINGS ? v->failures : DOUBLINGS;
	v->failures++;
	v->retry_at = now_ms() + ((int64_t)BACKOFF << n);
	return true;
}

int64_t
vchan_tick(struct super *s, int64_t now)
{
	int64_t next = NEVER;

	for (size_t i = 0; i < s->nvchans; i++) {
		struct vchan *v = &s->vchans[i];

		if (v->pid != 0 || v->retry_at == NEVER || s->phase >= PHASE_DRAIN)
			continue;
		if (now >= v->retry_at) {
			v->retry_at = NEVER;
			if (start(s, v) < 0) {
				log_error("cannot listen: %s: %s", v->address, strerror(errno));
				v->retry_at = now + ((int64_t)BACKOFF << DOUBLINGS);
			}
		}
		if (v->retry_at < next)
			next = v->retry_at;
	}
	return next;
}
