/*
 * known.h - attributes that came with a search (protocol/fetch.h).
 *
 * Programs that list keys ask for attribute after attribute of each; what a search has
 * brought already is answered here, for a moment: until the token's store is seen to have
 * changed, this application changes something, or KNOWN_MS have passed.  Only what the
 * session may read is known, and a question that holds anything else goes to the worker as
 * a whole.
 *
 * Threads: under the lock of the handles.
 */
#ifndef CAAS_P11_KNOWN_H
#define CAAS_P11_KNOWN_H

#include "protocol/fetch.h"

#define KNOWN_MS 500
#define KNOWN_BATCHES 4 /* searches whose objects are remembered at once */

struct known; /* of a slot */

/* What a search has brought, under the virtual handles of the objects.  *known is made
 * when needed; without memory nothing is remembered. */
void known_add(struct known **known, uint64_t generation, const struct fetched *f,
    const CK_OBJECT_HANDLE *handles);
/* Answer C_GetAttributeValue as SoftHSM2 would.  false: not from here. */
bool known_answer(struct known *known, uint64_t generation, CK_OBJECT_HANDLE object,
    CK_ATTRIBUTE *t, CK_ULONG n, CK_RV *ret);
/* The store has this epoch; and: nothing is known any more. */
void known_epoch(struct known *known, uint64_t epoch);
void known_forget(struct known *known);
void known_free(struct known *known);

#endif
