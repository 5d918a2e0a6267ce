/* model.c - what the driver knows of both sides' state */
#include <stdio.h>
#include <string.h>

#include "tests/differential/diff.h"

void
model_forget_session(struct world *w, int index)
{
	w->sessions[index] = w->sessions[--w->nsessions];
	w->repeat.left = 0;
}

void
model_forget_object(struct world *w, int index)
{
	int last = --w->nobjects;

	w->objects[index] = w->objects[last];
	w->repeat.left = 0;
	for (int i = 0; i < w->nsessions; i++) {
		if (w->sessions[i].signer == index)
			w->sessions[i].signer = -1;
		else if (w->sessions[i].signer == last)
			w->sessions[i].signer = index;
	}
}

static void
add_object(struct world *w, const struct step *s, const CK_OBJECT_HANDLE h[SIDES], enum kind kind,
    bool random)
{
	struct object *o;

	if (w->nobjects == MAX_OBJECTS)
		return; /* stays on the token, unused */
	o = &w->objects[w->nobjects++];
	memset(o, 0, sizeof(*o));
	o->kind = kind;
	o->random = random;
	o->token = s->making_token;
	o->serial = w->serial;
	memcpy(o->h, h, sizeof(o->h));
}

static void
made_objects(struct world *w, const struct step *s)
{
	for (size_t i = 0; i < call_nargs(s->call); i++) {
		CK_OBJECT_HANDLE h[SIDES];
		enum kind kind = s->making;
		bool random = false;

		if (s->call->args[i] != ARG_OUT_OBJECT)
			continue;
		for (int side = 0; side < SIDES; side++)
			h[side] = *(CK_OBJECT_HANDLE *)s->args[side][i].ptr;
		switch (s->call->number) {
		case CALL_C_GenerateKeyPair:
			kind = i == 4 ? K_RSA_PUB : K_RSA_PRIV;
			random = true;
			break;
		case CALL_C_GenerateKey:
			kind = s->mech == CKM_AES_KEY_GEN ? K_AES : s->mech == CKM_DES3_KEY_GEN ? K_DES3 : K_SECRET;
			random = true;
			break;
		case CALL_C_CopyObject:
			kind = s->object >= 0 ? w->objects[s->object].kind : K_OTHER;
			random = s->object >= 0 && w->objects[s->object].random;
			break;
		case CALL_C_DeriveKey:
		case CALL_C_UnwrapKey:
			kind = K_SECRET;
			random = s->random;
			break;
		default:
			break;
		}
		add_object(w, s, h, kind, random);
	}
}

/* What was signed or encrypted, each side its own, so that it can be verified. */
static void
keep_output(struct world *w, const struct step *s, int signer)
{
	if (signer < 0 || signer >= w->nobjects)
		return;
	for (size_t i = 0; i < call_nargs(s->call); i++) {
		for (int side = 0; side < SIDES && s->call->args[i] == ARG_OUT_BYTES; side++) {
			const struct arg *a = &s->args[side][i];

			if (a->ptr == NULL || a->plen == NULL || *a->plen > sizeof(w->objects[0].last[0]))
				return;
			memcpy(w->objects[signer].last[side], a->ptr, *a->plen);
			w->objects[signer].last_len[side] = *a->plen;
		}
	}
	/* The public half verifies what the private half made. */
	for (int k = 0; k < w->nobjects; k++) {
		enum kind mine = w->objects[signer].kind, other = w->objects[k].kind;

		if (k != signer && !w->objects[k].random && !w->objects[signer].random &&
		    ((mine == K_RSA_PRIV && other == K_RSA_PUB) || (mine == K_EC_PRIV && other == K_EC_PUB) ||
		        (mine == K_RSA_PUB && other == K_RSA_PRIV))) {
			memcpy(w->objects[k].last, w->objects[signer].last, sizeof(w->objects[k].last));
			memcpy(w->objects[k].last_len, w->objects[signer].last_len,
			    sizeof(w->objects[k].last_len));
		}
	}
}

static void
begin(struct session *ss, enum op op, const struct step *s)
{
	ss->op = op;
	ss->random = s->random;
	ss->signer = s->object;
	ss->mech = s->mech;
}

/* Session objects end with the sessions; which ones is the modules' business: ask. */
static void
drop_dead_objects(struct world *w)
{
	if (w->nsessions == 0) {
		for (int i = w->nobjects - 1; i >= 0; i--)
			if (!w->objects[i].token)
				model_forget_object(w, i);
	}
}

void
model_step(struct world *w, const struct step *s)
{
	struct session *ss = s->session >= 0 ? &w->sessions[s->session] : NULL;
	bool ok = s->rv[0] == CKR_OK && s->rv[1] == CKR_OK;
	bool sized = false;

	for (size_t i = 0; i < call_nargs(s->call); i++)
		sized |= s->call->args[i] == ARG_OUT_BYTES && s->args[0][i].ptr == NULL;
	if (ok)
		made_objects(w, s);
	/* What is refused is not refused for ever, but there is better to do. */
	if (!ok && s->repeats && s->call->number == w->repeat.begin && chance(w, 70))
		w->repeat.left = 0;
	w->repeated += ok && s->repeats && !sized && s->call->number != w->repeat.begin;
	/* A handle that died (logout, last session): tried once more at times, then let go. */
	if (s->object >= 0 && chance(w, 80) &&
	    (s->rv[0] == CKR_OBJECT_HANDLE_INVALID || s->rv[0] == CKR_KEY_HANDLE_INVALID) &&
	    s->session >= 0) {
		model_forget_object(w, s->object);
		return;
	}
	switch (s->call->number) {
	case CALL_C_OpenSession:
		if (!ok)
			break;
		if (w->nsessions == MAX_SESSIONS) {
			for (int side = 0; side < SIDES; side++)
				(void)w->side[side].p11->C_CloseSession(
				    *(CK_SESSION_HANDLE *)s->args[side][4].ptr);
			break;
		}
		ss = &w->sessions[w->nsessions++];
		memset(ss, 0, sizeof(*ss));
		ss->signer = -1;
		ss->flags = s->args[0][1].len;
		for (int side = 0; side < SIDES; side++)
			ss->h[side] = *(CK_SESSION_HANDLE *)s->args[side][4].ptr;
		break;
	case CALL_C_CloseSession:
		if (ok && ss != NULL)
			model_forget_session(w, s->session);
		drop_dead_objects(w);
		break;
	case CALL_C_CloseAllSessions:
		if (ok)
			w->nsessions = 0;
		w->repeat.left = 0;
		drop_dead_objects(w);
		break;
	case CALL_C_DestroyObject:
		if (ok && s->object >= 0)
			model_forget_object(w, s->object);
		break;
	case CALL_C_SetPIN:
	case CALL_C_InitPIN:
		/* C_SetPIN as SO changes the SO's: the driver then only knows that it failed. */
		if (ok && s->new_pin != NULL) {
			CK_SESSION_INFO info;

			if (w->side[0].p11->C_GetSessionInfo(w->sessions[s->session].h[0], &info) == CKR_OK &&
			    info.state == CKS_RW_SO_FUNCTIONS && s->call->number == CALL_C_SetPIN)
				snprintf(w->so_pin, sizeof(w->so_pin), "%s", s->new_pin);
			else
				snprintf(w->user_pin, sizeof(w->user_pin), "%s", s->new_pin);
		}
		break;
	case CALL_C_SignInit:
		if (ok && ss != NULL)
			begin(ss, OP_SIGN, s);
		break;
	case CALL_C_VerifyInit:
		if (ok && ss != NULL)
			begin(ss, OP_VERIFY, s);
		break;
	case CALL_C_EncryptInit:
		if (ok && ss != NULL)
			begin(ss, OP_ENCRYPT, s);
		break;
	case CALL_C_DecryptInit:
		if (ok && ss != NULL)
			begin(ss, OP_DECRYPT, s);
		break;
	case CALL_C_DigestInit:
		if (ok && ss != NULL)
			begin(ss, OP_DIGEST, s);
		break;
	case CALL_C_FindObjectsInit:
		if (ok && ss != NULL)
			begin(ss, OP_FIND, s);
		break;
	case CALL_C_DigestKey:
		if (ok && ss != NULL)
			ss->random |= s->random;
		break;
	case CALL_C_DigestUpdate:
	case CALL_C_SignUpdate:
	case CALL_C_VerifyUpdate:
	case CALL_C_EncryptUpdate:
	case CALL_C_DecryptUpdate:
	case CALL_C_FindObjects:
		if (!ok && ss != NULL && s->rv[0] != CKR_BUFFER_TOO_SMALL)
			ss->op = OP_NONE;
		break;
	case CALL_C_Sign:
	case CALL_C_SignFinal:
	case CALL_C_Encrypt:
	case CALL_C_EncryptFinal:
		if (ok && ss != NULL && !sized)
			keep_output(w, s, ss->signer);
		/* FALLTHROUGH */
	case CALL_C_Verify:
	case CALL_C_VerifyFinal:
	case CALL_C_Decrypt:
	case CALL_C_DecryptFinal:
	case CALL_C_Digest:
	case CALL_C_DigestFinal:
	case CALL_C_FindObjectsFinal:
		if (ss != NULL && !sized && s->rv[0] != CKR_BUFFER_TOO_SMALL)
			ss->op = OP_NONE;
		break;
	default:
		break;
	}
}

#define EMPTY 150000 /* steps: time enough for more objects than are seen as a whole */

static bool
find_again(struct world *w, int side, CK_SESSION_HANDLE session, struct object *o)
{
	CK_FUNCTION_LIST *p11 = w->side[side].p11;
	char label[32];
	CK_ATTRIBUTE t = {CKA_LABEL, label, 0};
	CK_OBJECT_HANDLE h[2];
	CK_ULONG n = 0;

	snprintf(label, sizeof(label), "o%lu", o->serial);
	t.ulValueLen = strlen(label);
	if (p11->C_FindObjectsInit(session, &t, 1) != CKR_OK ||
	    p11->C_FindObjects(session, h, 2, &n) != CKR_OK ||
	    p11->C_FindObjectsFinal(session) != CKR_OK || n != 1)
		return false;
	o->h[side] = h[0];
	return true;
}

/* Destroy all objects; returns how many. */
static CK_ULONG
empty(CK_FUNCTION_LIST *p11, CK_SESSION_HANDLE session)
{
	CK_OBJECT_HANDLE h[256];
	CK_ULONG n = 0, all = 0, destroyed;

	do {
		destroyed = 0;
		if (p11->C_FindObjectsInit(session, NULL, 0) != CKR_OK ||
		    p11->C_FindObjects(session, h, 256, &n) != CKR_OK ||
		    p11->C_FindObjectsFinal(session) != CKR_OK)
			return all;
		for (CK_ULONG i = 0; i < n; i++)
			destroyed += p11->C_DestroyObject(session, h[i]) == CKR_OK;
		all += destroyed;
	} while (destroyed > 0);
	return all;
}

/* Otherwise they are more and more, and SoftHSM2 slower and slower. */
static bool
empty_both(struct world *w, const CK_SESSION_HANDLE session[SIDES])
{
	CK_ULONG n[SIDES];

	while (w->nobjects > 0)
		model_forget_object(w, w->nobjects - 1);
	for (int side = 0; side < SIDES; side++)
		n[side] = empty(w->side[side].p11, session[side]);
	if (n[0] != n[1])
		printf("DIFFERENCE at step %lu: %lu objects to destroy, ours %lu\n", w->steps, n[0],
		    n[1]);
	return n[0] == n[1];
}

bool
model_cycle(struct world *w)
{
	CK_SESSION_HANDLE session[SIDES];

	w->nsessions = 0;
	w->repeat.left = 0;
	for (int side = 0; side < SIDES; side++) {
		CK_FUNCTION_LIST *p11 = w->side[side].p11;

		if (p11->C_Finalize(NULL) != CKR_OK ||
		    side_initialize(&w->side[side]) != CKR_OK ||
		    !side_find(w, &w->side[side]) ||
		    p11->C_OpenSession(w->side[side].slot,
		        CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL,
		        &session[side]) != CKR_OK ||
		    p11->C_Login(session[side], CKU_USER, (CK_UTF8CHAR_PTR)w->user_pin,
		        strlen(w->user_pin)) != CKR_OK) {
			printf("DIFFERENCE at step %lu: side %d does not come back after C_Finalize\n",
			    w->steps, side);
			return false;
		}
	}
	for (int i = w->nobjects - 1; i >= 0; i--) {
		bool found[SIDES];

		for (int side = 0; side < SIDES; side++)
			found[side] = find_again(w, side, session[side], &w->objects[i]);
		if (found[0] != found[1]) {
			printf("DIFFERENCE at step %lu: object o%lu is there on one side only\n", w->steps,
			    w->objects[i].serial);
			return false;
		}
		if (!found[0])
			model_forget_object(w, i);
	}
	if (w->steps % EMPTY == 0 && !empty_both(w, session))
		return false;
	for (int side = 0; side < SIDES; side++)
		(void)w->side[side].p11->C_CloseSession(session[side]);
	return true;
}
