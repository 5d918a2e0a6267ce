/*
 * slotlist.c - C_GetSlotList: which slots there are for this application.
 *
 * The question for the number asks vsmd; the question for the list is answered from the
 * same moment, so that the two agree.  A vsmd that cannot be reached has no slots: an
 * error here would make p11-kit give up on the modules of others too.
 */
#include <stdlib.h>

#include "libcaas-p11/local.h"
#include "libcaas-p11/module.h"

/* Initialised tokens first, the slot that waits for C_InitToken last. */
static int
by_state_and_id(const void *a, const void *b)
{
	const struct hello_slot *x = a, *y = b;
	int empty = (int)!(x->flags & HELLO_SLOT_INITIALIZED) -
	    (int)!(y->flags & HELLO_SLOT_INITIALIZED);

	return empty != 0 ? empty : (x->slot > y->slot) - (x->slot < y->slot);
}

static CK_RV
fetch(struct module *m)
{
	struct hello_slot *list = NULL;
	size_t n = 0;

	if (attach_list(&m->as, &list, &n) == ATTACH_NO_MEMORY)
		return CKR_HOST_MEMORY;
	if (n > 0)
		qsort(list, n, sizeof(*list), by_state_and_id);
	lock_take(&m->lock);
	free(m->list);
	m->list = list;
	m->nlist = n;
	m->listed = true;
	lock_give(&m->lock);
	return CKR_OK;
}

static CK_RV
copy(struct module *m, CK_SLOT_ID *slots, CK_ULONG *count)
{
	CK_RV rv = CKR_OK;

	lock_take(&m->lock);
	if (slots != NULL && *count < m->nlist)
		rv = CKR_BUFFER_TOO_SMALL;
	for (size_t i = 0; slots != NULL && rv == CKR_OK && i < m->nlist; i++)
		slots[i] = m->list[i].slot;
	*count = m->nlist;
	lock_give(&m->lock);
	return rv;
}

static CK_RV
answer(struct module *m, const struct arg *args)
{
	CK_RV rv = CKR_OK;
	bool listed;

	if (args[1].plen == NULL)
		return CKR_ARGUMENTS_BAD;
	lock_take(&m->lock);
	listed = m->listed;
	lock_give(&m->lock);
	if (args[1].ptr == NULL || !listed)
		rv = fetch(m);
	if (rv == CKR_OK)
		rv = copy(m, args[1].ptr, args[1].plen);
	return rv;
}

CK_RV
local_C_GetSlotList(const struct arg *args)
{
	CK_RV rv = CKR_CRYPTOKI_NOT_INITIALIZED;
	struct module *m;
	int cancel;

	(void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	if ((m = module_enter()) != NULL) {
		rv = answer(m, args);
		module_leave();
	}
	(void)pthread_setcancelstate(cancel, NULL);
	return rv;
}
