/* channel.c - a guest's end of a channel, by hand: see hostile.h */
#include "hostile.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "protocol/hello.h"

#define CALLS_BY_ID (sizeof(((struct channel_ends *)NULL)->calls) / sizeof(uint32_t))
#define SHORT 10 /* ms */

static int
connect_(void)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", address);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0)
		fail("connect: %s", strerror(errno));
	return fd;
}

/* Exactly that; false at the end. */
static bool
receive(int fd, void *p, size_t len)
{
	int64_t until = now_ms() + PATIENCE;
	uint8_t *at = p;

	while (len > 0) {
		struct pollfd ready = {.fd = fd, .events = POLLIN};
		ssize_t n;

		if (poll(&ready, 1, SHORT * 10) == 0 && now_ms() > until)
			fail("no answer to a hello");
		n = recv(fd, at, len, MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			return false;
		if (n > 0) {
			at += n;
			len -= (size_t)n;
		}
	}
	return true;
}

/* The memory that is offered; -1: none came along. */
static int
receive_offer(int fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	char offer;
	struct iovec v = {&offer, 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &control,
	    .msg_controllen = sizeof(control)};
	struct cmsghdr *h;
	int memory = -1;

	if (recvmsg(fd, &m, MSG_CMSG_CLOEXEC) != 1)
		return -1;
	h = CMSG_FIRSTHDR(&m);
	if (h != NULL && h->cmsg_type == SCM_RIGHTS)
		memcpy(&memory, CMSG_DATA(h), sizeof(memory));
	return memory;
}

/* Take the offer, or not, or say something else. */
static bool
share(struct channel_ends *e, struct chance *c, enum opening how)
{
	struct pollfd p = {.fd = e->fd, .events = POLLIN};
	int memory = poll(&p, 1, PATIENCE) == 1 ? receive_offer(e->fd) : -1;
	char answer = 'y';

	if (how == OPEN_MUTATED)
		fill(c, &answer, 1);
	else if (memory < 0 || one_in(c, 8))
		answer = 'n';
	if (answer == 'y') {
		e->m = mmap(NULL, sizeof(*e->m), PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
		if (e->m == MAP_FAILED)
			fail("the shared memory cannot be mapped: %s", strerror(errno));
		e->in.ring = &e->m->ring[1];
		e->out.ring = &e->m->ring[0];
	}
	if (memory >= 0)
		close(memory);
	return send(e->fd, &answer, 1, MSG_NOSIGNAL) == 1 && (answer == 'y' || answer == 'n');
}

/* Of what a hello may say: no fields are left out. */
static void
mutate_hello(uint8_t raw[HELLO_LEN], struct chance *c, size_t *len)
{
	static const uint32_t words[] = {0, 1, 2, 3, 4, 0x7fffffff, 0x80000000, 0xffffffff};

	for (unsigned n = 1 + below(c, 3); n > 0; n--) {
		uint32_t v = one_in(c, 2) ? words[below(c, 8)] : (uint32_t)chance_next(c);
		size_t at = below(c, HELLO_LEN / 4) * 4;

		switch (below(c, 4)) {
		case 0:
			raw[below(c, HELLO_LEN)] ^= (uint8_t)(1u << below(c, 8));
			break;
		case 1:
			*len = below(c, HELLO_LEN);
			break;
		default:
			memcpy(raw + at, &v, sizeof(v));
		}
	}
}

bool
ends_open(struct channel_ends *e, const struct target *t, struct chance *c, enum opening how)
{
	struct hello_ask ask = {.version = HELLO_VERSION, .purpose = HELLO_TOKEN,
	    .slot = t->slot, .max_frame = MAX_FRAME, .silence = one_in(c, 4) ? 0 : 3000,
	    .flags = HELLO_ONCE | (one_in(c, 3) ? 0 : HELLO_SHARED_MEMORY)};
	struct hello_answer answer;
	uint8_t raw[HELLO_LEN];
	size_t len = sizeof(raw);

	memset(e, 0, sizeof(*e));
	buf_init(&e->body, FRAME_MAX_DEFAULT);
	e->fd = connect_();
	fill(c, ask.app, sizeof(ask.app));
	hello_ask_write(raw, &ask);
	if (how == OPEN_MUTATED)
		mutate_hello(raw, c, &len);
	if (send(e->fd, raw, len, MSG_NOSIGNAL) != (ssize_t)len && how == OPEN_SOUND)
		fail("a hello cannot be sent: %s", strerror(errno));
	if (len < sizeof(raw) && one_in(c, 2)) /* the rest never comes */
		return false;
	if (len < sizeof(raw))
		(void)shutdown(e->fd, SHUT_WR);
	if (!receive(e->fd, raw, sizeof(raw))) {
		if (how == OPEN_SOUND)
			fail("no answer to a sound hello");
		return false;
	}
	if (!hello_answer_read(raw, &answer))
		fail("the answer to a hello makes no sense");
	if (answer.status != HELLO_OK && answer.status != HELLO_BUSY && how == OPEN_SOUND)
		fail("a sound hello was refused: %u", answer.status);
	if (answer.status != HELLO_OK)
		atomic_fetch_add(&count.refused, 1);
	if (answer.status != HELLO_OK || answer.count != 0)
		return false;
	if ((answer.flags & HELLO_SHARED_MEMORY) == 0)
		return true;
	return share(e, c, how == OPEN_SOUND || one_in(c, 2) ? OPEN_SOUND : OPEN_MUTATED);
}

void
ends_close(struct channel_ends *e)
{
	if (e->m != NULL)
		munmap(e->m, sizeof(*e->m));
	if (e->fd >= 0)
		close(e->fd);
	buf_free(&e->body);
	e->m = NULL;
	e->fd = -1;
}

void
ends_note(struct channel_ends *e, uint32_t id, uint32_t call)
{
	e->calls[(id >> 14) % CALLS_BY_ID] = call;
	e->outstanding++;
}

static void
end(struct channel_ends *e)
{
	e->ended = true;
}

/* The frame in e->frame and e->body is whole. */
static void
arrived(struct channel_ends *e)
{
	uint32_t call = e->calls[(e->frame.id >> 14) % CALLS_BY_ID];
	uint64_t rv;

	if (e->frame.call == FRAME_BEAT && e->frame.length == 0)
		return;
	if (e->outstanding-- == 0)
		fail("a reply to nothing");
	e->again |= e->frame.call == FRAME_AGAIN;
	if (e->frame.call != call || call >= CALL_COUNT_ || e->body.len < sizeof(rv))
		return;
	memcpy(&rv, e->body.data, sizeof(rv));
	atomic_fetch_add_explicit(&count.answered[call], 1, memory_order_relaxed);
	if (rv == CKR_OK)
		atomic_fetch_add_explicit(&count.ok[call], 1, memory_order_relaxed);
}

/* What the worker sends are frames, whatever it got. */
static void
take(struct channel_ends *e, const uint8_t *p, size_t len)
{
	while (len > 0) {
		size_t n;

		if (e->got < FRAME_HEADER) {
			n = FRAME_HEADER - e->got < len ? FRAME_HEADER - e->got : len;
			memcpy(e->header + e->got, p, n);
			if ((e->got += n) == FRAME_HEADER) {
				if (!frame_parse(e->header, MAX_FRAME, &e->frame))
					fail("a reply is no frame");
				buf_reset(&e->body);
			}
		} else {
			n = e->frame.length - e->body.len;
			n = n < len ? n : len;
			buf_put_raw(&e->body, p, n);
		}
		p += n;
		len -= n;
		if (e->got == FRAME_HEADER && e->body.len == e->frame.length) {
			e->got = 0;
			arrived(e);
		}
	}
}

static void
ring_bell(struct channel_ends *e, _Atomic uint32_t *sleep)
{
	if (ring_wake(sleep) == RING_BELL)
		(void)send(e->fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* What there is; false: nothing. */
static bool
drain(struct channel_ends *e)
{
	uint8_t bytes[16384];
	ssize_t n;

	if (e->m == NULL) {
		n = recv(e->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			end(e);
	} else {
		n = ring_get(&e->in, bytes, sizeof(bytes));
		if (n < 0 && !e->scribbled)
			fail("the worker's index cannot be");
		if (n < 0)
			end(e);
		if (n > 0)
			ring_bell(e, &e->in.ring->consumed.sleep);
	}
	if (n > 0 && !e->scribbled)
		take(e, bytes, (size_t)n);
	return n > 0;
}

/* Nothing came: is the other side still there?  Bells are for nobody. */
static void
look(struct channel_ends *e, short events)
{
	struct pollfd p = {.fd = e->fd, .events = events};
	char bells[64];
	ssize_t n;

	if (e->m == NULL) {
		(void)poll(&p, 1, SHORT);
		return;
	}
	ring_drowse(&e->in.ring->produced.sleep, RING_FUTEX);
	if (ring_used(&e->in) == 0)
		(void)ring_sleep(&e->in.ring->produced.sleep, 1);
	ring_awake(&e->in.ring->produced.sleep);
	n = recv(e->fd, bells, sizeof(bells), MSG_DONTWAIT);
	if ((n == 0 || (n < 0 && errno != EAGAIN)) && ring_used(&e->in) == 0)
		end(e);
}

static ssize_t
write_some(struct channel_ends *e, const uint8_t *p, size_t len)
{
	ssize_t n;

	if (e->m == NULL) {
		n = send(e->fd, p, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		return n < 0 && errno == EAGAIN ? 0 : n;
	}
	if (atomic_load(&e->out.ring->deaf))
		return -1;
	n = ring_put(&e->out, p, len);
	if (n > 0)
		ring_bell(e, &e->out.ring->produced.sleep);
	return n;
}

bool
ends_write(struct channel_ends *e, const void *p, size_t len)
{
	int64_t until = now_ms() + PATIENCE;
	const uint8_t *at = p;

	while (len > 0 && !e->ended) {
		ssize_t n = write_some(e, at, len);

		if (n < 0)
			return false;
		at += n;
		len -= (size_t)n;
		if (!drain(e) && n == 0) {
			if (now_ms() > until)
				fail("a worker neither reads nor writes");
			look(e, POLLIN | POLLOUT);
		}
	}
	return !e->ended;
}

bool
ends_await(struct channel_ends *e)
{
	int64_t until = now_ms() + PATIENCE;

	while (e->outstanding > 0 && !e->ended)
		if (!drain(e)) {
			if (now_ms() > until)
				fail("a worker does not answer and does not end: %lu requests",
				    e->outstanding);
			look(e, POLLIN);
		}
	return e->outstanding == 0;
}
