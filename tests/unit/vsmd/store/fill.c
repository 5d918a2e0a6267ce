/* fill.c - see fill.h */
#include "fill.h"
#include "dirs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

const uint8_t fill_master[CRYPT_KEY] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
struct anchor *fill_anchor;
const uint8_t fill_store[STORE_ID] = {5, 5, 5};

enum vault_result
fill_put(struct vault *v, const char *key, const char *value)
{
	enum vault_result r;
	struct txn t;

	txn_init(&t);
	txn_put(&t, key, value, strlen(value));
	r = vault_commit(v, &t);
	txn_clear(&t);
	return r;
}

void
fill_vault(const char *path, const uint8_t *master, unsigned commits)
{
	struct vault v;
	int dir = vault_lock(path);

	assert_true(dir >= 0);
	assert_int_equal(vault_look(dir), VAULT_EMPTY);
	assert_int_equal(vault_prepare(dir), 0);
	assert_int_equal(vault_create(&v, dir, master, fill_store, fill_anchor), 0);
	/* The real one is made by master.c before vault_create(). */
	dirs_save(path, VAULT_MASTER, "sealed", 6);
	for (unsigned i = 0; i < commits; i++) {
		char key[32], value[32];

		snprintf(key, sizeof(key), "key/%u", i);
		snprintf(value, sizeof(value), "value %u", i);
		assert_int_equal(fill_put(&v, key, value), VAULT_OK);
	}
	fill_close(&v);
}

int
fill_open(struct vault *v, const char *path, const uint8_t *master)
{
	int dir = vault_lock(path);

	if (dir < 0)
		return -1;
	if (vault_look(dir) != VAULT_PRESENT ||
	    vault_open(v, dir, master, fill_anchor) != 0) {
		close(dir);
		return -1;
	}
	return 0;
}

void
fill_close(struct vault *v)
{
	int dir = v->dir;

	vault_close(v);
	close(dir);
}

const char *
fill_get(const struct vault *v, const char *key)
{
	static char text[256];
	const uint8_t *p;
	size_t len;

	if ((p = map_get(&v->map, key, &len)) == NULL)
		return NULL;
	assert_true(len < sizeof(text));
	memcpy(text, p, len);
	text[len] = '\0';
	return text;
}
