/*
 * kept.h - a session object that outlives its worker: FRAME_KEPT.
 *
 * Some time after a session object was made or changed, the worker sends it, sealed, to be
 * kept beside its handle.  The guest sends what it keeps with a resume (resume.h), and has
 * the objects back in the next worker.  Nobody but vsmd can open or make one.  A pass comes
 * with the first of a channel that has not resumed with one: the objects can be opened
 * with it alone.
 *
 * Body: u64 handle, bytes pass (empty: the one there is), bytes object
 *
 * Threads: a buf belongs to one thread.
 */
#ifndef CAAS_PROTOCOL_KEPT_H
#define CAAS_PROTOCOL_KEPT_H

#include <stdbool.h>

#include "common/buf.h"
#include "protocol/pkcs11.h"

#define KEPT_MAX_PASS 512
#define KEPT_MAX_OBJECT 8192
#define KEPT_MAX_ALL (16u << 20) /* of the objects in one resume */

struct kept {
	CK_OBJECT_HANDLE handle;
	const uint8_t *pass, *object; /* borrowed */
	size_t pass_len, object_len;
};

void kept_write(struct buf *b, const struct kept *k);
/* false: a breach of protocol. */
bool kept_read(struct buf *b, struct kept *ret);

#endif
