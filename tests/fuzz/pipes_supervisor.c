/* pipes_supervisor.c - see pipes.h: slots come and go, each once. */
#include <stdlib.h>

#include "pipes.h"
#include "vsmd/supervisor/super.h"

void
pipes_slots(struct buf *b)
{
	struct super s = {.store.watch.fd = -1};
	size_t first = buf_get_u16(b);
	const uint8_t *p;
	struct buf m;

	if (first > buf_left(b))
		first = buf_left(b);
	p = buf_get_raw(b, first);
	if (p == NULL)
		return;
	buf_view(&m, p, first);
	if (slots_update(&s, &m)) {
		first = buf_left(b);
		buf_view(&m, buf_get_raw(b, first), first);
		(void)slots_update(&s, &m);
	}
	for (size_t i = 0; i < s.nslots; i++)
		for (size_t j = 0; j < i; j++)
			if (s.slots[i]->id == s.slots[j]->id)
				abort();
	slots_free(&s);
}

void
pipes_discard(struct buf *b)
{
	struct super s = {.store.watch.fd = -1};
	struct buf list;

	buf_init(&list, 256);
	buf_put_u64(&list, 1);
	buf_put_u32(&list, 1);
	buf_put_u32(&list, 7);
	buf_put_u8(&list, 0);
	buf_put_str(&list, "");
	buf_put_str(&list, "");
	buf_put_str(&list, "/slot");
	if (!slots_update(&s, &list))
		abort();
	if (slots_discard(&s, b) != (s.slots[0]->state == SLOT_KILLING))
		abort();
	slots_free(&s);
	buf_free(&list);
}
