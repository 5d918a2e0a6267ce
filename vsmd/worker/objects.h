/*
 * objects.h - what the worker knows of the objects behind handles.
 *
 * Policy needs label, id, class and type of a key; replies carry its identity
 * (protocol/message.h).  Both are asked of SoftHSM2 once per handle, and again after
 * anything has changed in the token's store (its epoch) or, through this worker, in the
 * object.
 *
 * The identity is made of the name of the object's file, a random UUID that SoftHSM2 gives
 * each object of a token for good: the same in every worker, whatever attributes are
 * changed, and never another object's, be it like this one in all of them.  A session
 * object has none (zeroes): it dies with its application.  The last byte is MSG_ID_PRIVATE
 * and MSG_ID_SESSION, as they apply.
 *
 * Threads: any; the caller holds the gate (SHARED at least).
 */
#ifndef CAAS_VSMD_OBJECTS_H
#define CAAS_VSMD_OBJECTS_H

#include <pthread.h>
#include <stdbool.h>

#include "protocol/message.h"
#include "vsmd/worker/view.h"

struct worker;

struct object {
	CK_OBJECT_HANDLE handle;
	uint64_t epoch;       /* when it was asked */
	CK_OBJECT_CLASS class;
	CK_KEY_TYPE type;     /* CK_UNAVAILABLE_INFORMATION when it is no key */
	CK_BBOOL token, private;
	uint8_t label[64], id[64]; /* the first bytes of them */
	uint16_t label_len, id_len;
	uint8_t identity[MSG_ID_LEN];
};

struct objects {
	pthread_mutex_t lock;
	struct object *slots; /* open addressing by handle, size a power of two */
	size_t size, used;
};

void objects_init(struct objects *t);
/* false: no such object for this session, or it cannot be read. */
bool objects_get(struct worker *w, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE handle,
    struct object *ret);
/* The identity, but for its last byte, of the object with this file. */
void object_identity(const uint8_t name[VIEW_NAME], uint8_t ret[MSG_ID_LEN]);
/* The object was changed or destroyed by this worker. */
void objects_forget(struct objects *t, CK_OBJECT_HANDLE handle);
/* After logout: every handle of a private object is void. */
void objects_forget_all(struct objects *t);
/* A private or a secret key. */
bool object_is_secret(const struct object *o);

#endif
