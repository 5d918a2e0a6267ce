/* connecting.c - listen, accept, connect, and who is there */
#include "contract.h"

#include <poll.h>
#include <stdio.h>

#include "apart.h"

#define MANY 64
#define OFTEN 300

static void
test_peer_is_named(void **state)
{
	struct ends *e = *state;
	unsigned id;

	switch (e->peer.kind) {
	case PEER_UID:
		assert_int_equal(e->peer.id, getuid());
		assert_int_equal(e->peer.gid, getgid());
		assert_int_equal(e->peer.pid, far_is() ? far_ask(FAR_PID, NULL, 0, 0) : getpid());
		break;
	case PEER_CID:
		assert_int_equal(sscanf(connect_address, "vsock:%u", &id), 1);
		assert_int_equal(e->peer.id, id);
		break;
	case PEER_DOMID:
		assert_int_equal(sscanf(listen_address, "vchan:%u", &id), 1);
		assert_int_equal(e->peer.id, id);
		break;
	}
}

static void
test_accept_never_waits(void **state)
{
	struct ends *e = *state;
	struct pollfd p = {.fd = listener_fd(e->listener), .events = POLLIN};
	struct peer peer;

	assert_null(listener_accept(e->listener, &peer));
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(poll(&p, 1, A_WHILE), 0);
}

static void
test_nobody_is_there(void **state)
{
	(void)state;
	assert_null(connect_client(absent_address, PATIENCE, false));
	assert_true(errno == ECONNREFUSED || errno == ENOENT || errno == ECONNRESET);
	assert_null(connect_client(absent_address, 0, false));
	assert_non_null(strstr(transport_strerror(absent_address, errno), absent_address));
}

/* Without an accept: a socket's queue takes us, a ring's greeting does not come. */
static void
test_connect_keeps_its_deadline(void **state)
{
	struct ends *e = *state;
	struct channel *c = connect_client(connect_address, A_WHILE, false);
	struct peer peer;
	struct channel *s;

	if (c == NULL)
		assert_int_equal(errno, ETIMEDOUT);
	channel_close(c);
	/* The listener outlives a client that did not wait. */
	while ((s = listener_accept(e->listener, &peer)) != NULL)
		channel_close(s);
	assert_int_equal(errno, EAGAIN);
	connect_ends(e->listener, &c, &s, &peer);
	assert_works(c, s);
	channel_close(c);
	channel_close(s);
}

static void
test_many_at_once(void **state)
{
	struct ends *e = *state;
	struct channel *c[MANY], *s[MANY];
	struct peer peer;

	for (int i = 0; i < MANY; i++)
		connect_ends(e->listener, &c[i], &s[i], &peer);
	for (int i = 0; i < MANY; i++)
		assert_works(c[i], s[i]);
	for (int i = 0; i < MANY; i++) {
		channel_close(i % 2 ? c[i] : s[i]);
		channel_close(i % 2 ? s[i] : c[i]);
	}
	assert_works(e->client, e->server);
}

static void *
connect_and_greet(void *arg)
{
	struct channel *c = connect_client(connect_address, PATIENCE, false);
	char byte = 0;

	(void)arg;
	if (c == NULL || channel_read(c, &byte, 1, PATIENCE) != 1 || byte != 'x') {
		channel_close(c);
		return (void *)"failed";
	}
	channel_close(c);
	return NULL;
}

static void
test_many_come_together(void **state)
{
	struct ends *e = *state;
	pthread_t t[MANY];
	int n = 0;

	for (int i = 0; i < MANY; i++)
		start(&t[i], connect_and_greet, NULL);
	while (n < MANY) {
		struct pollfd p = {.fd = listener_fd(e->listener), .events = POLLIN};
		struct channel *s;
		struct peer peer;

		if ((s = listener_accept(e->listener, &peer)) == NULL) {
			assert_int_equal(errno, EAGAIN);
			assert_int_equal(poll(&p, 1, PATIENCE), 1);
			continue;
		}
		write_all(s, "x", 1);
		channel_close(s);
		n++;
	}
	for (int i = 0; i < MANY; i++) {
		void *failed;

		(void)pthread_join(t[i], &failed);
		assert_null(failed);
	}
}

static int
far_files(void)
{
	return far_is() ? (int)far_ask(FAR_FILES, NULL, 0, 0) : 0;
}

static void
test_nothing_is_left_behind(void **state)
{
	struct ends *e = *state;
	struct channel *c, *s;
	struct peer peer;
	int before = open_files(), there = far_files();

	for (int i = 0; i < OFTEN; i++) {
		connect_ends(e->listener, &c, &s, &peer);
		channel_close(i % 2 ? c : s);
		channel_close(i % 2 ? s : c);
	}
	assert_int_equal(open_files(), before);
	assert_int_equal(far_files(), there);
}

static void
test_address_in_use(void **state)
{
	struct ends *e = *state;

	if (!has_streams)
		skip(); /* XenStore knows no owners of a path */
	assert_null(transport_listen(listen_address, 0600));
	assert_int_equal(errno, EADDRINUSE);
	assert_works(e->client, e->server);
}

static void
test_child_closes_its_listener(void **state)
{
	struct ends *e = *state;
	struct channel *c, *s;
	struct peer peer;

	child_drops(e, e->listener);
	connect_ends(e->listener, &c, &s, &peer);
	assert_works(c, s);
	channel_close(c);
	channel_close(s);
}

int
contract_connecting(void)
{
	const struct CMUnitTest tests[] = {
	    with_ends(test_peer_is_named),
	    with_ends(test_accept_never_waits),
	    with_ends(test_nobody_is_there),
	    with_ends(test_connect_keeps_its_deadline),
	    with_ends(test_many_at_once),
	    with_ends(test_many_come_together),
	    with_ends(test_nothing_is_left_behind),
	    with_ends(test_address_in_use),
	    with_ends(test_child_closes_its_listener),
	};

	return cmocka_run_group_tests_name("connecting", tests, NULL, NULL);
}
