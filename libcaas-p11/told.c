/* told.c - see told.h */
#include "libcaas-p11/told.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "libcaas-p11/known.h"

#define SESSIONS 16 /* places, each for any session whose handle falls on it */

struct told {
	uint64_t generation, epoch;
	bool fetched; /* with an answer or without */
	_Atomic int64_t until;
	int64_t token_until;
	struct info_mech *_Atomic mechs; /* of malloc(); NULL: slot and mechs are not told */
	uint32_t nmechs;
	CK_SLOT_INFO slot;
	CK_TOKEN_INFO token;
	struct {
		CK_SESSION_HANDLE handle; /* virtual; 0: none */
		CK_SESSION_INFO info;
	} sessions[SESSIONS];
};

/* A question that the token library has nothing to say against. */
static bool
is_plain(const struct call *call, const struct arg *args)
{
	switch (call->number) {
	case CALL_C_GetSlotInfo:
	case CALL_C_GetTokenInfo:
	case CALL_C_GetSessionInfo:
		return args[1].ptr != NULL;
	case CALL_C_GetMechanismList:
		return args[1].plen != NULL;
	case CALL_C_GetMechanismInfo:
		return args[2].ptr != NULL;
	default:
		return false;
	}
}

/* As SoftHSM2 does it. */
static CK_RV
give_list(const struct info *info, const struct arg *list)
{
	CK_MECHANISM_TYPE *types = list->ptr;
	CK_ULONG room = *list->plen;

	*list->plen = info->count;
	if (types == NULL)
		return CKR_OK;
	if (room < info->count)
		return CKR_BUFFER_TOO_SMALL;
	for (uint32_t i = 0; i < info->count; i++)
		types[i] = info->mechs[i].type;
	return CKR_OK;
}

bool
told_give(const struct info *info, const struct call *call, const struct arg *args,
    CK_RV *ret)
{
	if (!is_plain(call, args))
		return false;
	*ret = CKR_OK;
	switch (call->number) {
	case CALL_C_GetSlotInfo:
		memcpy(args[1].ptr, &info->slot, answer_info_len(ARG_OUT_SLOT_INFO));
		return true;
	case CALL_C_GetTokenInfo:
		memcpy(args[1].ptr, &info->token, answer_info_len(ARG_OUT_TOKEN_INFO));
		return true;
	case CALL_C_GetMechanismList:
		*ret = give_list(info, &args[1]);
		return true;
	case CALL_C_GetMechanismInfo:
		for (uint32_t i = 0; i < info->count; i++)
			if (info->mechs[i].type == args[1].len) {
				*(CK_MECHANISM_INFO *)args[2].ptr = info->mechs[i].info;
				return true;
			}
		return false;
	default:
		return false;
	}
}

static bool
give_session(const struct told *t, const struct arg *args, CK_RV *ret)
{
	CK_SESSION_HANDLE s = args[0].len;

	if (s == 0 || t->sessions[s % SESSIONS].handle != s || args[1].ptr == NULL)
		return false;
	*(CK_SESSION_INFO *)args[1].ptr = t->sessions[s % SESSIONS].info;
	*ret = CKR_OK;
	return true;
}

bool
told_answer(const struct told *t, uint64_t generation, int64_t now, const struct call *call,
    const struct arg *args, CK_RV *ret)
{
	struct info info;

	if (t == NULL || t->generation != generation || now >= t->until)
		return false;
	if (call->number == CALL_C_GetSessionInfo)
		return give_session(t, args, ret);
	if (call->number == CALL_C_GetTokenInfo ? now >= t->token_until : t->mechs == NULL)
		return false;
	info = (struct info){.slot = t->slot, .token = t->token, .count = t->nmechs,
	    .mechs = t->mechs};
	return told_give(&info, call, args, ret);
}

bool
told_may_fetch(const struct told *t, uint64_t generation, const struct call *call,
    const struct arg *args)
{
	return call->where == WHERE_SLOT && is_plain(call, args) &&
	    (t == NULL || t->generation != generation || !t->fetched);
}

static void
forget(struct told *t)
{
	struct info_mech *mechs = atomic_exchange(&t->mechs, NULL);

	free(mechs);
	memset(t, 0, sizeof(*t));
}

/* What is remembered of this channel. */
static struct told *
told_of(struct told **told, uint64_t generation)
{
	if (*told == NULL)
		*told = calloc(1, sizeof(**told));
	if (*told != NULL && (*told)->generation != generation) {
		forget(*told);
		(*told)->generation = generation;
	}
	return *told;
}

static void
keep_token(struct told *t, const CK_TOKEN_INFO *token, uint64_t epoch, int64_t asked)
{
	/* Served before a change that is known already. */
	if (epoch < t->epoch)
		return;
	t->token = *token;
	t->token_until = asked + KNOWN_MS;
}

void
told_all(struct told **told, uint64_t generation, int64_t asked, const struct info *info,
    bool current)
{
	struct told *t = told_of(told, generation);
	size_t size = info->count * sizeof(*info->mechs);
	struct info_mech *mechs;

	if (t == NULL)
		return;
	t->fetched = true;
	told_reply(t, generation, info->epoch, asked);
	if (info->rv != CKR_OK)
		return;
	t->slot = info->slot;
	if (current)
		keep_token(t, &info->token, info->epoch, asked);
	/* Another thread's were the same. */
	if (t->mechs != NULL || (mechs = malloc(size + 1)) == NULL)
		return;
	if (size > 0)
		memcpy(mechs, info->mechs, size);
	t->nmechs = info->count;
	atomic_store(&t->mechs, mechs);
}

void
told_one(struct told **told, uint64_t generation, uint64_t epoch, int64_t asked,
    const struct call *call, const struct arg *args)
{
	bool session = call->number == CALL_C_GetSessionInfo;
	CK_SESSION_HANDLE s = args[0].len;
	struct told *t;

	if (!told_keeps(call) || args[1].ptr == NULL ||
	    (t = told_of(told, generation)) == NULL)
		return;
	told_reply(t, generation, epoch, asked);
	if (session) {
		t->sessions[s % SESSIONS].handle = s;
		t->sessions[s % SESSIONS].info = *(const CK_SESSION_INFO *)args[1].ptr;
	} else {
		keep_token(t, args[1].ptr, epoch, asked);
	}
}

bool
told_older(const struct told *t, uint64_t generation, uint64_t epoch)
{
	return t != NULL && t->generation == generation && epoch > t->epoch;
}

bool
told_keeps(const struct call *call)
{
	return call->number == CALL_C_GetSessionInfo || call->number == CALL_C_GetTokenInfo;
}

void
told_reply(struct told *t, uint64_t generation, uint64_t epoch, int64_t asked)
{
	if (t == NULL || t->generation != generation)
		return;
	if (epoch > t->epoch) {
		t->token_until = 0;
		t->epoch = epoch;
	}
	if (t->until < asked + KNOWN_MS)
		t->until = asked + KNOWN_MS;
}

void
told_change(struct told *t)
{
	if (t == NULL)
		return;
	t->token_until = 0;
	memset(t->sessions, 0, sizeof(t->sessions));
}

void
told_renew(struct told *t)
{
	if (t != NULL)
		forget(t);
}

void
told_free(struct told *t)
{
	told_renew(t);
	free(t);
}
