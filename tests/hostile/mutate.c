/* mutate.c - another frame than it was: see hostile.h */
#include "hostile.h"

#include <string.h>

#define HARD 12 /* in thousandths: what may be a breach, and mostly is */

static const uint64_t numbers[] = {0, 1, 2, 7, 8, 15, 16, 17, 23, 24, 25, 63, 64, 127, 128, 255,
    256, 1023, 1024, 1025, 4095, 4096, 65535, 65536, 1 << 20, (1 << 20) + 1, 80 << 20,
    0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0x7fffffffffffffff, 0x8000000000000000,
    0xfffffffffffffff0, 0xffffffffffffffff, ~(uint64_t)0 / 24, ~(uint64_t)0 / 24 + 1};

/* What is claimed of room costs much (forge.c). */
#define ROOM_MOST 65536
#define ROOM_ODD 500

static uint64_t
number(struct chance *c, uint64_t was)
{
	switch (below(c, 5)) {
	case 0:
		return was + 1;
	case 1:
		return was - 1;
	case 2:
		return was ^ 1ull << below(c, 64);
	case 3:
		return chance_next(c) >> below(c, 64);
	default:
		return numbers[below(c, sizeof(numbers) / sizeof(numbers[0]))];
	}
}

/* One spot of such a kind; NULL: there is none.  Without its handles a call does not come
 * far: these rarely. */
static const struct spot *
find(struct forged *f, bool hard)
{
	for (unsigned i = 0; i < 32 && f->nspots > 0; i++) {
		const struct spot *s = &f->spots[below(f->chance, (uint32_t)f->nspots)];

		if (s->kind == SPOT_HANDLE && !f->delicate && !one_in(f->chance, 40))
			continue;
		if ((s->kind >= SPOT_LENGTH) == hard && s->len > 0 &&
		    (!f->delicate || s->kind == SPOT_HANDLE || hard))
			return s;
	}
	return NULL;
}

static void
change_content(struct forged *f, const struct spot *s)
{
	struct chance *c = f->chance;
	uint8_t *p = f->b.data + s->at;

	switch (below(c, 4)) {
	case 0:
		memset(p, 0, s->len);
		break;
	case 1:
		memset(p, 0xff, s->len);
		break;
	case 2:
		fill(c, p, s->len);
		break;
	default:
		for (unsigned n = 1 + below(c, 4); n > 0; n--)
			p[below(c, (uint32_t)s->len)] ^= (uint8_t)(1u << below(c, 8));
	}
}

static void
change(struct forged *f, const struct spot *s)
{
	uint64_t v;

	if (s == NULL)
		return;
	f->mutated = true;
	if (s->kind == SPOT_CONTENT || s->len != sizeof(v)) {
		change_content(f, s);
		return;
	}
	memcpy(&v, f->b.data + s->at, sizeof(v));
	v = number(f->chance, v);
	if (s->kind == SPOT_ROOM && !one_in(f->chance, ROOM_ODD))
		v %= ROOM_MOST;
	memcpy(f->b.data + s->at, &v, sizeof(v));
}

static void
set_header(struct forged *f, size_t at, uint32_t v)
{
	buf_set_u32(&f->b, at, v);
	f->mutated = true;
}

static void
set_length(struct forged *f)
{
	set_header(f, 0, (uint32_t)(f->b.len - FRAME_HEADER));
}

/* A call that there is not, or not here: answered, whatever its body. */
static void
unknown(struct forged *f)
{
	static const uint32_t calls[] = {0, CALL_C_Initialize, CALL_C_GetInfo, CALL_C_LoginUser,
	    CALL_C_SessionCancel, CALL_COUNT_, 0xffff0000, FRAME_BEAT, FRAME_AGAIN, 0xffff0010,
	    0xffffffff};
	uint32_t call = one_in(f->chance, 3) ? 200 + (uint32_t)chance_next(f->chance) % 0x10000000
					     : calls[below(f->chance, 11)];

	set_header(f, 8, f->call = call);
	set_header(f, 12, 0);
}

static void
leftover(struct forged *f)
{
	size_t len = 1 + below(f->chance, 16);
	uint8_t *p = buf_reserve(&f->b, len);

	if (p != NULL)
		fill(f->chance, p, len);
	set_length(f);
}

static void
cut(struct forged *f)
{
	size_t body = f->b.len - FRAME_HEADER;

	if (body > 0)
		buf_truncate(&f->b, FRAME_HEADER + below(f->chance, (uint32_t)body));
	set_length(f);
}

/* What the header says is not what follows. */
static void
tear(struct forged *f)
{
	struct chance *c = f->chance;
	uint32_t body = (uint32_t)(f->b.len - FRAME_HEADER);

	switch (below(c, 4)) {
	case 0:
		set_header(f, 0, body + 1 + below(c, 100));
		break;
	case 1:
		set_header(f, 0, below(c, body + 1));
		break;
	case 2:
		set_header(f, 0, (uint32_t)number(c, body));
		break;
	default:
		buf_truncate(&f->b, below(c, (uint32_t)f->b.len));
	}
	f->mutated = f->torn = true;
}

static void
flip(struct forged *f)
{
	uint32_t body = (uint32_t)(f->b.len - FRAME_HEADER);

	for (unsigned n = 1 + below(f->chance, 8); n > 0 && body > 0; n--)
		f->b.data[FRAME_HEADER + below(f->chance, body)] ^=
		    (uint8_t)(1u << below(f->chance, 8));
	f->mutated = true;
}

/* The body once more. */
static void
twice(struct forged *f)
{
	size_t body = f->b.len - FRAME_HEADER;
	uint8_t *p = buf_reserve(&f->b, body);

	if (p != NULL && body > 0)
		memcpy(p, f->b.data + FRAME_HEADER, body);
	set_length(f);
}

/* Random, or one that only comes first. */
static void
other_body(struct forged *f)
{
	struct chance *c = f->chance;
	size_t len = below(c, 256);
	uint8_t *p;

	buf_truncate(&f->b, FRAME_HEADER);
	if ((p = buf_reserve(&f->b, len)) != NULL)
		fill(c, p, len);
	set_length(f);
	if (one_in(c, 3)) {
		set_header(f, 8, f->call = FRAME_RESUME);
		set_header(f, 12, 0);
	}
}

static void
hard(struct forged *f)
{
	f->breach = true;
	switch (below(f->chance, f->delicate ? 7 : 10)) {
	case 0:
	case 1:
	case 2:
		if (!f->delicate)
			change(f, find(f, true));
		break;
	case 3:
		set_header(f, 12, (uint32_t)number(f->chance, f->b.data[12]));
		break;
	case 4:
		leftover(f);
		break;
	case 5:
		cut(f);
		break;
	case 6:
		tear(f);
		break;
	case 7:
		flip(f);
		break;
	case 8:
		twice(f);
		break;
	default:
		other_body(f);
	}
}

void
mutate(struct forged *f)
{
	uint32_t r = below(f->chance, 1000);

	if (r < 60)
		return;
	if (r >= 1000 - HARD)
		hard(f);
	else if (r < 100 && !f->delicate)
		unknown(f);
	else
		for (unsigned n = 1 + one_in(f->chance, 3); n > 0; n--)
			change(f, find(f, false));
}
