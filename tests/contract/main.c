/*
 * contract - run the suite on one transport.
 *
 *	contract LISTEN CONNECT ABSENT
 *	contract unix | shm | vsock | vchan      addresses that suit this machine
 *
 * For vchan, $CAAS_CONTRACT_DOMID is this domain's own number (the suite is both ends).
 * Exits 77, and says why, where the transport does not exist.
 */
#include "contract.h"

#include <dirent.h>
#include <poll.h>
#include <stdio.h>

#include "vchan-transport/shm.h"

const char *listen_address, *connect_address, *absent_address;
bool has_streams, has_descriptor, shares_memory;

static char directory[] = "/tmp/caas-contract-XXXXXX";
static char addresses[3][64];

#define ABSENT 2000 /* ms until nobody is there */

struct connecting {
	struct channel *channel;
	int err;
};

static void *
connect_thread(void *arg)
{
	struct connecting *c = arg;

	c->channel = transport_connect(connect_address, PATIENCE);
	c->err = errno;
	if (shares_memory && c->channel != NULL)
		c->channel = shm_accept(c->channel, PATIENCE);
	return NULL;
}

void
start(pthread_t *t, void *(*fn)(void *), void *arg)
{
	assert_int_equal(pthread_create(t, NULL, fn, arg), 0);
}

void
connect_ends(struct listener *l, struct channel **ret_client, struct channel **ret_server,
    struct peer *ret_peer)
{
	struct connecting c = {NULL, 0};
	struct pollfd p = {.fd = listener_fd(l), .events = POLLIN};
	pthread_t t;

	start(&t, connect_thread, &c);
	while ((*ret_server = listener_accept(l, ret_peer)) == NULL) {
		assert_int_equal(errno, EAGAIN);
		assert_int_equal(poll(&p, 1, PATIENCE), 1);
	}
	if (shares_memory)
		assert_non_null(*ret_server = shm_offer(*ret_server, PATIENCE));
	(void)pthread_join(t, NULL);
	if (c.channel == NULL)
		fail_msg("%s", transport_strerror(connect_address, c.err));
	*ret_client = c.channel;
}

int
open_ends(void **state)
{
	struct ends *e = calloc(1, sizeof(*e));

	if ((e->listener = transport_listen(listen_address, 0600)) == NULL)
		fail_msg("%s", transport_strerror(listen_address, errno));
	connect_ends(e->listener, &e->client, &e->server, &e->peer);
	*state = e;
	return 0;
}

int
close_ends(void **state)
{
	struct ends *e = *state;

	channel_close(e->client);
	channel_close(e->server);
	listener_close(e->listener);
	free(e);
	return 0;
}

void
write_all(struct channel *c, const void *p, size_t len)
{
	struct iovec v = {.iov_base = (void *)(uintptr_t)p, .iov_len = len};

	assert_int_equal(channel_writev(c, &v, 1, PATIENCE), 0);
}

void
assert_works(struct channel *a, struct channel *b)
{
	char c = 0;

	write_all(a, "a", 1);
	assert_int_equal(channel_read(b, &c, 1, PATIENCE), 1);
	assert_int_equal(c, 'a');
	write_all(b, "b", 1);
	assert_int_equal(channel_read(a, &c, 1, PATIENCE), 1);
	assert_int_equal(c, 'b');
}

int
open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	(void)closedir(d);
	return n;
}

static int
usage(void)
{
	fputs("usage: contract LISTEN CONNECT ABSENT | unix | shm | vsock | vchan\n", stderr);
	return 2;
}

static void
choose(const char *l, const char *c, const char *a)
{
	snprintf(addresses[0], sizeof(addresses[0]), "%s", l);
	snprintf(addresses[1], sizeof(addresses[1]), "%s", c);
	snprintf(addresses[2], sizeof(addresses[2]), "%s", a);
}

static bool
addresses_for(const char *kind)
{
	const char *domid = getenv("CAAS_CONTRACT_DOMID");
	char one[64], two[64];

	if (strcmp(kind, "unix") == 0 || strcmp(kind, "shm") == 0) {
		if (mkdtemp(directory) == NULL)
			return false;
		snprintf(one, sizeof(one), "unix:%s/s", directory);
		snprintf(two, sizeof(two), "unix:%s/absent", directory);
		choose(one, one, two);
	} else if (strcmp(kind, "vsock") == 0) {
		choose("vsock:any:47113", "vsock:1:47113", "vsock:1:47114");
	} else if (strcmp(kind, "vchan") == 0) {
		snprintf(one, sizeof(one), "vchan:%s:data/contract", domid ? domid : "0");
		snprintf(two, sizeof(two), "vchan:%s:data/absent", domid ? domid : "0");
		choose(one, one, two);
	} else {
		return false;
	}
	return true;
}

/* NULL, or why this machine cannot run the suite. */
static const char *
unavailable(void)
{
	struct listener *l = transport_listen(listen_address, 0600);
	struct channel *c;

	if (l == NULL)
		return transport_strerror(listen_address, errno);
	/* Only a vsock can be listened on without being there. */
	if (strncmp(connect_address, "vsock:", 6) == 0) {
		c = transport_connect(connect_address, ABSENT);
		if (c == NULL) {
			listener_close(l);
			return transport_strerror(connect_address, errno);
		}
		channel_close(c);
	}
	listener_close(l);
	return NULL;
}

int
main(int argc, char **argv)
{
	const char *why;
	int failed = 0;

	if (argc == 4)
		choose(argv[1], argv[2], argv[3]);
	else if (argc != 2 || !addresses_for(argv[1]))
		return usage();
	listen_address = addresses[0];
	connect_address = addresses[1];
	absent_address = addresses[2];
	shares_memory = argc == 2 && strcmp(argv[1], "shm") == 0;
	has_streams = strncmp(listen_address, "vchan:", 6) != 0;
	has_descriptor = has_streams && !shares_memory;
	if ((why = unavailable()) != NULL) {
		printf("SKIPPED: the contract was not tested: %s\n", why);
		return 77;
	}
	failed += contract_connecting();
	failed += contract_bytes();
	failed += contract_waiting();
	failed += contract_ending();
	if (argc == 2)
		(void)rmdir(directory);
	return failed == 0 ? 0 : 1;
}
