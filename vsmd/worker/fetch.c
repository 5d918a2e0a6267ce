/* fetch.c - see fetch.h */
#include "vsmd/worker/fetch.h"

#include <string.h>

#include "common/secmem.h"
#include "protocol/fetch.h"
#include "vsmd/worker/policy.h"
#include "vsmd/worker/serve.h"

/* What applications ask for when they look for their keys and certificates. */
static const struct {
	CK_ATTRIBUTE_TYPE type;
	CK_ULONG room;
} wanted[] = {
    {CKA_CLASS, 8}, {CKA_TOKEN, 1}, {CKA_PRIVATE, 1}, {CKA_MODIFIABLE, 1},
    {CKA_LABEL, 256}, {CKA_ID, 256}, {CKA_KEY_TYPE, 8}, {CKA_LOCAL, 1},
    {CKA_ALWAYS_AUTHENTICATE, 1}, {CKA_SENSITIVE, 1}, {CKA_EXTRACTABLE, 1},
    {CKA_SIGN, 1}, {CKA_DECRYPT, 1}, {CKA_UNWRAP, 1}, {CKA_DERIVE, 1},
    {CKA_VERIFY, 1}, {CKA_ENCRYPT, 1}, {CKA_WRAP, 1},
    {CKA_MODULUS, 1024}, {CKA_MODULUS_BITS, 8}, {CKA_PUBLIC_EXPONENT, 16},
    {CKA_EC_PARAMS, 64}, {CKA_EC_POINT, 160},
    {CKA_CERTIFICATE_TYPE, 8}, {CKA_SUBJECT, 512}, {CKA_ISSUER, 512},
    {CKA_SERIAL_NUMBER, 64},
    {CKA_VALUE, 4096}, /* the last: of certificates alone */
};

#define WANTED (sizeof(wanted) / sizeof(wanted[0]))
#define ROOM 8192
#define STRIDE 32 /* objects, and whoever waits for the gate goes first */

static void
keep_start(uint8_t *dst, size_t size, uint16_t *len, const CK_ATTRIBUTE *a)
{
	*len = (uint16_t)(a->ulValueLen < size ? a->ulValueLen : size);
	memcpy(dst, a->pValue, *len);
}

/* The rules judge what is about to be told: another worker may have renamed the object since
 * the search, with a change that has no epoch yet. */
static bool
is_hidden(const struct request *r, struct object *o, const CK_ATTRIBUTE *t)
{
	for (CK_ULONG i = 0; r->w->grant->nrules > 0 && i < WANTED - 1; i++) {
		if (t[i].ulValueLen > wanted[i].room)
			continue;
		if (t[i].type == CKA_LABEL)
			keep_start(o->label, sizeof(o->label), &o->label_len, &t[i]);
		else if (t[i].type == CKA_ID)
			keep_start(o->id, sizeof(o->id), &o->id_len, &t[i]);
	}
	return policy_hidden(r->w->grant, o);
}

/* Append an object's attributes.  The gate is held. */
static void
write_attrs(struct request *r, CK_OBJECT_HANDLE handle, struct object *o)
{
	CK_ULONG n = o->class == CKO_CERTIFICATE ? WANTED : WANTED - 1;
	CK_ATTRIBUTE t[WANTED];
	uint8_t room[ROOM];
	size_t used = 0;
	CK_RV rv;

	for (CK_ULONG i = 0; i < n; i++) {
		t[i] = (CK_ATTRIBUTE){wanted[i].type, room + used, wanted[i].room};
		used += (wanted[i].room + 7) & ~(size_t)7;
	}
	rv = r->w->fl->C_GetAttributeValue(r->args[0].len, handle, t, n);
	/* What the session may not read, or is too long, is just not told. */
	if ((rv == CKR_OK || rv == CKR_ATTRIBUTE_SENSITIVE ||
	        rv == CKR_ATTRIBUTE_TYPE_INVALID || rv == CKR_BUFFER_TOO_SMALL) &&
	    !is_hidden(r, o, t))
		for (CK_ULONG i = 0; i < n; i++) {
			if (t[i].ulValueLen > wanted[i].room)
				continue;
			buf_put_u64(&r->out, t[i].type);
			buf_put_bytes(&r->out, t[i].pValue, t[i].ulValueLen);
		}
	sec_wipe(room, used);
}

/* *room: bytes of attributes that may still follow. */
static void
write_object(struct request *r, CK_OBJECT_HANDLE handle, size_t *room)
{
	static const uint8_t unknown[MSG_ID_LEN];
	struct object o;
	bool known = objects_get(r->w, r->args[0].len, handle, &o);
	size_t at;
	uint64_t len;

	buf_put_u64(&r->out, handle);
	buf_put_raw(&r->out, known ? o.identity : unknown, MSG_ID_LEN);
	at = r->out.len;
	buf_put_u64(&r->out, 0);
	if (*room == 0 || !known)
		return;
	write_attrs(r, handle, &o);
	if (!buf_ok(&r->out))
		return;
	len = r->out.len - at - sizeof(len);
	if (len > *room) {
		buf_truncate(&r->out, at + sizeof(len));
		len = *room = 0;
	}
	*room -= len;
	buf_set_u32(&r->out, at, (uint32_t)len);
}

CK_RV
fetch_write(struct request *r, const CK_OBJECT_HANDLE *handles, CK_ULONG n, bool more)
{
	size_t room = FETCH_BYTES;
	CK_RV rv = serve_enter(r, GATE_SHARED);

	_Static_assert(ROOM >= 8 + 256 * 2 + 1024 + 160 + 512 * 2 + 4096 + 64 * 2 + 8 * WANTED,
	    "every attribute has its place");
	if (rv != CKR_OK)
		return rv;
	buf_put_u8(&r->out, more);
	buf_put_u32(&r->out, (uint32_t)n);
	for (CK_ULONG i = 0; i < n; i++) {
		if (i > 0 && i % STRIDE == 0) {
			serve_leave(r);
			if ((rv = serve_enter(r, GATE_SHARED)) != CKR_OK)
				return rv;
		}
		write_object(r, handles[i], &room);
	}
	serve_leave(r);
	return CKR_OK;
}
