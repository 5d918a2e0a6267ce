/* link.c - see domt.h: connecting, the session, one question. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tpm/domt/domt.h"
#include "vchan-transport/deadline.h"

/* What who built this domain tells it in XenStore, and where DomT listens for it. */
#define TOLD_DOMT "caas/tpm"
#define TOLD_SELF "domid"
#define PLACE	  "vchan:%u:data/caas-domt/%u"

#define BEGIN_MAX   256 /* bytes of DomT's first frame */
#define ADDRESS_MAX 256
#define TOLD_WITHIN 1000 /* ms for XenStore, where there is a channel anyway */

static enum tpm_result
not_told(struct tpm *t)
{
	if (errno == EPROTONOSUPPORT)
		return tpm_fail(t, TPM_ABSENT, "domt:coupled needs Xen's vchan, which this build or "
		    "machine has not: give domt:ADDRESS, or another TPM");
	if (errno == EHOSTDOWN)
		return tpm_fail(t, TPM_ABSENT, "this domain was not told which domain is DomT (caas/tpm "
		    "in XenStore): was it built by domtd, and does DomT run?");
	return tpm_fail(t, TPM_ABSENT, "XenStore cannot be asked which domain is DomT: %s",
	    strerror(errno));
}

/* The address to connect to. */
static enum tpm_result
find(struct tpm *t, char address[ADDRESS_MAX], int64_t deadline)
{
	struct domt *d = t->state;
	uint32_t self, domt;

	d->domid = 0;
	if (strcmp(d->where, "coupled") != 0) {
		snprintf(address, ADDRESS_MAX, "%s", d->where);
		return TPM_OK;
	}
	if (transport_told(TOLD_DOMT, &domt, deadline_left(deadline)) < 0 ||
	    transport_told(TOLD_SELF, &self, deadline_left(deadline)) < 0)
		return not_told(t);
	if (domt == 0)
		return tpm_fail(t, TPM_ABSENT, "this domain was told that dom0 is DomT, which it never "
		    "is: a TPM's service has a domain of its own");
	d->domid = domt;
	snprintf(address, ADDRESS_MAX, PLACE, domt, self);
	return TPM_OK;
}

void
domt_disconnect(struct domt *d)
{
	if (d->channel != NULL)
		channel_close(d->channel);
	d->channel = NULL;
	domt_session_free(d->session);
	d->session = NULL;
}

static enum tpm_result
broken(struct tpm *t)
{
	if (errno == ETIMEDOUT)
		return tpm_fail(t, TPM_BUSY, "DomT's TPM service has not answered for %d seconds: see "
		    "to domt-tpmd", DOMT_PATIENCE / 1000);
	return tpm_fail(t, TPM_ABSENT, "DomT's TPM service has ended the connection (%s): the log of "
	    "domt-tpmd says why", strerror(errno));
}

/* All of it by then. */
static int
send_all(struct channel *c, const struct buf *b, int64_t deadline)
{
	for (size_t sent = 0; sent < b->len;) {
		ssize_t n = channel_write(
		    c, b->data + sent, b->len - sent, deadline_left(deadline));

		if (n < 0)
			return -1;
		sent += (size_t)n;
	}
	return 0;
}

/* One frame, without its length, which is at most `most`, into b.  EBADMSG: longer. */
static int
receive(struct channel *c, struct buf *b, size_t most, int64_t deadline)
{
	uint8_t head[4], *p;
	struct buf h;
	uint32_t len;

	if (channel_read_all(c, head, sizeof(head), deadline_left(deadline)) != 0)
		return -1;
	buf_view(&h, head, sizeof(head));
	len = buf_get_u32(&h);
	errno = EBADMSG;
	if (len == 0 || len > most)
		return -1;
	errno = ENOMEM;
	if ((p = buf_reserve(b, len)) == NULL)
		return -1;
	return channel_read_all(c, p, len, deadline_left(deadline));
}

static enum tpm_result
begin(struct tpm *t, int64_t deadline)
{
	struct domt *d = t->state;
	struct buf out, in;
	enum tpm_result r;

	buf_init(&out, BEGIN_MAX);
	buf_init(&in, BEGIN_MAX);
	if ((d->session = domt_session_ask(&out)) == NULL)
		r = tpm_fail(t, TPM_FAILED, "no memory or no randomness for a session with DomT");
	else if (send_all(d->channel, &out, deadline) != 0 ||
	    receive(d->channel, &in, BEGIN_MAX, deadline) != 0)
		r = broken(t);
	else
		r = domt_session_begin(
		    d->session, &in, d->is_pinned ? d->pinned : NULL, d->identity);
	if (r == TPM_FOREIGN)
		tpm_fail(t, r, "another DomT answers at domt:%s than the one that sealed the key: "
		    "start the right one, or restore a backup", d->where);
	else if (r == TPM_FAILED && in.len > 0)
		tpm_fail(t, r, "who answers at domt:%s is no TPM service of DomT, or one of another "
		    "version", d->where);
	buf_free(&out);
	buf_free(&in);
	return r;
}

enum tpm_result
domt_connect(struct tpm *t, int64_t deadline)
{
	struct domt *d = t->state;
	char address[ADDRESS_MAX];
	enum tpm_result r;

	if (d->channel != NULL)
		return TPM_OK;
	if ((r = find(t, address, deadline)) != TPM_OK)
		return r;
	d->channel = transport_connect(address, deadline_left(deadline));
	if (d->channel == NULL)
		return tpm_fail(t, TPM_ABSENT, "no TPM service of DomT answers at %s (%s): does "
		    "domt-tpmd run, and does it know this domain?", address, strerror(errno));
	if ((r = begin(t, deadline)) != TPM_OK)
		domt_disconnect(d);
	return r;
}

/* Nobody knows what is on the way: whoever asks next connects anew. */
static enum tpm_result
nonsense(struct tpm *t)
{
	return tpm_fail(t, TPM_FAILED, "what DomT's TPM service answers cannot be read, or was "
	    "altered on its way: is it of the same version?");
}

static enum tpm_result
exchange(struct tpm *t, const struct domt_question *q, struct domt_answer *ret, int64_t deadline)
{
	struct domt *d = t->state;
	struct buf message, frame;
	enum tpm_result r = TPM_OK;

	buf_init(&message, DOMT_MESSAGE_MAX);
	buf_init(&frame, DOMT_FRAME_MAX + 4);
	buf_reset(&d->plain);
	domt_question_write(&message, q);
	if (!buf_ok(&message) ||
	    !domt_session_seal(d->session, message.data, message.len, &frame))
		r = tpm_fail(t, TPM_FAILED, "no memory for a question to DomT");
	else if (send_all(d->channel, &frame, deadline) != 0)
		r = broken(t);
	buf_reset(&frame);
	if (r == TPM_OK && receive(d->channel, &frame, DOMT_FRAME_MAX, deadline) != 0)
		r = errno == EBADMSG ? nonsense(t) : broken(t);
	if (r == TPM_OK &&
	    (!domt_session_open(d->session, frame.data, frame.len, &d->plain) ||
		!domt_answer_read(&d->plain, q->what, ret) || ret->number != q->number))
		r = nonsense(t);
	buf_free(&message);
	buf_free(&frame);
	return r;
}

/* What DomT says goes to the log: one line of text. */
static enum tpm_result
refused(struct tpm *t, struct domt_answer *a)
{
	for (char *p = a->why; *p != '\0'; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	return tpm_fail(t, a->result, "%s", a->why[0] != '\0' ? a->why : tpm_result_text(a->result));
}

/* Asked twice it does no more than once. */
static bool
may_repeat(enum domt_what what)
{
	return what != DOMT_EXTEND && what != DOMT_COUNT;
}

/* DomT has another domid by now, or none: nobody answers on this channel. */
static bool
moved(const struct domt *d)
{
	uint32_t domt;

	if (d->channel == NULL || d->domid == 0)
		return false;
	if (transport_told(TOLD_DOMT, &domt, TOLD_WITHIN) < 0)
		return errno == EHOSTDOWN;
	return domt != d->domid;
}

enum tpm_result
domt_ask(struct tpm *t, struct domt_question *q, struct domt_answer *ret)
{
	int64_t deadline = deadline_at(DOMT_PATIENCE);
	struct domt *d = t->state;
	enum tpm_result r;
	bool fresh;

	/* It says nothing without being asked: this is its end. */
	if (moved(d) || (d->channel != NULL && channel_arrived(d->channel)))
		domt_disconnect(d);
	do {
		fresh = d->channel == NULL;
		if ((r = domt_connect(t, deadline)) != TPM_OK)
			return r;
		q->number = ++d->number;
		if ((r = exchange(t, q, ret, deadline)) != TPM_OK)
			domt_disconnect(d);
	} while (r == TPM_ABSENT && !fresh && may_repeat(q->what));
	if (r != TPM_OK)
		return r;
	return ret->result == TPM_OK ? TPM_OK : refused(t, ret);
}

enum tpm_result
domt_pin_to(struct tpm *t, const uint8_t identity[DOMT_IDENTITY])
{
	struct domt *d = t->state;

	if (d->channel != NULL && memcmp(d->identity, identity, DOMT_IDENTITY) != 0)
		domt_disconnect(d); /* and who answers now is asked who he is */
	memcpy(d->pinned, identity, DOMT_IDENTITY);
	d->is_pinned = true;
	return domt_connect(t, deadline_at(DOMT_PATIENCE));
}
