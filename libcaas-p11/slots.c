/* slots.c - see slots.h */
#include "libcaas-p11/slots.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "libcaas-p11/accepted.h"
#include "libcaas-p11/known.h"
#include "libcaas-p11/module.h"
#include "libcaas-p11/told.h"
#include "protocol/hello.h"
#include "vchan-transport/deadline.h"

#define PAUSE_FIRST 10 /* ms between two tries to reconnect, doubled up to PAUSE_LAST */
#define PAUSE_LAST 200
#define JOINS 4 /* channels in a row that may be lost before they are used */

static struct slot *
slot_new(struct module *m, CK_SLOT_ID id)
{
	struct slot *s = calloc(1, sizeof(*s));

	if (s == NULL || lock_init(&s->lock, &m->how) != CKR_OK) {
		free(s);
		return NULL;
	}
	if (lock_init(&s->joining, &m->how) != CKR_OK) {
		lock_free(&s->lock);
		free(s);
		return NULL;
	}
	s->id = id;
	s->module = m;
	return s;
}

static void
slot_free(struct slot *s)
{
	if (s->link != NULL)
		link_release(s->link);
	ticket_drop(&s->ticket);
	ticket_drop(&s->pass);
	blob_forget(&s->astray);
	accepted_free(s->accepted);
	known_free(s->known);
	told_free(s->told);
	lock_free(&s->joining);
	lock_free(&s->lock);
	free(s);
}

enum attach
slots_get(struct module *m, CK_SLOT_ID id, struct slot **ret)
{
	struct slot *s;

	if (id > UINT32_MAX)
		return ATTACH_NO_SLOT;
	lock_take(&m->lock);
	for (s = m->slots; s != NULL && s->id != id; s = s->next)
		;
	if (s == NULL && (s = slot_new(m, id)) != NULL) {
		s->next = m->slots;
		m->slots = s;
	}
	if (s != NULL)
		s->users++;
	lock_give(&m->lock);
	*ret = s;
	return s != NULL ? ATTACH_OK : ATTACH_NO_MEMORY;
}

void
slots_put(struct module *m, struct slot *slot)
{
	struct slot **p;
	bool gone;

	lock_take(&m->lock);
	lock_take(&slot->lock);
	gone = --slot->users == 0 && slot->link_generation == 0;
	lock_give(&slot->lock);
	for (p = &m->slots; gone && *p != slot; p = &(*p)->next)
		;
	if (gone)
		*p = slot->next;
	lock_give(&m->lock);
	if (gone)
		slot_free(slot);
}

void
slots_stop(struct module *m, CK_RV why)
{
	lock_take(&m->lock);
	for (struct slot *s = m->slots; s != NULL; s = s->next) {
		lock_take(&s->lock);
		if (s->link != NULL)
			link_break(s->link, why);
		lock_give(&s->lock);
	}
	lock_give(&m->lock);
}

CK_RV
slots_renew(struct module *m)
{
	CK_RV rv = CKR_OK;

	for (struct slot *s = m->slots; s != NULL && rv == CKR_OK; s = s->next) {
		if ((rv = lock_renew(&s->joining)) == CKR_OK)
			rv = lock_renew(&s->lock);
		if (s->link != NULL)
			link_forget(s->link);
		s->link = NULL;
		s->ready = false;
		s->try_until = 0;
		s->lost = s->link_generation != 0;
		s->users = 0;
		s->changing = 0;
		s->nsessions = 0; /* counted anew by handles_renew() */
		told_renew(s->told);
	}
	return rv;
}

void
slots_free(struct module *m)
{
	struct slot *s;

	while ((s = m->slots) != NULL) {
		m->slots = s->next;
		slot_free(s);
	}
}

static bool
take_ready(struct slot *slot, struct link **ret, uint64_t *ret_generation)
{
	bool ok;

	lock_take(&slot->lock);
	ok = slot->link != NULL && slot->ready && !link_broken(slot->link);
	if (ok) {
		link_hold(slot->link);
		*ret = slot->link;
		*ret_generation = slot->link_generation;
	}
	lock_give(&slot->lock);
	return ok;
}

/* Put `link`, whose reference the slot takes over, in the place of the present one.
 * True when there was one. */
static bool
replace(struct slot *slot, struct link *link, bool ready)
{
	struct link *old;

	lock_take(&slot->lock);
	old = slot->link;
	slot->link = link;
	slot->ready = ready;
	lock_give(&slot->lock);
	if (old != NULL)
		link_release(old);
	return old != NULL;
}

/* vsmd gives us a session object to keep. */
static void
keep(void *arg, uint64_t generation, const struct kept *k)
{
	struct slot *slot = arg;

	if (k->pass_len > 0) {
		lock_take(&slot->lock);
		ticket_set(&slot->pass, 0, k->pass, k->pass_len);
		lock_give(&slot->lock);
	}
	handles_keep(&slot->module->handles, slot, generation, k);
}

/* ATTACH_FAILED also when the channel was lost again at once: perhaps only bad luck. */
static enum attach
attach_and_resume(struct slot *slot, uint64_t generation)
{
	struct link *link;
	enum attach result = attach_slot(&slot->module->as, (uint32_t)slot->id, &link);

	if (result != ATTACH_OK)
		return result;
	if (link_flags(link) & HELLO_KEEP)
		link_keep(link, keep, slot, generation);
	/* From here on C_Finalize can break it. */
	(void)replace(slot, link, false);
	if (resume_slot(slot, link, generation))
		return ATTACH_OK;
	(void)replace(slot, NULL, false);
	return ATTACH_FAILED;
}

/* Half of that to all of it: a thousand applications lost theirs at the same time. */
static void
pause_about(int ms)
{
	long ns = ms * 500000L + (long)arc4random_uniform((uint32_t)ms * 500000);
	const struct timespec t = {.tv_nsec = ns};

	(void)nanosleep(&t, NULL);
}

/* A channel in the place of one that was lost: vsmd may be just restarting.  Caller is
 * the one who joins. */
static enum attach
attach_again(struct slot *slot, uint64_t generation)
{
	int pause = PAUSE_FIRST;
	enum attach result;

	for (;;) {
		result = attach_and_resume(slot, generation);
		if ((result != ATTACH_ABSENT && result != ATTACH_FAILED) ||
		    deadline_left(slot->try_until) == 0 || slot->module->as.stop())
			return result;
		pause_about(pause);
		pause = pause * 2 < PAUSE_LAST ? pause * 2 : PAUSE_LAST;
	}
}

static enum attach
join(struct slot *slot)
{
	uint64_t generation = slot->link_generation + 1;
	enum attach result;

	if (replace(slot, NULL, false) || slot->lost)
		slot->try_until = deadline_at(slot->module->config.reconnect);
	slot->lost = false;
	result = attach_again(slot, generation);
	if (result == ATTACH_NO_SLOT) {
		/* The token was deleted, with all that was held on it. */
		handles_drop_slot(&slot->module->handles, slot);
		slot_logged_out(slot);
	}
	if (result != ATTACH_OK)
		return result;
	slot->try_until = 0;
	lock_take(&slot->lock);
	slot->link_generation = generation;
	slot->ready = true;
	lock_give(&slot->lock);
	return ATTACH_OK;
}

enum attach
slot_link(struct slot *slot, struct link **ret, uint64_t *ret_generation)
{
	enum attach result = ATTACH_OK;
	unsigned before;

	if (take_ready(slot, ret, ret_generation))
		return ATTACH_OK;
	before = atomic_load(&slot->joined);
	lock_take(&slot->joining);
	/* One that was joined may be lost again by now, if another thread used it first. */
	for (int i = 0; result == ATTACH_OK && !take_ready(slot, ret, ret_generation); i++) {
		if (i == JOINS) {
			result = ATTACH_FAILED;
			break;
		}
		/* What failed while we waited would fail for us. */
		if (atomic_load(&slot->joined) == before || slot->outcome == ATTACH_OK) {
			slot->outcome = join(slot);
			atomic_fetch_add(&slot->joined, 1);
		}
		result = slot->outcome;
	}
	lock_give(&slot->joining);
	return result;
}

bool
slot_logged_in(struct slot *slot, uint64_t generation, CK_USER_TYPE user,
    const uint8_t *ticket, size_t len)
{
	bool lasts;

	if (user != CKU_SO && user != CKU_USER)
		return true;
	lock_take(&slot->lock);
	if ((lasts = slot->told_generation <= generation))
		ticket_set(&slot->ticket, (uint8_t)(1 + user), ticket, ticket != NULL ? len : 0);
	lock_give(&slot->lock);
	return lasts;
}

void
slot_logged_out(struct slot *slot)
{
	lock_take(&slot->lock);
	ticket_drop(&slot->ticket);
	lock_give(&slot->lock);
}
