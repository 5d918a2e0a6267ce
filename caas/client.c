/* client.c - see client.h */
#include "caas/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/secmem.h"
#include "protocol/frame.h"
#include "protocol/hello.h"
#include "vchan-transport/transport.h"
#include "vsmd/admin/admin.h"

#define MAX_SECRET_BODY 4096

struct client {
	struct channel *channel;
	const char *address; /* borrowed */
	int silence;
	uint32_t id;
};

static int
lost(const struct client *c)
{
	if (errno == ETIMEDOUT)
		return cmd_fail(
		    "%s: vsmd gives no sign of life: is it stopped? see its log",
		    c->address);
	return cmd_fail("%s", transport_strerror(c->address, errno));
}

static int
hello(
    struct channel *c, enum hello_purpose purpose, int silence, struct hello_answer *ret)
{
	struct hello_ask ask = {.version = HELLO_VERSION,
	    .purpose = purpose,
	    .max_frame = FRAME_MAX_LEAST,
	    .silence = (uint32_t)silence};
	uint8_t bytes[HELLO_LEN];
	struct iovec iov = {.iov_base = bytes, .iov_len = sizeof(bytes)};

	if (getrandom(ask.app, sizeof(ask.app), 0) != sizeof(ask.app))
		return -1;
	hello_ask_write(bytes, &ask);
	if (channel_writev(c, &iov, 1, silence) < 0 ||
	    channel_read_all(c, bytes, sizeof(bytes), silence) < 0)
		return -1;
	if (!hello_answer_read(bytes, ret)) {
		errno = EPROTO;
		return -1;
	}
	return 0;
}

static void
refused(const char *address, const struct hello_answer *a)
{
	switch (a->status) {
	case HELLO_BAD_VERSION:
		cmd_fail("vsmd at %s speaks protocol version %u, this caas %u: upgrade "
			 "one side",
		    address, a->version, HELLO_VERSION);
		break;
	case HELLO_REFUSED:
		cmd_fail("vsmd at %s refuses: no principal with role admin is you; "
			 "see vsmd.conf(5)",
		    address);
		break;
	case HELLO_BUSY:
		cmd_fail("vsmd at %s is busy: try again", address);
		break;
	default:
		cmd_fail("vsmd at %s could not serve us: see its log", address);
	}
}

struct client *
client_open(const char *address, int silence)
{
	const char *why = NULL;
	struct hello_answer a;
	struct client *c;

	if (!transport_address_ok(address, &why)) {
		cmd_fail("%s is no address: %s", address, why);
		return NULL;
	}
	c = calloc(1, sizeof(*c));
	if (c == NULL) {
		cmd_fail("no memory: free some");
		return NULL;
	}
	c->address = address;
	c->silence = silence;
	c->channel = transport_connect(address, silence);
	if (c->channel == NULL) {
		cmd_fail("cannot reach vsmd: %s", transport_strerror(address, errno));
	} else if (hello(c->channel, HELLO_ADMIN, silence, &a) < 0) {
		lost(c);
	} else if (a.status != HELLO_OK) {
		refused(address, &a);
	} else {
		return c;
	}
	client_close(c);
	return NULL;
}

void
client_close(struct client *c)
{
	if (c == NULL)
		return;
	channel_close(c->channel);
	free(c);
}

static bool
ask_write(struct buf *b, uint32_t id, const struct client_request *r)
{
	struct buf secret;
	char *text = r->args != NULL ? json_dumps(r->args, JSON_COMPACT) : NULL;
	bool keyed = r->passphrase != NULL || r->so_pin != NULL;

	buf_init(&secret, MAX_SECRET_BODY);
	if (keyed) {
		buf_put_bytes(&secret, r->passphrase != NULL ? r->passphrase->text : NULL,
		    r->passphrase != NULL ? r->passphrase->len : 0);
		buf_put_bytes(&secret, r->so_pin != NULL ? r->so_pin->text : NULL,
		    r->so_pin != NULL ? r->so_pin->len : 0);
	}
	frame_begin(b, id, ADMIN_CALL);
	buf_put_str(b, r->call);
	buf_put_str(b, text != NULL ? text : "{}");
	buf_put_bytes(b, secret.data, secret.len);
	buf_put_bytes(b, r->blob, r->blob_len);
	frame_end(b);
	if (!buf_ok(&secret) || (r->args != NULL && text == NULL))
		buf_fail(b);
	free(text);
	buf_free(&secret);
	return buf_ok(b);
}

/* The reply to `id`; beats before it only show that vsmd lives. */
static int
receive(struct client *c, struct buf *b)
{
	uint8_t header[FRAME_HEADER];
	struct frame f;
	void *body;

	for (;;) {
		if (channel_read_all(c->channel, header, sizeof(header), c->silence) < 0)
			return -1;
		if (!frame_parse(header, ADMIN_MAX, &f))
			break;
		if (f.call == FRAME_BEAT && f.id == 0 && f.length == 0)
			continue;
		if (f.call != ADMIN_CALL || f.id != c->id)
			break;
		buf_reset(b);
		body = buf_reserve(b, f.length);
		if (body == NULL)
			break;
		return channel_read_all(c->channel, body, f.length, c->silence);
	}
	errno = EPROTO;
	return -1;
}

static json_t *
answer_read(const struct client *c, struct buf *b, struct buf *blob)
{
	size_t text_len = 0, blob_len = 0;
	uint8_t ok = buf_get_u8(b);
	const uint8_t *text = buf_get_bytes(b, &text_len),
		      *bytes = buf_get_bytes(b, &blob_len);
	json_t *json;

	if (!buf_end(b) || ok > 1) {
		cmd_fail(
		    "vsmd at %s sent a malformed answer: upgrade one side", c->address);
		return NULL;
	}
	if (!ok) {
		cmd_fail("%.*s", (int)text_len, (const char *)text);
		return NULL;
	}
	json = json_loadb((const char *)text, text_len, 0, NULL);
	if (json == NULL)
		cmd_fail("vsmd at %s answered with what is no JSON: upgrade one side",
		    c->address);
	if (blob != NULL) {
		buf_reset(blob);
		buf_put_raw(blob, bytes, blob_len);
	}
	return json;
}

json_t *
client_ask(struct client *c, const struct client_request *r, struct buf *blob)
{
	struct buf b;
	struct iovec iov;
	json_t *json = NULL;

	buf_init(&b, ADMIN_MAX + FRAME_HEADER);
	c->id++;
	if (!ask_write(&b, c->id, r)) {
		cmd_fail("the request does not fit a message: shorten its arguments");
	} else {
		iov = (struct iovec){.iov_base = b.data, .iov_len = b.len};
		if (channel_writev(c->channel, &iov, 1, c->silence) < 0 ||
		    receive(c, &b) < 0)
			lost(c);
		else
			json = answer_read(c, &b, blob);
	}
	json_decref(r->args);
	buf_free(&b);
	return json;
}

int
client_probe(const char *address, int deadline)
{
	struct hello_answer a;
	struct channel *c = transport_connect(address, deadline);
	int rc = 0;

	if (c == NULL)
		return errno == EACCES ? -1 : 0;
	if (hello(c, HELLO_SLOTS, deadline, &a) == 0)
		rc = a.status == HELLO_OK ? 1 : a.status == HELLO_REFUSED ? -1 : 0;
	channel_close(c);
	return rc;
}
