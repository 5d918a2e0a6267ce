/*
 * map.h - the store's content in memory: keys to bytes.
 *
 * Keys are strings made by us ("slot/3/file/token.object"), values are copied in and
 * wiped when they go; those of .../pin/user lie in memory of common/secmem.h.  Pointers from
 * map_get() are good until the key is changed.
 * Threads: one.
 */
#ifndef CAAS_STORE_MAP_H
#define CAAS_STORE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAP_KEY_MAX 256 /* bytes of a key, NUL included */

struct map_entry;

struct map {
	struct map_entry **buckets;
	size_t nbuckets; /* 0 or a power of two */
	size_t count;	 /* keys */
	uint64_t bytes;	 /* of keys and values */
	uint64_t seed;
};

void map_init(struct map *m);
void map_free(struct map *m);
/* False when out of memory; the map is then as before. */
bool map_put(struct map *m, const char *key, const void *value, size_t len);
/* NULL when there is no such key; an empty value is not NULL. */
const uint8_t *map_get(const struct map *m, const char *key, size_t *ret_len);
/* True when it was there. */
bool map_remove(struct map *m, const char *key);

/* Called for each key that begins with `prefix`, in no order; false stops.  The map must
 * not be changed meanwhile.  Returns false when stopped. */
typedef bool (*map_visit)(void *arg, const char *key, const uint8_t *value, size_t len);
bool map_each(const struct map *m, const char *prefix, map_visit visit, void *arg);

#endif
