/* admin.c - the vsmd-admin process; see admin.h */
#include "vsmd/admin/admin.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <seccomp.h>
#include <string.h>

#include "common/ipc.h"
#include "common/log.h"
#include "common/proctitle.h"
#include "protocol/frame.h"
#include "vchan-transport/transport.h"
#include "vsmd/admin/serve.h"
#include "vsmd/confine/confine.h"

#define SILENCE_LEAST 1000 /* ms */
#define SILENCE_MOST 600000
#define SILENCE_DEFAULT 30000
#define WRITE_STALL 30000 /* ms: a peer that reads nothing for so long is gone */

struct session {
	struct channel *channel;
	int store;
	int beat; /* ms between beats while the store works */
};

static int
send_frame(struct channel *c, const struct buf *b)
{
	struct iovec iov = {.iov_base = b->data, .iov_len = b->len};

	return channel_writev(c, &iov, 1, WRITE_STALL);
}

static int
send_beat(struct channel *c)
{
	struct buf b;
	int rc;

	buf_init(&b, FRAME_HEADER);
	frame_begin(&b, 0, FRAME_BEAT);
	frame_end(&b);
	rc = buf_ok(&b) ? send_frame(c, &b) : -1;
	buf_free(&b);
	return rc;
}

/* Verifying an audit log takes long: the administrator must see that we live. */
static int
ask_store(void *arg, const struct buf *request, struct buf *answer)
{
	struct session *s = arg;
	struct pollfd pfd = {.fd = s->store, .events = POLLIN};

	if (ipc_send(s->store, request, NULL, 0) < 0)
		return -1;
	for (;;) {
		int n = poll(&pfd, 1, s->beat);

		if (n < 0 && errno != EINTR)
			return -1;
		if (n == 0 && send_beat(s->channel) < 0)
			return -1;
		if (n > 0)
			return ipc_recv(s->store, answer, NULL, NULL);
	}
}

static uint32_t
silence_of(const struct hello_ask *ask)
{
	if (ask->silence == 0)
		return SILENCE_DEFAULT;
	if (ask->silence < SILENCE_LEAST)
		return SILENCE_LEAST;
	return ask->silence > SILENCE_MOST ? SILENCE_MOST : ask->silence;
}

static int
answer_hello(struct channel *c, const struct admin_config *config)
{
	const struct hello_ask *ask = &config->hello;
	struct hello_answer a = {.version = HELLO_VERSION, .status = HELLO_OK};
	uint8_t bytes[HELLO_LEN];
	struct iovec iov = {.iov_base = bytes, .iov_len = sizeof(bytes)};

	a.max_frame = ask->max_frame < FRAME_MAX_LEAST ? FRAME_MAX_LEAST : ask->max_frame;
	a.silence = silence_of(ask);
	memcpy(a.instance, config->instance, sizeof(a.instance));
	hello_answer_write(bytes, &a);
	return channel_writev(c, &iov, 1, WRITE_STALL);
}

/* 1: a request is in `in`; 0: the peer closed in order; -1: it broke off. */
static int
receive(struct channel *c, struct buf *in, struct frame *ret)
{
	uint8_t header[FRAME_HEADER];
	ssize_t n = channel_read(c, header, sizeof(header), -1);
	void *body;

	if (n <= 0)
		return (int)n;
	if ((size_t)n < sizeof(header) &&
	    channel_read_all(c, header + n, sizeof(header) - (size_t)n, WRITE_STALL) < 0)
		return -1;
	if (!frame_parse(header, ADMIN_MAX, ret) || ret->call != ADMIN_CALL) {
		log_warn("malformed frame, closing");
		return -1;
	}
	buf_reset(in);
	body = buf_reserve(in, ret->length);
	if (body == NULL || channel_read_all(c, body, ret->length, WRITE_STALL) < 0)
		return -1;
	return 1;
}

static int
serve(struct session *s, const char *status)
{
	struct admin_back back = {.ask = ask_store, .arg = s, .status = status};
	struct buf in, out;
	struct frame f;
	int rc;

	buf_init(&in, ADMIN_MAX);
	buf_init(&out, ADMIN_MAX);
	while ((rc = receive(s->channel, &in, &f)) > 0) {
		buf_reset(&out);
		frame_begin(&out, f.id, ADMIN_CALL);
		if (!admin_serve(&in, &out, &back)) {
			rc = -1;
			break;
		}
		frame_end(&out);
		if (!buf_ok(&out) || send_frame(s->channel, &out) < 0) {
			rc = -1;
			break;
		}
		/* A PIN, a passphrase: the next request may come late, or never. */
		buf_reset(&in);
	}
	buf_free(&in);
	buf_free(&out);
	return rc < 0 ? 1 : 0;
}

static int
confine_admin(void)
{
	/* channel_read() keeps a deadline that is asked for twice as SO_RCVTIMEO. */
	static const int extra[] = {SCMP_SYS(getsockopt), SCMP_SYS(setsockopt)};
	struct confine c = {
	    .role = "vsmd-admin",
	    .syscalls = extra,
	    .nsyscalls = sizeof(extra) / sizeof(extra[0]),
	};

	return confine(&c);
}

int
admin_main(const struct admin_config *config)
{
	int keep[] = {config->channel, config->store};
	struct session s = {.store = config->store};
	int rc;

	log_name("vsmd-admin");
	log_caused_by(config->grant.principal);
	proctitle_set("vsmd-admin", config->grant.principal);
	if (confine_keep_fds(keep, 2) < 0) {
		log_error("cannot close inherited descriptors: %s", strerror(errno));
		return 1;
	}
	s.channel = channel_from_fd(config->channel);
	if (s.channel == NULL) {
		log_error("no memory for a channel");
		return 1;
	}
	s.beat = (int)silence_of(&config->hello) / 3;
	/* jansson would read its seed from a path later. */
	json_object_seed(0);
	if (confine_admin() < 0 || answer_hello(s.channel, config) < 0) {
		channel_close(s.channel);
		return 1;
	}
	rc = serve(&s, config->status);
	channel_close(s.channel);
	return rc;
}
