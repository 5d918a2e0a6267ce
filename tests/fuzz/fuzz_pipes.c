/*
 * fuzz_pipes.c - what our processes say to each other: u8 which, then a message of vsmd-tpm's
 * pipes (0 to 3), a grant (4), what the store tells the supervisor (5, 6), or what workers ask
 * the store (7).  Whatever is read of the first is written as it was.
 */
#include <stdlib.h>
#include <string.h>

#include "common/ipc.h"
#include "common/log.h"
#include "pipes.h"
#include "vsmd/policy/grant.h"
#include "vsmd/store/tpm_msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
same(const struct buf *in, struct buf *out)
{
	if (!buf_ok(out) || out->len != in->len - 1 ||
	    memcmp(out->data, in->data + 1, out->len) != 0)
		abort();
	buf_free(out);
}

static void
tpm_message(uint8_t which, struct buf *b)
{
	struct anchor_answer anchor_answer;
	struct seal_answer seal_answer;
	struct anchor_ask anchor_ask;
	struct seal_ask seal_ask;
	struct buf out;

	buf_init(&out, IPC_MAX);
	if (which == 0 && seal_ask_read(b, &seal_ask)) {
		seal_ask_write(&out, &seal_ask);
		same(b, &out);
	} else if (which == 1 && seal_answer_read(b, &seal_answer)) {
		seal_answer_write(&out, &seal_answer);
		same(b, &out);
	} else if (which == 2 && anchor_ask_read(b, &anchor_ask)) {
		anchor_ask_write(&out, &anchor_ask);
		same(b, &out);
	} else if (which == 3 && anchor_answer_read(b, &anchor_answer)) {
		anchor_answer_write(&out, &anchor_answer);
		same(b, &out);
	}
}

static void
grant(struct buf *b)
{
	static struct grant g; /* large */
	struct buf out;

	buf_init(&out, IPC_MAX);
	if (!grant_read(b, &g)) {
		if (g.classes != 0 || g.flags != 0 || g.nrules != 0)
			abort();
	} else if (buf_end(b)) {
		grant_write(&out, &g);
		same(b, &out);
	}
	buf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf b;
	uint8_t which;

	log_level(LOG_ERR_);
	buf_view(&b, data, size);
	switch (which = buf_get_u8(&b)) {
	case 0:
	case 1:
	case 2:
	case 3:
		tpm_message(which, &b);
		break;
	case 4:
		grant(&b);
		break;
	case 5:
		pipes_slots(&b);
		break;
	case 6:
		pipes_discard(&b);
		break;
	case 7:
		pipes_workers(&b);
		break;
	default:
		break;
	}
	return 0;
}
