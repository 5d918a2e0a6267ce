/* transfer.c - see transfer.h */
#include "vsmd/store/transfer.h"

#include <string.h>

void
transfers_init(struct transfers *t, size_t max)
{
	memset(t, 0, sizeof(*t));
	for (size_t i = 0; i < TRANSFERS_MAX; i++)
		buf_init(&t->all[i].data, max);
}

struct transfer *
transfer_begin(struct transfers *t, const struct attach *owner, bool restore)
{
	for (size_t i = 0; i < TRANSFERS_MAX; i++)
		if (t->all[i].owner == NULL) {
			t->all[i].owner = owner;
			t->all[i].restore = restore;
			t->all[i].handle = ++t->last;
			return &t->all[i];
		}
	return NULL;
}

struct transfer *
transfer_find(
    struct transfers *t, const struct attach *owner, bool restore, uint64_t handle)
{
	for (size_t i = 0; i < TRANSFERS_MAX; i++)
		if (t->all[i].owner == owner && t->all[i].restore == restore &&
		    t->all[i].handle == handle)
			return &t->all[i];
	return NULL;
}

void
transfer_end(struct transfer *t)
{
	buf_free(&t->data);
	t->owner = NULL;
	t->size = 0;
}

void
transfers_end(struct transfers *t, const struct attach *owner)
{
	for (size_t i = 0; i < TRANSFERS_MAX; i++)
		if (t->all[i].owner != NULL &&
		    (owner == NULL || t->all[i].owner == owner))
			transfer_end(&t->all[i]);
}
