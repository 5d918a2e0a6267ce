/* objects.c - see objects.h */
#include "vsmd/worker/objects.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "vsmd/worker/state.h"

#define FIRST_SIZE 256
#define PART_MAX 16384 /* bytes of a public part that count for the identity */

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

/* With the lock held. */
static bool
room_for_one(struct objects *t)
{
	struct objects bigger = *t;

	if (t->size > 0 && t->used < t->size / 2)
		return true;
	bigger.size = t->size ? t->size * 2 : FIRST_SIZE;
	if ((bigger.slots = calloc(bigger.size, sizeof(*bigger.slots))) == NULL)
		return false;
	for (size_t i = 0; i < t->size; i++)
		if (t->slots[i].handle != 0)
			*place(&bigger, t->slots[i].handle) = t->slots[i];
	free(t->slots);
	t->slots = bigger.slots;
	t->size = bigger.size;
	return true;
}

static void
remember(struct objects *t, const struct object *o)
{
	struct object *at;

	pthread_mutex_lock(&t->lock);
	if (room_for_one(t)) {
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
		place(t, handle)->epoch = 0; /* the handle keeps its place */
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

static void
hash_part(EVP_MD_CTX *md, CK_ATTRIBUTE_TYPE type, const void *p, CK_ULONG len)
{
	CK_ULONG head[2] = {type, len};

	EVP_DigestUpdate(md, head, sizeof(head));
	if (len != CK_UNAVAILABLE_INFORMATION)
		EVP_DigestUpdate(md, p, len);
}

/* The attributes that are public whatever CKA_SENSITIVE says, by what the object is. */
static CK_ULONG
public_parts(const struct object *o, CK_ATTRIBUTE *parts)
{
	static const CK_ATTRIBUTE_TYPE rsa[] = {CKA_MODULUS, CKA_PUBLIC_EXPONENT};
	static const CK_ATTRIBUTE_TYPE ec[] = {CKA_EC_PARAMS, CKA_EC_POINT};
	static const CK_ATTRIBUTE_TYPE dsa[] = {CKA_PRIME, CKA_BASE};
	static const CK_ATTRIBUTE_TYPE secret[] = {CKA_CHECK_VALUE};
	static const CK_ATTRIBUTE_TYPE value[] = {CKA_VALUE};
	const CK_ATTRIBUTE_TYPE *types = value;
	CK_ULONG n = 1;

	if (o->class == CKO_SECRET_KEY) {
		types = secret;
	} else if (o->class == CKO_PUBLIC_KEY || o->class == CKO_PRIVATE_KEY) {
		n = 2;
		types = o->type == CKK_RSA                           ? rsa
		    : o->type == CKK_DSA || o->type == CKK_DH        ? dsa
		                                                     : ec;
		/* A private key has no point; its value is no public part. */
		if (types == ec && o->class == CKO_PRIVATE_KEY)
			n = 1;
	}
	for (CK_ULONG i = 0; i < n; i++)
		parts[i] = (CK_ATTRIBUTE){types[i], NULL, PART_MAX};
	return n;
}

static bool
add_public_parts(struct worker *w, CK_SESSION_HANDLE session, const struct object *o,
    EVP_MD_CTX *md)
{
	CK_ATTRIBUTE parts[2];
	CK_ULONG n = public_parts(o, parts);
	uint8_t *room = malloc(n * PART_MAX);

	if (room == NULL)
		return false;
	for (CK_ULONG i = 0; i < n; i++)
		parts[i].pValue = room + i * PART_MAX;
	/* What an object lacks, or what is too long, counts as such. */
	(void)w->fl->C_GetAttributeValue(session, o->handle, parts, n);
	for (CK_ULONG i = 0; i < n; i++)
		hash_part(md, parts[i].type, parts[i].pValue,
		    parts[i].ulValueLen <= PART_MAX ? parts[i].ulValueLen
		                                    : CK_UNAVAILABLE_INFORMATION);
	free(room);
	return true;
}

static bool
identify(struct worker *w, CK_SESSION_HANDLE session, struct object *o,
    const CK_ATTRIBUTE *label, const CK_ATTRIBUTE *id)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	uint8_t digest[EVP_MAX_MD_SIZE];
	bool ok;

	ok = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;
	if (ok) {
		hash_part(md, CKA_CLASS, &o->class, sizeof(o->class));
		hash_part(md, CKA_KEY_TYPE, &o->type, sizeof(o->type));
		hash_part(md, CKA_TOKEN, &o->token, sizeof(o->token));
		hash_part(md, CKA_PRIVATE, &o->private, sizeof(o->private));
		hash_part(md, CKA_LABEL, label->pValue, label->ulValueLen);
		hash_part(md, CKA_ID, id->pValue, id->ulValueLen);
		ok = add_public_parts(w, session, o, md) &&
		    EVP_DigestFinal_ex(md, digest, NULL) == 1;
	}
	if (ok)
		memcpy(o->identity, digest, MSG_ID_LEN);
	EVP_MD_CTX_free(md);
	return ok;
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
	uint8_t label[1024], id[1024];
	CK_ATTRIBUTE t[] = {
	    {CKA_CLASS, &o->class, sizeof(o->class)},
	    {CKA_TOKEN, &o->token, sizeof(o->token)},
	    {CKA_PRIVATE, &o->private, sizeof(o->private)},
	    {CKA_LABEL, label, sizeof(label)},
	    {CKA_ID, id, sizeof(id)},
	    {CKA_KEY_TYPE, &o->type, sizeof(o->type)},
	};

	(void)w->fl->C_GetAttributeValue(session, o->handle, t, sizeof(t) / sizeof(t[0]));
	if (t[0].ulValueLen != sizeof(o->class) || t[1].ulValueLen != sizeof(o->token) ||
	    t[2].ulValueLen != sizeof(o->private))
		return false;
	if (t[5].ulValueLen != sizeof(o->type))
		o->type = CK_UNAVAILABLE_INFORMATION;
	keep_start(o->label, &o->label_len, &t[3]);
	keep_start(o->id, &o->id_len, &t[4]);
	return !o->token || identify(w, session, o, &t[3], &t[4]);
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
