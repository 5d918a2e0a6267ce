/*
 * client.h - a channel of a crypto domain: the session, its question, the answer.
 *
 * What breaks the protocol ends it, and nothing of it was done.
 *
 * Threads: one.
 */
#ifndef CAAS_TPMD_CLIENT_H
#define CAAS_TPMD_CLIENT_H

#include "tpm/domt/session.h"
#include "xen-hooks/tpmd/control.h"
#include "xen-hooks/tpmd/pipe.h"

struct client {
	struct control_pair who; /* a copy */
	struct pipe pipe;
	struct domt_session *session; /* NULL: nothing has come yet */
	int64_t since;		      /* ns of the monotonic clock: of its last question */

	bool asked; /* question is there, and has no answer yet */
	struct domt_question question;
	struct buf message; /* that it borrows from */
};

/* Takes the channel.  NULL: no memory, and the channel is closed. */
struct client *client_new(const struct control_pair *who, struct channel *channel);
void client_free(struct client *c);
/* Read, and write what is there.  False: it is over. */
bool client_move(struct client *c, const uint8_t identity_secret[DOMT_IDENTITY]);
/* The answer to its question is sent.  False: it is over. */
bool client_answer(struct client *c, const struct domt_answer *a);
/* It began, and takes too long. */
bool client_late(const struct client *c);

#endif
