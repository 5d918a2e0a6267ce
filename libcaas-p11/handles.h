/*
 * handles.h - the handles that applications hold, and what they stand for.
 *
 * A virtual handle is a number of a counter that only grows while the process lives: it
 * is never used again, not even after C_Finalize, so a stale one is found out and never
 * names another object.  It stands for a session or an object of one slot, by the
 * worker's handle for it on the slot's present channel; when the channel is replaced
 * (resume.h) the worker's handles change and the virtual ones stay.
 *
 * An object that is found twice has one virtual handle, as in SoftHSM2.
 *
 * Threads: every function takes what locks it needs.  There are several, so that threads
 * that sign, each in its session, do not meet: who holds one looks at everything, and
 * changes what belongs to the sessions of that one; who changes anything else holds all.
 * Fork: another thread may have been inside at that moment, so each change is ordered such
 * that any prefix of its stores is a valid table; the child calls handles_renew() first.
 */
#ifndef CAAS_P11_HANDLES_H
#define CAAS_P11_HANDLES_H

#include "libcaas-p11/locks.h"
#include "protocol/kept.h"
#include "protocol/message.h"

struct slot;
struct handle_table;
struct handle_index;

#define HANDLES_LOCKS 16

struct handles {
	struct {
		_Alignas(64) struct lock lock;
	} locks[HANDLES_LOCKS];
	struct handle_table *table;
	struct handle_index *index; /* slot and worker's handle to virtual */
};

CK_RV handles_init(struct handles *h, const struct lock_how *how);
/* The lock of this session, or of any number; all of them. */
void handles_lock(struct handles *h, uint64_t session);
void handles_unlock(struct handles *h, uint64_t session);
void handles_lock_all(struct handles *h);
void handles_unlock_all(struct handles *h);
/* In the child of a fork. */
CK_RV handles_renew(struct handles *h);
void handles_free(struct handles *h);

/*
 * args to remote, with the worker's handles for the virtual ones of a SESSION row, those
 * in the parameter of a mechanism too: then remote has a copy of it in the arena.
 * CKR_SESSION_HANDLE_INVALID: the session is unknown; CKR_HOST_MEMORY.  An object that is
 * unknown, or of another slot than the session's, becomes CK_INVALID_HANDLE, for the token
 * library to refuse in its turn.  *ret_generation is the slot's channel that the handles
 * are good on.
 */
CK_RV handles_translate(struct handles *h, const struct call *call,
    const struct arg *args, struct arg *remote, struct arena *arena,
    struct slot **ret_slot, uint64_t *ret_generation);

/* A session that the worker opened on the channel `generation`.  CKR_DEVICE_REMOVED when
 * that channel has been replaced since; CKR_HOST_MEMORY. */
CK_RV handles_add_session(struct handles *h, struct slot *slot, uint64_t generation,
    CK_SESSION_HANDLE remote, CK_FLAGS flags, CK_SESSION_HANDLE *ret);
/* n objects of one reply to a call on `session`.  A session object that is new dies with
 * that, unless it was only `found`: then another made it.  Errors as above, then nothing
 * was added for good. */
CK_RV handles_add_objects(struct handles *h, struct slot *slot, uint64_t generation,
    const struct object_ref *refs, size_t n, CK_SESSION_HANDLE session, bool found,
    CK_OBJECT_HANDLE *ret);

/* vsmd gives what is to be kept of a session object, on the channel `generation`. */
void handles_keep(struct handles *h, struct slot *slot, uint64_t generation,
    const struct kept *k);
/* Which of them is kept of the object, 0 for none; and: it has been changed since, so that
 * one is worth nothing any more. */
uint64_t handles_kept(struct handles *h, CK_OBJECT_HANDLE object);
void handles_unkeep(struct handles *h, CK_OBJECT_HANDLE object, uint64_t number);

/* It is one that dies with its session. */
bool handles_fleeting(struct handles *h, CK_OBJECT_HANDLE object);
/* Forget an object. */
void handles_drop_object(struct handles *h, CK_OBJECT_HANDLE object);
/* Forget a session and its objects; with the slot's last session everything of the slot.
 * True when it was the last. */
bool handles_drop_session(struct handles *h, CK_SESSION_HANDLE session);
/* Forget everything of the slot. */
void handles_drop_slot(struct handles *h, struct slot *slot);
/* All handles up to now are below or at this. */
uint64_t handles_mark(void);
/* The application logged out on the slot: forget the private objects.  Only those up to
 * `mark`, taken before the worker was asked: a handle given since may be of a new login. */
void handles_logged_out(struct handles *h, struct slot *slot, uint64_t mark);

/*
 * What has to be resumed on a slot, in arrays of malloc(): the caller frees them.  At most
 * RESUME_MAX_* of each; objects without an identity are not among them, nor session objects
 * of which nothing is kept.  From then on until handles_moved() the slot has no channel: a reply
 * that comes late brings no handle.
 */
struct handles_held {
	CK_SESSION_HANDLE *sessions;
	CK_FLAGS *flags;
	uint32_t nsessions;
	CK_OBJECT_HANDLE *objects;
	uint8_t (*ids)[MSG_ID_LEN];
	uint32_t nobjects;
	struct handles_kept { /* of session objects, `most` bytes of them */
		CK_OBJECT_HANDLE object;
		uint32_t session; /* in the array */
		struct blob *blob;
	} *kept;
	uint32_t nkept;
};
CK_RV handles_held(struct handles *h, struct slot *slot, size_t most, struct handles_held *ret);
void handles_held_free(struct handles_held *held);
/*
 * The slot has a new channel `generation`, on which what was held has these handles, 0
 * where it is gone.  Everything else of the slot is forgotten.
 */
CK_RV handles_moved(struct handles *h, struct slot *slot, uint64_t generation,
    const struct handles_held *held, const CK_SESSION_HANDLE *sessions,
    const CK_OBJECT_HANDLE *objects, const CK_OBJECT_HANDLE *kept);

#endif
