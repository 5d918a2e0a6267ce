/* forge.c - a sound frame of some call, with what is on the token: see hostile.h */
#include "hostile.h"

#include <string.h>

#include "protocol/message.h"
#include "protocol/resume.h"

/* How often, in thousandths: what changes the token, or takes long, is rarer. */
static unsigned
weight(const struct call *call)
{
	if (call->where == WHERE_LOCAL || call->where == WHERE_UNSERVED)
		return 20;
	switch (call->number) {
	case CALL_C_InitToken:
		return 5;
	case CALL_C_SetPIN:
	case CALL_C_InitPIN:
	case CALL_C_CloseAllSessions:
	case CALL_C_Logout:
	case CALL_C_Login:
	case CALL_C_GenerateKeyPair:
		return 10;
	case CALL_C_CloseSession:
		return 20;
	default:
		return call->gate == GATE_EXCLUSIVE ? 30 : 1000;
	}
}

static const struct call *
choose(struct chance *c, bool named)
{
	size_t n;
	const struct call *calls = call_table(&n);

	for (;;) {
		const struct call *call = &calls[below(c, (uint32_t)n)];

		if (below(c, 1000) < weight(call) && (!named || call_named(call)))
			return call;
	}
}

static void
spot(struct forged *f, enum spot_kind kind, size_t len)
{
	if (f->nspots < MOST_SPOTS)
		f->spots[f->nspots++] = (struct spot){kind, f->b.len, len};
}

void
forge_number(struct forged *f, uint64_t v, enum spot_kind kind)
{
	spot(f, kind, 8);
	buf_put_u64(&f->b, v);
}

void
forge_flag(struct forged *f, uint8_t v)
{
	spot(f, SPOT_PRESENT, 1);
	buf_put_u8(&f->b, v);
}

void
forge_content(struct forged *f, const void *p, size_t len)
{
	uint8_t *at;

	spot(f, SPOT_CONTENT, len);
	if ((at = buf_reserve(&f->b, len)) == NULL)
		return;
	if (p != NULL && len > 0)
		memcpy(at, p, len);
	else
		fill(f->chance, at, len);
}

size_t
forge_length(struct chance *c)
{
	static const uint16_t good[] = {16, 20, 24, 32, 48, 64, 65, 128, 256};
	uint32_t r = below(c, 1000);

	if (r < 600)
		return below(c, 65);
	if (r < 900)
		return good[below(c, sizeof(good) / sizeof(good[0]))];
	return r < 990 ? below(c, 1024) : r < 999 ? below(c, 8192) : below(c, 200000);
}

static uint64_t
one_of(struct chance *c, const uint64_t *list, uint32_t n)
{
	return n == 0 || one_in(c, 50) ? below(c, 64) : list[below(c, n)];
}

static const CK_ATTRIBUTE_TYPE types[] = {CKA_CLASS, CKA_TOKEN, CKA_PRIVATE, CKA_LABEL,
    CKA_APPLICATION, CKA_VALUE, CKA_OBJECT_ID, CKA_CERTIFICATE_TYPE, CKA_ISSUER,
    CKA_SERIAL_NUMBER, CKA_TRUSTED, CKA_KEY_TYPE, CKA_SUBJECT, CKA_ID, CKA_SENSITIVE,
    CKA_ENCRYPT, CKA_DECRYPT, CKA_WRAP, CKA_UNWRAP, CKA_SIGN, CKA_SIGN_RECOVER, CKA_VERIFY,
    CKA_VERIFY_RECOVER, CKA_DERIVE, CKA_START_DATE, CKA_END_DATE, CKA_MODULUS,
    CKA_PUBLIC_EXPONENT, CKA_PRIVATE_EXPONENT, CKA_PRIME_1, CKA_PRIME, CKA_SUBPRIME, CKA_BASE,
    CKA_VALUE_LEN, CKA_EXTRACTABLE, CKA_LOCAL, CKA_NEVER_EXTRACTABLE, CKA_ALWAYS_SENSITIVE,
    CKA_KEY_GEN_MECHANISM, CKA_MODIFIABLE, CKA_EC_PARAMS, CKA_EC_POINT,
    CKA_ALWAYS_AUTHENTICATE, CKA_WRAP_WITH_TRUSTED, CKA_WRAP_TEMPLATE, CKA_UNWRAP_TEMPLATE,
    CKA_ALLOWED_MECHANISMS, CKA_VENDOR_DEFINED};

static CK_ATTRIBUTE_TYPE
any_type(struct chance *c)
{
	if (one_in(c, 10))
		return chance_next(c) & ~(CK_ATTRIBUTE_TYPE)CKF_ARRAY_ATTRIBUTE;
	return types[below(c, sizeof(types) / sizeof(types[0]))];
}

static void
put_attr(struct forged *f, CK_ATTRIBUTE_TYPE type, const void *p, size_t len)
{
	size_t spots = f->nspots;

	/* An array is not read as its value is. */
	forge_number(f, type, SPOT_LENGTH);
	forge_flag(f, 1);
	forge_number(f, len, SPOT_LENGTH);
	forge_content(f, p, len);
	/* Another number of bits makes a key that takes minutes. */
	if (type == CKA_MODULUS_BITS || type == CKA_PRIME_BITS)
		f->nspots = spots;
}

static void
put_ulong(struct forged *f, CK_ATTRIBUTE_TYPE type, CK_ULONG v)
{
	put_attr(f, type, &v, sizeof(v));
}

static void
put_bool(struct forged *f, CK_ATTRIBUTE_TYPE type, CK_BBOOL v)
{
	put_attr(f, type, &v, sizeof(v));
}

static void put_any_attr(struct forged *f, unsigned depth);

/* Attributes in an attribute. */
static void
put_nested(struct forged *f, CK_ATTRIBUTE_TYPE type, unsigned depth)
{
	/* Deeper is a breach, unless there is nothing in it. */
	uint32_t n = depth < MSG_MAX_DEPTH || one_in(f->chance, 100) ? below(f->chance, 4) : 0;

	f->breach |= depth >= MSG_MAX_DEPTH && n > 0;
	forge_number(f, type, SPOT_LENGTH);
	forge_flag(f, 1);
	forge_number(f, n * sizeof(CK_ATTRIBUTE) + below(f->chance, 3), SPOT_LENGTH);
	for (uint32_t i = 0; i < n; i++)
		put_any_attr(f, depth + 1);
}

static void
put_any_attr(struct forged *f, unsigned depth)
{
	struct chance *c = f->chance;
	CK_ATTRIBUTE_TYPE type = any_type(c);

	if (type == CKA_TOKEN)
		put_bool(f, type, one_in(c, 20));
	else if (type == CKA_WRAP_TEMPLATE || type == CKA_UNWRAP_TEMPLATE)
		put_nested(f, type, depth);
	else if (type == CKA_CLASS || type == CKA_KEY_TYPE)
		put_ulong(f, type, one_in(c, 8) ? chance_next(c) : below(c, 0x20));
	else if (type == CKA_VALUE_LEN)
		put_ulong(f, type, one_in(c, 50) ? chance_next(c) : below(c, 65));
	else if (one_in(c, 3))
		put_bool(f, type, (CK_BBOOL)below(c, 3));
	else
		put_attr(f, type, NULL, forge_length(c));
}

static const CK_BYTE p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
static const CK_BYTE ed25519[] = {
    0x13, 0x0c, 'e', 'd', 'w', 'a', 'r', 'd', 's', '2', '5', '5', '1', '9'};
static const CK_BYTE exponent[] = {1, 0, 1};

/* What the call needs before anything else. */
static uint32_t
put_needed(struct forged *f, const struct call *call, bool second)
{
	struct chance *c = f->chance;

	put_bool(f, CKA_TOKEN, one_in(c, 20));
	switch (call->number) {
	case CALL_C_GenerateKey:
		put_ulong(f, CKA_VALUE_LEN, 16 + below(c, 3) * 8);
		put_bool(f, CKA_SENSITIVE, (CK_BBOOL)below(c, 2));
		put_bool(f, CKA_ENCRYPT, 1);
		put_bool(f, CKA_SIGN, 1);
		return 5;
	case CALL_C_GenerateKeyPair:
		if (second) {
			put_bool(f, CKA_SIGN, 1);
			put_bool(f, CKA_DERIVE, 1);
			return 3;
		}
		if (one_in(c, 4))
			put_attr(f, CKA_EC_PARAMS, ed25519, sizeof(ed25519));
		else
			put_attr(f, CKA_EC_PARAMS, p256, sizeof(p256));
		put_ulong(f, CKA_MODULUS_BITS, 512);
		put_attr(f, CKA_PUBLIC_EXPONENT, exponent, sizeof(exponent));
		return 4;
	case CALL_C_CreateObject:
		put_ulong(f, CKA_CLASS, one_in(c, 3) ? CKO_DATA : CKO_SECRET_KEY);
		put_ulong(f, CKA_KEY_TYPE, one_in(c, 2) ? CKK_GENERIC_SECRET : CKK_AES);
		put_attr(f, CKA_VALUE, NULL, 16 + below(c, 3) * 8);
		return 4;
	case CALL_C_UnwrapKey:
	case CALL_C_DeriveKey:
		put_ulong(f, CKA_CLASS, CKO_SECRET_KEY);
		put_ulong(f, CKA_KEY_TYPE, CKK_GENERIC_SECRET);
		put_ulong(f, CKA_VALUE_LEN, 16);
		return 4;
	default:
		return 1;
	}
}

static void
put_attrs(struct forged *f, const struct call *call, bool second)
{
	struct chance *c = f->chance;
	size_t at;
	uint32_t n = 0, more = below(c, 4);
	bool changes = call->class != CLASS_READ, present = !one_in(c, 100);

	forge_flag(f, present);
	if (!present)
		return;
	at = f->b.len;
	forge_number(f, 0, SPOT_COUNT);
	if (one_in(c, 200))
		more = 200;
	if (changes && !one_in(c, 5))
		n = put_needed(f, call, second);
	for (uint32_t i = 0; i < more; i++)
		put_any_attr(f, 1);
	if (buf_ok(&f->b))
		buf_set_u32(&f->b, at, n + more);
}

/* How much room there is, or is said to be. */
static uint64_t
room(struct chance *c)
{
	static const uint64_t rooms[] = {0, 1, 16, 64, 64, 256, 256, 4096, 1 << 16};
	static const uint64_t odd[] = {1u << 20, 80u << 20, 1ull << 31, 1ull << 63, UINT64_MAX};

	/* What is claimed is allocated, and wiped: rare, or there is time for nothing else. */
	return one_in(c, 5000) ? odd[below(c, 5)] : rooms[below(c, 9)];
}

static void
put_query(struct forged *f)
{
	struct chance *c = f->chance;
	uint32_t n = one_in(c, 200) ? 300 : below(c, 8);
	bool present = !one_in(c, 100);

	forge_flag(f, present);
	if (!present)
		return;
	forge_number(f, n, SPOT_COUNT);
	for (uint32_t i = 0; i < n; i++) {
		CK_ATTRIBUTE_TYPE type = any_type(c);
		bool nested = type == CKA_WRAP_TEMPLATE || type == CKA_UNWRAP_TEMPLATE;

		forge_number(f, type, SPOT_LENGTH);
		forge_flag(f, !nested && !one_in(c, 4));
		forge_number(f, room(c), SPOT_ROOM);
	}
}

static void
put_bytes(struct forged *f, const void *p, size_t len)
{
	bool present = !one_in(f->chance, 50);

	forge_flag(f, present);
	forge_number(f, len, SPOT_LENGTH);
	if (present)
		forge_content(f, p, len);
}

/* The right one, or one that cannot become one: too short, or too long. */
static void
put_pin(struct forged *f, const struct call *call, size_t nth)
{
	const struct target *t = f->known->target;
	bool so = call->number == CALL_C_InitToken && t->so_pin != NULL;
	const char *pin = so ? t->so_pin : t->pin;

	f->delicate = true;
	if (!one_in(f->chance, 4))
		put_bytes(f, pin, strlen(pin));
	else if (call->number == CALL_C_Login || (call->number == CALL_C_SetPIN && nth == 1))
		put_bytes(f, NULL, below(f->chance, 300));
	else
		put_bytes(f, NULL, one_in(f->chance, 2) ? below(f->chance, 4) : 300);
}

static void
put_label(struct forged *f)
{
	const struct target *t = f->known->target;
	char label[32];

	memset(label, ' ', sizeof(label));
	if (t->label != NULL)
		memcpy(label, t->label, strnlen(t->label, sizeof(label)));
	forge_flag(f, 1);
	forge_content(f, label, sizeof(label));
}

static uint64_t
flags(struct chance *c)
{
	static const uint64_t usual[] = {
	    CKF_SERIAL_SESSION | CKF_RW_SESSION, CKF_SERIAL_SESSION};

	return one_in(c, 8) ? chance_next(c) : usual[below(c, 2)];
}

static void
put_arg(struct forged *f, const struct call *call, size_t i, uint64_t session)
{
	static const uint64_t users[] = {CKU_USER, CKU_USER, CKU_SO, CKU_CONTEXT_SPECIFIC};
	struct chance *c = f->chance;
	const struct known *k = f->known;

	switch (call->args[i]) {
	case ARG_SLOT:
		forge_number(f, one_in(c, 20) ? below(c, 8) : k->target->slot, SPOT_HANDLE);
		break;
	case ARG_SESSION:
		/* The two of a fused request are one. */
		forge_number(f, session, f->fused ? SPOT_LENGTH : SPOT_HANDLE);
		break;
	case ARG_OBJECT:
		forge_number(f, one_of(c, k->objects, k->nobjects), SPOT_HANDLE);
		break;
	case ARG_FLAGS:
		forge_number(f, flags(c), SPOT_NUMBER);
		break;
	case ARG_USER_TYPE:
		forge_number(f, users[below(c, 4)], SPOT_NUMBER);
		break;
	case ARG_MECH_TYPE:
		forge_number(f, below(c, 0x1100), SPOT_NUMBER);
		break;
	case ARG_BBOOL:
		forge_content(f, NULL, 1);
		break;
	case ARG_BYTES:
	case ARG_PARAMETER:
		put_bytes(f, NULL, forge_length(c));
		break;
	case ARG_PIN:
		put_pin(f, call, i);
		break;
	case ARG_LABEL:
		put_label(f);
		break;
	case ARG_MECH:
		forge_mech(f, call);
		break;
	case ARG_ATTRS:
		put_attrs(f, call, i > 2);
		break;
	case ARG_ATTRS_QUERY:
		put_query(f);
		break;
	case ARG_OUT_BYTES:
	case ARG_OUT_MECHANISMS: {
		bool has = !one_in(c, 30);

		forge_flag(f, (uint8_t)(below(c, 2) | (has ? 2 : 0)));
		if (has)
			forge_number(f, room(c), SPOT_ROOM);
		break;
	}
	case ARG_OUT_OBJECTS:
		forge_flag(f, (uint8_t)(one_in(c, 20) ? below(c, 4) : 3));
		forge_number(f, room(c), SPOT_ROOM);
		break;
	case ARG_OUT_FILL:
		forge_flag(f, !one_in(c, 20));
		/* More than there is room for anywhere is a breach. */
		forge_number(f, below(c, one_in(c, 100) ? 1 << 18 : 256), SPOT_LENGTH);
		break;
	case ARG_OUT_ULONG:
	case ARG_OUT_SESSION:
	case ARG_OUT_OBJECT:
	case ARG_OUT_SLOT_INFO:
	case ARG_OUT_TOKEN_INFO:
	case ARG_OUT_MECH_INFO:
	case ARG_OUT_SESSION_INFO:
		forge_flag(f, !one_in(c, 20));
		break;
	default:
		break;
	}
}

static void
put_args(struct forged *f, const struct call *call, uint64_t session)
{
	for (size_t i = 0; call->args[i] != ARG_END; i++)
		put_arg(f, call, i, session);
}

static void
begin(struct forged *f, uint32_t id, uint32_t call, uint32_t frame_flags)
{
	f->call = call;
	f->id = id;
	frame_begin_flags(&f->b, id, call, frame_flags);
}

static void
forge_call(struct forged *f, uint32_t id, uint64_t session)
{
	struct chance *c = f->chance;
	bool named = one_in(c, 200);
	const struct call *call = choose(c, named), *first = call_beginning(call);
	uint32_t how = 0;

	if (first != NULL && !one_in(c, 3))
		how = FRAME_FUSED;
	else if (call_named(call) && (named || one_in(c, 2)))
		how = one_in(c, 8) ? FRAME_REPEATED : FRAME_ONCE;
	begin(f, id, call->number, how);
	f->fused = how == FRAME_FUSED;
	if (how == FRAME_FUSED)
		put_args(f, first, session);
	else if (how != 0)
		forge_content(f, NULL, FRAME_ONCE_LEN);
	put_args(f, call, session);
}

void
forge(struct forged *f, uint32_t id)
{
	const struct known *k = f->known;
	struct chance *c = f->chance;
	uint64_t session = one_of(c, k->sessions, k->nsessions);

	buf_reset(&f->b);
	f->nspots = 0;
	f->delicate = f->fused = f->mutated = f->breach = f->torn = false;
	switch (below(c, 40)) {
	case 0:
		begin(f, id, FRAME_FETCH, 0);
		put_args(f, call_by_number(CALL_C_FindObjectsInit), session);
		break;
	case 1:
		begin(f, id, FRAME_INFO, 0);
		forge_number(f, k->target->slot, SPOT_HANDLE);
		break;
	default:
		forge_call(f, id, session);
	}
	frame_end(&f->b);
}
