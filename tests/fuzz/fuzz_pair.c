/*
 * fuzz_pair.c - what caas, domt-forward and domtd say to each other, from anybody: refused, or a
 * message that is the same when it is written again.  And the head of a saved guest's file.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "xen-hooks/domtd/savefile.h"
#include "xen-hooks/message/message.h"

static void
request(const struct buf *in)
{
	struct request r, again;
	struct buf b;

	if (!request_read(in, &r))
		return;
	/* It becomes part of a file's name. */
	if (r.kind != REQUEST_LIST && (!pair_name_ok(r.pair) || strchr(r.pair, '/') != NULL))
		abort();
	buf_init(&b, MESSAGE_MAX);
	request_write(&b, &r);
	if (!request_read(&b, &again) || again.kind != r.kind ||
	    strcmp(again.pair, r.pair) != 0 || strcmp(again.by, r.by) != 0)
		abort();
	buf_free(&b);
}

static void
reply(const struct buf *in)
{
	enum reply_kind kind, again;
	json_t *value, *same;
	struct buf b;

	if (!reply_read(in, &kind, &value))
		return;
	if (kind != REPLY_PAIRS) {
		buf_init(&b, MESSAGE_MAX);
		reply_write(&b, kind, json_string_value(value));
		if (!reply_read(&b, &again, &same) || again != kind)
			abort();
		json_decref(same);
		buf_free(&b);
	}
	json_decref(value);
}

static void
saved(const uint8_t *data, size_t len)
{
	uint8_t head[SAVEFILE_LEN] = {0}, again[SAVEFILE_LEN];
	struct savefile s;

	memcpy(head, data, len < sizeof(head) ? len : sizeof(head));
	if (!savefile_read(head, &s))
		return;
	savefile_write(again, &s);
	if (memcmp(head, again, sizeof(head)) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct buf b;

	buf_view(&b, data, len);
	request(&b);
	reply(&b);
	saved(data, len);
	return 0;
}
