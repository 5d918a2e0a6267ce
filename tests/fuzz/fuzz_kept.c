/*
 * fuzz_kept.c - session objects that go over: u8 which, then the body of FRAME_KEPT (0), of
 * a resume (1), of its reply (2, with two of each asked for), or an object's file that was
 * sealed by a worker that was taken over (3).  What is read of a resume is written as it was.
 */
#include <stdlib.h>
#include <string.h>

#include "protocol/resume.h"
#include "vsmd/worker/keep.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
inside(const struct buf *b, const uint8_t *p, size_t len)
{
	if (len > 0 && (p < b->data || len > (size_t)(b->data + b->len - p)))
		abort();
}

static void
read_ask(struct buf *b, struct arena *arena)
{
	struct resume ask;
	struct buf again;

	if (!resume_ask_read(b, &ask, arena))
		return;
	inside(b, ask.pass, ask.pass_len);
	for (uint32_t i = 0; i < ask.nkept; i++) {
		inside(b, ask.kept[i].object, ask.kept[i].len);
		if (ask.kept[i].session >= ask.nsessions || ask.kept[i].len > KEPT_MAX_OBJECT)
			abort();
	}
	buf_init(&again, b->len + 64);
	resume_ask_write(&again, &ask);
	/* None of them is the same as nothing of them. */
	if (!buf_ok(&again) || again.len > b->len - 1 ||
	    memcmp(again.data, b->data + 1, again.len) != 0 ||
	    (ask.nkept > 0 && again.len != b->len - 1))
		abort();
	buf_free(&again);
}

static void
read_answer(struct buf *b, struct arena *arena)
{
	struct resume ask = {.nsessions = 2, .nids = 2, .nkept = 2};
	struct resumed done;

	if (resume_answer_read(b, &ask, &done, arena) && done.nkept != 2)
		abort();
}

/* What is sealed opens, and is the same. */
static void
seal(const uint8_t *data, size_t size)
{
	struct keep_key key = {.key = "key", .login = "login", .logged_in = true};
	struct buf file, sealed, opened;

	buf_init(&file, size + 1);
	buf_init(&sealed, KEPT_MAX_OBJECT);
	buf_init(&opened, KEPT_MAX_OBJECT);
	buf_put_raw(&file, data, size);
	if (keep_seal(&key, &file, &sealed) &&
	    (!keep_open(&key, sealed.data, sealed.len, &opened) || opened.len != size ||
		memcmp(opened.data, data, size) != 0))
		abort();
	buf_reset(&opened);
	if (keep_open(&key, data, size, &opened))
		abort();
	buf_free(&file);
	buf_free(&sealed);
	buf_free(&opened);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena;
	struct kept k;
	struct buf b;

	buf_view(&b, data, size);
	arena_init(&arena, 1 << 20);
	switch (buf_get_u8(&b)) {
	case 0:
		if (kept_read(&b, &k)) {
			inside(&b, k.pass, k.pass_len);
			inside(&b, k.object, k.object_len);
		}
		break;
	case 1:
		read_ask(&b, &arena);
		break;
	case 2:
		read_answer(&b, &arena);
		break;
	case 3:
		seal(data + 1, size - 1);
		break;
	default:
		break;
	}
	arena_free(&arena);
	return 0;
}
