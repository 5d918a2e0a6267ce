/*
 * fuzz_answer.c - a worker's reply, read into buffers of exactly the size that the
 * application stated: u32 call number, u8 seed of the application's arguments, body.
 */
#include "protocol/message.h"
#include "sample.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct call *call;
	struct sample s;
	struct reply reply;
	struct arena arena;
	struct buf b;
	uint8_t seed;

	buf_view(&b, data, size);
	call = call_by_number(buf_get_u32(&b));
	seed = buf_get_u8(&b);
	if (call == NULL || !buf_ok(&b))
		return 0;
	arena_init(&arena, 1 << 20);
	sample_init(&s, seed);
	(seed & 1 ? sample_args : sample_full_args)(&s, call);
	(void)answer_read(&b, call, s.args, &reply, &arena);
	sample_free(&s);
	arena_free(&arena);
	return 0;
}
