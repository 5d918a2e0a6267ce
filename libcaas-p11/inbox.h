/*
 * inbox.h - frames out of a stream of bytes.
 *
 * One read brings what is there: a whole reply as a rule, several, or a part.  Small
 * bodies are handed on where they lie; larger ones are read straight into memory of
 * their own, which is allocated once somebody is known to expect the frame.
 *
 * Threads: one at a time.  The state is between calls, not on a stack, so that another
 * thread can go on in the middle of a frame.
 */
#ifndef CAAS_P11_INBOX_H
#define CAAS_P11_INBOX_H

#include "protocol/frame.h"
#include "vchan-transport/transport.h"

#define INBOX_SIZE (64 * 1024)

struct inbox {
	uint8_t *data; /* INBOX_SIZE bytes, allocated by the first read */
	size_t pos, len;
	uint8_t *big; /* body of the frame that is being read, or NULL */
	size_t big_len;
	struct frame frame; /* of big */
};

enum inbox_result { INBOX_OK, INBOX_GONE, INBOX_SILENT, INBOX_BREACH, INBOX_NO_MEMORY };

struct inbox_sink {
	/* A frame with a large body begins.  false: a breach. */
	bool (*expected)(void *arg, const struct frame *f);
	/* A frame is whole.  Its body is f->length bytes: at most LINK_SMALL, borrowed at
	 * `body`; or, when `big` is not NULL, there, and the sink's to free() from
	 * then on.  false: a breach; big stays the inbox's. */
	bool (*deliver)(
	    void *arg, const struct frame *f, const uint8_t *body, uint8_t *big);
};

/* Read once, waiting at most `silence` ms, and deliver every frame that is whole. */
enum inbox_result inbox_read(struct inbox *in, struct channel *channel,
    uint32_t max_frame, int silence, const struct inbox_sink *sink, void *arg);
void inbox_free(struct inbox *in);

#endif
