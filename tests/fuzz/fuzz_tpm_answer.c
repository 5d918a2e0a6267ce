/*
 * fuzz_tpm_answer.c - what a TPM says: u8 which (0: TPM 2.0, else 1.2), u8 n, n bytes of what
 * it is asked for, and its answers, as faketpm.h reads them.
 *
 * Nothing is written beyond what the caller gave, nothing is lost, whatever fails says why,
 * in characters that print, and nothing but what was sealed comes out of a sealed blob.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "common/secmem.h"
#include "faketpm.h"
#include "tpm/backend.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int __wrap_nanosleep(const struct timespec *t, struct timespec *left);
void __wrap_log_error(const char *fmt, ...);

static const uint8_t key[32] = "this is the master key, or so...";
static const struct tpm_anchor anchor = {.place = 77, .secret = "the anchor's"};

int
__wrap_nanosleep(const struct timespec *t, struct timespec *left)
{
	(void)t;
	(void)left;
	return 0;
}

void
__wrap_log_error(const char *fmt, ...)
{
	(void)fmt; /* a TPM that cannot be opened, again and again */
}

static void
printable(const char *s)
{
	for (; *s != '\0'; s++)
		if (!isprint((unsigned char)*s))
			abort();
}

static void
policy(struct tpm_policy *ret)
{
	uint32_t mask = faketpm_number();

	memset(ret, 0, sizeof(*ret));
	for (uint8_t i = 0; i < TPM_MAX_PCRS; i++)
		if (mask >> i & 1)
			ret->pcrs[ret->npcrs++] = i;
	ret->locality = faketpm_byte() % 6 - 1;
	ret->ref = "vsmd-use:";
}

static enum tpm_result
unseal(struct tpm *t, const struct buf *blob)
{
	uint8_t *out = sec_alloc(TPM_KEY_MAX);
	enum tpm_result r;
	size_t len = 0;
	int updated = 0;

	if (out == NULL)
		abort();
	r = tpm_unseal(t, blob->data, blob->len, NULL, out, TPM_KEY_MAX, &len, &updated);
	if (len > TPM_KEY_MAX || (r != TPM_OK && len != 0))
		abort();
	sec_free(out);
	return r;
}

static enum tpm_result
predict(struct tpm *t, struct buf *blob)
{
	uint8_t *values = faketpm_bytes(TPM_MAX_PCRS * 20);
	struct tpm_policy p;
	enum tpm_result r;

	policy(&p);
	r = tpm_predict(t, &p, key, sizeof(key), values, blob);
	free(values);
	return r;
}

static enum tpm_result
random_(struct tpm *t)
{
	size_t len = faketpm_byte();
	uint8_t *out = faketpm_bytes(len);
	enum tpm_result r = tpm_random(t, out, len);

	free(out);
	return r;
}

static enum tpm_result
turn(struct tpm *t, uint8_t what, struct buf *blob)
{
	struct tpm_anchor_value value;
	uint8_t digest[TPM_ANCHOR_LEN];
	struct tpm_policy p;
	size_t len;

	switch (what % 12) {
	case 0:
		policy(&p);
		buf_reset(blob);
		return tpm_seal(t, &p, key, sizeof(key), blob);
	case 1:
		return unseal(t, blob);
	case 2:
		return tpm_pin(t, blob->data, blob->len);
	case 3:
		return predict(t, blob);
	case 4:
		return tpm_extend(t, faketpm_byte(), "event", 5);
	case 5:
		policy(&p);
		return tpm_pcr_digest(t, &p, digest, &len);
	case 6:
		return random_(t);
	case 7:
		return tpm_anchor_define(t, &anchor, key);
	case 8:
		return tpm_anchor_read(t, &anchor, &value);
	case 9:
		return tpm_anchor_extend(t, &anchor, key);
	case 10:
		return tpm_anchor_count(t, &anchor);
	default:
		tpm_anchor_rest(t);
		return TPM_OK;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const addresses[] = {"tpm2:swtpm:path=/tpm", "tpm1.2:localhost:30003"};
	uint8_t which, asked[16];
	struct tpm *t;
	struct buf blob;
	size_t n;

	log_level(LOG_ERR_);
	faketpm_begin(data, size);
	faketpm2_begin();
	faketpm12_begin();
	buf_init(&blob, TPM_BLOB_MAX);
	which = faketpm_byte();
	n = faketpm_byte() % (sizeof(asked) + 1);
	faketpm_fill(asked, n);
	if (tpm_open(addresses[which != 0], &t) == TPM_OK) {
		printable(tpm_describe(t));
		for (size_t i = 0; i < n; i++) {
			enum tpm_result r = turn(t, asked[i], &blob);

			if (r > TPM_FAILED || (r != TPM_OK && tpm_error(t)[0] == '\0'))
				abort();
			printable(tpm_error(t));
		}
		tpm_close(t);
	}
	faketpm12_end();
	buf_free(&blob);
	return 0;
}
