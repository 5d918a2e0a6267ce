/* fake_domt.c - see fake_domt.h */
#include "fake_domt.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tpm/domt/blob.h"
#include "vchan-transport/transport.h"

#define WAIT 20000

static bool
has_fault(struct fake_domt *f, enum fault fault)
{
	if (f->fault != fault || f->times == 0)
		return false;
	f->times--;
	return true;
}

static void
seal(struct fake_domt *f, const struct domt_question *q, struct buf *blob)
{
	struct fake_kept *k = &f->kept[f->nkept % FAKE_KEPT];
	uint8_t identity[DOMT_IDENTITY];

	snprintf(k->ref, sizeof(k->ref), "%s", q->ref);
	memcpy(k->secret, q->secret.data, q->secret.len);
	k->len = q->secret.len;
	k->image = f->image;
	snprintf(k->authority, sizeof(k->authority), "%.*s", (int)q->authority.len,
	    (const char *)q->authority.data);
	(void)domt_identity(f->identity_secret, identity);
	if (has_fault(f, FAKE_NAMES))
		identity[0] ^= 1;
	domt_blob_head(blob, identity, has_fault(f, FAKE_REF) ? "else" : q->ref);
	buf_put_u8(blob, (uint8_t)(f->nkept++ % FAKE_KEPT));
}

static void
fail(struct domt_answer *a, enum tpm_result r, const char *why)
{
	a->result = r;
	snprintf(a->why, sizeof(a->why), "%s", why);
}

static void
unseal(struct fake_domt *f, const struct domt_question *q, struct domt_answer *a)
{
	struct domt_blob b;
	const struct fake_kept *k;

	f->napprovals = q->napprovals;
	f->approval[0] = '\0';
	if (q->napprovals > 0)
		snprintf(f->approval, sizeof(f->approval), "%.*s", (int)q->approval[0].len,
		    (const char *)q->approval[0].data);
	if (!domt_blob_read(q->blob.data, q->blob.len, &b) || b.body.data[0] >= FAKE_KEPT) {
		fail(a, TPM_BAD_BLOB, "no blob");
		return;
	}
	k = &f->kept[b.body.data[0]];
	a->updated = k->image != f->image;
	a->bytes = (struct domt_bytes){k->secret, k->len};
	if (a->updated && q->napprovals == 0)
		fail(a, TPM_WRONG_STATE, "another image\nand a line");
}

static void
anchor(struct fake_domt *f, const struct domt_question *q, struct domt_answer *a)
{
	if (q->what == DOMT_DEFINE) {
		f->anchored = true;
		memcpy(f->anchor_secret, q->secret.data, TPM_ANCHOR_LEN);
		memset(&f->anchor, 0, sizeof(f->anchor));
	}
	if (!f->anchored || memcmp(f->anchor_secret, q->secret.data, TPM_ANCHOR_LEN) != 0) {
		fail(a, TPM_UNANCHORED, "none");
		return;
	}
	if (q->what == DOMT_COUNT)
		f->anchor.count++;
	if (q->what == DOMT_DEFINE || q->what == DOMT_EXTEND)
		memcpy(f->anchor.value, q->digest.data, TPM_ANCHOR_LEN);
	a->value = f->anchor;
}

static void
answer(struct fake_domt *f, const struct domt_question *q, struct domt_answer *a, struct buf *room)
{
	static uint8_t bytes[DOMT_RANDOM_MAX];

	*a = (struct domt_answer){.number = q->number, .what = q->what};
	if (f->refuse != TPM_OK && q->what != DOMT_DIGEST_OF_IMAGE) {
		fail(a, f->refuse, f->why);
		return;
	}
	memset(bytes, q->what == DOMT_RANDOM ? 0x72 : f->image, sizeof(bytes));
	switch (q->what) {
	case DOMT_SEAL:
		seal(f, q, room);
		a->bytes = (struct domt_bytes){room->data, room->len};
		break;
	case DOMT_UNSEAL:
		unseal(f, q, a);
		break;
	case DOMT_RANDOM:
		a->bytes = (struct domt_bytes){bytes, q->length - has_fault(f, FAKE_SHORT)};
		break;
	case DOMT_DIGEST_OF_IMAGE:
		a->bytes = (struct domt_bytes){bytes, DOMT_DIGEST};
		break;
	default:
		anchor(f, q, a);
		break;
	}
}

/* False: the connection is over. */
static bool
send_frame(struct fake_domt *f, struct channel *c, struct buf *frame)
{
	size_t len = frame->len;
	struct iovec v = {.iov_base = frame->data};

	if (has_fault(f, FAKE_GARBLES))
		frame->data[len - 1] ^= 1;
	if (has_fault(f, FAKE_LONG))
		buf_set_u32(frame, 0, DOMT_FRAME_MAX + 1);
	if (has_fault(f, FAKE_CUTS))
		v.iov_len = len / 2;
	else
		v.iov_len = len;
	return channel_writev(c, &v, 1, WAIT) == 0 && v.iov_len == len;
}

static bool
get_frame(struct fake_domt *f, struct channel *c, struct buf *b)
{
	short events = channel_poll_events(c, true, false);
	struct pollfd p[2] = {{.fd = channel_poll_fd(c), .events = events},
	    {.fd = f->stop[0], .events = POLLIN}};
	uint8_t head[4];
	struct buf h;
	uint32_t len;
	void *at;

	buf_reset(b);
	if (poll(p, 2, events != 0 ? WAIT : 0) < 0 || p[1].revents != 0 ||
	    channel_read_all(c, head, 4, WAIT) != 0)
		return false;
	buf_view(&h, head, 4);
	len = buf_get_u32(&h);
	return len <= DOMT_FRAME_MAX && (at = buf_reserve(b, len)) != NULL &&
	    channel_read_all(c, at, len, WAIT) == 0;
}

/* Until the fault's time is over: the other side has gone, or the test ends. */
static void
hang(struct fake_domt *f, struct channel *c)
{
	struct pollfd p = {.fd = f->stop[0], .events = POLLIN};

	for (int i = 0; i < WAIT / 20 && !channel_arrived(c) && poll(&p, 1, 20) == 0; i++)
		continue;
}

static bool
turn(struct fake_domt *f, struct channel *c, struct domt_session *s, struct buf *frame,
    struct buf *message)
{
	struct domt_question q;
	struct domt_answer a;
	struct buf out, room;
	bool ok;

	buf_reset(message);
	if (!get_frame(f, c, frame) ||
	    !domt_session_open(s, frame->data, frame->len, message) ||
	    !domt_question_read(message, &q))
		return false;
	f->questions[q.what]++;
	if (has_fault(f, FAKE_HANGS)) {
		hang(f, c);
		return false;
	}
	if (has_fault(f, FAKE_CLOSES))
		return false;
	buf_init(&room, TPM_BLOB_MAX);
	buf_init(&out, DOMT_FRAME_MAX + 4);
	answer(f, &q, &a, &room);
	a.number += has_fault(f, FAKE_NUMBER);
	ok = !has_fault(f, FAKE_DOES_AND_CLOSES);
	buf_reset(frame);
	domt_answer_write(&out, &a);
	ok = ok && domt_session_seal(s, out.data, out.len, frame) && send_frame(f, c, frame);
	buf_free(&room);
	buf_free(&out);
	return ok;
}

static void
serve(struct fake_domt *f, struct channel *c)
{
	struct buf frame, message;
	struct domt_session *s = NULL;
	struct iovec v;

	buf_init(&frame, DOMT_FRAME_MAX + 4);
	buf_init(&message, DOMT_MESSAGE_MAX);
	f->sessions++;
	if (f->dead_at_begin) {
		(void)get_frame(f, c, &frame);
		hang(f, c);
	} else if (get_frame(f, c, &frame) &&
	    (s = domt_session_accept(f->identity_secret, &frame, &message)) != NULL) {
		v = (struct iovec){message.data, message.len};
		if (channel_writev(c, &v, 1, WAIT) == 0)
			while (turn(f, c, s, &frame, &message))
				continue;
	}
	domt_session_free(s);
	buf_free(&frame);
	buf_free(&message);
	channel_close(c);
}

static void *
run(void *arg)
{
	struct fake_domt *f = arg;
	struct pollfd p[2] = {{.fd = listener_fd(f->listener), .events = POLLIN},
	    {.fd = f->stop[0], .events = POLLIN}};
	struct channel *c;
	struct peer peer;

	while (poll(p, 2, -1) >= 0 && p[1].revents == 0)
		if ((c = listener_accept(f->listener, &peer)) != NULL)
			serve(f, c);
	return NULL;
}

void
fake_domt_start(struct fake_domt *f, const char *address)
{
	if (pipe(f->stop) < 0 || (f->listener = transport_listen(address, 0600)) == NULL ||
	    pthread_create(&f->thread, NULL, run, f) != 0)
		abort();
}

void
fake_domt_stop(struct fake_domt *f)
{
	if (f->listener == NULL)
		return;
	close(f->stop[1]);
	(void)pthread_join(f->thread, NULL);
	listener_close(f->listener);
	f->listener = NULL;
	close(f->stop[0]);
}
