/*
 * login.c - logins, PINs and tickets.
 *
 * SoftHSM2 judges a PIN.  Around it: lock-out is counted by the store, durably, also for
 * the old PIN of C_SetPIN and the SO PIN of C_InitToken, which could be guessed there as
 * well; a channel login takes the PIN from the store; a success yields a ticket.
 *
 * A login rewrites token.object (a flag, and a generation number) but changes nothing that
 * must last, so nothing is committed.
 */
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "common/secmem.h"
#include "protocol/invoke.h"
#include "vsmd/worker/serve.h"

#define RANDOM_PIN 32 /* characters of a PIN that nobody knows */

void
login_lock(struct request *r)
{
	if (pthread_mutex_trylock(&r->w->login_lock) == 0)
		return;
	pool_promote(r->w, r->seat);
	pthread_mutex_lock(&r->w->login_lock);
}

void
login_pins_changed(struct worker *w)
{
	uint32_t now = gate_pins_changed(&w->gate);

	/* Unless another process changed them too: then we are outdated, and see it. */
	if (now == atomic_load(&w->pins) + 1)
		atomic_store(&w->pins, now);
}

void
login_gone(struct request *r)
{
	struct worker *w = r->w;
	int user = w->user;

	w->user = -1;
	lookup_logout(w);
	keep_logout(w);
	objects_forget_all(&w->objects);
	if (user < 0)
		return;
	pool_promote(w, r->seat);
	(void)store_logged_out(w, (uint8_t)user);
}

static const char *
user_name(CK_USER_TYPE user)
{
	return user == CKU_SO ? "so" : user == CKU_USER ? "user" : "context-specific";
}

CK_RV
login_may(struct request *r, CK_USER_TYPE user)
{
	if ((r->w->grant->flags & GRANT_PIN_LOCKOUT) == 0)
		return CKR_OK;
	pool_promote(r->w, r->seat);
	return store_login_may(r->w, (uint8_t)user);
}

void
login_failed(struct request *r, CK_USER_TYPE user)
{
	struct event *e = &r->event;

	e->name = r->call->name;
	e->detail[0] = '\0';
	e->rv = CKR_PIN_INCORRECT;
	worker_count(r->w, COUNTER_WRONG_PINS);
	event_word(e, "user", user_name(user));
	if (r->w->grant->flags & GRANT_PIN_LOCKOUT)
		(void)store_login_done(
		    r->w, (uint8_t)user, false, NULL, 0, e, NULL, NULL);
	else
		audit_refusal(r, e);
}

static bool
is_empty(const struct arg *pin)
{
	return pin->ptr == NULL || pin->len == 0;
}

/* A channel login: the PIN is the store's; `secret` (WORKER_PIN_MAX bytes) holds it. */
static CK_RV
fetch_pin(struct request *r, struct arg *pin, uint8_t *secret)
{
	size_t len;
	CK_RV rv;

	pool_promote(r->w, r->seat);
	if ((rv = store_channel_pin(r->w, secret, &len)) != CKR_OK)
		return rv;
	pin->ptr = secret;
	pin->len = len;
	return CKR_OK;
}

/* SoftHSM2 accepted it: audit, ticket.  A login without a record is none. */
static CK_RV
login_succeeded(struct request *r, CK_USER_TYPE user, const struct arg *pin)
{
	struct worker *w = r->w;
	struct event *e = &r->event;
	CK_RV rv;

	r->reply.ticket_len = sizeof(r->ticket);
	e->name = r->call->name;
	e->rv = CKR_OK;
	event_word(e, "user", user_name(user));
	rv = store_login_done(w, (uint8_t)user, true, pin->ptr, pin->len, e, r->ticket,
	    &r->reply.ticket_len);
	if (rv == CKR_OK) {
		r->reply.ticket = r->ticket;
		if (user == CKU_USER)
			lookup_login(r, pin->ptr, pin->len);
		keep_login(w, r->ticket, r->reply.ticket_len);
		w->user = (int)user;
	} else {
		(void)w->fl->C_Logout(r->args[0].len);
	}
	return rv;
}

static CK_RV
login(struct request *r, CK_USER_TYPE user, struct arg *pin, uint8_t *secret)
{
	struct worker *w = r->w;
	CK_USER_TYPE who = user == CKU_CONTEXT_SPECIFIC ? (CK_USER_TYPE)w->user : user;
	bool judged = who == CKU_SO || who == CKU_USER, channel;
	CK_RV rv = CKR_OK;

	/* Whoever is logged in already hears that, whatever the PIN. */
	if (user != CKU_CONTEXT_SPECIFIC && w->user >= 0)
		judged = false;
	channel = (w->grant->flags & GRANT_CHANNEL_LOGIN) && who == CKU_USER &&
	    is_empty(pin);
	if (channel)
		rv = fetch_pin(r, pin, secret);
	else if (judged)
		rv = login_may(r, who);
	if (rv != CKR_OK || (rv = serve_enter(r, GATE_EXCLUSIVE)) != CKR_OK)
		return rv;
	rv = call_invoke(r->call, w->fl, r->args);
	serve_leave(r);
	if (rv == CKR_OK && user != CKU_CONTEXT_SPECIFIC) {
		rv = login_succeeded(r, user, pin);
	} else if (rv == CKR_PIN_INCORRECT && judged && !channel) {
		login_failed(r, who);
	}
	return rv;
}

CK_RV
step_login(struct request *r)
{
	struct arg *pin = &r->args[2];
	uint8_t secret[WORKER_PIN_MAX];
	CK_RV rv;

	login_lock(r);
	rv = login(r, r->args[1].len, pin, secret);
	pthread_mutex_unlock(&r->w->login_lock);
	*pin = (struct arg){0};
	sec_wipe(secret, sizeof(secret));
	return rv;
}

CK_RV
step_logout(struct request *r)
{
	CK_RV rv;

	login_lock(r);
	if ((rv = serve_call(r, r->call->gate)) == CKR_OK)
		login_gone(r);
	pthread_mutex_unlock(&r->w->login_lock);
	return rv;
}

/* A new PIN that nobody needs to know, where the channel is the login. */
static CK_RV
make_pin(struct request *r, struct arg *pin, char secret[RANDOM_PIN + 1])
{
	uint8_t raw[RANDOM_PIN / 2];

	if (!(r->w->grant->flags & GRANT_CHANNEL_LOGIN) || !is_empty(pin))
		return CKR_OK;
	if (RAND_bytes(raw, sizeof(raw)) != 1)
		return CKR_FUNCTION_FAILED;
	for (size_t i = 0; i < sizeof(raw); i++)
		snprintf(secret + 2 * i, 3, "%02x", raw[i]);
	sec_wipe(raw, sizeof(raw));
	pin->ptr = secret;
	pin->len = RANDOM_PIN;
	return CKR_OK;
}

/* Do the call; the new PIN of `user` goes to the store, and both are committed. */
static CK_RV
change_pin(struct request *r, CK_USER_TYPE user, const struct arg *new)
{
	struct worker *w = r->w;
	CK_RV rv;

	if ((rv = serve_enter(r, GATE_EXCLUSIVE)) != CKR_OK)
		return rv;
	rv = call_invoke(r->call, w->fl, r->args);
	if (rv == CKR_OK) {
		serve_changed(r);
		login_pins_changed(w);
	}
	serve_leave(r);
	if (rv != CKR_OK)
		return rv;
	r->event.name = r->call->name;
	r->event.rv = rv;
	event_word(&r->event, "user", user_name(user));
	return store_pin_changed(w, (uint8_t)user, new->ptr, new->len);
}

CK_RV
step_init_pin(struct request *r)
{
	struct arg *pin = &r->args[1];
	char secret[RANDOM_PIN + 1];
	CK_RV rv;

	login_lock(r);
	if ((rv = make_pin(r, pin, secret)) == CKR_OK)
		rv = change_pin(r, CKU_USER, pin);
	pthread_mutex_unlock(&r->w->login_lock);
	*pin = (struct arg){0};
	sec_wipe(secret, sizeof(secret));
	return rv;
}

static CK_RV
set_pin(struct request *r, uint8_t *old_secret, char *new_secret)
{
	struct worker *w = r->w;
	struct arg *old = &r->args[1], *new = &r->args[2];
	CK_USER_TYPE user = w->user == CKU_SO ? CKU_SO : CKU_USER;
	bool channel;
	CK_RV rv;

	channel = (w->grant->flags & GRANT_CHANNEL_LOGIN) && user == CKU_USER && is_empty(old);
	if (channel)
		rv = fetch_pin(r, old, old_secret);
	else
		rv = login_may(r, user);
	if (rv == CKR_OK && user == CKU_USER)
		rv = make_pin(r, new, new_secret);
	if (rv == CKR_OK)
		rv = change_pin(r, user, new);
	if (rv == CKR_PIN_INCORRECT && !channel)
		login_failed(r, user);
	return rv;
}

CK_RV
step_set_pin(struct request *r)
{
	uint8_t old_secret[WORKER_PIN_MAX];
	char new_secret[RANDOM_PIN + 1];
	CK_RV rv;

	login_lock(r);
	rv = set_pin(r, old_secret, new_secret);
	pthread_mutex_unlock(&r->w->login_lock);
	r->args[1] = r->args[2] = (struct arg){0};
	sec_wipe(old_secret, sizeof(old_secret));
	sec_wipe(new_secret, sizeof(new_secret));
	return rv;
}
