/*
 * fuzz_tpmd.c - what reaches domt-tpmd: a crypto domain's question, which is served from a state
 * that is kept in memory; its blobs; and, from the disk, a state file and the rows in it.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xen-hooks/tpmd/seal.h"
#include "xen-hooks/tpmd/serve.h"

static const uint8_t key[32] = "a key", identity[DOMT_IDENTITY] = "an identity";

static enum tpm_result
draw(void *arg, uint8_t ret[32], char why[LEDGER_WHY])
{
	(void)arg;
	(void)why;
	memset(ret, 4, 32);
	return TPM_OK;
}

/* All of the input is rows: refused, or the same when they are written again. */
static void
rows(const uint8_t *data, size_t len)
{
	struct rows r;
	struct buf b;

	buf_view(&b, data, len);
	if (!rows_read(&b, &r))
		return;
	buf_init(&b, ROWS_BYTES);
	rows_write(&b, &r);
	if (!buf_ok(&b) || b.len != len || memcmp(b.data, data, len) != 0)
		abort();
	buf_free(&b);
	rows_free(&r);
}

static void
file(const uint8_t *data, size_t len)
{
	uint8_t before[TPM_ANCHOR_LEN];
	uint64_t sequence;
	struct rows r;

	if (ledger_parse(key, data, len, before, &sequence, &r))
		abort();
}

static void
blob(const uint8_t *data, size_t len)
{
	char why[TPM_ERROR_MAX];
	struct sealed s;
	struct buf plain;

	buf_init(&plain, TPM_BLOB_MAX);
	if (seal_open(key, identity, data, len, &plain, &s, why) == TPM_OK)
		abort();
	buf_free(&plain);
}

/* Several questions, each with its length before it, of two pairs in turn. */
static void
questions(const uint8_t *data, size_t len)
{
	static struct control_pair who[2] = {{.pair = "web"}, {.pair = "ca"}};
	struct ledger l = {.key = key};
	struct service s = {.ledger = &l, .wrap = key, .identity = identity, .random = draw};
	struct buf in, bytes, message;
	struct domt_question q;
	struct domt_answer a;

	buf_view(&in, data, len);
	for (int i = 0; buf_left(&in) > 2; i++) {
		size_t n = buf_get_u16(&in);
		const uint8_t *p = buf_get_raw(&in, n < buf_left(&in) ? n : buf_left(&in));

		buf_view(&message, p, n < (size_t)(data + len - p) ? n : (size_t)(data + len - p));
		if (!domt_question_read(&message, &q))
			continue;
		buf_init(&bytes, DOMT_MESSAGE_MAX);
		serve_one(&s, &who[i % 2], &q, &a, &bytes);
		buf_init(&message, DOMT_MESSAGE_MAX);
		domt_answer_write(&message, &a);
		if (!buf_ok(&message))
			abort();
		buf_free(&message);
		buf_free(&bytes);
	}
	ledger_close(&l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	rows(data, len);
	file(data, len);
	blob(data, len);
	questions(data, len);
	return 0;
}
