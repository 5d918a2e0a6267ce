/* message.c - see message.h */
#include "tpm/domt/message.h"

#include <string.h>

static void
put(struct buf *b, const struct domt_bytes *v)
{
	buf_put_bytes(b, v->data, v->len);
}

/* Borrowed; of another length than these it is malformed. */
static void
get(struct buf *b, size_t least, size_t most, struct domt_bytes *ret)
{
	ret->data = buf_get_bytes(b, &ret->len);
	if (ret->len < least || ret->len > most)
		buf_fail(b);
}

static void
put_approvals(struct buf *b, const struct domt_question *q)
{
	buf_put_u64(b, q->napprovals);
	for (size_t i = 0; i < q->napprovals; i++)
		put(b, &q->approval[i]);
}

static void
get_approvals(struct buf *b, struct domt_question *q)
{
	uint64_t n = buf_get_u64(b);

	if (n > DOMT_APPROVALS) {
		buf_fail(b);
		return;
	}
	for (q->napprovals = 0; q->napprovals < n; q->napprovals++)
		get(b, 1, DOMT_APPROVAL_MAX, &q->approval[q->napprovals]);
}

/* Of the four that are about an anchor. */
static bool
has_digest(enum domt_what what)
{
	return what == DOMT_DEFINE || what == DOMT_EXTEND;
}

static void
put_anchor(struct buf *b, const struct domt_question *q)
{
	buf_put_u32(b, q->place);
	put(b, &q->secret);
	if (has_digest(q->what))
		put(b, &q->digest);
}

static void
get_anchor(struct buf *b, struct domt_question *q)
{
	q->place = buf_get_u32(b);
	get(b, TPM_ANCHOR_LEN, TPM_ANCHOR_LEN, &q->secret);
	if (has_digest(q->what))
		get(b, TPM_ANCHOR_LEN, TPM_ANCHOR_LEN, &q->digest);
	if (q->place >= TPM_ANCHOR_PLACES)
		buf_fail(b);
}

void
domt_question_write(struct buf *b, const struct domt_question *q)
{
	buf_put_u64(b, q->number);
	buf_put_u8(b, (uint8_t)q->what);
	switch (q->what) {
	case DOMT_SEAL:
		buf_put_str(b, q->ref);
		put(b, &q->authority);
		put(b, &q->secret);
		break;
	case DOMT_UNSEAL:
		put(b, &q->blob);
		put_approvals(b, q);
		break;
	case DOMT_RANDOM:
		buf_put_u32(b, q->length);
		break;
	case DOMT_DIGEST_OF_IMAGE:
		break;
	case DOMT_DEFINE:
	case DOMT_READ:
	case DOMT_EXTEND:
	case DOMT_COUNT:
		put_anchor(b, q);
		break;
	case DOMT_WHATS:
		buf_fail(b);
		break;
	}
}

static void
get_question(struct buf *b, struct domt_question *q)
{
	switch (q->what) {
	case DOMT_SEAL:
		buf_get_str(b, q->ref, sizeof(q->ref));
		get(b, 0, DOMT_AUTHORITY_MAX, &q->authority);
		get(b, 1, TPM_KEY_MAX, &q->secret);
		break;
	case DOMT_UNSEAL:
		get(b, 1, TPM_BLOB_MAX, &q->blob);
		get_approvals(b, q);
		break;
	case DOMT_RANDOM:
		q->length = buf_get_u32(b);
		if (q->length == 0 || q->length > DOMT_RANDOM_MAX)
			buf_fail(b);
		break;
	case DOMT_DIGEST_OF_IMAGE:
		break;
	case DOMT_DEFINE:
	case DOMT_READ:
	case DOMT_EXTEND:
	case DOMT_COUNT:
		get_anchor(b, q);
		break;
	case DOMT_WHATS:
		buf_fail(b);
		break;
	}
}

bool
domt_question_read(struct buf *b, struct domt_question *ret)
{
	uint8_t what;

	memset(ret, 0, sizeof(*ret));
	ret->number = buf_get_u64(b);
	what = buf_get_u8(b);
	if (what < DOMT_SEAL || what >= DOMT_WHATS)
		return false;
	ret->what = (enum domt_what)what;
	get_question(b, ret);
	return buf_end(b);
}

static void
put_good(struct buf *b, const struct domt_answer *a)
{
	switch (a->what) {
	case DOMT_UNSEAL:
		buf_put_u8(b, a->updated);
		put(b, &a->bytes);
		break;
	case DOMT_SEAL:
	case DOMT_RANDOM:
	case DOMT_DIGEST_OF_IMAGE:
		put(b, &a->bytes);
		break;
	case DOMT_READ:
		buf_put_bytes(b, a->value.value, TPM_ANCHOR_LEN);
		buf_put_u64(b, a->value.count);
		break;
	case DOMT_DEFINE:
	case DOMT_EXTEND:
	case DOMT_COUNT:
		break;
	case DOMT_WHATS:
		buf_fail(b);
		break;
	}
}

void
domt_answer_write(struct buf *b, const struct domt_answer *a)
{
	buf_put_u64(b, a->number);
	buf_put_u8(b, (uint8_t)a->result);
	if (a->result == TPM_OK)
		put_good(b, a);
	else
		buf_put_str(b, a->why);
}

static void
get_value(struct buf *b, struct tpm_anchor_value *ret)
{
	struct domt_bytes v;

	get(b, TPM_ANCHOR_LEN, TPM_ANCHOR_LEN, &v);
	ret->count = buf_get_u64(b);
	if (buf_ok(b))
		memcpy(ret->value, v.data, TPM_ANCHOR_LEN);
}

static void
get_unsealed(struct buf *b, struct domt_answer *a)
{
	uint8_t updated = buf_get_u8(b);

	if (updated > 1)
		buf_fail(b);
	a->updated = updated == 1;
	get(b, 1, TPM_KEY_MAX, &a->bytes);
}

static void
get_good(struct buf *b, struct domt_answer *a)
{
	switch (a->what) {
	case DOMT_SEAL:
		get(b, 1, TPM_BLOB_MAX, &a->bytes);
		break;
	case DOMT_UNSEAL:
		get_unsealed(b, a);
		break;
	case DOMT_RANDOM:
		get(b, 1, DOMT_RANDOM_MAX, &a->bytes);
		break;
	case DOMT_DIGEST_OF_IMAGE:
		get(b, DOMT_DIGEST, DOMT_DIGEST, &a->bytes);
		break;
	case DOMT_READ:
		get_value(b, &a->value);
		break;
	case DOMT_DEFINE:
	case DOMT_EXTEND:
	case DOMT_COUNT:
		break;
	case DOMT_WHATS:
		buf_fail(b);
		break;
	}
}

bool
domt_answer_read(struct buf *b, enum domt_what what, struct domt_answer *ret)
{
	uint8_t result;

	memset(ret, 0, sizeof(*ret));
	ret->what = what;
	ret->number = buf_get_u64(b);
	result = buf_get_u8(b);
	if (result > TPM_FAILED)
		return false;
	ret->result = (enum tpm_result)result;
	if (ret->result == TPM_OK)
		get_good(b, ret);
	else
		buf_get_str(b, ret->why, sizeof(ret->why));
	return buf_end(b);
}
