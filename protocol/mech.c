/* mech.c - see mech.h and mech.def */
#include "protocol/mech.h"

#include <string.h>

#include "protocol/message.h"

/* A parameter whose length is wrong is replaced by zeroes, at most this many. */
#define ZEROES_MAX 4096

struct layout;
typedef const struct layout *layout_fn(void);

enum field_kind {
	FIELD_RAW,
	FIELD_BYTES,
	FIELD_READ,
	FIELD_HANDLE,
	FIELD_PBKD2LEN,
	FIELD_INNER
};

struct field {
	enum field_kind kind;
	size_t at;	  /* where the (first) member lies */
	size_t len;	  /* RAW: bytes; BYTES, READ, PBKD2LEN: where the length lies */
	layout_fn *inner; /* INNER */
};

struct layout {
	size_t size, nfields;
	const struct field *fields;
};

struct one_handle {
	CK_OBJECT_HANDLE handle;
};

/* The field macros name members of S, the structure of the layout they stand in. */
#define RAW(first, last)                                                                 \
	{                                                                                \
		FIELD_RAW, offsetof(S, first),                                           \
		    offsetof(S, last) + sizeof(((S *)NULL)->last) - offsetof(S, first),  \
		    NULL                                                                 \
	}
#define BYTES(pointer, length)                                                           \
	{                                                                                \
		FIELD_BYTES, offsetof(S, pointer), offsetof(S, length), NULL             \
	}
#define READ(pointer, length)                                                            \
	{                                                                                \
		FIELD_READ, offsetof(S, pointer), offsetof(S, length), NULL              \
	}
#define HANDLE(member)                                                                   \
	{                                                                                \
		FIELD_HANDLE, offsetof(S, member), 0, NULL                               \
	}
#define PBKD2LEN(pointer, length)                                                        \
	{                                                                                \
		FIELD_PBKD2LEN, offsetof(S, pointer), offsetof(S, length), NULL          \
	}
#define INNER(pointer, layout)                                                           \
	{                                                                                \
		FIELD_INNER, offsetof(S, pointer), 0, layout_##layout                    \
	}

#define LAYOUT(name, structure, ...)                                                     \
	static const struct layout *layout_##name(void)                                  \
	{                                                                                \
		typedef structure S;                                                     \
		static const struct field fields[] = {__VA_ARGS__};                      \
		static const struct layout layout = {                                    \
		    sizeof(S), sizeof(fields) / sizeof(fields[0]), fields};              \
		return &layout;                                                          \
	}
#define USES(mechanism, name)
#define OPAQUE(mechanism)
#include "protocol/mech.def"
#undef LAYOUT
#undef USES
#undef OPAQUE

static const struct {
	CK_MECHANISM_TYPE mechanism;
	layout_fn *layout; /* NULL: only the length goes over */
} uses[] = {
#define LAYOUT(name, structure, ...)
#define USES(mechanism, name) {mechanism, layout_##name},
#define OPAQUE(mechanism) {mechanism, NULL},
#include "protocol/mech.def"
};

/* The layout of a parameter of that length.  *ret_plain: there are no pointers in the
 * mechanism's parameter, of whatever length. */
static const struct layout *
find(CK_MECHANISM_TYPE mechanism, CK_ULONG len, bool *ret_plain)
{
	*ret_plain = true;
	for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++) {
		if (uses[i].mechanism != mechanism)
			continue;
		*ret_plain = false;
		if (uses[i].layout != NULL && uses[i].layout()->size == len)
			return uses[i].layout();
	}
	return NULL;
}

/* Members, wherever the caller's structure lies. */
static void *
get_ptr(const void *base, size_t at)
{
	void *p;

	memcpy(&p, (const char *)base + at, sizeof(p));
	return p;
}

static CK_ULONG
get_num(const void *base, size_t at)
{
	CK_ULONG v;

	memcpy(&v, (const char *)base + at, sizeof(v));
	return v;
}

static void
set_ptr(void *base, size_t at, const void *p)
{
	memcpy((char *)base + at, &p, sizeof(p));
}

static void
set_num(void *base, size_t at, CK_ULONG v)
{
	memcpy((char *)base + at, &v, sizeof(v));
}

static CK_RV
write_bytes(struct buf *b, const void *p, CK_ULONG len)
{
	if (p != NULL && len > MSG_MAX_ROOM)
		return CKR_MECHANISM_PARAM_INVALID;
	buf_put_u8(b, p != NULL);
	buf_put_u64(b, len);
	if (p != NULL)
		buf_put_raw(b, p, len);
	return CKR_OK;
}

/* Both versions of the structure have one size.  No address is as low as a password may
 * be long, so the value tells them apart. */
#define PASSWORD_MAX 65535

static CK_RV
write_password(struct buf *b, const void *p, const void *base, const struct field *f)
{
	CK_ULONG len = get_num(base, f->len);
	bool by_pointer = len > PASSWORD_MAX;

	if (by_pointer)
		len = get_num(get_ptr(base, f->len), 0);
	buf_put_u8(b, by_pointer);
	return write_bytes(b, p, len);
}

static CK_RV
write_fields(struct buf *b, const struct layout *layout, const void *base)
{
	CK_RV rv = CKR_OK;

	for (size_t i = 0; i < layout->nfields && rv == CKR_OK; i++) {
		const struct field *f = &layout->fields[i];
		const void *p;

		switch (f->kind) {
		case FIELD_RAW:
			buf_put_raw(b, (const char *)base + f->at, f->len);
			break;
		case FIELD_HANDLE:
			buf_put_u64(b, get_num(base, f->at));
			break;
		case FIELD_BYTES:
		case FIELD_READ:
			rv = write_bytes(b, get_ptr(base, f->at), get_num(base, f->len));
			break;
		case FIELD_PBKD2LEN:
			rv = write_password(b, get_ptr(base, f->at), base, f);
			break;
		case FIELD_INNER:
			p = get_ptr(base, f->at);
			buf_put_u8(b, p != NULL);
			if (p != NULL)
				rv = write_fields(b, f->inner(), p);
			break;
		}
	}
	return rv;
}

CK_RV
mech_write(struct buf *b, const CK_MECHANISM *m)
{
	const struct layout *layout;
	bool plain;

	buf_put_u64(b, m->mechanism);
	buf_put_u8(b, m->pParameter != NULL);
	buf_put_u64(b, m->ulParameterLen);
	if (m->pParameter == NULL)
		return CKR_OK;
	layout = find(m->mechanism, m->ulParameterLen, &plain);
	if (layout != NULL)
		return write_fields(b, layout, m->pParameter);
	if (plain) {
		if (m->ulParameterLen > MSG_MAX_ROOM)
			return CKR_MECHANISM_PARAM_INVALID;
		buf_put_raw(b, m->pParameter, m->ulParameterLen);
	}
	return CKR_OK;
}

/* Copied, so that it is aligned and wiped. */
static bool
read_copy(struct buf *b, CK_ULONG len, void **ret, struct arena *arena)
{
	const uint8_t *p = buf_get_raw(b, len);

	if (p == NULL || (*ret = arena_alloc(arena, len)) == NULL)
		return false;
	if (len > 0)
		memcpy(*ret, p, len);
	return true;
}

static bool
read_flag(struct buf *b, bool *ret)
{
	uint8_t v = buf_get_u8(b);

	*ret = v != 0;
	return buf_ok(b) && v <= 1;
}

static bool
read_bytes(struct buf *b, void **ret, CK_ULONG *ret_len, struct arena *arena)
{
	bool present;

	if (!read_flag(b, &present))
		return false;
	*ret = NULL;
	*ret_len = buf_get_u64(b);
	return present ? read_copy(b, *ret_len, ret, arena) : buf_ok(b);
}

static bool
read_password(struct buf *b, void *base, const struct field *f, struct arena *arena)
{
	void *p;
	CK_ULONG len, *plen;
	bool by_pointer;

	if (!read_flag(b, &by_pointer) || !read_bytes(b, &p, &len, arena))
		return false;
	/* Not a length that would be taken for an address, nor the other way round. */
	if (!by_pointer && len > PASSWORD_MAX)
		return false;
	set_ptr(base, f->at, p);
	set_num(base, f->len, len);
	if (by_pointer) {
		if ((plen = arena_alloc(arena, sizeof(*plen))) == NULL)
			return false;
		*plen = len;
		set_ptr(base, f->len, plen);
	}
	return true;
}

static void *
read_fields(struct buf *b, const struct layout *layout, struct arena *arena)
{
	char *base = arena_alloc(arena, layout->size);
	bool ok = base != NULL;

	for (size_t i = 0; i < layout->nfields && ok; i++) {
		const struct field *f = &layout->fields[i];
		const uint8_t *raw;
		void *p = NULL;
		CK_ULONG len;
		bool present;

		switch (f->kind) {
		case FIELD_RAW:
			if ((raw = buf_get_raw(b, f->len)) != NULL)
				memcpy(base + f->at, raw, f->len);
			break;
		case FIELD_HANDLE:
			set_num(base, f->at, buf_get_u64(b));
			break;
		case FIELD_BYTES:
		case FIELD_READ:
			ok = read_bytes(b, &p, &len, arena);
			set_ptr(base, f->at, p);
			set_num(base, f->len, len);
			break;
		case FIELD_PBKD2LEN:
			ok = read_password(b, base, f, arena);
			break;
		case FIELD_INNER:
			ok =
			    read_flag(b, &present) &&
			    (!present || (p = read_fields(b, f->inner(), arena)) != NULL);
			set_ptr(base, f->at, p);
			break;
		}
	}
	return ok && buf_ok(b) ? base : NULL;
}

bool
mech_read(struct buf *b, CK_MECHANISM **ret, struct arena *arena)
{
	CK_MECHANISM *m = arena_alloc(arena, sizeof(*m));
	const struct layout *layout;
	bool present, plain;

	if ((*ret = m) == NULL)
		return false;
	m->mechanism = buf_get_u64(b);
	if (!read_flag(b, &present))
		return false;
	m->ulParameterLen = buf_get_u64(b);
	if (!present)
		return buf_ok(b);
	layout = find(m->mechanism, m->ulParameterLen, &plain);
	if (layout != NULL)
		return (m->pParameter = read_fields(b, layout, arena)) != NULL;
	if (plain)
		return read_copy(b, m->ulParameterLen, &m->pParameter, arena);
	if (m->ulParameterLen > ZEROES_MAX)
		m->ulParameterLen = ZEROES_MAX;
	m->pParameter = arena_alloc(arena, m->ulParameterLen);
	return m->pParameter != NULL && buf_ok(b);
}

static uint64_t
mix(uint64_t h, const void *p, size_t len)
{
	const uint8_t *byte = p;

	for (size_t i = 0; i < len; i++)
		h = (h ^ byte[i]) * 0x100000001b3u; /* FNV-1a */
	return h;
}

static uint64_t
mix_bytes(uint64_t h, const void *p, CK_ULONG len)
{
	uint8_t present = p != NULL;

	return mix(mix(h, &present, 1), &len, sizeof(len));
}

static uint64_t
shape_fields(uint64_t h, const struct layout *layout, const void *base)
{
	for (size_t i = 0; i < layout->nfields; i++) {
		const struct field *f = &layout->fields[i];
		const void *p;

		switch (f->kind) {
		case FIELD_RAW:
			h = mix(h, (const char *)base + f->at, f->len);
			break;
		case FIELD_HANDLE:
			h = mix(h, (const char *)base + f->at, sizeof(CK_ULONG));
			break;
		case FIELD_BYTES:
		case FIELD_READ:
		case FIELD_PBKD2LEN:
			h = mix_bytes(h, get_ptr(base, f->at), get_num(base, f->len));
			break;
		case FIELD_INNER:
			p = get_ptr(base, f->at);
			h = mix_bytes(h, p, 0);
			if (p != NULL)
				h = shape_fields(h, f->inner(), p);
			break;
		}
	}
	return h;
}

/* Is the parameter, without pointers, an initialisation vector? */
static bool
iv_alone(CK_MECHANISM_TYPE mechanism)
{
	switch (mechanism) {
	case CKM_DES_CBC:
	case CKM_DES_CBC_PAD:
	case CKM_DES3_CBC:
	case CKM_DES3_CBC_PAD:
	case CKM_AES_CBC:
	case CKM_AES_CBC_PAD:
		return true;
	default:
		return false;
	}
}

uint64_t
mech_shape(const CK_MECHANISM *m)
{
	uint64_t h = mix(0xcbf29ce484222325u, &m->mechanism, sizeof(m->mechanism));
	const struct layout *layout;
	bool plain;

	h = mix_bytes(h, m->pParameter, m->ulParameterLen);
	if (m->pParameter == NULL)
		return h;
	layout = find(m->mechanism, m->ulParameterLen, &plain);
	if (layout != NULL)
		return shape_fields(h, layout, m->pParameter);
	if (!plain || iv_alone(m->mechanism))
		return h;
	if (m->mechanism == CKM_AES_CTR && m->ulParameterLen == sizeof(CK_AES_CTR_PARAMS))
		return mix(h, m->pParameter, sizeof(CK_ULONG)); /* ulCounterBits */
	return mix(h, m->pParameter, m->ulParameterLen);
}

const CK_MECHANISM *
mech_map(const CK_MECHANISM *m, mech_map_fn *map, void *ctx, struct arena *arena)
{
	const struct layout *layout = NULL;
	CK_MECHANISM *copy = NULL;
	bool plain;

	if (m->pParameter != NULL)
		layout = find(m->mechanism, m->ulParameterLen, &plain);
	for (size_t i = 0; layout != NULL && i < layout->nfields; i++) {
		const struct field *f = &layout->fields[i];

		if (f->kind != FIELD_HANDLE)
			continue;
		if (copy == NULL) {
			if ((copy = arena_alloc(arena, sizeof(*copy))) == NULL)
				return NULL;
			*copy = *m;
			copy->pParameter = arena_alloc(arena, layout->size);
			if (copy->pParameter == NULL)
				return NULL;
			memcpy(copy->pParameter, m->pParameter, layout->size);
		}
		set_num(
		    copy->pParameter, f->at, map(ctx, get_num(copy->pParameter, f->at)));
	}
	return copy != NULL ? copy : m;
}

bool
mech_sound(const CK_MECHANISM *m)
{
	const struct layout *layout = NULL;
	bool plain;

	if (m->pParameter != NULL)
		layout = find(m->mechanism, m->ulParameterLen, &plain);
	for (size_t i = 0; layout != NULL && i < layout->nfields; i++) {
		const struct field *f = &layout->fields[i];

		if (f->kind == FIELD_READ && get_ptr(m->pParameter, f->at) == NULL &&
		    get_num(m->pParameter, f->len) > 0)
			return false;
	}
	return true;
}
