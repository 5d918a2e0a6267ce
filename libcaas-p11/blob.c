/* blob.c - see blob.h */
#include "libcaas-p11/blob.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static _Atomic uint64_t last;

struct blob *
blob_new(const uint8_t *bytes, size_t len)
{
	struct blob *b = malloc(sizeof(*b) + len);

	if (b == NULL)
		return NULL;
	b->number = atomic_fetch_add(&last, 1) + 1;
	b->len = len;
	memcpy(b->bytes, bytes, len);
	return b;
}

void
blob_stray(struct astray *a, uint64_t remote, struct blob *blob)
{
	unsigned i = a->next++ % BLOB_ASTRAY;

	free(blob_found(a, remote));
	free(a->blob[i]);
	a->blob[i] = blob;
	a->remote[i] = remote;
}

struct blob *
blob_found(struct astray *a, uint64_t remote)
{
	struct blob *blob;

	for (unsigned i = 0; i < BLOB_ASTRAY; i++) {
		if (a->blob[i] == NULL || a->remote[i] != remote)
			continue;
		blob = a->blob[i];
		a->blob[i] = NULL;
		return blob;
	}
	return NULL;
}

void
blob_forget(struct astray *a)
{
	for (unsigned i = 0; i < BLOB_ASTRAY; i++) {
		free(a->blob[i]);
		a->blob[i] = NULL;
	}
}
