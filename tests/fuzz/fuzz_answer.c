/*
 * fuzz_answer.c - a worker's reply, read into buffers of exactly the size that the
 * application stated: u32 call number, u8 seed of the application's arguments, body; with
 * FUSED in the number, of a fused request.  With FRAME_FETCH for the number, of a search;
 * then the seed is an attribute to look for.  With FRAME_INFO, all about a slot.
 */
#include <stdlib.h>
#include <string.h>

#include "protocol/fetch.h"
#include "protocol/frame.h"
#include "protocol/info.h"
#include "protocol/message.h"
#include "sample.h"

#define FUSED 0x80000000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is read lies in what was sent, and is no more than there may be. */
static void
read_search(struct buf *b, uint8_t seed, struct arena *arena)
{
	const uint8_t *value, *end = b->data + b->len;
	struct fetched f;
	size_t len, all = 0;

	if (!fetched_read(b, &f, arena))
		return;
	if (f.count > FETCH_MAX || (f.rv != CKR_OK && f.count > 0))
		abort();
	for (uint32_t i = 0; i < f.count; i++) {
		const struct fetched_object *o = &f.objects[i];

		all += o->len;
		if (o->len > 0 && (o->attrs < b->data || o->attrs + o->len > end))
			abort();
		if (fetched_attr(o->attrs, o->len, seed, &value, &len) && len > 0 &&
		    (value < o->attrs || value + len > o->attrs + o->len))
			abort();
	}
	if (all > FETCH_BYTES)
		abort();
}

/* What is read is written as it was. */
static void
read_slot(struct buf *b, struct arena *arena)
{
	size_t start = b->pos;
	struct info info;
	struct buf again;

	if (!info_read(b, &info, arena))
		return;
	if (info.count > INFO_MECHS || (info.rv != CKR_OK && info.count > 0))
		abort();
	buf_init(&again, b->len);
	info_write(&again, &info);
	if (!buf_ok(&again) || again.len != b->len - start ||
	    memcmp(again.data, b->data + start, again.len) != 0)
		abort();
	buf_free(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct call *call;
	struct sample s;
	struct reply reply;
	struct arena arena;
	uint32_t number;
	CK_RV begun;
	struct buf b;
	uint8_t seed;

	buf_view(&b, data, size);
	number = buf_get_u32(&b);
	call = call_by_number(number & ~FUSED);
	seed = buf_get_u8(&b);
	if ((call == NULL && number != FRAME_FETCH && number != FRAME_INFO) || !buf_ok(&b))
		return 0;
	arena_init(&arena, 1 << 20);
	if (call == NULL) {
		if (number == FRAME_FETCH)
			read_search(&b, seed, &arena);
		else
			read_slot(&b, &arena);
		arena_free(&arena);
		return 0;
	}
	sample_init(&s, seed);
	(seed & 1 ? sample_args : sample_full_args)(&s, call);
	if ((number & FUSED) == 0)
		(void)answer_read(&b, call, s.args, &reply, &arena);
	else if (answer_read_fused(&b, call, s.args, &begun, &reply, &arena) &&
	    begun != CKR_OK && reply.rv != begun)
		abort();
	sample_free(&s);
	arena_free(&arena);
	return 0;
}
