/* keep_box.c - a session object's file, sealed: see keep.h */
#include <string.h>

#include "vsmd/store/crypt.h"
#include "vsmd/worker/keep.h"
#include "vsmd/worker/objfile.h"

#define LABEL "caas session object"

/* The first byte says which; it is authenticated. */
enum kind { PUBLIC, PRIVATE };

static bool
bound_to(const struct keep_key *k, uint8_t kind, uint8_t ret[1 + KEEP_LOGIN])
{
	memset(ret, 0, 1 + KEEP_LOGIN);
	ret[0] = kind;
	if (kind == PRIVATE)
		memcpy(ret + 1, k->login, KEEP_LOGIN);
	return kind == PUBLIC || (kind == PRIVATE && k->logged_in);
}

/* Nothing else may be shown to SoftHSM2 in the place of one. */
static bool
is_session_object(const struct buf *file, size_t start, struct objfile *ret)
{
	return objfile_read(file->data + start, file->len - start, ret) && ret->session &&
	    ret->class != CK_UNAVAILABLE_INFORMATION;
}

bool
keep_seal(const struct keep_key *k, const struct buf *file, struct buf *ret)
{
	uint8_t bound[1 + KEEP_LOGIN];
	struct part aad = {bound, sizeof(bound)};
	struct objfile o;

	if (!is_session_object(file, 0, &o) || !bound_to(k, o.private ? PRIVATE : PUBLIC, bound))
		return false;
	buf_put_u8(ret, bound[0]);
	return box_seal(k->key, LABEL, &aad, 1, file->data, file->len, ret) && buf_ok(ret) &&
	    ret->len <= KEPT_MAX_OBJECT;
}

bool
keep_open(const struct keep_key *k, const uint8_t *sealed, size_t len, struct buf *ret)
{
	uint8_t bound[1 + KEEP_LOGIN];
	struct part aad = {bound, sizeof(bound)};
	size_t start = ret->len;
	struct objfile o;

	return len > 1 && len <= KEPT_MAX_OBJECT && bound_to(k, sealed[0], bound) &&
	    box_open(k->key, LABEL, &aad, 1, sealed + 1, len - 1, ret) && buf_ok(ret) &&
	    is_session_object(ret, start, &o) && o.private == (bound[0] == PRIVATE);
}
