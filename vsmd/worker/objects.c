/* objects.c - see objects.h */
#include "vsmd/worker/objects.h"

#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "vsmd/worker/state.h"

#define FIRST_SIZE 256

void
objects_init(struct objects *t)
{
	memset(t, 0, sizeof(*t));
	pthread_mutex_init(&t->lock, NULL);
}

bool
object_is_secret(const struct object *o)
{
	return o->class == CKO_PRIVATE_KEY || o->class == CKO_SECRET_KEY;
}

/* With the lock held: where the handle is, or belongs.  Handle 0 is an empty place. */
static struct object *
place(const struct objects *t, CK_OBJECT_HANDLE handle)
{
	size_t i = (size_t)(handle * 0x9e3779b97f4a7c15u >> 32) & (t->size - 1);

	while (t->slots[i].handle != 0 && t->slots[i].handle != handle)
		i = (i + 1) & (t->size - 1);
	return &t->slots[i];
}

/* It is not to be asked anew. */
static bool
is_good(const struct object *o, uint64_t epoch)
{
	return o->handle != 0 && o->epoch == epoch;
}

/* With the lock held.  What was destroyed, or would have to be asked anew, leaves its place
 * here. */
static bool
room_for_one(struct objects *t, uint64_t epoch)
{
	struct objects other = *t;

	if (t->size > 0 && t->used < t->size / 2)
		return true;
	other.used = 0;
	for (size_t i = 0; i < t->size; i++)
		other.used += is_good(&t->slots[i], epoch);
	if (t->size == 0)
		other.size = FIRST_SIZE;
	else if (other.used >= t->size / 4)
		other.size = t->size * 2;
	if ((other.slots = calloc(other.size, sizeof(*other.slots))) == NULL)
		return false;
	for (size_t i = 0; i < t->size; i++)
		if (is_good(&t->slots[i], epoch))
			*place(&other, t->slots[i].handle) = t->slots[i];
	free(t->slots);
	t->slots = other.slots;
	t->size = other.size;
	t->used = other.used;
	return true;
}

static void
remember(struct objects *t, const struct object *o)
{
	struct object *at;

	pthread_mutex_lock(&t->lock);
	if (room_for_one(t, o->epoch)) {
		at = place(t, o->handle);
		t->used += at->handle == 0;
		*at = *o;
	}
	pthread_mutex_unlock(&t->lock);
}

static bool
known(struct objects *t, CK_OBJECT_HANDLE handle, uint64_t epoch, struct object *ret)
{
	bool ok = false;

	pthread_mutex_lock(&t->lock);
	if (t->size > 0) {
		*ret = *place(t, handle);
		ok = ret->handle == handle && ret->epoch == epoch + 1;
	}
	pthread_mutex_unlock(&t->lock);
	return ok;
}

void
objects_forget(struct objects *t, CK_OBJECT_HANDLE handle)
{
	pthread_mutex_lock(&t->lock);
	if (t->size > 0)
		place(t, handle)->epoch = 0; /* the handle keeps its place until others need it */
	pthread_mutex_unlock(&t->lock);
}

void
objects_forget_all(struct objects *t)
{
	pthread_mutex_lock(&t->lock);
	free(t->slots);
	t->slots = NULL;
	t->size = t->used = 0;
	pthread_mutex_unlock(&t->lock);
}

/* All of it in one call: SoftHSM2 takes its time for each. */
enum part { PART_CLASS, PART_TOKEN, PART_PRIVATE, PART_TYPE, PART_LABEL, PART_ID, PART_COUNT };

struct parts {
	uint8_t label[1024], id[1024];
};

static void
ask_for(CK_ATTRIBUTE t[PART_COUNT], struct object *o, struct parts *p)
{
	t[PART_CLASS] = (CK_ATTRIBUTE){CKA_CLASS, &o->class, sizeof(o->class)};
	t[PART_TOKEN] = (CK_ATTRIBUTE){CKA_TOKEN, &o->token, sizeof(o->token)};
	t[PART_PRIVATE] = (CK_ATTRIBUTE){CKA_PRIVATE, &o->private, sizeof(o->private)};
	t[PART_TYPE] = (CK_ATTRIBUTE){CKA_KEY_TYPE, &o->type, sizeof(o->type)};
	t[PART_LABEL] = (CK_ATTRIBUTE){CKA_LABEL, p->label, sizeof(p->label)};
	t[PART_ID] = (CK_ATTRIBUTE){CKA_ID, p->id, sizeof(p->id)};
}

void
object_identity(const uint8_t name[VIEW_NAME], uint8_t ret[MSG_ID_LEN])
{
	static const char label[16] = "caas object";
	uint8_t text[sizeof(label) + VIEW_NAME], digest[SHA256_DIGEST_LENGTH];

	memcpy(text, label, sizeof(label));
	memcpy(text + sizeof(label), name, VIEW_NAME);
	SHA256(text, sizeof(text), digest);
	memcpy(ret, digest, MSG_ID_LEN);
	ret[MSG_ID_FLAGS] = 0;
}

static void
keep_start(uint8_t dst[64], uint16_t *len, const CK_ATTRIBUTE *a)
{
	*len = a->ulValueLen == CK_UNAVAILABLE_INFORMATION ? 0
	    : a->ulValueLen > 64                           ? 64
	                                                   : (uint16_t)a->ulValueLen;
	memcpy(dst, a->pValue, *len);
}

static bool
ask_object(struct worker *w, CK_SESSION_HANDLE session, struct object *o)
{
	CK_ATTRIBUTE t[PART_COUNT], room[PART_COUNT];
	uint8_t name[VIEW_NAME];
	struct parts parts;

	ask_for(t, o, &parts);
	memcpy(room, t, sizeof(room));
	/* SoftHSM2 looks at the file of the object that it is asked about. */
	(void)view_opened(NULL);
	(void)w->fl->C_GetAttributeValue(session, o->handle, t, PART_COUNT);
	for (size_t i = PART_CLASS; i <= PART_PRIVATE; i++)
		if (t[i].ulValueLen != room[i].ulValueLen)
			return false;
	if (t[PART_TYPE].ulValueLen != sizeof(o->type))
		o->type = CK_UNAVAILABLE_INFORMATION;
	keep_start(o->label, &o->label_len, &t[PART_LABEL]);
	keep_start(o->id, &o->id_len, &t[PART_ID]);
	if (o->token && view_opened(name))
		object_identity(name, o->identity);
	o->identity[MSG_ID_FLAGS] = (uint8_t)((o->private ? MSG_ID_PRIVATE : 0) |
	    (o->token ? 0 : MSG_ID_SESSION));
	return true;
}

bool
objects_get(struct worker *w, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE handle,
    struct object *ret)
{
	uint64_t epoch = gate_epoch(&w->gate);

	if (handle == 0)
		return false;
	if (known(&w->objects, handle, epoch, ret))
		return true;
	memset(ret, 0, sizeof(*ret));
	ret->handle = handle;
	ret->epoch = epoch + 1; /* 0 means: ask anew */
	ret->class = ret->type = CK_UNAVAILABLE_INFORMATION;
	if (!ask_object(w, session, ret))
		return false;
	remember(&w->objects, ret);
	return true;
}
