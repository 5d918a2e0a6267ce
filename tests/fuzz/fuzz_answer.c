/*
 * fuzz_answer.c - a worker's reply, read into buffers of exactly the size that the
 * application stated: u32 call number, u8 seed of the application's arguments, body; with
 * FUSED in the number, of a fused request.
 */
#include <stdlib.h>

#include "protocol/message.h"
#include "sample.h"

#define FUSED 0x80000000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
	if (call == NULL || !buf_ok(&b))
		return 0;
	arena_init(&arena, 1 << 20);
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
