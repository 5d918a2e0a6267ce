/*
 * fuzz_hello.c - what a channel says before and beside calls: u8 selects the parser.
 * Whatever a parser takes, its writer gives back.
 */
#include <stdlib.h>
#include <string.h>

#include "protocol/frame.h"
#include "protocol/hello.h"
#include "protocol/resume.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
same(const void *a, const void *b, size_t len)
{
	if (memcmp(a, b, len) != 0)
		abort();
}

static void
hello(uint8_t which, const uint8_t *in)
{
	struct hello_ask ask;
	struct hello_answer answer;
	uint8_t out[HELLO_LEN];

	if (which == 0 && hello_ask_read(in, &ask) && ask.version == HELLO_VERSION) {
		hello_ask_write(out, &ask);
		/* All but the flags that nobody knows, at 24. */
		same(in, out, 24);
		same(in + 28, out + 28, HELLO_LEN - 28);
		if ((ask.flags & ~(uint32_t)HELLO_FLAGS) != 0)
			abort();
	}
	if (which == 1 && hello_answer_read(in, &answer) &&
	    answer.version == HELLO_VERSION) {
		hello_answer_write(out, &answer);
		same(in, out, HELLO_LEN);
	}
}

static void
frame(const uint8_t *in)
{
	struct frame f;
	struct buf b;

	if (!frame_parse(in, FRAME_MAX_DEFAULT, &f))
		return;
	buf_init(&b, 100);
	frame_begin(&b, f.id, f.call);
	frame_end(&b);
	same(in + 4, b.data + 4, FRAME_HEADER - 4);
	buf_free(&b);
}

static void
slot(const uint8_t *in)
{
	struct hello_slot s;
	uint8_t out[HELLO_SLOT_LEN];

	if (!hello_slot_read(in, &s))
		return;
	hello_slot_write(out, &s);
	same(in, out, HELLO_SLOT_LEN);
}

static void
resume_ask(const uint8_t *in, size_t len)
{
	struct resume r;
	struct arena arena;
	struct buf b, out;

	arena_init(&arena, 1 << 20);
	buf_view(&b, in, len);
	buf_init(&out, len);
	if (resume_ask_read(&b, &r, &arena)) {
		resume_ask_write(&out, &r);
		if (!buf_ok(&out) || out.len != len)
			abort();
		same(in, out.data, len);
	}
	buf_free(&out);
	arena_free(&arena);
}

static void
resume_answer(const uint8_t *in, size_t len)
{
	const struct resume asked = {.nsessions = 2, .nids = 3};
	struct resumed r;
	struct arena arena;
	struct buf b;

	arena_init(&arena, 1 << 20);
	buf_view(&b, in, len);
	if (resume_answer_read(&b, &asked, &r, &arena) &&
	    (r.nsessions != asked.nsessions || r.nobjects != asked.nids))
		abort();
	arena_free(&arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t which;

	if (size == 0)
		return 0;
	which = *data++;
	size--;
	if (which <= 1 && size >= HELLO_LEN)
		hello(which, data);
	else if (which == 2 && size >= FRAME_HEADER)
		frame(data);
	else if (which == 3 && size >= HELLO_SLOT_LEN)
		slot(data);
	else if (which == 4)
		resume_ask(data, size);
	else if (which == 5)
		resume_answer(data, size);
	return 0;
}
