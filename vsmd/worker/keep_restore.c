/* keep_restore.c - session objects come back with a resume: see keep.h */
#include <string.h>

#include "common/secmem.h"
#include "vsmd/worker/keep.h"
#include "vsmd/worker/plant.h"
#include "vsmd/worker/serve.h"
#include "vsmd/worker/view.h"

/* What could be opened, and which of the guest's each is. */
struct opened {
	struct planted *files;
	uint32_t *which;
	size_t n;
};

/* The pass has the key; from then on it is this worker's too. */
static bool
take_pass(struct request *r, const struct resume *asked)
{
	struct keep *k = &r->w->keep;
	uint8_t pass[KEPT_MAX_PASS], key[STORE_KEEP_KEY];
	size_t len;
	bool ok;

	if (!k->wanted || asked->pass_len == 0 ||
	    store_keep(r->w, asked->pass, asked->pass_len, pass, &len, key) != CKR_OK)
		return false;
	ok = keep_take_key(k, key, pass, len, true);
	sec_wipe(key, sizeof(key));
	return ok;
}

static bool
open_all(struct request *r, const struct resume *asked, const CK_SESSION_HANDLE *sessions,
    struct opened *ret)
{
	struct keep_key key;
	struct buf file;

	ret->n = 0;
	ret->files = arena_array(&r->arena, asked->nkept, sizeof(*ret->files));
	ret->which = arena_array(&r->arena, asked->nkept, sizeof(*ret->which));
	if (ret->files == NULL || ret->which == NULL || !keep_key(&r->w->keep, &key))
		return false;
	buf_init(&file, KEPT_MAX_OBJECT);
	for (uint32_t i = 0; i < asked->nkept; i++) {
		const struct resume_kept *kept = &asked->kept[i];
		uint8_t *copy;

		buf_reset(&file);
		if (sessions[kept->session] == 0 ||
		    !keep_open(&key, kept->object, kept->len, &file) ||
		    (copy = arena_alloc(&r->arena, file.len)) == NULL)
			continue;
		memcpy(copy, file.data, file.len);
		ret->files[ret->n] = (struct planted){.data = copy, .len = file.len};
		ret->which[ret->n++] = i;
	}
	buf_free(&file);
	sec_wipe(&key, sizeof(key));
	return ret->n > 0;
}

size_t
keep_list(struct worker *w, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *ret, size_t room)
{
	const CK_FUNCTION_LIST *fl = w->fl;
	CK_BBOOL no = CK_FALSE;
	CK_ATTRIBUTE t = {CKA_TOKEN, &no, sizeof(no)};
	CK_ULONG got = 0;
	size_t n = 0;

	if (fl->C_FindObjectsInit(session, &t, 1) != CKR_OK)
		return 0;
	while (n < room && fl->C_FindObjects(session, ret + n, room - n, &got) == CKR_OK &&
	    got > 0 && got <= room - n)
		n += got;
	(void)fl->C_FindObjectsFinal(session);
	return n;
}

/* Which of the files it is that SoftHSM2 has the object from. */
static size_t
file_of(struct request *r, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, size_t none)
{
	CK_OBJECT_CLASS class;
	CK_ATTRIBUTE t = {CKA_CLASS, &class, sizeof(class)};
	uint8_t name[VIEW_NAME];
	size_t i;

	(void)view_opened(NULL);
	if (r->w->fl->C_GetAttributeValue(session, object, &t, 1) != CKR_OK ||
	    !view_opened(name))
		return none;
	i = plant_find(name);
	return i < none ? i : none;
}

/* A true session object of each. */
static void
copy_all(struct request *r, CK_SESSION_HANDLE any, const struct resume *asked,
    const CK_SESSION_HANDLE *sessions, const struct opened *o, CK_OBJECT_HANDLE *ret)
{
	CK_OBJECT_HANDLE *found = arena_array(&r->arena, o->n, sizeof(*found));
	CK_ATTRIBUTE as_it_is = {0};
	size_t n = found != NULL ? keep_list(r->w, any, found, o->n) : 0;

	for (size_t i = 0; i < n; i++) {
		size_t at = file_of(r, any, found[i], o->n);
		CK_OBJECT_HANDLE copy;

		if (at < o->n && r->w->fl->C_CopyObject(
		    sessions[asked->kept[o->which[at]].session], found[i], &as_it_is, 0,
		    &copy) == CKR_OK)
			ret[o->which[at]] = copy;
	}
}

void
keep_restore(struct request *r, CK_SESSION_HANDLE any, const struct resume *asked,
    const CK_SESSION_HANDLE *sessions, CK_OBJECT_HANDLE *ret)
{
	struct keep *k = &r->w->keep;
	struct opened o;

	memset(ret, 0, asked->nkept * sizeof(*ret));
	if (asked->nkept == 0 || any == 0 || !take_pass(r, asked) ||
	    !open_all(r, asked, sessions, &o) || serve_enter(r, GATE_SHARED) != CKR_OK)
		return;
	pthread_rwlock_wrlock(&k->finding);
	if (plant_begin(o.files, o.n)) {
		view_stale();
		copy_all(r, any, asked, sessions, &o, ret);
		plant_end();
		view_stale();
	}
	pthread_rwlock_unlock(&k->finding);
	serve_leave(r);
}
