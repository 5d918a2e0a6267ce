/* slot.c - the slot's calls: one token, one slot, the configuration's number for it */
#include <stdio.h>
#include <string.h>

#include "protocol/invoke.h"
#include "vsmd/worker/policy.h"
#include "vsmd/worker/serve.h"
#include "vsmd/worker/slot.h"
#include "vsmd/worker/view.h"

#define VERSION_MAJOR_ 0
#define VERSION_MINOR_ 1

/* A fixed field of blanks, as the specification wants them. */
static void
fill(CK_UTF8CHAR *dst, size_t size, const char *text)
{
	size_t n = strlen(text);

	memset(dst, ' ', size);
	memcpy(dst, text, n < size ? n : size);
}

static void
trim(char *dst, size_t size, const CK_UTF8CHAR *src, size_t len)
{
	while (len > 0 && (src[len - 1] == ' ' || src[len - 1] == '\0'))
		len--;
	if (len >= size)
		len = size - 1;
	memcpy(dst, src, len);
	dst[len] = '\0';
}

CK_RV
softhsm_slot(CK_FUNCTION_LIST *fl, CK_SLOT_ID *ret, bool *ret_blank)
{
	CK_SLOT_ID slots[16];
	CK_ULONG n = sizeof(slots) / sizeof(slots[0]);
	CK_TOKEN_INFO info;
	CK_RV rv;

	if ((rv = fl->C_GetSlotList(CK_FALSE, slots, &n)) != CKR_OK)
		return rv;
	*ret_blank = true;
	for (CK_ULONG i = 0; i < n; i++) {
		if ((rv = fl->C_GetTokenInfo(slots[i], &info)) != CKR_OK)
			return rv;
		if (info.flags & CKF_TOKEN_INITIALIZED) {
			*ret = slots[i];
			*ret_blank = false;
			return CKR_OK;
		}
		*ret = slots[i];
	}
	return n > 0 ? CKR_OK : CKR_SLOT_ID_INVALID;
}

CK_RV
step_slot_info(struct request *r)
{
	CK_SLOT_INFO *info = r->args[1].ptr;
	CK_RV rv = serve_call(r, r->call->gate);
	char text[64];

	if (rv != CKR_OK)
		return rv;
	snprintf(text, sizeof(text), "CaaS slot %u", r->w->config->nursery->slot);
	fill(info->slotDescription, sizeof(info->slotDescription), text);
	fill(info->manufacturerID, sizeof(info->manufacturerID), "CaaS");
	info->hardwareVersion.major = info->firmwareVersion.major = VERSION_MAJOR_;
	info->hardwareVersion.minor = info->firmwareVersion.minor = VERSION_MINOR_;
	return CKR_OK;
}

CK_RV
step_token_info(struct request *r)
{
	struct worker *w = r->w;
	CK_TOKEN_INFO *info = r->args[1].ptr;
	CK_FLAGS flags = 0;
	CK_RV rv = serve_call(r, r->call->gate);

	if (rv != CKR_OK)
		return rv;
	fill(info->manufacturerID, sizeof(info->manufacturerID), "CaaS");
	fill(info->model, sizeof(info->model), "vsmd");
	info->hardwareVersion.major = info->firmwareVersion.major = VERSION_MAJOR_;
	info->hardwareVersion.minor = info->firmwareVersion.minor = VERSION_MINOR_;
	if (w->config->nursery->max_sessions > 0) {
		info->ulMaxSessionCount = w->config->nursery->max_sessions;
		info->ulMaxRwSessionCount = w->config->nursery->max_sessions;
	}
	if (w->grant->flags & GRANT_CHANNEL_LOGIN)
		info->flags |= CKF_PROTECTED_AUTHENTICATION_PATH;
	if ((w->grant->flags & GRANT_PIN_LOCKOUT) && (info->flags & CKF_TOKEN_INITIALIZED)) {
		pool_promote(w, r->seat);
		if (store_token_flags(w, &flags) == CKR_OK)
			info->flags |= flags;
	}
	return CKR_OK;
}

CK_RV
step_mechanism_list(struct request *r)
{
	struct arg *list = &r->args[1];
	CK_FUNCTION_LIST *fl = r->w->fl;
	CK_MECHANISM_TYPE *all;
	CK_ULONG n = 0, kept = 0;
	CK_RV rv;

	if (!r->w->grant->limit_mechs || list->plen == NULL)
		return serve_call(r, r->call->gate);
	if ((rv = fl->C_GetMechanismList(r->w->slot, NULL, &n)) != CKR_OK)
		return rv;
	if ((all = arena_array(&r->arena, n, sizeof(*all))) == NULL)
		return CKR_HOST_MEMORY;
	if ((rv = fl->C_GetMechanismList(r->w->slot, all, &n)) != CKR_OK)
		return rv;
	for (CK_ULONG i = 0; i < n; i++)
		if (policy_mech_allowed(r->w->grant, all[i]))
			all[kept++] = all[i];
	n = *list->plen;
	*list->plen = kept;
	if (list->ptr == NULL)
		return CKR_OK;
	if (n < kept)
		return CKR_BUFFER_TOO_SMALL;
	memcpy(list->ptr, all, kept * sizeof(*all));
	return CKR_OK;
}

CK_RV
step_mechanism_info(struct request *r)
{
	if (!policy_mech_allowed(r->w->grant, r->args[1].len))
		return CKR_MECHANISM_INVALID;
	return serve_call(r, r->call->gate);
}

/* What the supervisor and the store should know of the new token. */
static void
note_token(struct request *r, struct store_token *ret)
{
	CK_TOKEN_INFO info;

	memset(ret, 0, sizeof(*ret));
	if (r->w->fl->C_GetTokenInfo(r->w->slot, &info) != CKR_OK)
		return;
	trim(ret->label, sizeof(ret->label), info.label, sizeof(info.label));
	trim(ret->serial, sizeof(ret->serial), info.serialNumber, sizeof(info.serialNumber));
}

CK_RV
step_init_token(struct request *r)
{
	struct worker *w = r->w;
	struct arg *pin = &r->args[1];
	CK_RV rv;

	login_lock(r);
	rv = w->blank ? CKR_OK : login_may(r, CKU_SO);
	if (rv == CKR_OK && (rv = serve_enter(r, GATE_EXCLUSIVE)) == CKR_OK) {
		/* It removes the objects that it sees. */
		view_whole();
		rv = call_invoke(r->call, w->fl, r->args);
		if (rv == CKR_OK) {
			note_token(r, &r->token);
			r->has_token = true;
			serve_changed(r);
			login_pins_changed(w);
			gate_objects_add(&r->gate, -(int)gate_objects(&w->gate));
			atomic_store(&w->blank, false);
		}
		serve_leave(r);
	}
	r->event.name = r->call->name;
	r->event.rv = rv;
	if (r->has_token)
		event_bytes(&r->event, "label", r->token.label, strlen(r->token.label));
	else
		event_bytes(&r->event, "label", r->args[2].ptr, r->args[2].ptr ? 32 : 0);
	if (rv == CKR_OK)
		rv = store_pin_changed(w, CKU_SO, pin->ptr, pin->len);
	else if (rv == CKR_PIN_INCORRECT && !w->blank)
		login_failed(r, CKU_SO);
	pthread_mutex_unlock(&w->login_lock);
	return rv;
}
