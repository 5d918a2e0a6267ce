/* ends.c - the two ends of a channel, wherever the client is */
#include "contract.h"

#include <dirent.h>
#include <poll.h>
#include <sys/wait.h>

#include "apart.h"
#include "vchan-transport/shm.h"

struct connecting {
	struct channel *channel;
	int err;
};

struct channel *
connect_client(const char *address, int deadline, bool shares)
{
	struct channel *c;

	if (far_is())
		return far_connect(address, deadline, shares);
	c = transport_connect(address, deadline);
	return c != NULL && shares ? shm_accept(c, deadline) : c;
}

static void *
connect_thread(void *arg)
{
	struct connecting *c = arg;

	c->channel = connect_client(connect_address, PATIENCE, shares_memory);
	c->err = errno;
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

bool
can_do(struct channel *c, bool read, bool write)
{
	struct pollfd p = {.fd = -1};

	if (far_has(c))
		return far_ask(FAR_CAN_DO, c, (read ? 1 : 0) | (write ? 2 : 0), 0) == 0;
	p.fd = channel_poll_fd(c);
	p.events = channel_poll_events(c, read, write);
	return p.events == 0 || poll(&p, 1, PATIENCE) == 1;
}

void
child_drops(struct ends *e, struct listener *l)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		channel_drop(e->client);
		channel_drop(e->server);
		listener_close(l);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	if (far_has(e->client))
		assert_int_equal(far_ask(FAR_DROP, e->client, 0, 0), 0);
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
