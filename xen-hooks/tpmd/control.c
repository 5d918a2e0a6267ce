/* control.c - see control.h */
#include "xen-hooks/tpmd/control.h"

#include <stdlib.h>
#include <string.h>

#include "vchan-transport/address.h"

#define MAGIC	0x54424d43 /* "CMBT" */
#define VERSION 2
#define EACH	(8 + 1 + 4 + CONTROL_UUID + CONTROL_DIGEST) /* bytes of a pair, at least */

void
control_world_write(struct buf *b, const struct control_world *w)
{
	buf_put_u32(b, MAGIC);
	buf_put_u16(b, VERSION);
	buf_put_u32(b, (uint32_t)w->n);
	for (size_t i = 0; i < w->n; i++) {
		const struct control_pair *p = &w->pairs[i];

		buf_put_str(b, p->pair);
		buf_put_u32(b, p->domid);
		buf_put_raw(b, p->uuid, CONTROL_UUID);
		buf_put_raw(b, p->digest, CONTROL_DIGEST);
	}
	buf_put_str(b, w->forget);
}

static void
get_raw(struct buf *b, uint8_t *dst, size_t len)
{
	const uint8_t *p = buf_get_raw(b, len);

	if (p != NULL)
		memcpy(dst, p, len);
}

/* dom0 is nobody's crypto domain. */
static bool
pair_ok(const struct control_world *w, const struct control_pair *p)
{
	if (!pair_name_ok(p->pair) || p->domid == 0 || p->domid > ADDRESS_DOMID_LAST)
		return false;
	for (size_t i = 0; i < w->n; i++)
		if (w->pairs[i].domid == p->domid || strcmp(w->pairs[i].pair, p->pair) == 0)
			return false;
	return true;
}

/* A pair that is there is not forgotten. */
static bool
forget_ok(const struct control_world *w)
{
	for (size_t i = 0; i < w->n; i++)
		if (strcmp(w->pairs[i].pair, w->forget) == 0)
			return false;
	return w->forget[0] == '\0' || pair_name_ok(w->forget);
}

bool
control_world_read(struct buf *b, struct control_world *ret)
{
	uint32_t n;

	*ret = (struct control_world){.pairs = NULL};
	if (buf_get_u32(b) != MAGIC || buf_get_u16(b) != VERSION)
		return false;
	n = buf_get_u32(b);
	if (n > CONTROL_PAIRS || !buf_fits(b, n, EACH) ||
	    (n > 0 && (ret->pairs = calloc(n, sizeof(*ret->pairs))) == NULL))
		return false;
	while (ret->n < n) {
		struct control_pair *p = &ret->pairs[ret->n];

		buf_get_str(b, p->pair, sizeof(p->pair));
		p->domid = buf_get_u32(b);
		get_raw(b, p->uuid, CONTROL_UUID);
		get_raw(b, p->digest, CONTROL_DIGEST);
		if (!buf_ok(b) || !pair_ok(ret, p))
			break;
		ret->n++;
	}
	buf_get_str(b, ret->forget, sizeof(ret->forget));
	if (ret->n == n && buf_end(b) && forget_ok(ret))
		return true;
	control_world_free(ret);
	return false;
}

void
control_world_free(struct control_world *w)
{
	free(w->pairs);
	*w = (struct control_world){.pairs = NULL};
}

void
control_answer_write(struct buf *b, const struct control_answer *a)
{
	buf_put_u16(b, VERSION);
	buf_put_u8(b, a->ok);
	buf_put_str(b, a->text);
	buf_put_u32(b, a->forgotten);
	buf_put_u32(b, a->rows);
}

bool
control_answer_read(struct buf *b, struct control_answer *ret)
{
	uint16_t version = buf_get_u16(b);
	uint8_t ok = buf_get_u8(b);

	buf_get_str(b, ret->text, sizeof(ret->text));
	ret->forgotten = buf_get_u32(b);
	ret->rows = buf_get_u32(b);
	ret->ok = ok == 1;
	return buf_end(b) && version == VERSION && ok <= 1;
}
