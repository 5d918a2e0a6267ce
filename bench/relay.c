/*
 * relay.c - caas-bench-relay: between guest and vsmd, count what is asked.
 *
 *	caas-bench-relay LISTEN CONNECT      (paths of unix sockets)
 *
 * At SIGUSR1 and at SIGTERM prints, as one line of JSON, what it has seen since it
 * started: channels by purpose, frames and their bytes by call number, and round trips. A
 * round trip is one or more requests followed by one or more answers: requests that
 *travel together count once.  For an application that asks one thing at a time that is
 *what it waits for.  Beats (FRAME_BEAT) do not count.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "protocol/frame.h"
#include "protocol/hello.h"

#define CHANNELS 512
#define CALLS 64 /* different call numbers */

/* One direction of a channel: where we are in its frames. */
struct way {
	uint8_t head[HELLO_LEN];
	size_t got;    /* bytes of head */
	uint64_t skip; /* bytes of a body that are still to come */
	bool greeted;
};

struct channel {
	int fds[2]; /* guest, vsmd */
	struct way ways[2];
	uint32_t purpose;
	bool asked; /* since the last answer */
};

struct calls {
	uint32_t call;
	unsigned long frames, asked, answered; /* bytes, with headers */
};

static struct channel *channels[CHANNELS];
static struct calls calls[CALLS];
static size_t ncalls;
static unsigned long hellos[4], trips;
static volatile sig_atomic_t report, ending;

static void
on_signal(int sig)
{
	report = 1;
	ending |= sig != SIGUSR1;
}

static struct calls *
calls_of(uint32_t call)
{
	for (size_t i = 0; i < ncalls; i++)
		if (calls[i].call == call)
			return &calls[i];
	if (ncalls == CALLS)
		return &calls[CALLS - 1];
	calls[ncalls].call = call;
	return &calls[ncalls++];
}

static void
print(void)
{
	printf("{\"slots\": %lu, \"token\": %lu, \"admin\": %lu, \"trips\": %lu, "
	       "\"calls\": {",
	    hellos[HELLO_SLOTS], hellos[HELLO_TOKEN], hellos[HELLO_ADMIN], trips);
	for (size_t i = 0; i < ncalls; i++)
		printf("%s\"%u\": {\"frames\": %lu, \"asked\": %lu, \"answered\": %lu}",
		    i > 0 ? ", " : "", calls[i].call, calls[i].frames, calls[i].asked,
		    calls[i].answered);
	printf("}}\n");
	fflush(stdout);
}

static void
saw_frame(struct channel *c, int from, const struct frame *f)
{
	struct calls *k;

	if (f->call == FRAME_BEAT)
		return;
	k = calls_of(f->call);
	if (from == 0) {
		k->frames++;
		k->asked += FRAME_HEADER + f->length;
		c->asked = true;
		return;
	}
	k->answered += FRAME_HEADER + f->length;
	trips += c->asked;
	c->asked = false;
}

static void
saw_hello(struct channel *c, int from, const uint8_t *head)
{
	struct hello_ask ask;

	if (from != 0 || !hello_ask_read(head, &ask))
		return;
	c->purpose = ask.purpose;
	hellos[ask.purpose]++;
}

/* Follow the bytes of one direction. */
static void
watch(struct channel *c, int from, const uint8_t *p, size_t n)
{
	struct way *w = &c->ways[from];

	while (n > 0) {
		size_t want = w->greeted ? FRAME_HEADER : HELLO_LEN, take = n;

		if (w->greeted && c->purpose != HELLO_TOKEN)
			return;
		if (w->skip > 0) {
			take = n < w->skip ? n : (size_t)w->skip;
			w->skip -= take;
		} else {
			take = n < want - w->got ? n : want - w->got;
			memcpy(w->head + w->got, p, take);
			w->got += take;
		}
		p += take;
		n -= take;
		if (w->got < want)
			continue;
		w->got = 0;
		if (!w->greeted) {
			w->greeted = true;
			saw_hello(c, from, w->head);
		} else {
			struct frame f;

			if (frame_parse_request(w->head, UINT32_MAX, &f)) {
				w->skip = f.length;
				saw_frame(c, from, &f);
			}
		}
	}
}

static int
unix_socket(const char *path, bool listening)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || strlen(path) >= sizeof(a.sun_path))
		return -1;
	memcpy(a.sun_path, path, strlen(path) + 1);
	if (listening
		? bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(fd, 128) != 0
		: connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static void
drop(size_t i)
{
	close(channels[i]->fds[0]);
	close(channels[i]->fds[1]);
	free(channels[i]);
	channels[i] = NULL;
}

static void
take(int listener, const char *to)
{
	int fd = accept(listener, NULL, NULL);
	size_t i = 0;

	while (i < CHANNELS && channels[i] != NULL)
		i++;
	if (fd < 0)
		return;
	if (i == CHANNELS || (channels[i] = calloc(1, sizeof(struct channel))) == NULL) {
		close(fd);
		return;
	}
	channels[i]->fds[0] = fd;
	channels[i]->fds[1] = unix_socket(to, false);
	if (channels[i]->fds[1] < 0)
		drop(i);
}

/* Some bytes onward, waiting for room; false: that side is gone. */
static bool
pass(struct channel *c, int from)
{
	static uint8_t bytes[256 * 1024];
	ssize_t n = read(c->fds[from], bytes, sizeof(bytes));

	if (n <= 0)
		return n < 0 && errno == EINTR;
	watch(c, from, bytes, (size_t)n);
	for (ssize_t at = 0, m; at < n; at += m) {
		m = send(c->fds[!from], bytes + at, (size_t)(n - at), MSG_NOSIGNAL);
		if (m < 0 && errno == EINTR)
			m = 0;
		else if (m < 0)
			return false;
	}
	return true;
}

static void
serve(int listener, const char *to)
{
	struct pollfd p[1 + 2 * CHANNELS] = {{.fd = listener, .events = POLLIN}};
	size_t of[1 + 2 * CHANNELS], n = 1;

	for (size_t i = 0; i < CHANNELS; i++)
		for (int side = 0; channels[i] != NULL && side < 2; side++) {
			of[n] = i * 2 + (size_t)side;
			p[n++] = (struct pollfd){channels[i]->fds[side], POLLIN, 0};
		}
	if (poll(p, n, 100) <= 0)
		return;
	for (size_t i = 1; i < n; i++)
		if (p[i].revents != 0 && channels[of[i] / 2] != NULL &&
		    !pass(channels[of[i] / 2], (int)(of[i] % 2)))
			drop(of[i] / 2);
	if (p[0].revents != 0)
		take(listener, to);
}

int
main(int argc, char **argv)
{
	struct sigaction sa = {.sa_handler = on_signal};
	int listener;

	if (argc != 3) {
		fprintf(stderr, "usage: caas-bench-relay LISTEN CONNECT\n");
		return 2;
	}
	(void)sigaction(SIGUSR1, &sa, NULL);
	(void)sigaction(SIGTERM, &sa, NULL);
	(void)sigaction(SIGINT, &sa, NULL);
	(void)unlink(argv[1]);
	listener = unix_socket(argv[1], true);
	if (listener < 0) {
		perror(argv[1]);
		return 1;
	}
	while (!ending) {
		serve(listener, argv[2]);
		if (report) {
			report = 0;
			print();
		}
	}
	(void)unlink(argv[1]);
	return 0;
}
