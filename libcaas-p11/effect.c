/* effect.c - see effect.h */
#include "libcaas-p11/effect.h"

#include <stdlib.h>
#include <string.h>

#include "libcaas-p11/module.h"

void
effect_prepare(struct errand *e)
{
	memset(e->out, 0, sizeof(e->out));
	e->mark = handles_mark();
	if (e->call->number == CALL_C_SetAttributeValue)
		e->kept = handles_kept(&e->slot->module->handles, e->args[1].len);
	for (size_t i = 0; e->call->args[i] != ARG_END; i++)
		if ((e->call->args[i] == ARG_OUT_SESSION ||
			e->call->args[i] == ARG_OUT_OBJECT) &&
		    e->sent[i].ptr != NULL)
			e->sent[i].ptr = &e->out[i];
}

/* Every handle in the reply, in order, to where the application wants it. */
static CK_RV
give_objects(struct errand *e, const struct reply *reply)
{
	struct handles *h = &e->slot->module->handles;
	bool found = e->call->number == CALL_C_FindObjects;
	size_t used = 0;
	CK_RV rv;

	for (size_t i = 0; e->call->args[i] != ARG_END; i++) {
		size_t n = 0;

		if (e->call->args[i] == ARG_OUT_OBJECT && e->args[i].ptr != NULL)
			n = 1;
		else if (e->call->args[i] == ARG_OUT_OBJECTS && e->args[i].ptr != NULL)
			n = *e->args[i].plen;
		if (n == 0)
			continue;
		if (n > reply->nrefs - used)
			return CKR_DEVICE_ERROR;
		rv = handles_add_objects(h, e->slot, e->generation, reply->refs + used, n,
		    e->args[0].len, found, e->args[i].ptr);
		if (rv != CKR_OK)
			return rv;
		used += n;
	}
	return CKR_OK;
}

static CK_RV
give_session(struct errand *e)
{
	CK_SESSION_HANDLE *ret = e->args[4].ptr;

	if (ret == NULL)
		return CKR_ARGUMENTS_BAD;
	return handles_add_session(&e->slot->module->handles, e->slot, e->generation,
	    e->out[4], e->args[1].len, ret);
}

static void
close_session(const struct errand *e)
{
	/* With the last session goes the login. */
	if (handles_drop_session(&e->slot->module->handles, e->args[0].len))
		slot_logged_out(e->slot);
}

static void
close_all(const struct errand *e)
{
	handles_drop_slot(&e->slot->module->handles, e->slot);
	slot_logged_out(e->slot);
}

CK_RV
effect_apply(struct errand *e, const struct reply *reply)
{
	struct handles *h = &e->slot->module->handles;

	if (reply->rv != CKR_OK)
		return reply->rv;
	switch (e->call->number) {
	case CALL_C_OpenSession:
		return give_session(e);
	case CALL_C_CloseSession:
		close_session(e);
		break;
	case CALL_C_CloseAllSessions:
		close_all(e);
		break;
	case CALL_C_GetSessionInfo:
		if (e->args[1].ptr != NULL)
			((CK_SESSION_INFO *)e->args[1].ptr)->slotID = e->slot->id;
		break;
	case CALL_C_Login:
		return slot_logged_in(e->slot, e->generation, e->args[1].len, reply->ticket,
		    reply->ticket_len) ? CKR_OK : CKR_DEVICE_REMOVED;
	case CALL_C_Logout:
		slot_logged_out(e->slot);
		handles_logged_out(h, e->slot, e->mark);
		break;
	case CALL_C_SetAttributeValue:
		handles_unkeep(h, e->args[1].len, e->kept);
		break;
	case CALL_C_DestroyObject:
		handles_drop_object(h, e->args[1].len);
		break;
	default:
		if (reply->nrefs > 0)
			return give_objects(e, reply);
		break;
	}
	return CKR_OK;
}

CK_RV
effect_found(struct errand *e, const struct fetched *f, CK_OBJECT_HANDLE **ret)
{
	struct object_ref *refs = arena_array(&e->arena, f->count, sizeof(*refs));
	CK_RV rv = CKR_HOST_MEMORY;

	*ret = malloc((f->count + 1) * sizeof(**ret));
	for (uint32_t i = 0; refs != NULL && i < f->count; i++)
		refs[i] = f->objects[i].ref;
	if (refs != NULL && *ret != NULL)
		rv = handles_add_objects(&e->slot->module->handles, e->slot, e->generation,
		    refs, f->count, e->args[0].len, true, *ret);
	if (rv != CKR_OK) {
		free(*ret);
		*ret = NULL;
	}
	return rv;
}

void
effect_lost(const struct errand *e)
{
	if (e->call->number == CALL_C_CloseSession)
		close_session(e);
	else if (e->call->number == CALL_C_CloseAllSessions)
		close_all(e);
}
