/* seen.c - see seen.h */
#include "vsmd/worker/seen.h"

#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 64

struct entry {
	uint8_t name[SEEN_NAME];
	uint64_t number;
	uint64_t when; /* changes, and 1; 0 is an empty place */
};

static struct {
	pthread_mutex_t lock;
	_Atomic uint64_t *changes;
	struct entry *entries; /* open addressing, size a power of two */
	size_t size, used;
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER};

void
seen_start(_Atomic uint64_t *changes)
{
	pthread_mutex_lock(&seen.lock);
	free(seen.entries);
	seen.entries = NULL;
	seen.size = seen.used = 0;
	seen.changes = changes;
	pthread_mutex_unlock(&seen.lock);
}

void
seen_changed(void)
{
	if (seen.changes != NULL)
		atomic_fetch_add(seen.changes, 1);
}

uint64_t
seen_now(void)
{
	return seen.changes != NULL ? atomic_load(seen.changes) : 0;
}

/* With the lock held: where it is, or belongs. */
static struct entry *
place(const uint8_t name[SEEN_NAME])
{
	uint64_t h;
	size_t i;

	memcpy(&h, name, sizeof(h)); /* random as it is */
	for (i = h & (seen.size - 1); seen.entries[i].when != 0 &&
				      memcmp(seen.entries[i].name, name, SEEN_NAME) != 0;)
		i = (i + 1) & (seen.size - 1);
	return &seen.entries[i];
}

/* With the lock held: room for one more. */
static bool
grow(void)
{
	struct entry *old = seen.entries;
	size_t size = seen.size;

	if (seen.used < size / 2)
		return true;
	seen.size = size ? 2 * size : FIRST_SIZE;
	if ((seen.entries = calloc(seen.size, sizeof(*seen.entries))) == NULL) {
		seen.entries = old;
		seen.size = size;
		return false;
	}
	for (size_t i = 0; i < size; i++)
		if (old[i].when != 0)
			*place(old[i].name) = old[i];
	free(old);
	return true;
}

void
seen_set(const uint8_t name[SEEN_NAME], uint64_t number, uint64_t now)
{
	struct entry *e;

	if (seen.changes == NULL)
		return;
	pthread_mutex_lock(&seen.lock);
	if (grow()) {
		e = place(name);
		seen.used += e->when == 0;
		memcpy(e->name, name, SEEN_NAME);
		e->number = number;
		e->when = now + 1;
	}
	pthread_mutex_unlock(&seen.lock);
}

bool
seen_get(const uint8_t name[SEEN_NAME], uint64_t *ret)
{
	uint64_t now = seen_now() + 1;
	const struct entry *e;
	bool ok = false;

	pthread_mutex_lock(&seen.lock);
	if (seen.changes != NULL && seen.size > 0) {
		e = place(name);
		ok = e->when == now;
		*ret = e->number;
	}
	pthread_mutex_unlock(&seen.lock);
	return ok;
}
