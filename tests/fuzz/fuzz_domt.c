/*
 * fuzz_domt.c - what DomC and DomT say to each other once it is opened: u8 which, a question (0),
 * the answer to one (1 to 8, what was asked), or a blob's head (9).  What is read is the same
 * when it is written again, and within its bounds.
 */
#include <stdlib.h>
#include <string.h>

#include "tpm/domt/blob.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
same(const uint8_t *data, size_t size, struct buf *out)
{
	if (!buf_ok(out) || out->len != size || memcmp(out->data, data, size) != 0)
		abort();
	buf_free(out);
}

/* Borrowed from the message, whole. */
static void
within(const struct domt_bytes *b, const uint8_t *data, size_t size, size_t most)
{
	if (b->len > most || (b->len > 0 && (b->data < data || b->data + b->len > data + size)))
		abort();
}

static void
question(const uint8_t *data, size_t size)
{
	struct domt_question q;
	struct buf in, out;

	buf_view(&in, data, size);
	if (!domt_question_read(&in, &q))
		return;
	within(&q.authority, data, size, DOMT_AUTHORITY_MAX);
	within(&q.secret, data, size, TPM_KEY_MAX);
	within(&q.blob, data, size, TPM_BLOB_MAX);
	within(&q.digest, data, size, TPM_ANCHOR_LEN);
	if (q.napprovals > DOMT_APPROVALS || q.length > DOMT_RANDOM_MAX ||
	    q.place >= TPM_ANCHOR_PLACES)
		abort();
	for (size_t i = 0; i < q.napprovals; i++)
		within(&q.approval[i], data, size, DOMT_APPROVAL_MAX);
	buf_init(&out, DOMT_MESSAGE_MAX + size);
	domt_question_write(&out, &q);
	same(data, size, &out);
}

static void
answer(enum domt_what what, const uint8_t *data, size_t size)
{
	struct domt_answer a;
	struct buf in, out;

	buf_view(&in, data, size);
	if (!domt_answer_read(&in, what, &a))
		return;
	within(&a.bytes, data, size, TPM_BLOB_MAX);
	buf_init(&out, DOMT_MESSAGE_MAX + size);
	domt_answer_write(&out, &a);
	same(data, size, &out);
}

static void
blob(const uint8_t *data, size_t size)
{
	struct domt_blob b;
	struct buf out;

	if (!domt_blob_read(data, size, &b))
		return;
	within(&b.head, data, size, TPM_BLOB_MAX);
	within(&b.body, data, size, TPM_BLOB_MAX);
	buf_init(&out, TPM_BLOB_MAX);
	domt_blob_head(&out, b.identity, b.ref);
	buf_put_raw(&out, b.body.data, b.body.len);
	same(data, size, &out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t which = size > 0 ? data[0] % 10 : 0;

	if (size == 0)
		return 0;
	if (which == 0)
		question(data + 1, size - 1);
	else if (which < DOMT_WHATS)
		answer((enum domt_what)which, data + 1, size - 1);
	else
		blob(data + 1, size - 1);
	return 0;
}
