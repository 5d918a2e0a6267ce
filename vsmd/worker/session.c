/* session.c - opening and closing sessions */
#include "vsmd/worker/serve.h"

#include "protocol/invoke.h"

/* To who asks how many there are.  With open_lock held. */
static void
tell_count(struct worker *w)
{
	counters_sessions(w->config->nursery->counters, w->config->cell,
	    sessions_count(&w->sessions));
}

/* With open_lock held. */
static CK_RV
open_counted(struct worker *w, CK_FLAGS flags, CK_SESSION_HANDLE *ret)
{
	CK_RV rv;

	if (!sessions_reserve(&w->sessions))
		return CKR_SESSION_COUNT;
	rv = w->fl->C_OpenSession(w->slot, flags, NULL, NULL, ret);
	if (rv != CKR_OK) {
		sessions_add(&w->sessions, 0);
	} else if (!sessions_add(&w->sessions, *ret)) {
		(void)w->fl->C_CloseSession(*ret);
		rv = CKR_HOST_MEMORY;
	}
	return rv;
}

CK_RV
session_open(struct request *r, CK_FLAGS flags, CK_SESSION_HANDLE *ret)
{
	struct worker *w = r->w;
	CK_RV rv;

	if ((rv = serve_enter(r, GATE_SHARED)) != CKR_OK)
		return rv;
	pthread_mutex_lock(&w->open_lock);
	rv = open_counted(w, flags, ret);
	tell_count(w);
	pthread_mutex_unlock(&w->open_lock);
	serve_leave(r);
	return rv;
}

CK_RV
step_open_session(struct request *r)
{
	CK_SESSION_HANDLE *ret = r->args[4].ptr;

	return ret == NULL ? CKR_ARGUMENTS_BAD : session_open(r, r->args[1].len, ret);
}

/* The turn in the session is ours alone. */
static CK_RV
close_session(struct request *r, CK_SESSION_HANDLE handle)
{
	struct worker *w = r->w;
	bool last = false;
	CK_RV rv;

	login_lock(r);
	pthread_mutex_lock(&w->open_lock);
	if (sessions_count(&w->sessions) <= 1)
		keep_last(w); /* SoftHSM2 logs out with the last one */
	rv = w->fl->C_CloseSession(handle);
	if (rv == CKR_OK && r->turn.session != NULL)
		last = sessions_remove(&w->sessions, r->turn.session);
	/* SoftHSM2 logs out with the last session, and forgets all handles. */
	if (last)
		keycache_drop(&w->keys);
	else
		keycache_drop_objects(&w->keys);
	tell_count(w);
	pthread_mutex_unlock(&w->open_lock);
	if (last && w->user >= 0)
		login_gone(r);
	pthread_mutex_unlock(&w->login_lock);
	return rv;
}

CK_RV
step_close_session(struct request *r)
{
	return close_session(r, r->args[0].len);
}

/* SoftHSM2 says what it says then, and closes none that was opened meanwhile. */
static CK_RV
none_to_close(struct request *r)
{
	struct worker *w = r->w;
	CK_RV rv = CKR_OK;

	pthread_mutex_lock(&w->open_lock);
	if (sessions_count(&w->sessions) == 0)
		rv = w->fl->C_CloseAllSessions(w->slot);
	pthread_mutex_unlock(&w->open_lock);
	return rv;
}

CK_RV
step_close_all_sessions(struct request *r)
{
	struct worker *w = r->w;
	CK_SESSION_HANDLE *all;
	size_t n = sessions_count(&w->sessions);

	if (n == 0)
		return none_to_close(r);
	if ((all = arena_array(&r->arena, n, sizeof(*all))) == NULL)
		return CKR_HOST_MEMORY;
	n = sessions_list(&w->sessions, all, n);
	/* Those in use are waited for, one after the other. */
	pool_promote(w, r->seat);
	for (size_t i = 0; i < n; i++) {
		if (!turn_take(&w->sessions, all[i], false, &r->turn))
			turn_wait(&w->sessions, &r->turn);
		(void)close_session(r, all[i]);
		turn_done(&w->sessions, &r->turn);
	}
	return CKR_OK;
}

CK_RV
step_session_info(struct request *r)
{
	CK_SESSION_INFO *info = r->args[1].ptr;
	CK_RV rv = serve_call(r, r->call->gate);

	if (rv == CKR_OK)
		info->slotID = r->w->config->nursery->slot;
	return rv;
}
