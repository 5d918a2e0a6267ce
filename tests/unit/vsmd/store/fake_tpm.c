/* fake_tpm.c - see fake_tpm.h */
#include "fake_tpm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tpm {
	char path[256];
	const char *error;
};

enum { AT_STATE, AT_IDENTITY };

static int
read_byte(const struct tpm *t, long at)
{
	FILE *f = fopen(t->path, "re");
	int c = f != NULL && fseek(f, at, SEEK_SET) == 0 ? fgetc(f) : EOF;

	if (f != NULL)
		fclose(f);
	return c;
}

enum tpm_result
tpm_open(const char *address, struct tpm **ret_tpm)
{
	struct tpm *t;

	if (strncmp(address, "fake:", 5) != 0 || (t = calloc(1, sizeof(*t))) == NULL)
		return TPM_ABSENT;
	snprintf(t->path, sizeof(t->path), "%s", address + 5);
	t->error = "no error";
	if (read_byte(t, AT_STATE) == EOF) {
		free(t);
		return TPM_ABSENT;
	}
	*ret_tpm = t;
	return TPM_OK;
}

void
tpm_close(struct tpm *t)
{
	free(t);
}

const char *
tpm_describe(struct tpm *t)
{
	(void)t;
	return "a fake TPM";
}

enum tpm_result
tpm_seal(struct tpm *t, const struct tpm_policy *p, const void *secret, size_t len,
    struct buf *b)
{
	buf_put_u8(b, (uint8_t)read_byte(t, AT_STATE));
	buf_put_u8(b, (uint8_t)read_byte(t, AT_IDENTITY));
	buf_put_bytes(b, secret, len);
	buf_put_str(b, p->ref);
	return buf_ok(b) ? TPM_OK : TPM_FAILED;
}

/* The secret in a blob, or NULL; *ret_state is what it is sealed to. */
static const uint8_t *
parse(struct tpm *t, const void *blob, size_t blob_len, size_t *ret_len, uint8_t *ret_state,
    enum tpm_result *ret)
{
	const uint8_t *p;
	uint8_t identity;
	struct buf b;
	char ref[128];

	buf_view(&b, blob, blob_len);
	*ret_state = buf_get_u8(&b);
	identity = buf_get_u8(&b);
	p = buf_get_bytes(&b, ret_len);
	buf_get_str(&b, ref, sizeof(ref));
	*ret = TPM_OK;
	if (!buf_end(&b)) {
		t->error = "not a blob";
		*ret = TPM_BAD_BLOB;
	} else if (identity != (uint8_t)read_byte(t, AT_IDENTITY)) {
		t->error = "sealed by another TPM";
		*ret = TPM_FOREIGN;
	}
	return *ret == TPM_OK ? p : NULL;
}

enum tpm_result
tpm_pin(struct tpm *t, const void *blob, size_t blob_len)
{
	enum tpm_result r;
	uint8_t state;
	size_t len;

	(void)parse(t, blob, blob_len, &len, &state, &r);
	return r;
}

enum tpm_result
tpm_unseal(struct tpm *t, const void *blob, size_t blob_len, const char *approvals,
    void *secret, size_t size, size_t *ret_len, int *ret_updated)
{
	const uint8_t *p;
	enum tpm_result r;
	uint8_t state;

	*ret_updated = 0;
	if ((p = parse(t, blob, blob_len, ret_len, &state, &r)) == NULL)
		return r;
	if (*ret_len > size)
		return TPM_BAD_BLOB;
	if (state != read_byte(t, AT_STATE)) {
		t->error = "the PCRs are not those it was sealed to";
		if (approvals == NULL)
			return TPM_WRONG_STATE;
		*ret_updated = 1;
	}
	memcpy(secret, p, *ret_len);
	return TPM_OK;
}

enum tpm_result
tpm_predict(struct tpm *t, const struct tpm_policy *p, const void *secret, size_t len,
    const uint8_t *values, struct buf *b)
{
	(void)p, (void)secret, (void)len, (void)values, (void)b;
	t->error = "this TPM has approvals";
	return TPM_FAILED;
}

enum tpm_result
tpm_extend(struct tpm *t, unsigned pcr, const void *data, size_t len)
{
	(void)t, (void)pcr, (void)data, (void)len;
	return TPM_OK;
}

enum tpm_result
tpm_random(struct tpm *t, void *out, size_t len)
{
	(void)t;
	memset(out, 4, len); /* chosen by a fair dice roll */
	return TPM_OK;
}

const char *
tpm_error(struct tpm *t)
{
	return t->error;
}

const char *
tpm_result_text(enum tpm_result r)
{
	return r == TPM_ABSENT ? "nothing answers" : "failed";
}
