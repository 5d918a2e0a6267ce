/* serve.c - see serve.h */
#include "vsmd/admin/serve.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/ipc.h"
#include "common/log.h"
#include "vsmd/admin/check.h"
#include "vsmd/msg.h"

struct answer {
	bool ok;
	const uint8_t *text; /* JSON, or the error's sentence */
	size_t text_len;
	const uint8_t *blob;
	size_t blob_len;
};

static void
reply_write(struct buf *out, const struct answer *a)
{
	buf_put_u8(out, a->ok);
	buf_put_bytes(out, a->text, a->text_len);
	buf_put_bytes(out, a->blob, a->blob_len);
}

static void
refuse(struct buf *out, const char *why)
{
	struct answer a = {.text = (const uint8_t *)why, .text_len = strlen(why)};

	log_info("request refused why=\"%s\"", why);
	reply_write(out, &a);
}

/* The JSON goes on as we understood it, not as it came. */
static bool
ask_write(struct buf *b, const struct admin_request *r)
{
	char *text = json_dumps(r->args, JSON_COMPACT | JSON_SORT_KEYS);

	if (text == NULL)
		return false;
	buf_put_u8(b, M_A_ASK);
	buf_put_str(b, r->call->name);
	buf_put_str(b, text);
	buf_put_bytes(b, r->secret, r->secret_len);
	buf_put_bytes(b, r->blob, r->blob_len);
	free(text);
	return buf_ok(b);
}

static bool
answer_read(struct buf *b, struct answer *ret)
{
	uint8_t ok;

	if (buf_get_u8(b) != M_A_ANSWER)
		return false;
	ok = buf_get_u8(b);
	ret->ok = ok == 1;
	ret->text = buf_get_bytes(b, &ret->text_len);
	ret->blob = buf_get_bytes(b, &ret->blob_len);
	return buf_end(b) && ok <= 1;
}

/* What the store says of itself, and under "vsmd" what the supervisor says. */
static void
status_write(struct buf *out, const struct answer *a, const char *supervisor)
{
	json_t *whole = json_loadb((const char *)a->text, a->text_len, 0, NULL);
	json_t *part = supervisor != NULL ? json_loads(supervisor, 0, NULL) : NULL;
	char *text = NULL;
	struct answer merged = *a;

	if (json_is_object(whole) && json_is_object(part) &&
	    json_object_set(whole, "vsmd", part) == 0)
		text = json_dumps(whole, JSON_COMPACT);
	if (text != NULL) {
		merged.text = (const uint8_t *)text;
		merged.text_len = strlen(text);
	}
	reply_write(out, &merged);
	free(text);
	json_decref(part);
	json_decref(whole);
}

static bool
relay(const struct admin_request *r, struct buf *out, const struct admin_back *back)
{
	struct buf request, reply;
	struct answer a = {0};
	bool done = false;

	buf_init(&request, IPC_MAX);
	buf_init(&reply, IPC_MAX);
	if (!ask_write(&request, r)) {
		refuse(out, "the request is too large");
		done = true;
	} else if (back->ask(back->arg, &request, &reply) < 0) {
		log_error(
		    "the store does not answer: it has ended, see its own messages");
	} else if (!answer_read(&reply, &a)) {
		log_error("the store's answer to %s is malformed", r->call->name);
	} else {
		if (a.ok && strcmp(r->call->name, "status") == 0)
			status_write(out, &a, back->status);
		else
			reply_write(out, &a);
		done = true;
	}
	buf_free(&request);
	buf_free(&reply);
	return done;
}

bool
admin_serve(struct buf *in, struct buf *out, const struct admin_back *back)
{
	struct admin_request r;
	char why[256];
	bool go_on = true;

	switch (admin_check(in, &r, why, sizeof(why))) {
	case ADMIN_GOOD:
		go_on = relay(&r, out, back);
		break;
	case ADMIN_REFUSED:
		refuse(out, why);
		break;
	case ADMIN_BREACH:
		log_warn("malformed request, closing");
		go_on = false;
		break;
	}
	admin_request_free(&r);
	return go_on && buf_ok(out);
}
