/* gen.c - choose a call, make its arguments for both sides */
#include <string.h>

#include "tests/differential/diff.h"

uint64_t
rnd(struct world *w)
{
	uint64_t x = w->rng;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return w->rng = x;
}

unsigned
rnd_below(struct world *w, unsigned n)
{
	return n == 0 ? 0 : (unsigned)((rnd(w) >> 16) % n);
}

bool
chance(struct world *w, unsigned percent)
{
	return rnd_below(w, 100) < percent;
}

struct choice {
	uint32_t call;
	unsigned weight;
};

/* What is tried when a session is in the middle of nothing, or chance says so. */
static const struct choice any_time[] = {
    {CALL_C_OpenSession, 6}, {CALL_C_CloseSession, 3}, {CALL_C_CloseAllSessions, 1},
    {CALL_C_GetSessionInfo, 4}, {CALL_C_Login, 8}, {CALL_C_Logout, 2}, {CALL_C_SetPIN, 1},
    {CALL_C_InitPIN, 1}, {CALL_C_CreateObject, 24}, {CALL_C_CopyObject, 4},
    {CALL_C_DestroyObject, 6}, {CALL_C_GetAttributeValue, 20}, {CALL_C_SetAttributeValue, 6},
    {CALL_C_GetObjectSize, 2}, {CALL_C_FindObjectsInit, 8}, {CALL_C_SignInit, 20},
    {CALL_C_VerifyInit, 16}, {CALL_C_EncryptInit, 16}, {CALL_C_DecryptInit, 14},
    {CALL_C_DigestInit, 10}, {CALL_C_DigestKey, 1}, {CALL_C_GenerateKey, 3},
    {CALL_C_GenerateKeyPair, 1}, {CALL_C_WrapKey, 4}, {CALL_C_UnwrapKey, 3},
    {CALL_C_DeriveKey, 3}, {CALL_C_GenerateRandom, 2}, {CALL_C_SeedRandom, 1},
    {CALL_C_GetSlotInfo, 1}, {CALL_C_GetTokenInfo, 3}, {CALL_C_GetMechanismList, 1},
    {CALL_C_GetMechanismInfo, 3}, {CALL_C_GetOperationState, 1},
    {CALL_C_SetOperationState, 1}, {CALL_C_GetFunctionStatus, 1},
    {CALL_C_CancelFunction, 1}, {CALL_C_SignRecoverInit, 1}, {CALL_C_VerifyRecoverInit, 1},
    {CALL_C_SignRecover, 1}, {CALL_C_VerifyRecover, 1}, {CALL_C_DigestEncryptUpdate, 1},
    {CALL_C_DecryptDigestUpdate, 1}, {CALL_C_SignEncryptUpdate, 1},
    {CALL_C_DecryptVerifyUpdate, 1}, {CALL_C_Sign, 1}, {CALL_C_Verify, 1},
    {CALL_C_Encrypt, 1}, {CALL_C_Decrypt, 1}, {CALL_C_Digest, 1}, {CALL_C_FindObjects, 1},
    {CALL_C_SignFinal, 1}, {CALL_C_DigestFinal, 1},
};

static const uint32_t going_on[][4] = {
    [OP_NONE] = {0},
    [OP_SIGN] = {CALL_C_Sign, CALL_C_Sign, CALL_C_SignUpdate, CALL_C_SignFinal},
    [OP_VERIFY] = {CALL_C_Verify, CALL_C_Verify, CALL_C_VerifyUpdate, CALL_C_VerifyFinal},
    [OP_ENCRYPT] = {CALL_C_Encrypt, CALL_C_Encrypt, CALL_C_EncryptUpdate, CALL_C_EncryptFinal},
    [OP_DECRYPT] = {CALL_C_Decrypt, CALL_C_Decrypt, CALL_C_DecryptUpdate, CALL_C_DecryptFinal},
    [OP_DIGEST] = {CALL_C_Digest, CALL_C_DigestUpdate, CALL_C_DigestUpdate, CALL_C_DigestFinal},
    [OP_FIND] = {CALL_C_FindObjects, CALL_C_FindObjects, CALL_C_FindObjectsFinal,
        CALL_C_FindObjectsFinal},
};

static uint32_t
pick_call(struct world *w, int session)
{
	unsigned total = 0, at;

	if (session >= 0 && w->sessions[session].op != OP_NONE && chance(w, 80))
		return going_on[w->sessions[session].op][rnd_below(w, 4)];
	for (size_t i = 0; i < sizeof(any_time) / sizeof(any_time[0]); i++)
		total += any_time[i].weight;
	at = rnd_below(w, total);
	for (size_t i = 0;; i++) {
		if (at < any_time[i].weight) {
			/* What ends a login ends most of what can be tried: rarely. */
			if ((any_time[i].call == CALL_C_CloseAllSessions ||
			        any_time[i].call == CALL_C_Logout) && chance(w, 85))
				return CALL_C_GetSessionInfo;
			return any_time[i].call;
		}
		at -= any_time[i].weight;
	}
}

static enum op
op_of(uint32_t call)
{
	switch (call) {
	case CALL_C_SignInit:
		return OP_SIGN;
	case CALL_C_VerifyInit:
		return OP_VERIFY;
	case CALL_C_EncryptInit:
	case CALL_C_WrapKey:
		return OP_ENCRYPT;
	case CALL_C_DecryptInit:
	case CALL_C_UnwrapKey:
		return OP_DECRYPT;
	case CALL_C_DigestInit:
		return OP_DIGEST;
	default:
		return OP_NONE;
	}
}

/* The same scalar or input pointer on both sides. */
static void
both(struct step *s, size_t i, void *ptr, CK_ULONG len)
{
	for (int side = 0; side < SIDES; side++) {
		s->args[side][i].ptr = ptr;
		s->args[side][i].len = len;
	}
}

static void
gen_session(struct world *w, struct step *s, size_t i)
{
	static const CK_SESSION_HANDLE bad[] = {0, 0x7fff0001, ~0ul};

	if (s->session < 0) {
		both(s, i, NULL, bad[rnd_below(w, 3)]);
		return;
	}
	for (int side = 0; side < SIDES; side++)
		s->args[side][i].len = w->sessions[s->session].h[side];
}

static void
gen_object(struct world *w, struct step *s, size_t i)
{
	int object = w->nobjects > 0 && !chance(w, 3) ? (int)rnd_below(w, (unsigned)w->nobjects) : -1;

	if (s->object < 0)
		s->object = object;
	if (object < 0) {
		both(s, i, NULL, chance(w, 50) ? 0 : 0x7ffffff1);
		return;
	}
	s->random |= w->objects[object].random;
	for (int side = 0; side < SIDES; side++)
		s->args[side][i].len = w->objects[object].h[side];
}

/* Input data; for verify and decrypt often what the key made last, each side its own. */
static void
gen_bytes(struct world *w, struct step *s, size_t i)
{
	uint32_t n = s->call->number;
	int signer = s->session >= 0 ? w->sessions[s->session].signer : -1;
	bool sig = (n == CALL_C_Verify && i == 2) || n == CALL_C_VerifyFinal;
	bool made = sig || n == CALL_C_Decrypt || n == CALL_C_UnwrapKey;
	CK_ULONG len;
	CK_BYTE *p;

	if (made && signer >= 0 && signer < w->nobjects && chance(w, 80) &&
	    w->objects[signer].last_len[0] > 0) {
		for (int side = 0; side < SIDES; side++) {
			s->args[side][i].ptr = w->objects[signer].last[side];
			s->args[side][i].len = w->objects[signer].last_len[side];
		}
		return;
	}
	/* Data for signing is short on purpose: what was signed can be verified again. */
	len = chance(w, 50) ? 32 : chance(w, 50) ? rnd_below(w, 20) * 16 : rnd_below(w, 300);
	if (chance(w, 1))
		len = 70000;
	p = arena_alloc(&w->arena, len ? len : 1);
	for (CK_ULONG k = 0; k < len; k++)
		p[k] = (CK_BYTE)k;
	/* SoftHSM2 ends the process when a cipher's data is NULL: not for comparing. */
	both(s, i, chance(w, 1) && (n == CALL_C_Sign || n == CALL_C_Digest) ? NULL : p, len);
}

static void
gen_out(struct world *w, struct step *s, size_t i)
{
	CK_ULONG room = chance(w, 80) ? OUT_SIZE : rnd_below(w, 140);
	bool null = chance(w, 8), no_len = chance(w, 1);
	size_t item = s->call->args[i] == ARG_OUT_MECHANISMS ? sizeof(CK_MECHANISM_TYPE) : 1;

	/* Data that cannot be answered in OUT_SIZE: leave room for the long inputs. */
	for (int side = 0; side < SIDES; side++) {
		struct arg *a = &s->args[side][i];

		a->room = room == OUT_SIZE ? (CK_ULONG)OUT_SIZE + 70016 : room;
		a->ptr = null ? NULL : arena_array(&w->arena, a->room ? a->room : 1, item);
		a->len = a->room;
		a->plen = no_len ? NULL : &a->room;
	}
}

static void
gen_query(struct world *w, struct step *s, size_t i)
{
	static const CK_ATTRIBUTE_TYPE types[] = {CKA_CLASS, CKA_TOKEN, CKA_PRIVATE, CKA_LABEL,
	    CKA_VALUE, CKA_KEY_TYPE, CKA_ID, CKA_SENSITIVE, CKA_ENCRYPT, CKA_DECRYPT, CKA_WRAP,
	    CKA_UNWRAP, CKA_SIGN, CKA_VERIFY, CKA_DERIVE, CKA_MODULUS, CKA_MODULUS_BITS,
	    CKA_PUBLIC_EXPONENT, CKA_PRIVATE_EXPONENT, CKA_PRIME_1, CKA_VALUE_LEN,
	    CKA_EXTRACTABLE, CKA_LOCAL, CKA_NEVER_EXTRACTABLE, CKA_ALWAYS_SENSITIVE,
	    CKA_KEY_GEN_MECHANISM, CKA_MODIFIABLE, CKA_EC_PARAMS, CKA_EC_POINT,
	    CKA_ALWAYS_AUTHENTICATE, CKA_WRAP_WITH_TRUSTED, CKA_WRAP_TEMPLATE,
	    CKA_UNWRAP_TEMPLATE, CKA_ALLOWED_MECHANISMS, CKA_START_DATE, CKA_APPLICATION,
	    CKA_OBJECT_ID, CKA_CERTIFICATE_TYPE, 0x7fffffff, CKA_CHECK_VALUE, CKA_SUBJECT};
	CK_ULONG count = rnd_below(w, 8), rooms[8];
	CK_ATTRIBUTE_TYPE chosen[8];
	bool null[8];

	for (CK_ULONG k = 0; k < count; k++) {
		chosen[k] = types[rnd_below(w, sizeof(types) / sizeof(types[0]))];
		rooms[k] = chance(w, 70) ? 600 : rnd_below(w, 20);
		null[k] = chance(w, 20);
		/* An array of attributes must be given as one: ask for its size only. */
		if (chosen[k] == CKA_WRAP_TEMPLATE || chosen[k] == CKA_UNWRAP_TEMPLATE)
			null[k] = true;
	}
	for (int side = 0; side < SIDES; side++) {
		CK_ATTRIBUTE *t = arena_array(&w->arena, count ? count : 1, sizeof(*t));

		for (CK_ULONG k = 0; k < count; k++) {
			t[k].type = chosen[k];
			t[k].ulValueLen = rooms[k];
			t[k].pValue = null[k] ? NULL : arena_alloc(&w->arena, rooms[k] ? rooms[k] : 1);
		}
		s->args[side][i].ptr = t;
		s->args[side][i].len = count;
	}
	/* An empty query, with and without an array. */
	if (count == 0 && chance(w, 50))
		both(s, i, NULL, 0);
}

static void
one_attr(struct world *w, CK_ATTRIBUTE *a, CK_ATTRIBUTE_TYPE type, const void *p, CK_ULONG n)
{
	a->type = type;
	a->ulValueLen = n;
	a->pValue = arena_alloc(&w->arena, n ? n : 1);
	memcpy(a->pValue, p, n);
}

static void
gen_attrs(struct world *w, struct step *s, size_t i)
{
	CK_ULONG count = 0, bits = 512, vlen = 16;
	CK_BBOOL yes = CK_TRUE, flip = chance(w, 50);
	CK_ATTRIBUTE *t;
	CK_OBJECT_CLASS class = rnd_below(w, 5);
	CK_KEY_TYPE type = CKK_GENERIC_SECRET;
	CK_BBOOL token = s->making_token;
	bool public = i == 2;

	switch (s->call->number) {
	case CALL_C_CreateObject:
		t = keys_template(w, s->making, s->making_token, w->serial, &count);
		both(s, i, t, count);
		return;
	case CALL_C_FindObjectsInit:
	case CALL_C_SetAttributeValue:
	case CALL_C_CopyObject:
		t = arena_array(&w->arena, 4, sizeof(*t));
		if (s->call->number == CALL_C_CopyObject)
			one_attr(w, &t[count++], CKA_TOKEN, &token, 1);
		if (chance(w, 30))
			one_attr(w, &t[count++], CKA_CLASS, &class, sizeof(class));
		if (chance(w, 30))
			one_attr(w, &t[count++], chance(w, 50) ? CKA_SENSITIVE : CKA_EXTRACTABLE, &flip, 1);
		if (chance(w, 30))
			one_attr(w, &t[count++], chance(w, 60) ? CKA_ID : CKA_SIGN, "\1\2", chance(w, 70) ? 2 : 1);
		both(s, i, t, count);
		return;
	default:
		t = arena_array(&w->arena, 8, sizeof(*t));
		one_attr(w, &t[count++], CKA_TOKEN, &token, 1);
		if (s->call->number == CALL_C_GenerateKeyPair && public) {
			bits = chance(w, 90) ? 1024 : bits;
			one_attr(w, &t[count++], CKA_MODULUS_BITS, &bits, sizeof(bits));
			one_attr(w, &t[count++], CKA_VERIFY, &yes, 1);
		} else if (s->call->number == CALL_C_GenerateKeyPair) {
			one_attr(w, &t[count++], CKA_SIGN, &yes, 1);
		} else {
			if (s->call->number != CALL_C_GenerateKey || chance(w, 20)) {
				class = CKO_SECRET_KEY;
				one_attr(w, &t[count++], CKA_CLASS, &class, sizeof(class));
				one_attr(w, &t[count++], CKA_KEY_TYPE, &type, sizeof(type));
			}
			if (s->call->number != CALL_C_UnwrapKey)
				one_attr(w, &t[count++], CKA_VALUE_LEN, &vlen, sizeof(vlen));
		}
		both(s, i, t, count);
	}
}

static CK_MECHANISM *
making_mech(struct world *w, struct step *s)
{
	static const CK_MECHANISM_TYPE gens[] = {CKM_AES_KEY_GEN, CKM_GENERIC_SECRET_KEY_GEN,
	    CKM_DES3_KEY_GEN, CKM_RSA_PKCS_KEY_PAIR_GEN};
	static CK_BYTE block[32] = {3};
	CK_KEY_DERIVATION_STRING_DATA data = {block, chance(w, 80) ? 16 : 10};
	CK_MECHANISM *m = arena_alloc(&w->arena, sizeof(*m));

	switch (s->call->number) {
	case CALL_C_GenerateKeyPair:
		m->mechanism = chance(w, 95) ? CKM_RSA_PKCS_KEY_PAIR_GEN : gens[rnd_below(w, 3)];
		return m;
	case CALL_C_GenerateKey:
		m->mechanism = gens[rnd_below(w, chance(w, 95) ? 3 : 4)];
		return m;
	case CALL_C_DeriveKey:
		m->mechanism = chance(w, 50) ? CKM_AES_ECB_ENCRYPT_DATA : CKM_DES3_ECB_ENCRYPT_DATA;
		m->pParameter = arena_alloc(&w->arena, sizeof(data));
		memcpy(m->pParameter, &data, sizeof(data));
		m->ulParameterLen = sizeof(data);
		return m;
	default:
		m->mechanism = chance(w, 50) ? CKM_AES_KEY_WRAP :
		    chance(w, 50) ? CKM_AES_KEY_WRAP_PAD : CKM_RSA_PKCS;
		s->random |= m->mechanism == CKM_RSA_PKCS;
		return m;
	}
}

static const char *
any_pin(struct world *w)
{
	static const char *const wrong[] = {"", "1", "nonsense", "654321"};

	if (chance(w, 85))
		return w->user_pin;
	return chance(w, 50) ? w->so_pin : wrong[rnd_below(w, 4)];
}

static void
gen_pin(struct world *w, struct step *s, size_t i)
{
	static const char *const new_pins[] = {"123456", "1234", "abcdef", "123"};
	const char *pin = any_pin(w);
	bool fresh = s->call->number == CALL_C_InitPIN || (s->call->number == CALL_C_SetPIN && i == 2);

	if (s->call->number == CALL_C_Login && s->args[0][1].len == CKU_SO && chance(w, 80))
		pin = w->so_pin;
	if (fresh)
		s->new_pin = pin = new_pins[rnd_below(w, 4)];
	both(s, i, chance(w, 1) ? NULL : (void *)(uintptr_t)pin, strlen(pin));
}

/* The same as last time, but for an initialisation vector or a counter. */
static CK_MECHANISM *
repeated_mech(struct world *w, const struct step *s, enum kind kind, bool *ret_random)
{
	uint64_t rng = w->rng;
	CK_MECHANISM *m;

	w->rng = w->repeat.mech_rng;
	m = gen_mech(w, op_of(s->call->number), kind, ret_random);
	w->rng = rng;
	if (m == NULL || m->pParameter == NULL || chance(w, 50))
		return m;
	if (m->mechanism == CKM_AES_CBC || m->mechanism == CKM_AES_CBC_PAD)
		*(CK_BYTE *)m->pParameter = (CK_BYTE)rnd(w);
	if (m->mechanism == CKM_AES_CTR) {
		CK_AES_CTR_PARAMS *p = m->pParameter;

		memset(p->cb, 0xff, sizeof(p->cb));
		p->cb[15] = (CK_BYTE)rnd(w);
	}
	return m;
}

static void
gen_arg(struct world *w, struct step *s, size_t i)
{
	static const CK_MECHANISM_TYPE asked[] = {CKM_RSA_PKCS, CKM_AES_GCM, CKM_ECDSA, 0x99999};
	static const CK_FLAGS flags[] = {CKF_SERIAL_SESSION | CKF_RW_SESSION, CKF_SERIAL_SESSION,
	    CKF_RW_SESSION, CKF_SERIAL_SESSION | CKF_RW_SESSION};
	bool random = false;
	CK_MECHANISM *m;
	enum kind kind;

	switch (s->call->args[i]) {
	case ARG_SESSION:
		gen_session(w, s, i);
		break;
	case ARG_SLOT:
		for (int side = 0; side < SIDES; side++)
			s->args[side][i].len = w->side[side].slot;
		break;
	case ARG_OBJECT:
		gen_object(w, s, i);
		break;
	case ARG_FLAGS:
		both(s, i, NULL, flags[rnd_below(w, 4)]);
		break;
	case ARG_USER_TYPE:
		both(s, i, NULL, chance(w, 75) ? CKU_USER : chance(w, 90) ? CKU_SO : rnd_below(w, 4));
		break;
	case ARG_MECH_TYPE:
		both(s, i, NULL, asked[rnd_below(w, 4)]);
		break;
	case ARG_PIN:
		gen_pin(w, s, i);
		break;
	case ARG_BYTES:
		gen_bytes(w, s, i);
		break;
	case ARG_MECH:
		/* The key comes after: choose it now so that the mechanism can fit. */
		kind = s->object >= 0 ? w->objects[s->object].kind : K_AES;
		if (s->repeats)
			m = repeated_mech(w, s, kind, &random);
		else
			m = op_of(s->call->number) != OP_NONE && s->call->number != CALL_C_WrapKey &&
			        s->call->number != CALL_C_UnwrapKey ?
			    gen_mech(w, op_of(s->call->number), kind, &random) : making_mech(w, s);
		s->mech = m != NULL ? m->mechanism : ~0ul;
		s->random |= random;
		both(s, i, m, 0);
		break;
	case ARG_ATTRS:
		gen_attrs(w, s, i);
		break;
	case ARG_ATTRS_QUERY:
		gen_query(w, s, i);
		break;
	case ARG_OUT_BYTES:
	case ARG_OUT_MECHANISMS:
		gen_out(w, s, i);
		break;
	case ARG_OUT_FILL:
		for (int side = 0; side < SIDES; side++) {
			s->args[side][i].len = 40;
			s->args[side][i].ptr = arena_alloc(&w->arena, 40);
		}
		break;
	case ARG_OUT_OBJECTS:
		for (int side = 0; side < SIDES; side++) {
			struct arg *a = &s->args[side][i];

			a->ptr = arena_array(&w->arena, 256, sizeof(CK_OBJECT_HANDLE));
			a->len = 256;
			a->plen = &a->room;
		}
		break;
	default:
		/* Every other output is a structure or a number: 512 bytes are enough. */
		for (int side = 0; side < SIDES; side++)
			s->args[side][i].ptr = arena_alloc(&w->arena, 512);
		break;
	}
}

/* A key that fits the call, so that most operations can begin. */
static void
prefer_key(struct world *w, struct step *s)
{
	enum op op = op_of(s->call->number);

	for (int tries = 0; tries < 6 && w->nobjects > 0 && op != OP_NONE && op != OP_DIGEST; tries++) {
		int i = (int)rnd_below(w, (unsigned)w->nobjects);
		enum kind k = w->objects[i].kind;

		s->object = i;
		if ((op == OP_SIGN && (k == K_RSA_PRIV || k == K_EC_PRIV || k == K_SECRET || k == K_AES)) ||
		    (op == OP_VERIFY && (k == K_RSA_PUB || k == K_EC_PUB || k == K_SECRET)) ||
		    (op == OP_ENCRYPT && (k == K_RSA_PUB || k == K_AES || k == K_DES3)) ||
		    (op == OP_DECRYPT && (k == K_RSA_PRIV || k == K_AES || k == K_DES3)))
			return;
	}
}

/* Begin to repeat what this step begins. */
static void
repeat_from(struct world *w, struct step *s)
{
	if (s->session < 0 || s->object < 0 || !chance(w, 80) ||
	    (s->call->number != CALL_C_SignInit && s->call->number != CALL_C_EncryptInit &&
	        s->call->number != CALL_C_DecryptInit))
		return;
	w->repeat = (struct repeat){.left = 6 + rnd_below(w, 26), .session = s->session,
	    .object = s->object, .begin = s->call->number, .mech_rng = rnd(w)};
	s->repeats = true;
}

/* The next of a repetition: its beginning, or the operation in one part. */
static bool
go_on_repeating(struct world *w, struct step *s)
{
	struct repeat *again = &w->repeat;
	enum op op;

	if (again->left == 0 || chance(w, 4))
		return false;
	op = w->sessions[again->session].op;
	s->repeats = true;
	s->session = again->session;
	if (op != OP_NONE) {
		s->call = call_by_number(going_on[op][0]);
		again->left--;
	} else {
		s->call = call_by_number(again->begin);
		s->object = again->object;
	}
	return true;
}

static void
pick_step(struct world *w, struct step *s)
{
	s->object = -1;
	if (go_on_repeating(w, s))
		return;
	s->session = w->nsessions > 0 && !chance(w, 2) ? (int)rnd_below(w, (unsigned)w->nsessions) : -1;
	s->call = call_by_number(w->nsessions == 0 && chance(w, 70) ? (uint32_t)CALL_C_OpenSession :
	        pick_call(w, s->session));
	prefer_key(w, s);
	if (w->repeat.left == 0)
		repeat_from(w, s);
}

void
gen_step(struct world *w, struct step *s)
{
	size_t nargs;

	memset(s, 0, sizeof(*s));
	pick_step(w, s);
	s->mech = s->session >= 0 ? w->sessions[s->session].mech : 0;
	s->making = (enum kind)rnd_below(w, K_OTHER);
	s->making_token = chance(w, 40);
	s->random = s->session >= 0 && w->sessions[s->session].random;
	w->serial++;
	nargs = call_nargs(s->call);
	for (size_t i = 0; i < nargs; i++) {
		if (s->call->args[i] == ARG_OBJECT && s->object >= 0 && i <= 2 &&
		    op_of(s->call->number) != OP_NONE) {
			s->random |= w->objects[s->object].random;
			for (int side = 0; side < SIDES; side++)
				s->args[side][i].len = w->objects[s->object].h[side];
			continue;
		}
		gen_arg(w, s, i);
	}
}
