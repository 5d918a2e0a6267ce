/* guess.c - see guess.h */
#include "vsmd/store/guess.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vsmd/store/slots.h"

#define WHAT "guess/"

int64_t
guess_pause(uint32_t failed)
{
	int64_t pause = GUESS_PAUSE;

	if (failed < GUESS_FREE)
		return 0;
	for (; failed > GUESS_FREE && pause < GUESS_PAUSE_MAX; failed--)
		pause *= 2;
	return pause < GUESS_PAUSE_MAX ? pause : GUESS_PAUSE_MAX;
}

static void
guess_key(char key[MAP_KEY_MAX], const struct slot *slot, const char *principal)
{
	char what[sizeof(WHAT) + GRANT_NAME];

	snprintf(what, sizeof(what), WHAT "%s", principal);
	slot_key(key, slot->number, what);
}

/* The durable ones. */
static void
get(const struct slot *slot, const struct txn *t, const struct map *m,
    const char *principal, uint32_t failed[PIN_USERS])
{
	char key[MAP_KEY_MAX];
	const uint8_t *p;
	struct buf b;
	size_t len;

	memset(failed, 0, PIN_USERS * sizeof(failed[0]));
	guess_key(key, slot, principal);
	if ((p = txn_get(t, m, key, &len)) == NULL)
		return;
	buf_view(&b, p, len);
	failed[PIN_SO] = buf_get_u32(&b);
	failed[PIN_USER] = buf_get_u32(&b);
}

static void
put(const struct slot *slot, struct txn *t, const struct guess *g)
{
	char key[MAP_KEY_MAX];
	struct buf b;

	guess_key(key, slot, g->principal);
	if (g->failed[PIN_SO] == 0 && g->failed[PIN_USER] == 0) {
		txn_remove(t, key);
		return;
	}
	buf_init(&b, 8);
	buf_put_u32(&b, g->failed[PIN_SO]);
	buf_put_u32(&b, g->failed[PIN_USER]);
	if (buf_ok(&b))
		txn_put(t, key, b.data, b.len);
	else
		t->failed = true;
	buf_free(&b);
}

static struct guess *
find(struct slot *slot, const char *principal)
{
	for (size_t i = 0; i < slot->nguesses; i++)
		if (strcmp(slot->guesses[i].principal, principal) == 0)
			return &slot->guesses[i];
	return NULL;
}

struct guess *
guess_of(struct slot *slot, const struct txn *t, const struct map *m, const char *principal,
    int64_t now)
{
	struct guess *g = find(slot, principal), *bigger;

	if (g != NULL)
		return g;
	bigger = reallocarray(slot->guesses, slot->nguesses + 1, sizeof(*bigger));
	if (bigger == NULL)
		return NULL;
	slot->guesses = bigger;
	g = &bigger[slot->nguesses++];
	memset(g, 0, sizeof(*g));
	memcpy(g->principal, principal, strnlen(principal, sizeof(g->principal) - 1));
	get(slot, t, m, g->principal, g->failed);
	for (unsigned i = 0; i < PIN_USERS; i++)
		if (g->failed[i] >= GUESS_FREE)
			g->after[i] = now + guess_pause(g->failed[i]);
	return g;
}

void
guess_wrong(
    struct slot *slot, struct txn *t, struct guess *g, enum pin_user user, int64_t now)
{
	if (g->failed[user] < UINT32_MAX)
		g->failed[user]++;
	g->after[user] = now + guess_pause(g->failed[user]);
	g->noted[user] = false;
	put(slot, t, g);
}

bool
guess_right(struct slot *slot, struct txn *t, const struct map *m, struct guess *g,
    enum pin_user user)
{
	uint32_t durable[PIN_USERS];

	g->failed[user] = 0;
	g->after[user] = 0;
	get(slot, t, m, g->principal, durable);
	if (durable[user] == 0)
		return false;
	put(slot, t, g);
	return true;
}

struct known {
	struct slot *slot;
	struct txn *t;
	const struct map *m;
};

static bool
know(void *arg, const char *key, const uint8_t *value, size_t len)
{
	struct known *f = arg;
	const char *principal = strstr(key, "/" WHAT);
	struct guess *g;

	(void)value, (void)len;
	if (principal == NULL)
		return true;
	g = guess_of(f->slot, f->t, f->m, principal + sizeof(WHAT), 0);
	if (g == NULL)
		f->t->failed = true;
	return g != NULL;
}

void
guess_forget(struct slot *slot, struct txn *t, const struct map *m, enum pin_user user)
{
	struct known f = {slot, t, m};
	char prefix[MAP_KEY_MAX];

	/* First all that are durable into memory. */
	slot_key(prefix, slot->number, WHAT);
	(void)map_each(m, prefix, know, &f);
	for (size_t i = 0; i < slot->nguesses; i++)
		(void)guess_right(slot, t, m, &slot->guesses[i], user);
}
