/*
 * fuzz_ask.c - a guest's request: u32 call number, body; with FUSED in the number, of a
 * fused request.
 * What reads must, written again, be a message that reads the same.
 */
#include <stdlib.h>
#include <string.h>

#include "protocol/message.h"

#define ARENA (8u << 20)
#define FUSED 0x80000000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Arguments of the call, of its beginning. */
struct request {
	struct arg args[2][ARGS_MAX];
	struct arena arena;
};

static bool
read_one(struct buf *b, const struct call *call, const struct call *begin, struct request *r)
{
	if (begin == NULL)
		return ask_read(b, call, r->args[0], &r->arena);
	if (!ask_read_fused(b, begin, r->args[1], call, r->args[0], &r->arena))
		return false;
	if (r->args[0][0].len != r->args[1][0].len)
		abort(); /* two sessions */
	return true;
}

/* Write what was read, read what was written, keep the bytes in b. */
static void
again(struct buf *b, const struct call *call, const struct call *begin,
    const struct request *from, struct request *to)
{
	if (begin != NULL && ask_write(b, begin, from->args[1]) != CKR_OK)
		abort();
	if (ask_write(b, call, from->args[0]) != CKR_OK || !read_one(b, call, begin, to))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct call *call, *begin = NULL;
	struct request r[3];
	struct buf b, one, two;
	uint32_t number;

	buf_view(&b, data, size);
	number = buf_get_u32(&b);
	if ((call = call_by_number(number & ~FUSED)) == NULL)
		return 0;
	if ((number & FUSED) && (begin = call_beginning(call)) == NULL)
		return 0;
	for (size_t i = 0; i < 3; i++)
		arena_init(&r[i].arena, ARENA);
	buf_init(&one, 1 << 20);
	buf_init(&two, 1 << 20);
	if (read_one(&b, call, begin, &r[0])) {
		again(&one, call, begin, &r[0], &r[1]);
		again(&two, call, begin, &r[1], &r[2]);
		if (one.len != two.len || memcmp(one.data, two.data, one.len) != 0)
			abort();
	}
	buf_free(&one);
	buf_free(&two);
	for (size_t i = 0; i < 3; i++)
		arena_free(&r[i].arena);
	return 0;
}
