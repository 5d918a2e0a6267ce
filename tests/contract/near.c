/* near.c - clients that are in the far half (apart.h) */
#include "contract.h"

#include <poll.h>

#include "apart.h"
#include "vchan-transport/ops.h"

struct far_channel {
	struct channel c; /* fd: -1 */
	uint32_t number;
};

struct call {
	struct call *next;
	uint32_t id;
	bool over;
	struct far_reply reply;
	void *into; /* room for FAR_BYTES, or NULL */
};

static struct channel *control;
static pthread_t reader;
static pthread_mutex_t sending = PTHREAD_MUTEX_INITIALIZER;
/* This guards what follows. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t news = PTHREAD_COND_INITIALIZER;
static struct call *calls;
static uint32_t last_id;
static bool lost;

/* Takes the call with this number out of the list. */
static struct call *
take(uint32_t id)
{
	for (struct call **p = &calls; *p != NULL; p = &(*p)->next) {
		struct call *c = *p;

		if (c->id == id) {
			*p = c->next;
			return c;
		}
	}
	return NULL;
}

static void *
read_replies(void *arg)
{
	static char bytes[FAR_BYTES];
	struct far_reply r;

	(void)arg;
	while (channel_read_all(control, &r, sizeof(r), -1) == 0 && r.len <= sizeof(bytes) &&
	    channel_read_all(control, bytes, r.len, -1) == 0) {
		struct call *c;

		(void)pthread_mutex_lock(&lock);
		if ((c = take(r.id)) != NULL) {
			c->reply = r;
			c->over = true;
			if (c->into != NULL)
				memcpy(c->into, bytes, r.len);
		}
		(void)pthread_cond_broadcast(&news);
		(void)pthread_mutex_unlock(&lock);
	}
	(void)pthread_mutex_lock(&lock);
	lost = true;
	(void)pthread_cond_broadcast(&news);
	(void)pthread_mutex_unlock(&lock);
	return NULL;
}

/* Its reply's result, with errno; ENOTCONN when the far half is lost. */
static int64_t
call(struct far_request *q, const struct iovec *iov, void *into)
{
	struct iovec v[1 + FAR_PIECES] = {{q, sizeof(*q)}};
	struct call c = {.into = into};

	for (uint32_t i = 0; i < q->pieces; i++) {
		q->piece[i] = (uint32_t)iov[i].iov_len;
		q->len += q->piece[i];
		v[1 + i] = iov[i];
	}
	(void)pthread_mutex_lock(&lock);
	q->id = c.id = ++last_id;
	c.next = calls;
	calls = &c;
	(void)pthread_mutex_unlock(&lock);

	(void)pthread_mutex_lock(&sending);
	if (channel_writev(control, v, 1 + (int)q->pieces, -1) < 0)
		channel_shutdown(control);
	(void)pthread_mutex_unlock(&sending);

	(void)pthread_mutex_lock(&lock);
	while (!c.over && !lost)
		(void)pthread_cond_wait(&news, &lock);
	if (!c.over)
		(void)take(c.id);
	(void)pthread_mutex_unlock(&lock);
	errno = c.over ? c.reply.err : ENOTCONN;
	return c.over ? c.reply.result : -1;
}

static uint32_t
number_of(const struct channel *c)
{
	return c != NULL ? ((const struct far_channel *)c)->number : 0;
}

int64_t
far_ask(enum far_op op, const struct channel *c, uint32_t count, int deadline)
{
	struct far_request q = {
	    .op = op, .client = number_of(c), .count = count, .deadline = deadline};

	return call(&q, NULL, NULL);
}

static ssize_t
far_read(struct channel *c, void *p, size_t len, int deadline)
{
	static _Thread_local char bytes[FAR_BYTES];
	struct far_request q = {.op = FAR_READ, .client = number_of(c), .deadline = deadline};
	ssize_t n;

	q.count = len < FAR_BYTES ? (uint32_t)len : FAR_BYTES;
	if ((n = (ssize_t)call(&q, NULL, bytes)) > 0)
		memcpy(p, bytes, (size_t)n);
	return n;
}

/* As many pieces and bytes as one request takes. */
static ssize_t
far_write(struct channel *c, const struct iovec *iov, int n, int deadline)
{
	struct far_request q = {.op = FAR_WRITE, .client = number_of(c), .deadline = deadline};
	struct iovec v[FAR_PIECES];
	size_t room = FAR_BYTES;

	for (; q.pieces < (uint32_t)n && q.pieces < FAR_PIECES && room > 0; q.pieces++) {
		v[q.pieces] = iov[q.pieces];
		if (v[q.pieces].iov_len > room)
			v[q.pieces].iov_len = room;
		room -= v[q.pieces].iov_len;
	}
	return (ssize_t)call(&q, v, NULL);
}

static int
far_finish(struct channel *c)
{
	return (int)far_ask(FAR_FINISH, c, 0, 0);
}

static bool
far_pending(const struct channel *c)
{
	return far_ask(FAR_PENDING, c, 0, 0) > 0;
}

/* Nobody can poll it: whoever does waits in vain. */
static short
far_poll_events(struct channel *c, bool read, bool write)
{
	(void)c;
	(void)read;
	(void)write;
	return POLLIN;
}

static void
far_shutdown(struct channel *c)
{
	(void)far_ask(FAR_SHUTDOWN, c, 0, 0);
}

static void
far_close(struct channel *c, bool polite)
{
	/* A child that drops what it inherited has no client there. */
	if (polite)
		(void)far_ask(FAR_CLOSE, c, 0, 0);
	free(c);
}

static int
far_take_fd(struct channel *c)
{
	(void)c;
	errno = EOPNOTSUPP;
	return -1;
}

static const struct channel_ops far_ops = {
    .read = far_read,
    .write = far_write,
    .finish = far_finish,
    .pending = far_pending,
    .pending_is_all = true,
    .poll_events = far_poll_events,
    .shutdown = far_shutdown,
    .close = far_close,
    .take_fd = far_take_fd,
};

struct channel *
far_connect(const char *address, int deadline, bool shares)
{
	struct far_request q = {
	    .op = FAR_CONNECT, .count = shares, .deadline = deadline, .pieces = 1};
	struct iovec v = {(void *)(uintptr_t)address, strlen(address)};
	struct far_channel *f = calloc(1, sizeof(*f));
	int64_t n;

	if (f == NULL)
		return NULL;
	if ((n = call(&q, &v, NULL)) < 0) {
		int saved = errno;

		free(f);
		errno = saved;
		return NULL;
	}
	f->c.ops = &far_ops;
	f->c.fd = -1;
	f->number = (uint32_t)n;
	return &f->c;
}

bool
far_is(void)
{
	return control != NULL;
}

bool
far_has(const struct channel *c)
{
	return c->ops == &far_ops;
}

bool
far_begin(struct channel *c)
{
	control = c;
	return c != NULL && pthread_create(&reader, NULL, read_replies, NULL) == 0;
}

bool
far_end(void)
{
	bool ended = far_ask(FAR_END, NULL, 0, 0) == 0;

	channel_shutdown(control);
	(void)pthread_join(reader, NULL);
	channel_close(control);
	control = NULL;
	return ended;
}
