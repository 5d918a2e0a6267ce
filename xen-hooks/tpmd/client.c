/* client.c - see client.h */
#include "xen-hooks/tpmd/client.h"

#include <stdlib.h>

#include "vchan-transport/deadline.h"

#define HELLO_MAX 256 /* bytes of a first frame */

struct client *
client_new(const struct control_pair *who, struct channel *channel)
{
	struct client *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		channel_close(channel);
		return NULL;
	}
	c->who = *who;
	c->since = deadline_at(0);
	pipe_init(&c->pipe, channel, HELLO_MAX);
	/* Who comes in has something to say. */
	c->pipe.until = deadline_at(PIPE_PATIENCE);
	buf_init(&c->message, DOMT_MESSAGE_MAX);
	return c;
}

void
client_free(struct client *c)
{
	pipe_close(&c->pipe);
	domt_session_free(c->session);
	buf_free(&c->message);
	free(c);
}

static bool
begin(struct client *c, const uint8_t identity_secret[DOMT_IDENTITY])
{
	c->session = domt_session_accept(identity_secret, &c->pipe.in, &c->pipe.out);
	if (c->session == NULL)
		return false;
	c->pipe.most = DOMT_FRAME_MAX;
	return true;
}

static bool
take_question(struct client *c)
{
	buf_reset(&c->message);
	if (!domt_session_open(c->session, c->pipe.in.data, c->pipe.in.len, &c->message) ||
	    !domt_question_read(&c->message, &c->question))
		return false;
	c->asked = true;
	c->since = deadline_at(0);
	return true;
}

bool
client_move(struct client *c, const uint8_t identity_secret[DOMT_IDENTITY])
{
	int r;

	if (pipe_sending(&c->pipe) && pipe_write(&c->pipe) < 0)
		return false;
	if (c->asked || pipe_sending(&c->pipe))
		return true;
	if ((r = pipe_read(&c->pipe)) <= 0)
		return r == 0;
	if (c->session == NULL ? !begin(c, identity_secret) : !take_question(c))
		return false;
	pipe_next(&c->pipe);
	return !pipe_sending(&c->pipe) || pipe_write(&c->pipe) == 0;
}

bool
client_answer(struct client *c, const struct domt_answer *a)
{
	struct buf b;
	bool ok;

	buf_init(&b, DOMT_MESSAGE_MAX);
	domt_answer_write(&b, a);
	ok = buf_ok(&b) && domt_session_seal(c->session, b.data, b.len, &c->pipe.out) &&
	     pipe_write(&c->pipe) == 0;
	buf_free(&b);
	buf_free(&c->message);
	c->asked = false;
	return ok;
}

bool
client_late(const struct client *c)
{
	return pipe_late(&c->pipe);
}
