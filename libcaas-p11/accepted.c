/* accepted.c - see accepted.h */
#include "libcaas-p11/accepted.h"

#include <stdlib.h>
#include <string.h>

#include "libcaas-p11/pending.h"
#include "protocol/mech.h"

#define PLACES 256 /* each for any beginning whose number falls on it */

struct accepted {
	uint64_t generation, epoch;
	struct {
		uint64_t key;
		CK_ULONG length; /* of a signature, when it was asked for; 0: unknown */
	} place[PLACES];
};

static uint64_t
mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15u;
	return h ^ h >> 29;
}

/* Call, key, mechanism, and what in the mechanism's parameter could make a difference to the
 * answer.  0 also for a parameter too long to be held, whose length may be nonsense. */
uint64_t
accepted_key(const struct call *call, const struct arg *args)
{
	uint64_t h = mix(0x1234567, call->number);
	const CK_MECHANISM *m = args[1].ptr;

	if (call_of_beginning(call) == NULL || m == NULL || m->ulParameterLen > HOLD_MAX)
		return 0;
	h = mix(h, mech_shape(m));
	h = mix(h, call->args[2] == ARG_OBJECT ? args[2].len : 0);
	return h != 0 ? h : 1;
}

/* What was accepted on the slot's present channel, or NULL. */
static struct accepted *
present(const struct slot *slot)
{
	struct accepted *a = slot->accepted;

	return a != NULL && a->generation == slot->generation ? a : NULL;
}

bool
accepted_has(const struct slot *slot, uint64_t key)
{
	const struct accepted *a = present(slot);

	return a != NULL && a->place[key % PLACES].key == key;
}

void
accepted_add(struct slot *slot, uint64_t key, uint64_t epoch)
{
	struct accepted *a = slot->accepted;

	if (a == NULL && (a = slot->accepted = calloc(1, sizeof(*a))) == NULL)
		return;
	if (a->generation != slot->generation) {
		memset(a, 0, sizeof(*a));
		a->generation = slot->generation;
		a->epoch = epoch;
	}
	/* Served before a change that is known already: worth nothing. */
	if (epoch < a->epoch)
		return;
	if (a->place[key % PLACES].key != key)
		a->place[key % PLACES].length = 0;
	a->place[key % PLACES].key = key;
}

CK_ULONG
accepted_length(const struct slot *slot, uint64_t key)
{
	return accepted_has(slot, key) ? present(slot)->place[key % PLACES].length : 0;
}

void
accepted_set_length(struct slot *slot, uint64_t key, CK_ULONG length)
{
	if (key != 0 && accepted_has(slot, key))
		present(slot)->place[key % PLACES].length = length;
}

bool
accepted_older(const struct slot *slot, uint64_t epoch)
{
	const struct accepted *a = present(slot);

	return a != NULL && epoch > a->epoch;
}

void
accepted_epoch(struct slot *slot, uint64_t epoch)
{
	if (!accepted_older(slot, epoch))
		return;
	accepted_forget(slot);
	slot->accepted->epoch = epoch;
}

void
accepted_forget(struct slot *slot)
{
	if (slot->accepted != NULL)
		memset(slot->accepted->place, 0, sizeof(slot->accepted->place));
}

void
accepted_free(struct accepted *a)
{
	free(a);
}
