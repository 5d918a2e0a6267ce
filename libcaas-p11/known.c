/* known.c - see known.h */
#include "libcaas-p11/known.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct known_object {
	CK_OBJECT_HANDLE handle;
	size_t at, len; /* in the batch's bytes */
};

struct batch {
	size_t n;
	atomic_size_t next; /* where the one asked for next is likely to be */
	uint8_t *bytes;
	struct known_object objects[];
};

struct known {
	uint64_t generation, epoch;
	_Atomic int64_t until;
	unsigned last;
	struct batch *_Atomic batch[KNOWN_BATCHES];
};

int64_t
known_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void
known_batch_free(struct batch *b)
{
	if (b != NULL)
		free(b->bytes);
	free(b);
}

void
known_forget(struct known *known)
{
	for (size_t i = 0; known != NULL && i < KNOWN_BATCHES; i++)
		known_batch_free(atomic_exchange(&known->batch[i], NULL));
}

void
known_free(struct known *known)
{
	known_forget(known);
	free(known);
}

bool
known_older(const struct known *known, uint64_t epoch)
{
	return known != NULL && epoch > known->epoch;
}

void
known_epoch(struct known *known, uint64_t epoch, int64_t asked)
{
	if (known == NULL || epoch < known->epoch)
		return;
	if (epoch > known->epoch) {
		known_forget(known);
		known->epoch = epoch;
	}
	if (known->until < asked + KNOWN_MS)
		known->until = asked + KNOWN_MS;
}

struct batch *
known_batch(const struct fetched *f, const CK_OBJECT_HANDLE *handles)
{
	struct batch *b;
	size_t all = 0;

	if (f->count == 0)
		return NULL;
	b = calloc(1, sizeof(*b) + f->count * sizeof(b->objects[0]));
	for (uint32_t i = 0; i < f->count; i++)
		all += f->objects[i].len;
	if (b == NULL || (b->bytes = malloc(all + 1)) == NULL) {
		free(b);
		return NULL;
	}
	all = 0;
	for (uint32_t i = 0; i < f->count; i++) {
		const struct fetched_object *o = &f->objects[i];

		b->objects[b->n++] = (struct known_object){handles[i], all, o->len};
		if (o->len > 0)
			memcpy(b->bytes + all, o->attrs, o->len);
		all += o->len;
	}
	return b;
}

void
known_add(struct known **known, uint64_t generation, uint64_t epoch, int64_t asked,
    struct batch *b)
{
	struct known *k = *known;

	if (b != NULL && k == NULL)
		k = *known = calloc(1, sizeof(*k));
	if (b == NULL || k == NULL) {
		known_batch_free(b);
		return;
	}
	if (k->generation != generation) {
		known_forget(k);
		k->generation = generation;
		k->epoch = 0;
		k->until = 0;
	}
	known_epoch(k, epoch, asked);
	if (epoch == k->epoch) {
		k->last = (k->last + 1) % KNOWN_BATCHES;
		b = atomic_exchange(&k->batch[k->last], b);
	}
	known_batch_free(b);
}

/* Objects are mostly asked about in the order in which they were found. */
static const struct known_object *
find_in(struct batch *b, CK_OBJECT_HANDLE object)
{
	size_t next = atomic_load_explicit(&b->next, memory_order_relaxed);

	for (size_t i = 0; i < b->n; i++) {
		size_t at = (next + i) % b->n;

		if (b->objects[at].handle != object)
			continue;
		atomic_store_explicit(&b->next, at, memory_order_relaxed);
		return &b->objects[at];
	}
	return NULL;
}

static bool
all_known(const uint8_t *attrs, size_t len, const CK_ATTRIBUTE *t, CK_ULONG n)
{
	const uint8_t *value;
	size_t value_len;

	for (CK_ULONG i = 0; i < n; i++)
		if (!fetched_attr(attrs, len, t[i].type, &value, &value_len))
			return false;
	return true;
}

static CK_RV
fill(const uint8_t *attrs, size_t len, CK_ATTRIBUTE *t, CK_ULONG n)
{
	const uint8_t *value = NULL;
	size_t value_len = 0;
	CK_RV rv = CKR_OK;

	for (CK_ULONG i = 0; i < n; i++) {
		(void)fetched_attr(attrs, len, t[i].type, &value, &value_len);
		if (t[i].pValue != NULL && t[i].ulValueLen < value_len) {
			t[i].ulValueLen = CK_UNAVAILABLE_INFORMATION;
			rv = CKR_BUFFER_TOO_SMALL;
			continue;
		}
		if (t[i].pValue != NULL && value_len > 0)
			memcpy(t[i].pValue, value, value_len);
		t[i].ulValueLen = value_len;
	}
	return rv;
}

bool
known_answer(struct known *known, uint64_t generation, int64_t now,
    CK_OBJECT_HANDLE object, CK_ATTRIBUTE *t, CK_ULONG n, CK_RV *ret)
{
	const struct known_object *o = NULL;
	const uint8_t *attrs;

	if (known == NULL || known->generation != generation || t == NULL || n == 0 ||
	    n > MSG_MAX_ATTRS || now >= known->until)
		return false;
	for (size_t i = 0; i < KNOWN_BATCHES; i++) {
		struct batch *b = known->batch[(known->last + i) % KNOWN_BATCHES];

		if (b == NULL || (o = find_in(b, object)) == NULL)
			continue;
		attrs = b->bytes + o->at;
		if (!all_known(attrs, o->len, t, n))
			return false;
		*ret = fill(attrs, o->len, t, n);
		return true;
	}
	return false;
}
