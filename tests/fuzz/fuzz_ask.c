/*
 * fuzz_ask.c - a guest's request: u32 call number, body.
 * What reads must, written again, be a message that reads the same.
 */
#include <stdlib.h>
#include <string.h>

#include "protocol/message.h"

#define ARENA (8u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Write args, read what was written, keep the bytes in b. */
static void
again(struct buf *b, const struct call *call, const struct arg *from, struct arg *args,
    struct arena *arena)
{
	if (ask_write(b, call, from) != CKR_OK || !ask_read(b, call, args, arena))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arg first[ARGS_MAX], second[ARGS_MAX], third[ARGS_MAX];
	struct arena arenas[3];
	const struct call *call;
	struct buf b, one, two;

	buf_view(&b, data, size);
	if ((call = call_by_number(buf_get_u32(&b))) == NULL)
		return 0;
	for (size_t i = 0; i < 3; i++)
		arena_init(&arenas[i], ARENA);
	buf_init(&one, 1 << 20);
	buf_init(&two, 1 << 20);
	if (ask_read(&b, call, first, &arenas[0])) {
		again(&one, call, first, second, &arenas[1]);
		again(&two, call, second, third, &arenas[2]);
		if (one.len != two.len || memcmp(one.data, two.data, one.len) != 0)
			abort();
	}
	buf_free(&one);
	buf_free(&two);
	for (size_t i = 0; i < 3; i++)
		arena_free(&arenas[i]);
	return 0;
}
