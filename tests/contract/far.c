/* far.c - the connecting half, told from elsewhere what to do (apart.h) */
#include "contract.h"

#include <sys/wait.h>

#include "apart.h"
#include "vchan-transport/ops.h"
#include "vchan-transport/shm.h"

#define CLIENTS 512

static struct channel *control;
static pthread_mutex_t sending = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct channel *clients[CLIENTS]; /* under the lock; client n is at n - 1 */

struct request {
	struct far_request q;
	char bytes[FAR_BYTES + 1];
};

static void
reply(const struct far_request *q, int64_t result, int err, const void *p, size_t len)
{
	struct far_reply r = {.id = q->id, .err = err, .result = result, .len = (uint32_t)len};
	struct iovec v[2] = {{&r, sizeof(r)}, {(void *)(uintptr_t)p, len}};

	(void)pthread_mutex_lock(&sending);
	if (channel_writev(control, v, 2, -1) < 0)
		channel_shutdown(control);
	(void)pthread_mutex_unlock(&sending);
}

static struct channel *
client(const struct far_request *q)
{
	struct channel *c = NULL;

	(void)pthread_mutex_lock(&lock);
	if (q->client > 0 && q->client <= CLIENTS)
		c = clients[q->client - 1];
	if (c != NULL && q->op == FAR_CLOSE)
		clients[q->client - 1] = NULL;
	(void)pthread_mutex_unlock(&lock);
	return c;
}

/* Its number, or -1: it is closed. */
static int64_t
remember(struct channel *c)
{
	int64_t n = 0;

	(void)pthread_mutex_lock(&lock);
	while (n < CLIENTS && clients[n] != NULL)
		n++;
	if (n < CLIENTS)
		clients[n] = c;
	(void)pthread_mutex_unlock(&lock);
	if (n < CLIENTS)
		return n + 1;
	channel_close(c);
	errno = EMFILE;
	return -1;
}

static int64_t
do_connect(const struct request *r)
{
	struct channel *c = transport_connect(r->bytes, r->q.deadline);

	if (c != NULL && r->q.count != 0)
		c = shm_accept(c, r->q.deadline);
	return c != NULL ? remember(c) : -1;
}

/* What channel.c asks of a transport, it asks in the near half: not twice of both. */
static int64_t
do_write(struct request *r, struct channel *c)
{
	struct iovec v[FAR_PIECES];
	size_t at = 0;

	for (uint32_t i = 0; i < r->q.pieces; i++) {
		v[i] = (struct iovec){r->bytes + at, r->q.piece[i]};
		at += r->q.piece[i];
	}
	return c->ops->write(c, v, (int)r->q.pieces, r->q.deadline);
}

static int64_t
do_drop(struct channel *c)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		channel_drop(c);
		_exit(0);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0 ? 0 : -1;
}

static int64_t
do_without_client(const struct request *r)
{
	switch ((enum far_op)r->q.op) {
	case FAR_CONNECT:
		return do_connect(r);
	case FAR_PID:
		return getpid();
	case FAR_FILES:
		return open_files();
	case FAR_END:
		return 0;
	default:
		errno = EBADF;
		return -1;
	}
}

static int64_t
do_with_client(struct request *r, struct channel *c)
{
	switch ((enum far_op)r->q.op) {
	case FAR_READ:
		return c->ops->read(c, r->bytes, r->q.count, r->q.deadline);
	case FAR_WRITE:
		return do_write(r, c);
	case FAR_FINISH:
		return channel_finish(c);
	case FAR_PENDING:
		return channel_pending(c);
	case FAR_SHUTDOWN:
		channel_shutdown(c);
		return 0;
	case FAR_CLOSE:
		channel_close(c);
		return 0;
	case FAR_CAN_DO:
		return can_do(c, r->q.count & 1, r->q.count & 2) ? 0 : -1;
	case FAR_DROP:
		return do_drop(c);
	default:
		errno = EINVAL;
		return -1;
	}
}

static void *
serve(void *arg)
{
	struct request *r = arg;
	struct channel *c = client(&r->q);
	int64_t n;

	errno = 0;
	n = c != NULL ? do_with_client(r, c) : do_without_client(r);
	reply(&r->q, n, errno, r->bytes, r->q.op == FAR_READ && n > 0 ? (size_t)n : 0);
	free(r);
	return NULL;
}

/* The pieces are as long together as what follows, and what is asked has room. */
static bool
is_sound(const struct far_request *q)
{
	size_t sum = 0;

	if (q->pieces > FAR_PIECES || q->len > FAR_BYTES || q->count > FAR_BYTES)
		return false;
	for (uint32_t i = 0; i < q->pieces; i++)
		sum += q->piece[i];
	return sum == q->len;
}

bool
far_serve(struct channel *to)
{
	struct request *r;
	bool ended = false;

	control = to;
	while (!ended && (r = calloc(1, sizeof(*r))) != NULL) {
		pthread_t t;

		if (channel_read_all(control, &r->q, sizeof(r->q), -1) < 0 || !is_sound(&r->q) ||
		    channel_read_all(control, r->bytes, r->q.len, -1) < 0) {
			free(r);
			break;
		}
		ended = r->q.op == FAR_END;
		if (ended)
			(void)serve(r);
		else if (pthread_create(&t, NULL, serve, r) != 0)
			abort(); /* nobody waits for what does not come */
		else
			(void)pthread_detach(t);
	}
	/* Threads may still be in calls that never return: this ends with the process. */
	return ended;
}
