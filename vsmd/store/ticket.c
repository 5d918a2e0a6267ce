/* ticket.c - see ticket.h */
#include "vsmd/store/ticket.h"

#include <string.h>

#define LABEL "caas login ticket"

bool
ticket_seal(const struct store_keys *k, const uint8_t store[STORE_ID],
    const struct ticket *t, const uint8_t *pin, size_t pin_len, struct buf *out)
{
	struct part aad = {store, STORE_ID};
	struct buf b;
	bool ok;

	if (pin_len > TICKET_PIN_MAX)
		return false;
	buf_init(&b, TICKET_MAX);
	buf_put_str(&b, t->principal);
	buf_put_u32(&b, t->slot);
	buf_put_u64(&b, t->epoch);
	buf_put_u8(&b, t->user_type);
	buf_put_raw(&b, t->login, TICKET_LOGIN);
	buf_put_bytes(&b, pin, pin_len);
	ok = buf_ok(&b) && box_seal(k->ticket, LABEL, &aad, 1, b.data, b.len, out);
	buf_free(&b);
	return ok;
}

bool
ticket_open(const struct store_keys *k, const uint8_t store[STORE_ID],
    const uint8_t *data, size_t len, struct ticket *t, struct buf *pin)
{
	struct part aad = {store, STORE_ID};
	const uint8_t *p;
	struct buf b;
	size_t n = 0;
	bool ok;

	memset(t, 0, sizeof(*t));
	buf_init(&b, TICKET_MAX);
	ok = box_open(k->ticket, LABEL, &aad, 1, data, len, &b);
	buf_get_str(&b, t->principal, sizeof(t->principal));
	t->slot = buf_get_u32(&b);
	t->epoch = buf_get_u64(&b);
	t->user_type = buf_get_u8(&b);
	if ((p = buf_get_raw(&b, TICKET_LOGIN)) != NULL)
		memcpy(t->login, p, TICKET_LOGIN);
	p = buf_get_bytes(&b, &n);
	ok = ok && buf_end(&b);
	if (ok)
		buf_put_raw(pin, p, n);
	buf_free(&b);
	return ok && buf_ok(pin);
}
