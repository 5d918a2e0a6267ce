/*
 * known.h - attributes that came with a search (protocol/fetch.h).
 *
 * Programs that list keys ask for attribute after attribute of each; what a search has
 * brought already is answered here, until the token's store is seen to have changed or
 * this application changes something.  Any reply tells whether the store has changed; when
 * none has that was asked for in the last KNOWN_MS, the next question goes to the worker
 * and is the one that tells.  So a burst of questions costs one, and what another
 * application has changed is seen KNOWN_MS later at the latest.
 *
 * Only what the session may read is known, and a question that holds anything else goes to
 * the worker as a whole.
 *
 * Threads: known_answer(), known_older(), and known_epoch() with an epoch that is not newer,
 * under any lock of the handles; known_now() and known_batch() without; else under all.
 * Fork: a batch is whole before it is known, and unknown before it is freed.
 */
#ifndef CAAS_P11_KNOWN_H
#define CAAS_P11_KNOWN_H

#include "protocol/fetch.h"

#define KNOWN_MS 250
#define KNOWN_BATCHES 4 /* searches whose objects are remembered at once */

struct known; /* of a slot */
struct batch; /* what one search has brought */

/* The time, in ms. */
int64_t known_now(void);
/* What a search has brought, under the virtual handles of the objects.  NULL: nothing, or
 * there is no memory. */
struct batch *known_batch(const struct fetched *f, const CK_OBJECT_HANDLE *handles);
void known_batch_free(struct batch *b);
/* Know it: the store had this epoch when it was `asked` for, or later.  The batch is taken
 * over.  *known is made when needed; without memory nothing is remembered. */
void known_add(struct known **known, uint64_t generation, uint64_t epoch, int64_t asked,
    struct batch *b);
/* Answer C_GetAttributeValue as SoftHSM2 would.  false: not from here. */
bool known_answer(struct known *known, uint64_t generation, int64_t now,
    CK_OBJECT_HANDLE object, CK_ATTRIBUTE *t, CK_ULONG n, CK_RV *ret);
/* A reply that was `asked` for then says so; and: nothing is known any more. */
void known_epoch(struct known *known, uint64_t epoch, int64_t asked);
/* An epoch that would end what is known. */
bool known_older(const struct known *known, uint64_t epoch);
void known_forget(struct known *known);
void known_free(struct known *known);

#endif
