/* turns.c - see turns.h */
#include "vsmd/store/turns.h"

#include <stdlib.h>
#include <string.h>

static bool
waits(const struct attach *a)
{
	return a->wait == WAIT_LOGIN && !a->dead;
}

/* Another one that waits for the PIN that `a` asks for. */
static bool
same_pin(const struct attach *a, const struct attach *o)
{
	return o != a && waits(o) && o->slot == a->slot && o->waits_as == a->waits_as;
}

static int
compare(const struct attach *a, const struct attach *b)
{
	if (a->turn != b->turn)
		return a->turn < b->turn ? -1 : 1;
	return a->came < b->came ? -1 : a->came > b->came;
}

bool
turns_take(struct store *s, struct attach *a, struct slot *slot, enum pin_user user)
{
	if (a->turn != 0)
		return false;
	a->waits_as = user;
	a->came = ++s->logins_came;
	a->turn = slot->turn[user];
	for (const struct attach *o = s->attached; o != NULL; o = o->next)
		if (same_pin(a, o) && o->turn > a->turn &&
		    strcmp(o->principal, a->principal) == 0)
			a->turn = o->turn;
	a->turn++;
	return true;
}

bool
turns_others(const struct store *s, const struct attach *a)
{
	for (const struct attach *o = s->attached; o != NULL; o = o->next)
		if (same_pin(a, o))
			return true;
	return false;
}

bool
turns_behind(const struct store *s, const struct attach *a)
{
	for (const struct attach *o = s->attached; o != NULL; o = o->next)
		if (same_pin(a, o) && compare(o, a) < 0 &&
		    strcmp(o->principal, a->principal) == 0)
			return true;
	return false;
}

void
turns_served(struct slot *slot, const struct attach *a)
{
	if (a->turn > slot->turn[a->waits_as])
		slot->turn[a->waits_as] = a->turn;
}

static int
by_turn(const void *a, const void *b)
{
	return compare(*(const struct attach *const *)a, *(const struct attach *const *)b);
}

struct attach **
turns_all(const struct store *s, size_t *ret_n)
{
	struct attach **all;
	size_t n = 0;

	*ret_n = 0;
	for (const struct attach *a = s->attached; a != NULL; a = a->next)
		n += waits(a);
	if (n == 0 || (all = calloc(n, sizeof(*all))) == NULL)
		return NULL;
	for (struct attach *a = s->attached; a != NULL; a = a->next)
		if (waits(a))
			all[(*ret_n)++] = a;
	qsort(all, n, sizeof(*all), by_turn);
	return all;
}
