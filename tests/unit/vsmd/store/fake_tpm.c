/* fake_tpm.c - see fake_tpm.h */
#include "fake_tpm.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vsmd/store/crypt.h"

struct tpm {
	char path[256];
	const char *error;
};

enum { AT_STATE, AT_IDENTITY, AT_BROKEN };

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

/* The anchor: PATH.nv holds the secret, the value and the count. */
struct nv {
	uint8_t secret[TPM_ANCHOR_LEN];
	struct tpm_anchor_value v;
};

static FILE *
nv_file(const struct tpm *t, const char *mode)
{
	char path[300];

	snprintf(path, sizeof(path), "%s.nv", t->path);
	return fopen(path, mode);
}

static enum tpm_result
nv_load(struct tpm *t, const struct tpm_anchor *a, struct nv *nv)
{
	FILE *f = nv_file(t, "re");
	bool ok = f != NULL && fread(nv, sizeof(*nv), 1, f) == 1 &&
	    memcmp(nv->secret, a->secret, sizeof(nv->secret)) == 0;

	if (f != NULL)
		fclose(f);
	t->error = "there is no anchor";
	if (ok && read_byte(t, AT_BROKEN) == 'x') {
		t->error = "the fake TPM is broken";
		return TPM_FAILED;
	}
	return ok ? TPM_OK : TPM_UNANCHORED;
}

static enum tpm_result
nv_save(struct tpm *t, const struct nv *nv)
{
	FILE *f = nv_file(t, "we");
	bool ok = f != NULL && fwrite(nv, sizeof(*nv), 1, f) == 1;

	return f != NULL && fclose(f) == 0 && ok ? TPM_OK : TPM_FAILED;
}

static void
nv_after(struct nv *nv, const uint8_t digest[TPM_ANCHOR_LEN])
{
	struct part both[2] = {{nv->v.value, TPM_ANCHOR_LEN}, {digest, TPM_ANCHOR_LEN}};
	uint8_t out[CRYPT_HASH];

	if (!crypt_hash(both, 2, out))
		abort();
	memcpy(nv->v.value, out, sizeof(out));
}

enum tpm_result
tpm_anchor_define(struct tpm *t, const struct tpm_anchor *a,
    const uint8_t origin[TPM_ANCHOR_LEN])
{
	struct nv nv = {.v.count = 7};

	memcpy(nv.secret, a->secret, sizeof(nv.secret));
	nv_after(&nv, origin);
	return nv_save(t, &nv);
}

enum tpm_result
tpm_anchor_read(struct tpm *t, const struct tpm_anchor *a, struct tpm_anchor_value *ret)
{
	struct nv nv;
	enum tpm_result r = nv_load(t, a, &nv);

	if (r == TPM_OK)
		*ret = nv.v;
	return r;
}

enum tpm_result
tpm_anchor_extend(struct tpm *t, const struct tpm_anchor *a,
    const uint8_t digest[TPM_ANCHOR_LEN])
{
	struct nv nv;
	enum tpm_result r = nv_load(t, a, &nv);

	if (r != TPM_OK)
		return r;
	nv_after(&nv, digest);
	return nv_save(t, &nv);
}

enum tpm_result
tpm_anchor_count(struct tpm *t, const struct tpm_anchor *a)
{
	struct nv nv;
	enum tpm_result r = nv_load(t, a, &nv);

	if (r != TPM_OK)
		return r;
	nv.v.count++;
	return nv_save(t, &nv);
}

void
tpm_anchor_rest(struct tpm *t)
{
	(void)t;
}

void
tpm_anchor_name(struct tpm *t, const struct tpm_anchor *a, char *out, size_t size)
{
	(void)t;
	snprintf(out, size, "fake place %u", a->place);
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
