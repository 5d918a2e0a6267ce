/* pipe.c and client.c: frames in pieces, what breaks the protocol, who is late. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "vchan-transport/deadline.h"
#include "xen-hooks/tpmd/client.h"

static const uint8_t identity[DOMT_IDENTITY] = "the secret half of an identity.";

static struct channel *
pair_of(int *ret_peer)
{
	struct channel *c;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_non_null(c = channel_from_fd(fds[0]));
	*ret_peer = fds[1];
	return c;
}

static void
send_all(int fd, const void *p, size_t n)
{
	assert_int_equal(send(fd, p, n, MSG_NOSIGNAL), n);
}

/* Byte by byte, and two frames at once: one after the other. */
static void
frames(void **state)
{
	static const uint8_t two[] = {2, 0, 0, 0, 'a', 'b', 1, 0, 0, 0, 'c'};
	struct pipe p;
	int peer;

	(void)state;
	pipe_init(&p, pair_of(&peer), 100);
	assert_int_equal(pipe_read(&p), 0);
	assert_false(pipe_late(&p));
	assert_true(p.until == DEADLINE_NEVER);
	for (size_t i = 0; i < 5; i++) {
		send_all(peer, &two[i], 1);
		assert_int_equal(pipe_read(&p), 0);
		assert_true(p.until != DEADLINE_NEVER);
	}
	send_all(peer, &two[5], sizeof(two) - 5);
	assert_int_equal(pipe_read(&p), 1);
	assert_int_equal(p.in.len, 2);
	assert_memory_equal(p.in.data, "ab", 2);
	assert_true(p.until == DEADLINE_NEVER);
	pipe_next(&p);
	assert_int_equal(pipe_read(&p), 1);
	assert_memory_equal(p.in.data, "c", 1);
	pipe_next(&p);
	close(peer);
	assert_int_equal(pipe_read(&p), -1);
	pipe_close(&p);
}

static void
no_frames(void **state)
{
	static const uint8_t bad[][4] = {{0, 0, 0, 0}, {101, 0, 0, 0}, {0xff, 0xff, 0xff, 0xff}};
	struct pipe p;
	int peer;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		pipe_init(&p, pair_of(&peer), 100);
		send_all(peer, bad[i], 4);
		assert_int_equal(pipe_read(&p), -1);
		pipe_close(&p);
		close(peer);
	}
	/* What began and does not go on is late in the end. */
	pipe_init(&p, pair_of(&peer), 100);
	send_all(peer, bad[1], 1);
	assert_int_equal(pipe_read(&p), 0);
	assert_false(pipe_late(&p));
	p.until = deadline_at(0);
	assert_true(pipe_late(&p));
	pipe_close(&p);
	close(peer);
}

/* Who does not read has what fits, and the rest later; nothing is read from him meanwhile. */
static void
slow_reader(void **state)
{
	static uint8_t much[4 << 20];
	uint8_t back[65536];
	struct pollfd poll;
	size_t got = 0;
	struct pipe p;
	ssize_t n;
	int peer;

	(void)state;
	pipe_init(&p, pair_of(&peer), 100);
	buf_put_raw(&p.out, much, sizeof(much));
	assert_int_equal(pipe_write(&p), 0);
	assert_true(pipe_sending(&p));
	assert_true(p.until != DEADLINE_NEVER);
	assert_false(pipe_poll(&p, &poll));
	assert_int_equal(poll.events & POLLIN, 0);
	while (got < sizeof(much)) {
		n = recv(peer, back, sizeof(back), MSG_DONTWAIT);
		if (n > 0)
			got += (size_t)n;
		assert_int_equal(pipe_write(&p), 0);
	}
	assert_false(pipe_sending(&p));
	assert_true(p.until == DEADLINE_NEVER);
	pipe_close(&p);
	close(peer);
}

struct domc {
	struct client *c;
	int fd;
	struct domt_session *s;
};

static void
connect_to(struct domc *d)
{
	static const struct control_pair who = {.pair = "web", .domid = 7};
	struct channel *c = pair_of(&d->fd);

	assert_non_null(d->c = client_new(&who, c));
	d->s = NULL;
}

static void
part(struct domc *d)
{
	client_free(d->c);
	domt_session_free(d->s);
	close(d->fd);
}

static void
read_frame(struct domc *d, struct buf *b)
{
	uint8_t head[4], body[4096];
	uint32_t len;

	assert_int_equal(recv(d->fd, head, 4, MSG_DONTWAIT), 4);
	buf_view(b, head, 4);
	len = buf_get_u32(b);
	assert_in_range(len, 1, sizeof(body));
	assert_int_equal(recv(d->fd, body, len, MSG_DONTWAIT), len);
	buf_init(b, sizeof(body));
	buf_put_raw(b, body, len);
}

static void
greet(struct domc *d)
{
	uint8_t who[DOMT_IDENTITY], want[DOMT_IDENTITY];
	struct buf out, in;

	connect_to(d);
	buf_init(&out, 4096);
	assert_non_null(d->s = domt_session_ask(&out));
	send_all(d->fd, out.data, out.len);
	assert_true(client_move(d->c, identity));
	read_frame(d, &in);
	assert_true(domt_identity(identity, want));
	assert_int_equal(domt_session_begin(d->s, &in, want, who), TPM_OK);
	buf_free(&in);
	buf_free(&out);
}

static void
ask(struct domc *d, const void *message, size_t len)
{
	struct buf out;

	buf_init(&out, DOMT_FRAME_MAX);
	assert_true(domt_session_seal(d->s, message, len, &out));
	send_all(d->fd, out.data, out.len);
	buf_free(&out);
}

static void
question(struct domc *d)
{
	struct domt_question q = {.number = 3, .what = DOMT_RANDOM, .length = 8};
	struct buf b;

	buf_init(&b, DOMT_MESSAGE_MAX);
	domt_question_write(&b, &q);
	ask(d, b.data, b.len);
	buf_free(&b);
}

static void
asks_and_hears(void **state)
{
	struct domt_answer a = {.what = DOMT_RANDOM, .bytes = {(const uint8_t *)"12345678", 8}};
	struct domt_answer heard;
	struct buf in, plain;
	struct domc d;

	(void)state;
	greet(&d);
	assert_false(d.c->asked);
	question(&d);
	question(&d); /* which waits */
	assert_true(client_move(d.c, identity));
	assert_true(d.c->asked);
	assert_int_equal(d.c->question.what, DOMT_RANDOM);
	a.number = d.c->question.number;
	assert_true(client_move(d.c, identity));
	assert_true(client_answer(d.c, &a));
	assert_false(d.c->asked);
	read_frame(&d, &in);
	buf_init(&plain, DOMT_MESSAGE_MAX);
	assert_true(domt_session_open(d.s, in.data, in.len, &plain));
	assert_true(domt_answer_read(&plain, DOMT_RANDOM, &heard));
	assert_int_equal(heard.number, 3);
	assert_memory_equal(heard.bytes.data, "12345678", 8);
	assert_true(client_move(d.c, identity));
	assert_true(d.c->asked);
	buf_free(&in);
	buf_free(&plain);
	part(&d);
}

static void
breaks(void **state)
{
	static const uint8_t junk[] = {8, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8};
	static const uint8_t long_hello[] = {1, 4, 0, 0};
	struct domc d;

	(void)state;
	connect_to(&d); /* no hello */
	send_all(d.fd, junk, sizeof(junk));
	assert_false(client_move(d.c, identity));
	part(&d);
	connect_to(&d); /* a hello that is longer than one is */
	send_all(d.fd, long_hello, sizeof(long_hello));
	assert_false(client_move(d.c, identity));
	part(&d);
	greet(&d); /* a frame that is not sealed */
	send_all(d.fd, junk, sizeof(junk));
	assert_false(client_move(d.c, identity));
	part(&d);
	greet(&d); /* sealed, and no question */
	ask(&d, "no question", 11);
	assert_false(client_move(d.c, identity));
	assert_false(d.c->asked);
	part(&d);
	connect_to(&d); /* says nothing */
	assert_false(client_late(d.c));
	d.c->pipe.until = deadline_at(0);
	assert_true(client_late(d.c));
	part(&d);
	greet(&d); /* and may be silent afterwards */
	assert_true(d.c->pipe.until == DEADLINE_NEVER);
	part(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(frames),
	    cmocka_unit_test(no_frames),
	    cmocka_unit_test(slow_reader),
	    cmocka_unit_test(asks_and_hears),
	    cmocka_unit_test(breaks),
	};

	return cmocka_run_group_tests_name("tpmd client", tests, NULL, NULL);
}
