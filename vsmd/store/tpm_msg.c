/* tpm_msg.c - see tpm_msg.h */
#include "vsmd/store/tpm_msg.h"

#include <string.h>

void
seal_ask_write(struct buf *b, const struct seal_ask *a)
{
	buf_put_bytes(b, a->key, CRYPT_KEY);
	buf_put_bytes(b, a->blob, a->blob_len);
	buf_put_bytes(b, a->values, a->values_len);
	buf_put_str(b, a->ref);
}

bool
seal_ask_read(struct buf *b, struct seal_ask *ret)
{
	size_t key_len = 0;

	memset(ret, 0, sizeof(*ret));
	ret->key = buf_get_bytes(b, &key_len);
	ret->blob = buf_get_bytes(b, &ret->blob_len);
	ret->values = buf_get_bytes(b, &ret->values_len);
	buf_get_str(b, ret->ref, sizeof(ret->ref));
	return buf_end(b) && key_len == CRYPT_KEY;
}

void
seal_answer_write(struct buf *b, const struct seal_answer *a)
{
	buf_put_u8(b, a->ok);
	if (a->ok)
		buf_put_bytes(b, a->blob, a->blob_len);
	else
		buf_put_str(b, a->why);
}

bool
seal_answer_read(struct buf *b, struct seal_answer *ret)
{
	uint8_t ok = buf_get_u8(b);

	memset(ret, 0, sizeof(*ret));
	ret->ok = ok == 1;
	if (ret->ok)
		ret->blob = buf_get_bytes(b, &ret->blob_len);
	else
		buf_get_str(b, ret->why, sizeof(ret->why));
	return buf_end(b) && ok <= 1;
}

static size_t
digest_len(enum anchor_what what)
{
	return what == ANCHOR_DEFINE || what == ANCHOR_EXTEND ? TPM_ANCHOR_LEN : 0;
}

void
anchor_ask_write(struct buf *b, const struct anchor_ask *a)
{
	buf_put_u64(b, a->number);
	buf_put_u8(b, (uint8_t)a->what);
	buf_put_bytes(b, a->blob, a->blob_len);
	buf_put_u32(b, a->place);
	buf_put_bytes(b, a->secret, TPM_ANCHOR_LEN);
	buf_put_bytes(b, a->digest, digest_len(a->what));
}

bool
anchor_ask_read(struct buf *b, struct anchor_ask *ret)
{
	size_t secret = 0, digest = 0;
	uint8_t what;

	memset(ret, 0, sizeof(*ret));
	ret->number = buf_get_u64(b);
	what = buf_get_u8(b);
	ret->blob = buf_get_bytes(b, &ret->blob_len);
	ret->place = buf_get_u32(b);
	ret->secret = buf_get_bytes(b, &secret);
	ret->digest = buf_get_bytes(b, &digest);
	if (!buf_end(b) || what < ANCHOR_DEFINE || what > ANCHOR_COUNT)
		return false;
	ret->what = (enum anchor_what)what;
	return ret->place < TPM_ANCHOR_PLACES && secret == TPM_ANCHOR_LEN &&
	    digest == digest_len(ret->what);
}

void
anchor_answer_write(struct buf *b, const struct anchor_answer *a)
{
	buf_put_u64(b, a->number);
	buf_put_u8(b, (uint8_t)a->result);
	buf_put_bytes(b, a->value.value, TPM_ANCHOR_LEN);
	buf_put_u64(b, a->value.count);
	buf_put_str(b, a->name);
	buf_put_str(b, a->why);
}

bool
anchor_answer_read(struct buf *b, struct anchor_answer *ret)
{
	const uint8_t *value;
	size_t len = 0;
	uint8_t result;

	memset(ret, 0, sizeof(*ret));
	ret->number = buf_get_u64(b);
	result = buf_get_u8(b);
	value = buf_get_bytes(b, &len);
	ret->value.count = buf_get_u64(b);
	buf_get_str(b, ret->name, sizeof(ret->name));
	buf_get_str(b, ret->why, sizeof(ret->why));
	if (!buf_end(b) || len != TPM_ANCHOR_LEN || result > TPM_FAILED)
		return false;
	memcpy(ret->value.value, value, TPM_ANCHOR_LEN);
	ret->result = (enum tpm_result)result;
	return true;
}
