/* worker_ask.c - see worker_ask.h */
#include "vsmd/store/worker_ask.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/ipc.h"
#include "common/log.h"
#include "common/secmem.h"
#include "vsmd/msg.h"
#include "vsmd/store/clock.h"
#include "vsmd/store/pass.h"
#include "vsmd/store/turns.h"

#define TRYING_MAX 10000 /* ms after which a login counts as abandoned */
#define SLOWED_MAX 5000	 /* ms that a login waits for the pause after wrong ones */
#define SLOWED_LOOK 100	 /* ms between looks whether it is over */

struct event {
	char name[EVENT_NAME], detail[EVENT_DETAIL];
	uint64_t rv;
};

static void
event_read(struct buf *b, struct event *e)
{
	buf_get_str(b, e->name, sizeof(e->name));
	buf_get_str(b, e->detail, sizeof(e->detail));
	e->rv = buf_get_u64(b);
}

/* What a worker is told when the disk refused. */
static CK_RV
disk_error(void)
{
	return errno == ENOSPC || errno == EDQUOT ? CKR_DEVICE_MEMORY : CKR_DEVICE_ERROR;
}

bool
commit_ask_read(struct store *s, struct attach *a, bool audit, struct commit_ask *ret,
    CK_RV *ret_written)
{
	struct buf *b = &a->request;
	char label[64], serial[64];

	b->pos = a->body;
	memset(ret, 0, sizeof(*ret));
	*ret_written = CKR_OK;
	ret->nevents = buf_get_u8(b);
	for (unsigned i = 0; i < ret->nevents; i++) {
		struct event e;

		event_read(b, &e);
		if (!buf_ok(b))
			return false;
		if (audit && store_note(s, a, e.name, e.detail, e.rv) != 0)
			*ret_written = disk_error();
	}
	switch (buf_get_u8(b)) {
	case 0:
		break;
	case 1:
		buf_get_str(b, label, sizeof(label));
		buf_get_str(b, serial, sizeof(serial));
		slot_trim(ret->label, sizeof(ret->label), label);
		slot_trim(ret->serial, sizeof(ret->serial), serial);
		ret->has_token = true;
		break;
	default:
		return false;
	}
	return buf_end(b);
}

static bool
ask_commit(struct store *s, struct attach *a)
{
	struct slot *slot = slot_table_find(&s->slots, a->slot);
	struct commit_ask ask;
	CK_RV written;

	a->body = a->request.pos;
	/* Grants go by a token's label: who may not make tokens cannot give one. */
	if (!commit_ask_read(s, a, false, &ask, &written) || (ask.has_token && !a->may_init))
		return false;
	if (slot == NULL || slot->discarding)
		attached_answer(a, CKR_DEVICE_ERROR, NULL);
	else
		a->wait = WAIT_COMMIT;
	return true;
}

static bool
ask_audit(struct store *s, struct attach *a)
{
	struct event e;

	event_read(&a->request, &e);
	if (!buf_end(&a->request))
		return false;
	attached_answer(a,
	    store_note(s, a, e.name, e.detail, e.rv) == 0 ? CKR_OK : CKR_DEVICE_ERROR,
	    NULL);
	return true;
}

/* Wrong PINs so far.  Those that could not be written count as well, as long as this
 * process lives: a full disk must not give guesses away. */
static struct pin_tries
tries_of(const struct store *s, uint32_t number)
{
	struct pin_tries tries = pins_tries(&s->group, &s->vault.map, number);
	const struct slot *slot = slot_table_find(&s->slots, number);

	for (unsigned i = 0; slot != NULL && i < PIN_USERS; i++)
		if (slot->failed[i] > tries.failed[i])
			tries.failed[i] = slot->failed[i];
	return tries;
}

unsigned
worker_pin_limit(const struct store *s, const struct attach *a)
{
	return a->flags & GRANT_PIN_LOCKOUT ? s->config->pin_tries : 0;
}

/* Logins of other workers (of that principal, or NULL) for the same PIN whose outcome is not
 * known yet. */
static unsigned
under_way(const struct store *s, const struct attach *a, enum pin_user user,
    const char *principal)
{
	int64_t now = clock_ms();
	unsigned n = 0;

	for (const struct attach *o = s->attached; o != NULL; o = o->next)
		n += o != a && !o->dead && !o->admin && o->slot == a->slot && o->trying &&
		     o->trying_as == user && now - o->trying_since < TRYING_MAX &&
		     (principal == NULL || strcmp(o->principal, principal) == 0);
	return n;
}

/*
 * The principal has guessed too often to guess at once (guess.h): this login waits a while, and
 * is refused without a try if that is not enough.
 */
static bool
slowed(struct store *s, struct attach *a, enum pin_user user)
{
	struct slot *slot = slot_table_find(&s->slots, a->slot);
	int64_t now = clock_ms();
	struct guess *g;
	unsigned others;
	bool first;

	if (!(a->flags & GRANT_PIN_LOCKOUT) || slot == NULL)
		return false;
	if ((g = guess_of(slot, &s->group, &s->vault.map, a->principal, now)) == NULL) {
		attached_answer(a, CKR_HOST_MEMORY, NULL);
		return true;
	}
	others = under_way(s, a, user, a->principal);
	first = !turns_behind(s, a);
	if (first && (g->failed[user] + others < GUESS_FREE ||
			 (others == 0 && now >= g->after[user]))) {
		a->slowed_since = 0;
		return false;
	}
	/* It has not guessed: it waits for those under way and before it, as long as they
	 * take. */
	if (g->failed[user] < GUESS_FREE) {
		a->slowed_since = 0;
		a->wait = WAIT_LOGIN;
		return true;
	}
	if (a->slowed_since == 0)
		a->slowed_since = now;
	if (now - a->slowed_since < SLOWED_MAX && g->after[user] - now < SLOWED_MAX) {
		a->look_at = now + SLOWED_LOOK;
		a->wait = WAIT_LOGIN;
		return true;
	}
	a->slowed_since = 0;
	if (!g->noted[user]) {
		char detail[64];

		snprintf(detail, sizeof(detail), "user=%s wrong=%u",
		    user == PIN_SO ? "so" : "user", g->failed[user]);
		g->noted[user] =
		    store_note(s, a, "pin-slowed", detail, CKR_FUNCTION_FAILED) == 0;
	}
	attached_answer(a, CKR_FUNCTION_FAILED, NULL);
	return true;
}

static bool
ask_login_may(struct store *s, struct attach *a)
{
	uint8_t type = buf_get_u8(&a->request);
	unsigned limit = worker_pin_limit(s, a), failed;
	struct slot *slot = slot_table_find(&s->slots, a->slot);
	enum pin_user user;

	if (!buf_end(&a->request) || !pin_user_of(type, &user))
		return false;
	failed = tries_of(s, a->slot).failed[user];
	a->trying = false;
	a->look_at = 0;
	if (limit > 0 && failed >= limit) {
		attached_answer(a, CKR_PIN_LOCKED, NULL);
	} else if ((a->flags & GRANT_PIN_LOCKOUT) && slot != NULL &&
		   turns_take(s, a, slot, user) && turns_others(s, a)) {
		/* Others have come before; whose turn it is is looked at when all that came
		 * with it are here. */
		a->wait = WAIT_LOGIN;
	} else if (slowed(s, a, user)) {
		return true;
	} else if (limit > 0 && failed + under_way(s, a, user, NULL) >= limit) {
		/* As many guesses are being tried as are left: this one waits for them.
		 */
		a->wait = WAIT_LOGIN;
	} else {
		a->trying = true;
		a->trying_as = user;
		a->trying_since = clock_ms();
		if (slot != NULL)
			turns_served(slot, a);
		attached_answer(a, CKR_OK, NULL);
	}
	return true;
}

static void
remember_login(struct attach *a, const struct ticket *t)
{
	if (a->nlogins == ATTACH_LOGINS) {
		memmove(
		    a->login[0], a->login[1], sizeof(a->login[0]) * (ATTACH_LOGINS - 1));
		memmove(a->login_type, a->login_type + 1, ATTACH_LOGINS - 1);
		a->nlogins--;
	}
	memcpy(a->login[a->nlogins], t->login, TICKET_LOGIN);
	a->login_type[a->nlogins++] = t->user_type;
}

/* { bytes ticket } into out; empty where there is nothing to take up again. */
static bool
make_ticket(struct store *s, struct attach *a, uint8_t type, const uint8_t *pin,
    size_t len, struct buf *out)
{
	struct ticket t = {.slot = a->slot, .user_type = type};
	struct buf sealed;
	bool ok = true;

	buf_init(&sealed, TICKET_MAX);
	if (type != CKU_CONTEXT_SPECIFIC && len <= TICKET_PIN_MAX) {
		memcpy(t.principal, a->principal, sizeof(t.principal));
		t.epoch = login_epoch(&s->group, &s->vault.map, a->slot);
		ok = crypt_random(t.login, sizeof(t.login)) &&
		     ticket_seal(
			 s->vault.keys, s->vault.journal.at.store, &t, pin, len, &sealed);
		if (ok)
			remember_login(a, &t);
	}
	buf_put_bytes(out, sealed.data, sealed.len);
	buf_free(&sealed);
	return ok && buf_ok(out);
}

/* Right or wrong, by this principal.  True when there is something to be written. */
static bool
count_guess(struct store *s, const struct attach *a, enum pin_user user, bool right)
{
	struct slot *slot = slot_table_find(&s->slots, a->slot);
	const struct map *m = &s->vault.map;
	int64_t now = clock_ms();
	struct guess *g = NULL;

	if ((a->flags & GRANT_PIN_LOCKOUT) && slot != NULL)
		g = guess_of(slot, &s->group, m, a->principal, now);
	if (g == NULL)
		return false;
	if (right)
		return guess_right(slot, &s->group, m, g, user);
	guess_wrong(slot, &s->group, g, user, now);
	return true;
}

/* In memory at once; durably with the commit that the answer waits for. */
static void
count_failure(struct store *s, const struct attach *a, enum pin_user user,
    struct pin_tries *tries, unsigned limit)
{
	struct slot *slot = slot_table_find(&s->slots, a->slot);
	char detail[64];

	tries->failed[user]++;
	if (slot != NULL)
		slot->failed[user] = tries->failed[user];
	if (tries->failed[user] != limit)
		return;
	snprintf(detail, sizeof(detail), "user=%s tries=%u", user == PIN_SO ? "so" : "user",
	    limit);
	(void)store_note(s, a, "pin-locked", detail, CKR_PIN_LOCKED);
}

static void
forget_failures(struct store *s, const struct attach *a, enum pin_user user,
    struct pin_tries *tries)
{
	struct slot *slot = slot_table_find(&s->slots, a->slot);

	tries->failed[user] = 0;
	if (slot != NULL)
		slot->failed[user] = 0;
}

static bool
ask_login_done(struct store *s, struct attach *a)
{
	struct buf *b = &a->request;
	uint8_t type = buf_get_u8(b), success = buf_get_u8(b);
	unsigned limit = worker_pin_limit(s, a);
	struct pin_tries tries;
	const uint8_t *pin;
	enum pin_user user;
	struct event e;
	size_t len = 0;
	bool guess;

	pin = buf_get_bytes(b, &len);
	event_read(b, &e);
	if (!buf_end(b) || !pin_user_of(type, &user) || success > 1)
		return false;
	a->trying = false;
	tries = tries_of(s, a->slot);
	if (!success && limit > 0)
		count_failure(s, a, user, &tries, limit);
	guess = !success && count_guess(s, a, user, false);
	if (store_note(s, a, e.name, e.detail, e.rv) != 0 ||
	    (success && !make_ticket(s, a, type, pin, len, &a->answer))) {
		attached_answer(a, CKR_DEVICE_ERROR, NULL);
		return true;
	}
	if (success)
		guess = count_guess(s, a, user, true);
	if (!guess && (success ? tries.failed[user] == 0 : limit == 0)) {
		attached_answer(a, CKR_OK, &a->answer);
		return true;
	}
	if (success)
		forget_failures(s, a, user, &tries);
	if (success || limit > 0)
		pins_put_tries(&s->group, a->slot, &tries);
	a->wait = WAIT_DURABLE;
	return true;
}

static bool
ask_channel_pin(struct store *s, struct attach *a)
{
	char key[MAP_KEY_MAX];
	const uint8_t *pin;
	struct buf out;
	size_t len = 0;

	if (!buf_end(&a->request))
		return false;
	if (!(a->flags & GRANT_CHANNEL_LOGIN)) {
		(void)store_note(s, a, "channel-pin-refused",
		    "the grant has no channel login", CKR_FUNCTION_REJECTED);
		attached_answer(a, CKR_FUNCTION_REJECTED, NULL);
		return true;
	}
	slot_key(key, a->slot, "pin/user");
	if ((pin = map_get(&s->vault.map, key, &len)) == NULL) {
		attached_answer(a, CKR_USER_PIN_NOT_INITIALIZED, NULL);
		return true;
	}
	buf_init(&out, IPC_MAX / 2);
	buf_put_bytes(&out, pin, len);
	attached_answer(a, CKR_OK, &out);
	buf_free(&out);
	return true;
}

static bool
ask_ticket_open(struct store *s, struct attach *a)
{
	const struct map *m = &s->vault.map;
	struct buf pin, out;
	const uint8_t *data;
	struct ticket t;
	size_t len = 0;
	bool ok;

	data = buf_get_bytes(&a->request, &len);
	if (!buf_end(&a->request))
		return false;
	buf_init(&pin, TICKET_PIN_MAX);
	buf_init(&out, TICKET_MAX);
	ok = ticket_open(s->vault.keys, s->vault.journal.at.store, data, len, &t, &pin) &&
	     strcmp(t.principal, a->principal) == 0 && t.slot == a->slot &&
	     t.epoch == login_epoch(&s->group, m, a->slot) &&
	     !revoked_has(&s->revoked, m, a->slot, t.login);
	if (ok) {
		remember_login(a, &t);
		buf_put_u8(&out, t.user_type);
		buf_put_bytes(&out, pin.data, pin.len);
		ok = buf_ok(&out);
	}
	attached_answer(a, ok ? CKR_OK : CKR_USER_NOT_LOGGED_IN, ok ? &out : NULL);
	buf_free(&pin);
	buf_free(&out);
	return true;
}

static bool
old_pass(struct store *s, const struct attach *a, const uint8_t *data, size_t len,
    struct pass *ret)
{
	return pass_open(s->vault.keys, s->vault.journal.at.store, data, len, ret) &&
	    strcmp(ret->principal, a->principal) == 0 && ret->slot == a->slot &&
	    ret->epoch == login_epoch(&s->group, &s->vault.map, a->slot);
}

static bool
new_pass(struct store *s, const struct attach *a, struct pass *ret, struct buf *sealed)
{
	memset(ret, 0, sizeof(*ret));
	memcpy(ret->principal, a->principal, sizeof(ret->principal));
	ret->slot = a->slot;
	ret->epoch = login_epoch(&s->group, &s->vault.map, a->slot);
	return crypt_random(ret->key, sizeof(ret->key)) &&
	    pass_seal(s->vault.keys, s->vault.journal.at.store, ret, sealed);
}

static bool
ask_keep(struct store *s, struct attach *a)
{
	size_t len = 0;
	const uint8_t *data = buf_get_bytes(&a->request, &len);
	struct buf sealed, out;
	struct pass pass;
	bool ok;

	if (!buf_end(&a->request))
		return false;
	buf_init(&sealed, PASS_MAX);
	buf_init(&out, 2 * PASS_MAX);
	if (len == 0)
		ok = new_pass(s, a, &pass, &sealed);
	else if ((ok = len <= PASS_MAX && old_pass(s, a, data, len, &pass)))
		buf_put_raw(&sealed, data, len);
	if (ok) {
		buf_put_bytes(&out, sealed.data, sealed.len);
		buf_put_raw(&out, pass.key, sizeof(pass.key));
		ok = buf_ok(&sealed) && buf_ok(&out);
	}
	attached_answer(a, ok ? CKR_OK : CKR_USER_NOT_LOGGED_IN, ok ? &out : NULL);
	sec_wipe(&pass, sizeof(pass));
	buf_free(&sealed);
	buf_free(&out);
	return true;
}

static bool
ask_pin_changed(struct store *s, struct attach *a)
{
	uint8_t type = buf_get_u8(&a->request);
	enum pin_user user;
	const uint8_t *pin;
	size_t len = 0;

	(void)s;
	pin = buf_get_bytes(&a->request, &len);
	if (!buf_end(&a->request) || !pin_user_of(type, &user) ||
	    type == CKU_CONTEXT_SPECIFIC)
		return false;
	buf_reset(&a->pin[user]);
	buf_put_raw(&a->pin[user], pin, len);
	a->new_pin[user] = buf_ok(&a->pin[user]);
	attached_answer(a, a->new_pin[user] ? CKR_OK : CKR_PIN_LEN_RANGE, NULL);
	return true;
}

/* Does another worker (a forked child, or its parent) still take part in this login? */
static bool
shared_login(const struct store *s, const struct attach *a, const uint8_t *login)
{
	for (const struct attach *o = s->attached; o != NULL; o = o->next)
		for (size_t i = 0; o != a && !o->dead && i < o->nlogins; i++)
			if (memcmp(o->login[i], login, TICKET_LOGIN) == 0)
				return true;
	return false;
}

static bool
ask_logged_out(struct store *s, struct attach *a)
{
	uint8_t type = buf_get_u8(&a->request);
	size_t kept = 0;

	if (!buf_end(&a->request) || type > CKU_CONTEXT_SPECIFIC)
		return false;
	for (size_t i = 0; i < a->nlogins; i++) {
		if (a->login_type[i] != type) {
			memmove(a->login[kept], a->login[i], TICKET_LOGIN);
			a->login_type[kept++] = a->login_type[i];
		} else if (!shared_login(s, a, a->login[i]) &&
			   !revoked_add(
			       &s->revoked, &s->vault.map, a->slot, a->login[i])) {
			log_warn("out of memory: a ticket stays good after a logout");
		}
	}
	a->nlogins = kept;
	attached_answer(a, CKR_OK, NULL);
	return true;
}

static bool
ask_token_flags(struct store *s, struct attach *a)
{
	struct pin_tries tries;
	struct buf out;

	if (!buf_end(&a->request))
		return false;
	tries = tries_of(s, a->slot);
	buf_init(&out, 8);
	buf_put_u64(&out, pins_flags(&tries, worker_pin_limit(s, a)));
	attached_answer(a, CKR_OK, &out);
	buf_free(&out);
	return true;
}

static bool
ask_once(struct store *s, struct attach *a)
{
	const struct slot *slot = slot_table_find(&s->slots, a->slot);
	const uint8_t *name = buf_get_raw(&a->request, ONCE_LEN);
	struct buf out;

	if (name == NULL || !buf_end(&a->request))
		return false;
	if (slot == NULL || slot->discarding) {
		attached_answer(a, CKR_DEVICE_ERROR, NULL);
		return true;
	}
	buf_init(&out, 64);
	once_tell(slot, name, &out);
	attached_answer(a, CKR_OK, &out);
	buf_free(&out);
	return true;
}

static const struct {
	uint8_t msg;
	bool (*answer)(struct store *s, struct attach *a);
} asks[] = {
    {M_W_COMMIT, ask_commit},
    {M_W_AUDIT, ask_audit},
    {M_W_LOGIN_MAY, ask_login_may},
    {M_W_LOGIN_DONE, ask_login_done},
    {M_W_CHANNEL_PIN, ask_channel_pin},
    {M_W_TICKET_OPEN, ask_ticket_open},
    {M_W_PIN_CHANGED, ask_pin_changed},
    {M_W_LOGGED_OUT, ask_logged_out},
    {M_W_TOKEN_FLAGS, ask_token_flags},
    {M_W_ONCE, ask_once},
    {M_W_KEEP, ask_keep},
};

bool
worker_ask(struct store *s, struct attach *a)
{
	uint8_t msg = buf_get_u8(&a->request);

	for (size_t i = 0; i < sizeof(asks) / sizeof(asks[0]); i++)
		if (asks[i].msg == msg)
			return asks[i].answer(s, a);
	return false;
}
