/*
 * lookup.h - C_FindObjectsInit on a token with many objects.
 *
 * Where SoftHSM2 sees a part of the token (view.h), the index says which objects may
 * match a template: by CKA_ID, CKA_LABEL or CKA_CLASS.  These are added to the view, and
 * SoftHSM2 searches what it sees: it judges what matches, what a session may see, and
 * what the code is.  A template that the index cannot answer makes the view whole.
 *
 * While a user is logged in, the worker has the token's key here beside SoftHSM2, in
 * locked memory, to read the private objects' labels and ids for the index.
 *
 * Threads: any.
 */
#ifndef CAAS_VSMD_WORKER_LOOKUP_H
#define CAAS_VSMD_WORKER_LOOKUP_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/message.h"

struct worker;
struct request;
struct object;
struct secret;

struct lookup {
	pthread_mutex_t lock;
	struct secret *secret; /* while a user is logged in */
	bool blind;	       /* one is, and no key could be made of the PIN */
};

void lookup_init(struct lookup *l);
/* SoftHSM2 has accepted the user's PIN; the gate is not held.  And: nobody is logged in.
 */
void lookup_login(struct request *r, const void *pin, size_t len);
void lookup_logout(struct worker *w);

/* Before SoftHSM2 is asked for objects with these attributes; the gate is held SHARED. */
void lookup_prepare(struct request *r, const CK_ATTRIBUTE *t, CK_ULONG n);
/* The same for objects of which the identity is known. */
void lookup_identities(struct request *r, const uint8_t (*ids)[MSG_ID_LEN], size_t n);
/* Before the gate, held EXCLUSIVE, is left: enter what this thread changed. */
void lookup_changed(struct worker *w);

#endif
