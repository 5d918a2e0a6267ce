/* pass.c - see pass.h */
#include "vsmd/store/pass.h"

#include <string.h>

#include "common/secmem.h"

#define LABEL "caas session objects"

bool
pass_seal(const struct store_keys *k, const uint8_t store[STORE_ID],
    const struct pass *pass, struct buf *out)
{
	struct part aad = {store, STORE_ID};
	struct buf b;
	bool ok;

	buf_init(&b, PASS_MAX);
	buf_put_str(&b, pass->principal);
	buf_put_u32(&b, pass->slot);
	buf_put_u64(&b, pass->epoch);
	buf_put_raw(&b, pass->key, sizeof(pass->key));
	ok = buf_ok(&b) && box_seal(k->keep, LABEL, &aad, 1, b.data, b.len, out);
	buf_free(&b);
	return ok && buf_ok(out);
}

bool
pass_open(const struct store_keys *k, const uint8_t store[STORE_ID], const uint8_t *data,
    size_t len, struct pass *ret)
{
	struct part aad = {store, STORE_ID};
	const uint8_t *key;
	struct buf b;
	bool ok;

	memset(ret, 0, sizeof(*ret));
	buf_init(&b, PASS_MAX);
	ok = box_open(k->keep, LABEL, &aad, 1, data, len, &b);
	buf_get_str(&b, ret->principal, sizeof(ret->principal));
	ret->slot = buf_get_u32(&b);
	ret->epoch = buf_get_u64(&b);
	if ((key = buf_get_raw(&b, sizeof(ret->key))) != NULL)
		memcpy(ret->key, key, sizeof(ret->key));
	ok = ok && buf_end(&b);
	buf_free(&b);
	if (!ok)
		sec_wipe(ret, sizeof(*ret));
	return ok;
}
