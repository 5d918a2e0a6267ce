/* compare.c - one step, two answers */
#include <stdio.h>
#include <string.h>

#include "protocol/names.h"
#include "tests/differential/diff.h"

static void
say(const struct world *w, const struct step *s, const char *what)
{
	printf("DIFFERENCE at step %lu: %s, session %d, object %d, mechanism 0x%lx: %s\n",
	    w->steps, s->call->name, s->session, s->object, s->mech, what);
}

static bool
same_query(const struct world *w, const struct step *s, size_t i)
{
	const CK_ATTRIBUTE *a = s->args[0][i].ptr, *b = s->args[1][i].ptr;
	bool values_random = s->object >= 0 && w->objects[s->object].random;
	char line[160];

	if (s->rv[0] != CKR_OK && s->rv[0] != CKR_ATTRIBUTE_SENSITIVE &&
	    s->rv[0] != CKR_ATTRIBUTE_TYPE_INVALID && s->rv[0] != CKR_BUFFER_TOO_SMALL)
		return true;
	for (CK_ULONG k = 0; k < s->args[0][i].len; k++) {
		if (a[k].ulValueLen != b[k].ulValueLen &&
		    !(values_random && a[k].type != CKA_LABEL && a[k].ulValueLen != ~0ul &&
		        b[k].ulValueLen != ~0ul)) {
			snprintf(line, sizeof(line), "attribute 0x%lx has length %ld, ours %ld", a[k].type,
			    (long)a[k].ulValueLen, (long)b[k].ulValueLen);
			say(w, s, line);
			return false;
		}
		if (a[k].pValue != NULL && a[k].ulValueLen != ~0ul && !values_random &&
		    a[k].ulValueLen <= 600 && memcmp(a[k].pValue, b[k].pValue, a[k].ulValueLen) != 0) {
			snprintf(line, sizeof(line), "attribute 0x%lx has another value", a[k].type);
			say(w, s, line);
			return false;
		}
	}
	return true;
}

static bool
same_bytes(const struct world *w, const struct step *s, size_t i)
{
	const struct arg *a = &s->args[0][i], *b = &s->args[1][i];
	char line[160];

	if (a->plen == NULL || (s->rv[0] != CKR_OK && s->rv[0] != CKR_BUFFER_TOO_SMALL))
		return true;
	if (*a->plen != *b->plen && !(s->random && s->rv[0] == CKR_OK && a->ptr != NULL)) {
		snprintf(line, sizeof(line), "output length %lu, ours %lu", *a->plen, *b->plen);
		say(w, s, line);
		return false;
	}
	if (s->rv[0] == CKR_OK && a->ptr != NULL && !s->random &&
	    memcmp(a->ptr, b->ptr, *a->plen) != 0) {
		say(w, s, "another output");
		return false;
	}
	return true;
}

static bool
same_struct(const struct world *w, const struct step *s, size_t i, enum arg_kind kind)
{
	const void *a = s->args[0][i].ptr, *b = s->args[1][i].ptr;

	if (kind == ARG_OUT_SESSION_INFO) {
		const CK_SESSION_INFO *x = a, *y = b;

		if (x->state != y->state || x->flags != y->flags || x->ulDeviceError != y->ulDeviceError) {
			say(w, s, "another session state");
			return false;
		}
	} else if (kind == ARG_OUT_TOKEN_INFO) {
		const CK_TOKEN_INFO *x = a, *y = b;

		if (x->flags != y->flags || memcmp(x->label, y->label, 32) != 0 ||
		    x->ulMaxPinLen != y->ulMaxPinLen || x->ulMinPinLen != y->ulMinPinLen ||
		    x->ulRwSessionCount != y->ulRwSessionCount || x->ulSessionCount != y->ulSessionCount) {
			printf("flags %lx %lx sessions %lu %lu rw %lu %lu\n", x->flags, y->flags,
			    x->ulSessionCount, y->ulSessionCount, x->ulRwSessionCount, y->ulRwSessionCount);
			say(w, s, "another token info");
			return false;
		}
	} else if (kind == ARG_OUT_MECH_INFO) {
		if (memcmp(a, b, sizeof(CK_MECHANISM_INFO)) != 0) {
			say(w, s, "another mechanism info");
			return false;
		}
	} else if (kind == ARG_OUT_SLOT_INFO) {
		const CK_SLOT_INFO *x = a, *y = b;

		if (x->flags != y->flags) {
			say(w, s, "other slot flags");
			return false;
		}
	}
	return true;
}

bool
compare_step(struct world *w, const struct step *s)
{
	char line[160];

	if (s->rv[0] != s->rv[1]) {
		const char *why = known_difference(s);

		if (why != NULL) {
			if (w->verbose)
				printf("step %lu: %s: %s, ours %s: %s\n", w->steps, s->call->name,
				    ck_rv_name(s->rv[0]), ck_rv_name(s->rv[1]), why);
			return true;
		}
		snprintf(line, sizeof(line), "%s, ours %s", ck_rv_name(s->rv[0]), ck_rv_name(s->rv[1]));
		say(w, s, line);
		return false;
	}
	for (size_t i = 0; i < call_nargs(s->call); i++) {
		switch (s->call->args[i]) {
		case ARG_ATTRS_QUERY:
			if (!same_query(w, s, i))
				return false;
			break;
		case ARG_OUT_BYTES:
			if (!same_bytes(w, s, i))
				return false;
			break;
		case ARG_OUT_OBJECTS:
			if (s->rv[0] == CKR_OK && s->args[0][i].room != s->args[1][i].room) {
				snprintf(line, sizeof(line), "%lu objects, ours %lu", s->args[0][i].room,
				    s->args[1][i].room);
				say(w, s, line);
				return false;
			}
			break;
		case ARG_OUT_MECHANISMS:
			if (s->rv[0] == CKR_OK && s->args[0][i].plen != NULL &&
			    (s->args[0][i].room != s->args[1][i].room ||
			        (s->args[0][i].ptr != NULL &&
			            memcmp(s->args[0][i].ptr, s->args[1][i].ptr, s->args[0][i].room * 8) != 0))) {
				say(w, s, "another list of mechanisms");
				return false;
			}
			break;
		default:
			if (s->rv[0] == CKR_OK && !same_struct(w, s, i, s->call->args[i]))
				return false;
			break;
		}
	}
	return true;
}
