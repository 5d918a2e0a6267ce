/* test_vchan.c - what a hostile or dying peer does to a ring (over tests/contract's fake) */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_xen.h"

#define ADDRESS "vchan:5:data/test"
#define ABSENT "vchan:5:data/absent"
#define COUPLED "vchan:coupled:data/test"
#define CROWD 16

struct ends {
	struct listener *listener;
	struct channel *client, *server;
	struct libxenvchan *client_ring, *server_ring;
};

struct connecting {
	const char *address;
	struct channel *c;
};

static void *
connecting(void *arg)
{
	struct connecting *c = arg;

	c->c = transport_connect(c->address, 10000);
	return NULL;
}

static void *
connecting_soon(void *arg)
{
	struct channel **c = arg;

	*c = transport_connect(ADDRESS, 1000);
	return NULL;
}

static struct channel *
accept_one(struct listener *l, struct peer *ret_peer)
{
	struct pollfd p = {.fd = listener_fd(l), .events = POLLIN};
	struct channel *c;

	while ((c = listener_accept(l, ret_peer)) == NULL)
		assert_int_equal(poll(&p, 1, 10000), 1);
	return c;
}

/* A channel, by both of its ends. */
static struct channel *
meet(struct listener *l, const char *address, struct channel **ret_server, struct peer *ret_peer)
{
	struct connecting c = {.address = address};
	pthread_t t;

	assert_int_equal(pthread_create(&t, NULL, connecting, &c), 0);
	*ret_server = accept_one(l, ret_peer);
	(void)pthread_join(t, NULL);
	assert_non_null(c.c);
	return c.c;
}

static int
setup(void **state)
{
	struct ends *e = calloc(1, sizeof(*e));
	struct peer peer;

	assert_non_null(e->listener = transport_listen(ADDRESS, 0));
	e->server_ring = fake_server();
	e->client = meet(e->listener, ADDRESS, &e->server, &peer);
	e->client_ring = fake_client();
	*state = e;
	return 0;
}

static int
teardown(void **state)
{
	struct ends *e = *state;

	channel_close(e->client);
	channel_close(e->server);
	listener_close(e->listener);
	free(e);
	return 0;
}

static void
expect_reset(struct channel *c)
{
	char byte;

	assert_true(channel_pending(c));
	assert_int_equal(channel_read(c, &byte, 1, -1), -1);
	assert_int_equal(errno, ECONNRESET);
	assert_int_equal(channel_write(c, "x", 1, -1), -1);
	assert_int_equal(errno, ECONNRESET);
	assert_int_equal(channel_poll_events(c, true, false), 0);
}

static void
test_too_much_produced(void **state)
{
	struct ends *e = *state;

	e->server_ring->ring->left.prod = e->server_ring->ring->left.cons + (16 * 1024) + 1;
	expect_reset(e->server);
}

static void
test_more_consumed_than_sent(void **state)
{
	struct ends *e = *state;

	e->server_ring->ring->right.cons = e->server_ring->ring->right.prod + 1;
	expect_reset(e->server);
}

static void
test_client_meets_a_corrupt_server(void **state)
{
	struct ends *e = *state;

	e->client_ring->ring->right.prod += 1u << 31;
	expect_reset(e->client);
}

static void *
corrupt_soon(void *arg)
{
	struct ends *e = arg;

	usleep(30000);
	__atomic_add_fetch(&e->server_ring->ring->left.prod, 1u << 30, __ATOMIC_SEQ_CST);
	fake_notify(e->client_ring);
	return NULL;
}

static void
test_corruption_wakes_a_reader(void **state)
{
	struct ends *e = *state;
	pthread_t t;
	char byte;

	assert_int_equal(pthread_create(&t, NULL, corrupt_soon, e), 0);
	assert_int_equal(channel_read(e->server, &byte, 1, -1), -1);
	assert_int_equal(errno, ECONNRESET);
	(void)pthread_join(t, NULL);
}

/* The kernel clears the flag and sends an event when a peer's process dies. */
static void
test_dead_peer_is_the_end(void **state)
{
	struct ends *e = *state;
	char byte;

	e->server_ring->ring->cli_live = 0;
	fake_notify(e->client_ring);
	assert_int_equal(channel_read(e->server, &byte, 1, -1), 0);
	/* Another client that comes back on the ring does not bring it to life. */
	e->server_ring->ring->cli_live = 1;
	assert_int_equal(channel_read(e->server, &byte, 1, -1), 0);
	assert_int_equal(channel_write(e->server, "x", 1, -1), -1);
	assert_int_equal(errno, ECONNRESET);
}

static void
test_flag_of_a_nonsense_value(void **state)
{
	struct ends *e = *state;
	char byte;

	e->server_ring->ring->cli_live = 7;
	assert_int_equal(channel_read(e->server, &byte, 1, -1), 0);
}

static void
test_events_without_cause(void **state)
{
	struct ends *e = *state;
	struct peer peer;
	char byte;

	for (int i = 0; i < 100; i++) {
		fake_notify(e->client_ring);
		assert_int_equal(channel_read(e->server, &byte, 1, 0), -1);
		assert_int_equal(errno, ETIMEDOUT);
		assert_null(listener_accept(e->listener, &peer));
		assert_int_equal(errno, EAGAIN);
	}
}

static void
test_client_that_left_at_once(void **state)
{
	struct ends *e = *state;
	struct libxenvchan *ring = libxenvchan_client_init(NULL, 5, "data/test");
	struct peer peer;

	assert_non_null(ring);
	libxenvchan_close(ring);
	assert_null(listener_accept(e->listener, &peer));
	assert_int_equal(errno, EAGAIN);
	/* The next ring is there. */
	ring = libxenvchan_client_init(NULL, 5, "data/test");
	assert_non_null(ring);
	libxenvchan_close(ring);
}

static void
test_ring_corrupt_before_accept(void **state)
{
	struct ends *e = *state;
	struct libxenvchan *ring = libxenvchan_client_init(NULL, 5, "data/test");
	struct peer peer;

	assert_non_null(ring);
	ring->ring->right.cons = 99;
	assert_null(listener_accept(e->listener, &peer));
	assert_int_equal(errno, EAGAIN);
	libxenvchan_close(ring);
}

/* XenStore says of both that one may not; who may not open it is another matter. */
static void
test_what_is_not_there_is_not_forbidden(void **state)
{
	(void)state;
	assert_null(transport_connect(ABSENT, 10000));
	assert_int_equal(errno, ECONNREFUSED);
	fake_no_xenstore(true);
	assert_null(transport_connect(ABSENT, 10000));
	assert_int_equal(errno, EACCES);
	fake_no_xenstore(false);
}

static void
test_no_grants_for_a_while(void **state)
{
	struct ends *e = *state;
	struct libxenvchan *ring = libxenvchan_client_init(NULL, 5, "data/test");
	struct pollfd p = {.fd = listener_fd(e->listener), .events = POLLIN};
	struct channel *c;
	struct peer peer;

	assert_non_null(ring);
	fake_no_grants(true);
	/* This one is served; the next cannot be yet. */
	c = listener_accept(e->listener, &peer);
	assert_non_null(c);
	channel_close(c);
	libxenvchan_close(ring);
	assert_null(transport_connect(ADDRESS, 30));
	assert_true(errno == ETIMEDOUT || errno == ECONNREFUSED);
	fake_no_grants(false);
	/* The listener says when it wants to try again. */
	assert_int_equal(poll(&p, 1, 10000), 1);
	assert_null(listener_accept(e->listener, &peer));
	ring = libxenvchan_client_init(NULL, 5, "data/test");
	assert_non_null(ring);
	libxenvchan_close(ring);
}

static void
test_server_that_never_greets(void **state)
{
	struct libxenvchan *ring = libxenvchan_server_init(NULL, 5, "data/mute", 4096, 4096);

	(void)state;
	ring->blocking = 0;
	assert_null(transport_connect("vchan:5:data/mute", 50));
	assert_int_equal(errno, ETIMEDOUT);
	libxenvchan_close(ring);
}

/* Nobody says that a domain is gone: the ring is as it was, and there is never an event. */
static void
test_a_domain_that_is_gone(void **state)
{
	struct ends *e = *state;
	struct channel *c, *s;
	struct peer peer;
	char byte;

	fake_couple(5, COUPLE_NONE);
	assert_null(transport_connect(COUPLED, 50));
	assert_int_equal(errno, EHOSTDOWN);
	fake_couple(5, 0); /* dom0 is nobody's other half */
	assert_null(transport_connect(COUPLED, 50));
	assert_int_equal(errno, EHOSTDOWN);
	fake_couple(5, 5);
	c = meet(e->listener, COUPLED, &s, &peer);
	assert_int_equal(channel_read(c, &byte, 1, 1500), -1);
	assert_int_equal(errno, ETIMEDOUT);
	fake_couple(5, 6);
	assert_int_equal(channel_read(c, &byte, 1, -1), 0);
	assert_int_equal(channel_write(c, "x", 1, -1), -1);
	assert_int_equal(errno, ECONNRESET);
	channel_close(c);
	channel_close(s);
	fake_couple(5, 5);
}

/* After it was restored a domain has another domid, and its channels lead nowhere. */
static void
test_restored(void **state)
{
	struct ends *e = *state;
	char byte;

	fake_couple(7, 5);
	assert_int_equal(channel_read(e->client, &byte, 1, -1), 0);
	fake_couple(5, 5);
}

static void
test_another_peer_of_a_fixed_address(void **state)
{
	struct ends *e = *state;
	char byte;

	fake_couple(5, 9);
	assert_int_equal(channel_read(e->client, &byte, 1, 1500), -1);
	assert_int_equal(errno, ETIMEDOUT);
	fake_couple(5, 5);
}

static void
test_watch(void **state)
{
	struct couple_watch *w = transport_watch(COUPLED);
	struct pollfd p = {.events = POLLIN};

	(void)state;
	assert_non_null(w);
	p.fd = transport_watch_fd(w);
	/* XenStore tells at once, and of other things too. */
	assert_int_equal(poll(&p, 1, 10000), 1);
	assert_false(transport_changed(w));
	assert_int_equal(poll(&p, 1, 0), 0);
	fake_couple(5, COUPLE_NONE);
	assert_int_equal(poll(&p, 1, 10000), 1);
	assert_true(transport_changed(w));
	assert_false(transport_changed(w));
	assert_int_equal(transport_closed(w), 0);
	assert_string_equal(fake_told(), "none");
	fake_couple(8, 5);
	assert_true(transport_changed(w));
	assert_int_equal(transport_closed(w), 0);
	assert_string_equal(fake_told(), "5");
	transport_watch_close(w);
	fake_couple(5, 5);
	errno = EINVAL;
	assert_null(transport_watch("unix:/run/x"));
	assert_int_equal(errno, 0);
	transport_watch_close(NULL);
}

static void
test_who_is_coupled(void **state)
{
	struct listener *l;
	struct channel *s, *c;
	struct peer peer;

	(void)state;
	fake_couple(5, COUPLE_NONE);
	assert_null(transport_listen(COUPLED, 0));
	assert_int_equal(errno, EHOSTDOWN);
	fake_couple(5, 5);
	assert_non_null(l = transport_listen(COUPLED, 0));
	c = meet(l, COUPLED, &s, &peer);
	assert_int_equal(peer.kind, PEER_DOMID);
	assert_int_equal(peer.id, ADDRESS_COUPLED);
	channel_close(c);
	channel_close(s);
	listener_close(l);
}

/* On Xen an attempt costs milliseconds, and a crowd of them all the time that there is. */
static void
test_clients_take_turns(void **state)
{
	struct ends *e = *state;
	struct connecting c[CROWD];
	struct channel *s[CROWD];
	int before = fake_refused();
	pthread_t t[CROWD];
	struct peer peer;

	for (int i = 0; i < CROWD; i++) {
		c[i].address = ADDRESS;
		assert_int_equal(pthread_create(&t[i], NULL, connecting, &c[i]), 0);
	}
	for (int i = 0; i < CROWD; i++)
		s[i] = accept_one(e->listener, &peer);
	for (int i = 0; i < CROWD; i++) {
		(void)pthread_join(t[i], NULL);
		assert_non_null(c[i].c);
		channel_close(c[i].c);
		channel_close(s[i]);
	}
	assert_int_equal(fake_refused(), before);
}

/* Somebody holds the lock and does not try. */
static void
test_a_turn_that_never_ends(void **state)
{
	struct ends *e = *state;
	int fd = open("/dev/xen/gntdev", O_RDWR | O_CLOEXEC);
	struct channel *c, *s;
	struct peer peer;
	pthread_t t;

	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(pthread_create(&t, NULL, connecting_soon, &c), 0);
	s = accept_one(e->listener, &peer);
	(void)pthread_join(t, NULL);
	assert_non_null(c);
	channel_close(c);
	channel_close(s);
	(void)close(fd);
}

/* Who waits for XenStore, which may never answer, waits until his deadline and not longer. */
static void
test_a_xenstore_that_is_silent(void **state)
{
	struct ends *e = *state;
	struct channel *c, *s;
	struct peer peer;
	char byte;

	(void)alarm(30);
	for (int client = 0; client < 2; client++) {
		fake_silent(client == 0, client == 1);
		assert_null(transport_connect(COUPLED, 50));
		assert_int_equal(errno, ETIMEDOUT);
		assert_null(transport_connect(ADDRESS, 50));
		assert_int_equal(errno, ETIMEDOUT);
	}
	fake_silent(true, false);
	assert_int_equal(channel_read(e->client, &byte, 1, 1500), -1);
	assert_int_equal(errno, ETIMEDOUT);
	fake_silent(false, false);
	/* What came late was undone: the ring in waiting is to be had. */
	c = meet(e->listener, COUPLED, &s, &peer);
	channel_close(c);
	channel_close(s);
	(void)alarm(0);
}

/* What is told of another domain than the other half: the fake's XenStore has one number. */
static void
test_told(void **state)
{
	uint32_t domid;

	(void)state;
	fake_couple(5, 9);
	assert_int_equal(transport_told("caas/tpm", &domid, 1000), 0);
	assert_int_equal(domid, 9);
	assert_int_equal(transport_told("domid", &domid, 1000), 0);
	assert_int_equal(domid, 5);
	fake_couple(5, COUPLE_NONE);
	assert_int_equal(transport_told("caas/tpm", &domid, 1000), -1);
	assert_int_equal(errno, EHOSTDOWN);
	assert_int_equal(domid, COUPLE_NONE);
	fake_silent(true, false);
	assert_int_equal(transport_told("caas/tpm", &domid, 50), -1);
	assert_int_equal(errno, ETIMEDOUT);
	fake_silent(false, false);
	fake_couple(5, 5);
}

/* That the peer has read is an event too, and nothing that has arrived. */
static void
test_arrived(void **state)
{
	struct ends *e = *state;
	char byte;

	assert_int_equal(channel_write(e->client, "x", 1, -1), 1);
	assert_true(channel_arrived(e->server));
	assert_int_equal(channel_read(e->server, &byte, 1, -1), 1);
	fake_notify(fake_server());
	assert_false(channel_arrived(e->client));
	assert_false(channel_arrived(e->server));
	assert_int_equal(channel_write(e->server, "y", 1, -1), 1);
	assert_true(channel_arrived(e->client));
	assert_int_equal(channel_read(e->client, &byte, 1, -1), 1);
	assert_false(channel_arrived(e->client));
	channel_close(e->server);
	e->server = NULL;
	assert_true(channel_arrived(e->client));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_too_much_produced, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_more_consumed_than_sent, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_client_meets_a_corrupt_server, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_corruption_wakes_a_reader, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_dead_peer_is_the_end, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_flag_of_a_nonsense_value, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_events_without_cause, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_client_that_left_at_once, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_ring_corrupt_before_accept, setup, teardown),
	    cmocka_unit_test(test_what_is_not_there_is_not_forbidden),
	    cmocka_unit_test_setup_teardown(test_no_grants_for_a_while, setup, teardown),
	    cmocka_unit_test(test_server_that_never_greets),
	    cmocka_unit_test_setup_teardown(test_a_domain_that_is_gone, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_restored, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_another_peer_of_a_fixed_address, setup, teardown),
	    cmocka_unit_test(test_watch),
	    cmocka_unit_test(test_who_is_coupled),
	    cmocka_unit_test(test_told),
	    cmocka_unit_test_setup_teardown(test_arrived, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_clients_take_turns, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_turn_that_never_ends, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_xenstore_that_is_silent, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
