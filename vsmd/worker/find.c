/* find.c - listing objects and reading them */
#include <string.h>

#include "common/secmem.h"
#include "protocol/invoke.h"
#include "vsmd/worker/policy.h"
#include "vsmd/worker/retire.h"
#include "vsmd/worker/serve.h"

/* Identities of n handles at `at`, dropping those that are hidden; returns what is left.
 * The gate is held. */
static CK_ULONG
keep_visible(struct request *r, CK_OBJECT_HANDLE *at, CK_ULONG n, struct object_ref *refs)
{
	struct worker *w = r->w;
	CK_ULONG kept = 0;
	struct object o;

	for (CK_ULONG i = 0; i < n; i++) {
		bool known = objects_get(w, r->args[0].len, at[i], &o);

		/* With rules, what cannot be judged is not shown. */
		if (w->grant->nrules > 0 && (!known || policy_hidden(w->grant, &o)))
			continue;
		at[kept] = refs[kept].handle = at[i];
		if (known)
			memcpy(refs[kept].id, o.identity, MSG_ID_LEN);
		kept++;
	}
	return kept;
}

CK_RV
step_find_objects_init(struct request *r)
{
	CK_RV rv = serve_enter(r, r->call->gate);

	if (rv != CKR_OK)
		return rv;
	lookup_prepare(r, r->args[1].ptr, r->args[1].len);
	pthread_rwlock_rdlock(&r->w->keep.finding);
	rv = call_invoke(r->call, r->w->fl, r->args);
	pthread_rwlock_unlock(&r->w->keep.finding);
	retire_seen(r->w);
	serve_leave(r);
	return rv;
}

CK_RV
step_find_objects(struct request *r)
{
	struct arg *list = &r->args[1];
	CK_OBJECT_HANDLE *handles = list->ptr;
	CK_ULONG n = 0, got;
	struct object_ref *refs;
	CK_RV rv;

	if (handles == NULL || list->plen == NULL || list->len == 0)
		return serve_call(r, r->call->gate);
	if ((refs = arena_array(&r->arena, list->len, sizeof(*refs))) == NULL)
		return CKR_HOST_MEMORY;
	if ((rv = serve_enter(r, GATE_SHARED)) != CKR_OK)
		return rv;
	/* Hidden ones leave room: ask again until it is filled or nothing is left. */
	do {
		rv = r->w->fl->C_FindObjects(
		    r->args[0].len, handles + n, list->len - n, &got);
		if (rv != CKR_OK || got == 0 || got > list->len - n)
			break;
		n += keep_visible(r, handles + n, got, refs + n);
	} while (n < list->len && r->w->grant->nrules > 0);
	serve_leave(r);
	*list->plen = n;
	r->reply.refs = refs;
	r->reply.nrefs = n;
	return rv;
}

/* Ask for the attributes that are not the key itself; say of those that they are secret. */
static CK_RV
read_public(struct request *r, CK_ATTRIBUTE *t, CK_ULONG n)
{
	CK_ATTRIBUTE *ask = arena_array(&r->arena, n, sizeof(*ask));
	CK_ULONG m = 0, next = 0;
	CK_RV rv;

	if (ask == NULL)
		return CKR_HOST_MEMORY;
	for (CK_ULONG i = 0; i < n; i++)
		if (!policy_attr_secret(t[i].type))
			ask[m++] = t[i];
	rv = r->w->fl->C_GetAttributeValue(r->args[0].len, r->args[1].len, ask, m);
	if (rv != CKR_OK && rv != CKR_ATTRIBUTE_SENSITIVE &&
	    rv != CKR_ATTRIBUTE_TYPE_INVALID && rv != CKR_BUFFER_TOO_SMALL)
		return rv;
	for (CK_ULONG i = 0; i < n; i++)
		if (policy_attr_secret(t[i].type))
			t[i].ulValueLen = CK_UNAVAILABLE_INFORMATION;
		else
			t[i].ulValueLen = ask[next++].ulValueLen;
	return m < n ? CKR_ATTRIBUTE_SENSITIVE : rv;
}

CK_RV
step_get_attributes(struct request *r)
{
	struct worker *w = r->w;
	struct object o;
	CK_RV rv;

	if ((w->grant->flags & GRANT_DENY_EXTRACT) == 0 || r->args[2].ptr == NULL)
		return serve_call(r, r->call->gate);
	if ((rv = serve_enter(r, GATE_SHARED)) != CKR_OK)
		return rv;
	if ((rv = serve_visible(r)) == CKR_OK) {
		if (objects_get(w, r->args[0].len, r->args[1].len, &o) && object_is_secret(&o))
			rv = read_public(r, r->args[2].ptr, r->args[2].len);
		else
			rv = call_invoke(r->call, w->fl, r->args);
	}
	serve_leave(r);
	return rv;
}
