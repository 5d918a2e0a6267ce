/*
 * fuzz_domt_session.c - frames from somebody who has no key: u8 whose (bit 0: DomT's, otherwise
 * DomC's; bit 1: after a beginning as it should be), then each with a u16 of length before it.
 * A beginning may be taken; a message never opens, and ends the session.
 */
#include <stdlib.h>
#include <string.h>

#include "tpm/domt/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t secret[DOMT_IDENTITY] = {1, 2, 3};

/* The next frame; false when there is none. */
static bool
next(struct buf *in, struct buf *ret)
{
	size_t len;

	if (buf_left(in) < 2)
		return false;
	len = buf_get_u16(in);
	len = len < buf_left(in) ? len : buf_left(in);
	buf_view(ret, buf_get_raw(in, len), len);
	return true;
}

static void
messages(struct domt_session *s, struct buf *in)
{
	struct buf frame, out;

	buf_init(&out, DOMT_MESSAGE_MAX);
	while (next(in, &frame))
		if (domt_session_open(s, frame.data, frame.len, &out) || out.len != 0)
			abort();
	buf_free(&out);
}

static void
begin(struct domt_session *s, struct buf *first)
{
	uint8_t identity[DOMT_IDENTITY];

	(void)domt_session_begin(s, first, NULL, identity);
}

/* Both ends as they should be; the frames go to one of them. */
static void
after(struct buf *in, bool to_domc)
{
	struct domt_session *c, *t = NULL;
	struct buf ask, answer, first;

	buf_init(&ask, 256);
	buf_init(&answer, 256);
	if ((c = domt_session_ask(&ask)) != NULL) {
		buf_view(&first, ask.data + 4, ask.len - 4);
		t = domt_session_accept(secret, &first, &answer);
	}
	if (t != NULL) {
		buf_view(&first, answer.data + 4, answer.len - 4);
		begin(c, &first);
		messages(to_domc ? c : t, in);
	}
	domt_session_free(c);
	domt_session_free(t);
	buf_free(&ask);
	buf_free(&answer);
}

static void
from_the_start(struct buf *in, bool to_domc)
{
	struct domt_session *s = NULL;
	struct buf said, first;

	buf_init(&said, 256);
	if (next(in, &first)) {
		s = to_domc ? domt_session_ask(&said) : domt_session_accept(secret, &first, &said);
		if (to_domc && s != NULL)
			begin(s, &first);
		if (s != NULL)
			messages(s, in);
	}
	domt_session_free(s);
	buf_free(&said);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf in;

	buf_view(&in, data, size);
	if (size == 0)
		return 0;
	(void)buf_get_u8(&in);
	if ((data[0] & 2) != 0)
		after(&in, data[0] & 1);
	else
		from_the_start(&in, data[0] & 1);
	return 0;
}
