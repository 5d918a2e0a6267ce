/* map.c - see map.h */
#include "vsmd/store/map.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/secmem.h"

struct map_entry {
	struct map_entry *next;
	uint64_t hash;
	char *key;
	uint8_t *value; /* of value_new() */
	size_t len;
};

#define FIRST 64

void
map_init(struct map *m)
{
	memset(m, 0, sizeof(*m));
	/* Without a seed a worker that was taken over could choose file names that all
	 * fall into one bucket; should there be no randomness, only that is lost. */
	if (getrandom(&m->seed, sizeof(m->seed), GRND_NONBLOCK) < 0)
		m->seed = (uintptr_t)m;
}

/* FNV-1a from a seed. */
static uint64_t
hash(const struct map *m, const char *key)
{
	uint64_t h = 0xcbf29ce484222325ull ^ m->seed;

	for (; *key != '\0'; key++)
		h = (h ^ (uint8_t)*key) * 0x100000001b3ull;
	return h;
}

/* A PIN; there is one of a token, and a mapping of its own for each is no waste. */
static bool
is_pin(const char *key)
{
	static const char end[] = "/pin/user";
	size_t n = strlen(key);

	return n >= sizeof(end) - 1 && strcmp(key + n - (sizeof(end) - 1), end) == 0;
}

static uint8_t *
value_new(const char *key, const void *value, size_t len)
{
	size_t room = len > 0 ? len : 1;
	uint8_t *copy = is_pin(key) ? sec_alloc(room) : malloc(room);

	if (copy != NULL && len > 0)
		memcpy(copy, value, len);
	return copy;
}

static void
value_free(const char *key, uint8_t *value, size_t len)
{
	if (is_pin(key)) {
		sec_free(value);
		return;
	}
	sec_wipe(value, len);
	free(value);
}

static void
entry_free(struct map_entry *e)
{
	value_free(e->key, e->value, e->len);
	free(e->key);
	free(e);
}

void
map_free(struct map *m)
{
	for (size_t i = 0; i < m->nbuckets; i++)
		for (struct map_entry *e = m->buckets[i], *next; e != NULL; e = next) {
			next = e->next;
			entry_free(e);
		}
	free(m->buckets);
	map_init(m);
}

static struct map_entry **
find(const struct map *m, const char *key, uint64_t h)
{
	struct map_entry **at;

	if (m->nbuckets == 0)
		return NULL;
	for (at = &m->buckets[h & (m->nbuckets - 1)]; *at != NULL; at = &(*at)->next)
		if ((*at)->hash == h && strcmp((*at)->key, key) == 0)
			break;
	return at;
}

static bool
grow(struct map *m)
{
	size_t n = m->nbuckets ? m->nbuckets * 2 : FIRST;
	struct map_entry **b = calloc(n, sizeof(*b));

	if (b == NULL)
		return false;
	for (size_t i = 0; i < m->nbuckets; i++)
		for (struct map_entry *e = m->buckets[i], *next; e != NULL; e = next) {
			next = e->next;
			e->next = b[e->hash & (n - 1)];
			b[e->hash & (n - 1)] = e;
		}
	free(m->buckets);
	m->buckets = b;
	m->nbuckets = n;
	return true;
}

bool
map_put(struct map *m, const char *key, const void *value, size_t len)
{
	uint64_t h = hash(m, key);
	struct map_entry **at, *e;
	uint8_t *copy;

	if (m->count >= m->nbuckets && !grow(m))
		return false;
	if ((copy = value_new(key, value, len)) == NULL)
		return false;
	at = find(m, key, h);
	if ((e = *at) != NULL) {
		value_free(key, e->value, e->len);
		m->bytes = m->bytes - e->len + len;
		e->value = copy;
		e->len = len;
		return true;
	}
	if ((e = calloc(1, sizeof(*e))) == NULL || (e->key = strdup(key)) == NULL) {
		free(e);
		value_free(key, copy, len);
		return false;
	}
	e->hash = h;
	e->value = copy;
	e->len = len;
	*at = e;
	m->count++;
	m->bytes += strlen(key) + len;
	return true;
}

const uint8_t *
map_get(const struct map *m, const char *key, size_t *ret_len)
{
	struct map_entry **at = find(m, key, hash(m, key));

	if (at == NULL || *at == NULL)
		return NULL;
	*ret_len = (*at)->len;
	return (*at)->value;
}

bool
map_remove(struct map *m, const char *key)
{
	struct map_entry **at = find(m, key, hash(m, key)), *e;

	if (at == NULL || (e = *at) == NULL)
		return false;
	*at = e->next;
	m->count--;
	m->bytes -= strlen(e->key) + e->len;
	entry_free(e);
	return true;
}

bool
map_each(const struct map *m, const char *prefix, map_visit visit, void *arg)
{
	size_t n = strlen(prefix);

	for (size_t i = 0; i < m->nbuckets; i++)
		for (struct map_entry *e = m->buckets[i]; e != NULL; e = e->next)
			if (strncmp(e->key, prefix, n) == 0 &&
			    !visit(arg, e->key, e->value, e->len))
				return false;
	return true;
}
