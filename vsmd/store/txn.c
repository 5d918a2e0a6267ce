/* txn.c - see txn.h */
#include "vsmd/store/txn.h"

#include <stdlib.h>
#include <string.h>

#include "common/secmem.h"

enum { OP_PUT = 1, OP_REMOVE = 2 };
#define OP_OVERHEAD 17 /* kind, two lengths */
#define OP_MIN 9

void
txn_init(struct txn *t)
{
	memset(t, 0, sizeof(*t));
}

static void
op_free(struct txn_op *op)
{
	if (op->value != NULL)
		sec_wipe(op->value, op->len);
	free(op->value);
	free(op->key);
}

void
txn_cut(struct txn *t, size_t n)
{
	while (t->n > n) {
		struct txn_op *op = &t->ops[--t->n];

		t->bytes -= strlen(op->key) + op->len + OP_OVERHEAD;
		op_free(op);
	}
}

void
txn_clear(struct txn *t)
{
	txn_cut(t, 0);
	free(t->ops);
	txn_init(t);
}

bool
txn_ok(const struct txn *t)
{
	return !t->failed;
}

static void
add(struct txn *t, const char *key, const void *value, size_t len)
{
	struct txn_op op = {.len = len};

	if (t->failed || strlen(key) >= MAP_KEY_MAX) {
		t->failed = true;
		return;
	}
	if (t->n == t->size) {
		size_t size = t->size ? t->size * 2 : 16;
		struct txn_op *ops = realloc(t->ops, size * sizeof(*ops));

		if (ops == NULL) {
			t->failed = true;
			return;
		}
		t->ops = ops;
		t->size = size;
	}
	op.key = strdup(key);
	if (value != NULL && (op.value = malloc(len > 0 ? len : 1)) != NULL && len > 0)
		memcpy(op.value, value, len);
	if (op.key == NULL || (value != NULL && op.value == NULL)) {
		op_free(&op);
		t->failed = true;
		return;
	}
	t->ops[t->n++] = op;
	t->bytes += strlen(key) + len + OP_OVERHEAD;
}

void
txn_put(struct txn *t, const char *key, const void *value, size_t len)
{
	add(t, key, value != NULL ? value : "", len);
}

void
txn_remove(struct txn *t, const char *key)
{
	add(t, key, NULL, 0);
}

void
txn_take(struct txn *t, struct txn *from)
{
	for (size_t i = 0; i < from->n; i++)
		add(t, from->ops[i].key, from->ops[i].value, from->ops[i].len);
	t->failed = t->failed || from->failed;
	txn_clear(from);
}

const uint8_t *
txn_get(const struct txn *t, const struct map *m, const char *key, size_t *ret_len)
{
	for (size_t i = t->n; i > 0; i--)
		if (strcmp(t->ops[i - 1].key, key) == 0) {
			*ret_len = t->ops[i - 1].len;
			return t->ops[i - 1].value;
		}
	return map_get(m, key, ret_len);
}

void
txn_write(const struct txn *t, struct buf *body)
{
	if (t->failed || t->n > UINT32_MAX) {
		buf_fail(body);
		return;
	}
	buf_put_u32(body, (uint32_t)t->n);
	for (size_t i = 0; i < t->n; i++) {
		const struct txn_op *op = &t->ops[i];

		buf_put_u8(body, op->value != NULL ? OP_PUT : OP_REMOVE);
		buf_put_str(body, op->key);
		if (op->value != NULL)
			buf_put_bytes(body, op->value, op->len);
	}
}

bool
txn_apply(struct buf *body, struct map *m)
{
	uint32_t n = buf_get_u32(body);

	if (!buf_fits(body, n, OP_MIN))
		return false;
	for (uint32_t i = 0; i < n; i++) {
		char key[MAP_KEY_MAX];
		const uint8_t *value;
		size_t len;
		uint8_t kind = buf_get_u8(body);

		buf_get_str(body, key, sizeof(key));
		if (!buf_ok(body) || key[0] == '\0')
			return false;
		if (kind == OP_REMOVE) {
			(void)map_remove(m, key);
			continue;
		}
		if (kind != OP_PUT || (value = buf_get_bytes(body, &len)) == NULL ||
		    !map_put(m, key, value, len))
			return false;
	}
	return buf_end(body);
}
