/* keep.c - see keep.h */
#include "vsmd/worker/keep.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "common/secmem.h"
#include "vchan-transport/ring.h"
#include "vsmd/store/crypt.h"
#include "vsmd/worker/press.h"
#include "vsmd/worker/reply.h"
#include "vsmd/worker/retire.h"
#include "vsmd/worker/state.h"

#define AGE 50     /* ms */
#define PAUSE 10   /* ms between two rounds */
#define ROUND 16   /* objects */
#define MOST 65536 /* that wait */
#define FRAME_MAX (FRAME_HEADER + KEPT_MAX_PASS + KEPT_MAX_OBJECT + 64)
/* Bytes that a guest which reads nothing is sent: with the frame that goes over it, less than
 * what its channel holds.  A socket of Linux holds 208 KiB, what it needs beside them counted. */
#define ROOM_RING (RING_SIZE - FRAME_MAX - 2048)
#define ROOM_SOCKET 32768
#define ROOM_LEAST 2048

enum pushed { SENT, NOT_KEPT, LATER };

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void
keep_init(struct keep *k, bool wanted)
{
	memset(k, 0, sizeof(*k));
	pthread_mutex_init(&k->lock, NULL);
	pthread_mutex_init(&k->pushing, NULL);
	pthread_rwlock_init(&k->finding, NULL);
	atomic_store(&k->wanted, wanted);
	keep_room(k, true);
}

void
keep_room(struct keep *k, bool ring)
{
	k->most = ring ? ROOM_RING : ROOM_SOCKET;
	atomic_store(&k->room, k->most);
}

bool
keep_take_key(struct keep *k, const uint8_t key[32], const uint8_t *pass, size_t len, bool told)
{
	bool ok;

	pthread_mutex_lock(&k->lock);
	ok = k->key != NULL || (k->key = sec_alloc(STORE_KEEP_KEY)) != NULL;
	/* Two threads may have asked for one: the first that came is it. */
	if (ok && k->pass_len == 0) {
		memcpy(k->key, key, STORE_KEEP_KEY);
		memcpy(k->pass, pass, len);
		k->pass_len = len;
		k->told = told;
	}
	pthread_mutex_unlock(&k->lock);
	return ok;
}

bool
keep_key(struct keep *k, struct keep_key *ret)
{
	bool is;

	pthread_mutex_lock(&k->lock);
	if ((is = k->pass_len > 0)) {
		memcpy(ret->key, k->key, sizeof(ret->key));
		memcpy(ret->login, k->login, sizeof(ret->login));
		ret->logged_in = k->logged_in;
	}
	pthread_mutex_unlock(&k->lock);
	return is;
}

/* The application's first session object: a key for it. */
static bool
get_key(struct request *r)
{
	struct keep *k = &r->w->keep;
	uint8_t pass[KEPT_MAX_PASS], key[STORE_KEEP_KEY];
	size_t len;
	bool ok;

	pool_promote(r->w, r->seat);
	ok = store_keep(r->w, NULL, 0, pass, &len, key) == CKR_OK &&
	    keep_take_key(k, key, pass, len, false);
	if (!ok)
		atomic_store(&k->wanted, false);
	sec_wipe(key, sizeof(key));
	return ok;
}

/* With the lock held. */
static bool
append(struct keep *k, CK_OBJECT_HANDLE object)
{
	if (k->n == k->size) {
		size_t size = k->size ? 2 * k->size : 64;
		struct keep_due *due;

		if (size > MOST || (due = realloc(k->due, size * sizeof(*due))) == NULL)
			return false;
		k->due = due;
		k->size = size;
	}
	k->due[k->n++] = (struct keep_due){.object = object, .at = now_ms() + AGE};
	return true;
}

/* With the lock held: where it is, the youngest first, down to `first`; n: nowhere. */
static size_t
find(const struct keep *k, CK_OBJECT_HANDLE object, size_t first)
{
	for (size_t i = k->n; i-- > first;)
		if (k->due[i].object == object)
			return i;
	return k->n;
}

/* With the lock held. */
static void
take_out(struct keep *k, size_t i)
{
	if (i == k->n)
		return;
	k->n--;
	memmove(&k->due[i], &k->due[i + 1], (k->n - i) * sizeof(k->due[0]));
}

void
keep_note(struct request *r, CK_OBJECT_HANDLE object, bool made)
{
	struct keep *k = &r->w->keep;
	bool added = false, known;

	if (!k->wanted)
		return;
	pthread_mutex_lock(&k->lock);
	known = k->pass_len > 0;
	pthread_mutex_unlock(&k->lock);
	if (!known && !get_key(r))
		return;
	pthread_mutex_lock(&k->lock);
	/* The first one may be on its way as it was. */
	if (made || find(k, object, 1) == k->n)
		added = append(k, object);
	pthread_mutex_unlock(&k->lock);
	if (added)
		pool_expect(&r->w->pool);
}

void
keep_forget(struct worker *w, CK_OBJECT_HANDLE object)
{
	struct keep *k = &w->keep;

	pthread_mutex_lock(&k->lock);
	take_out(k, find(k, object, 0));
	pthread_mutex_unlock(&k->lock);
}

void
keep_login(struct worker *w, const uint8_t *ticket, size_t len)
{
	struct keep *k = &w->keep;
	struct part part = {ticket, len};

	_Static_assert(KEEP_LOGIN == CRYPT_HASH, "the ticket's hash");
	pthread_mutex_lock(&k->lock);
	k->logged_in = len > 0 && crypt_hash(&part, 1, k->login);
	pthread_mutex_unlock(&k->lock);
}

void
keep_logout(struct worker *w)
{
	struct keep *k = &w->keep;

	pthread_mutex_lock(&k->lock);
	k->logged_in = false;
	pthread_mutex_unlock(&k->lock);
}

void
keep_last(struct worker *w)
{
	if (w->keep.session != 0)
		(void)w->fl->C_CloseSession(w->keep.session);
	w->keep.session = 0;
}

void
keep_asked(struct worker *w)
{
	struct keep *k = &w->keep;

	k->drained = atomic_load_explicit(&k->room, memory_order_relaxed) == k->most;
	if (!k->drained)
		atomic_store(&k->room, k->most);
}

/* Is there an object to be sent, and when? */
static bool
look(struct keep *k, struct keep_due *ret)
{
	bool is;

	pthread_mutex_lock(&k->lock);
	if ((is = k->wanted && k->n > 0))
		*ret = k->due[0];
	pthread_mutex_unlock(&k->lock);
	return is;
}

int64_t
keep_wait(struct worker *w)
{
	struct keep *k = &w->keep;
	struct keep_due due;
	int64_t ms, rest;

	if (atomic_load(&k->room) < ROOM_LEAST || !look(k, &due))
		return INT64_MAX;
	ms = due.at - now_ms();
	rest = k->not_before - now_ms();
	ms = ms > rest ? ms : rest;
	return ms > 0 ? ms : 0;
}

/* With open_lock held: a session that may write, since the application's may not. */
static bool
has_session(struct worker *w)
{
	struct keep *k = &w->keep;

	if (k->session != 0)
		return true;
	return sessions_count(&w->sessions) > 0 &&
	    w->fl->C_OpenSession(w->slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL,
		&k->session) == CKR_OK;
}

/* With all the locks: the object as SoftHSM2 has it. */
static bool
press(struct worker *w, CK_OBJECT_HANDLE object, struct buf *file)
{
	CK_BBOOL yes = CK_TRUE;
	/* What no object has, in case SoftHSM2 comes so far. */
	CK_ATTRIBUTE t[] = {{CKA_VENDOR_DEFINED | 0x43616153, &yes, sizeof(yes)},
	    {CKA_TOKEN, &yes, sizeof(yes)}};
	CK_OBJECT_HANDLE copy = 0;

	retire_lost(w, RETIRE_PRESSED);
	press_begin(file);
	if (w->fl->C_CopyObject(w->keep.session, object, t, 2, &copy) == CKR_OK)
		(void)w->fl->C_DestroyObject(w->keep.session, copy);
	return press_end();
}

/* All the locks for it, if they are free, and a session.  With `pushing` held. */
static enum pushed
enter(struct worker *w)
{
	struct keep *k = &w->keep;

	if (!k->has_gate && !(k->has_gate = gate_open(&k->gate, &w->gate) == 0))
		return NOT_KEPT;
	if (!gate_try(&k->gate, GATE_SHARED))
		return LATER;
	if (pthread_mutex_trylock(&w->open_lock) == 0) {
		if (pthread_rwlock_trywrlock(&k->finding) == 0) {
			if (!gate_broken(&k->gate) && has_session(w))
				return SENT;
			pthread_rwlock_unlock(&k->finding);
			pthread_mutex_unlock(&w->open_lock);
			gate_leave(&k->gate);
			return NOT_KEPT;
		}
		pthread_mutex_unlock(&w->open_lock);
	}
	gate_leave(&k->gate);
	return LATER;
}

static void
leave(struct worker *w)
{
	pthread_rwlock_unlock(&w->keep.finding);
	pthread_mutex_unlock(&w->open_lock);
	gate_leave(&w->keep.gate);
}

static enum pushed
take(struct worker *w, CK_OBJECT_HANDLE object, struct buf *file)
{
	enum pushed how = enter(w);

	if (how != SENT)
		return how;
	/* Twice: SoftHSM2 may just have listed the directory, and the copy was not there. */
	if (!press(w, object, file) && !press(w, object, file))
		how = NOT_KEPT;
	leave(w);
	return how;
}

/* The frame, with the pass where the guest has none. */
static bool
write_frame(struct keep *k, const struct keep_key *key, CK_OBJECT_HANDLE object,
    const struct buf *file, struct buf *frame)
{
	struct kept kept = {.handle = object};
	struct buf sealed;
	bool ok;

	buf_init(&sealed, KEPT_MAX_OBJECT);
	if ((ok = keep_seal(key, file, &sealed))) {
		kept.object = sealed.data;
		kept.object_len = sealed.len;
		kept.pass = k->pass;
		kept.pass_len = k->told ? 0 : k->pass_len;
		frame_begin(frame, 0, FRAME_KEPT);
		kept_write(frame, &kept);
		frame_end(frame);
	}
	buf_free(&sealed);
	return ok && buf_ok(frame);
}

/* With `pushing` held. */
static enum pushed
push_one(struct worker *w, CK_OBJECT_HANDLE object)
{
	struct keep *k = &w->keep;
	struct buf file, frame;
	struct keep_key key;
	enum pushed how;

	/* Of the login before: one that comes meanwhile has another object. */
	if (!keep_key(k, &key))
		return NOT_KEPT;
	buf_init(&file, KEPT_MAX_OBJECT);
	buf_init(&frame, FRAME_MAX);
	if ((how = take(w, object, &file)) == SENT &&
	    !write_frame(k, &key, object, &file, &frame))
		how = NOT_KEPT;
	if (how == SENT) {
		size_t room = atomic_load(&k->room), len = frame.len;

		if (!reply_push(w, &frame))
			how = LATER;
		else
			atomic_store(&k->room, room > len ? room - len : 0);
	}
	k->told |= how == SENT;
	sec_wipe(&key, sizeof(key));
	buf_free(&file);
	buf_free(&frame);
	return how;
}

/* With `pushing` held.  False: nothing more now. */
static bool
push_first(struct worker *w, int64_t until, size_t room)
{
	struct keep *k = &w->keep;
	struct keep_due due;

	if (!look(k, &due) || due.at > until || atomic_load(&k->room) < room ||
	    push_one(w, due.object) == LATER)
		return false;
	pthread_mutex_lock(&k->lock);
	if (k->n > 0 && k->due[0].object == due.object)
		take_out(k, 0);
	pthread_mutex_unlock(&k->lock);
	return true;
}

void
keep_push(struct worker *w)
{
	struct keep *k = &w->keep;
	int64_t now = now_ms();

	if (pthread_mutex_trylock(&k->pushing) != 0)
		return;
	for (int i = 0; i < ROUND && push_first(w, now, ROOM_LEAST); i++)
		continue;
	k->not_before = now + PAUSE;
	pthread_mutex_unlock(&k->pushing);
}

void
keep_flush(struct worker *w)
{
	struct keep *k = &w->keep;

	pthread_mutex_lock(&k->pushing);
	for (int i = 0; i < MOST && push_first(w, INT64_MAX, 0); i++)
		continue;
	pthread_mutex_unlock(&k->pushing);
}

bool
keep_all(struct worker *w, size_t most)
{
	CK_OBJECT_HANDLE *objects = calloc(most + 1, sizeof(*objects));
	struct keep *k = &w->keep;
	size_t n = most + 1;
	bool ok;

	pthread_mutex_lock(&k->pushing);
	if (objects != NULL && k->wanted && k->drained && enter(w) == SENT) {
		n = keep_list(w, k->session, objects, most + 1);
		leave(w);
	}
	ok = n <= most;
	for (size_t i = 0; ok && i < n; i++)
		ok = atomic_load(&k->room) >= ROOM_LEAST && push_one(w, objects[i]) == SENT;
	if (ok) {
		pthread_mutex_lock(&k->lock);
		k->n = 0;
		pthread_mutex_unlock(&k->lock);
	}
	pthread_mutex_unlock(&k->pushing);
	free(objects);
	return ok;
}

bool
keep_has_login(struct worker *w)
{
	struct keep *k = &w->keep;
	bool is;

	pthread_mutex_lock(&k->lock);
	is = k->logged_in;
	pthread_mutex_unlock(&k->lock);
	return is;
}
