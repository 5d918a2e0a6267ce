/* fake_anchor.c - see fake_anchor.h */
#include "fake_anchor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static bool
load(const struct fake_anchor *f, struct tpm_anchor_value *v)
{
	FILE *file = fopen(f->path, "re");
	bool ok = file != NULL && fread(v, sizeof(*v), 1, file) == 1;

	if (file != NULL)
		fclose(file);
	return ok;
}

static void
save(const struct fake_anchor *f, const struct tpm_anchor_value *v)
{
	FILE *file = fopen(f->path, "we");

	assert_non_null(file);
	assert_int_equal(fwrite(v, sizeof(*v), 1, file), 1);
	fclose(file);
}

static void
after(uint8_t value[TPM_ANCHOR_LEN], const uint8_t digest[TPM_ANCHOR_LEN])
{
	struct part both[2] = {{value, TPM_ANCHOR_LEN}, {digest, TPM_ANCHOR_LEN}};
	uint8_t out[CRYPT_HASH];

	assert_true(crypt_hash(both, 2, out));
	memcpy(value, out, sizeof(out));
}

static bool
silent(struct fake_anchor *f, char *why)
{
	f->calls++;
	if (f->silent == 0)
		return false;
	f->silent--;
	snprintf(why, ANCHOR_WHY, "the fake TPM does not answer");
	return true;
}

static enum tpm_result
read_(void *arg, struct tpm_anchor_value *ret, char why[ANCHOR_WHY])
{
	struct fake_anchor *f = arg;

	if (silent(f, why))
		return TPM_ABSENT;
	snprintf(why, ANCHOR_WHY, "there is no anchor");
	return load(f, ret) ? TPM_OK : TPM_UNANCHORED;
}

static enum tpm_result
define(void *arg, const uint8_t origin[TPM_ANCHOR_LEN], char why[ANCHOR_WHY])
{
	struct fake_anchor *f = arg;
	struct tpm_anchor_value v = {.count = 1000};

	if (silent(f, why))
		return TPM_ABSENT;
	after(v.value, origin);
	save(f, &v);
	return TPM_OK;
}

static enum tpm_result
extend(void *arg, const uint8_t digest[TPM_ANCHOR_LEN], char why[ANCHOR_WHY])
{
	struct fake_anchor *f = arg;
	struct tpm_anchor_value v;

	if (silent(f, why))
		return TPM_ABSENT;
	snprintf(why, ANCHOR_WHY, "the fake TPM failed");
	if (f->fail_before > 0) {
		f->fail_before--;
		return TPM_FAILED;
	}
	if (!load(f, &v))
		return TPM_UNANCHORED;
	if (f->point != NULL)
		f->point();
	after(v.value, digest);
	save(f, &v);
	if (f->point != NULL)
		f->point();
	if (f->fail_after > 0) {
		f->fail_after--;
		return TPM_FAILED;
	}
	return TPM_OK;
}

static enum tpm_result
count(void *arg, char why[ANCHOR_WHY])
{
	struct fake_anchor *f = arg;
	struct tpm_anchor_value v;

	if (silent(f, why))
		return TPM_ABSENT;
	if (!load(f, &v))
		return TPM_UNANCHORED;
	v.count++;
	save(f, &v);
	return TPM_OK;
}

static const struct anchor_ops ops = {
    .define = define, .read = read_, .extend = extend, .count = count};

void
fake_anchor_init(struct fake_anchor *f, const char *dir, const char *name)
{
	memset(f, 0, sizeof(*f));
	snprintf(f->path, sizeof(f->path), "%s/%s", dir, name);
	f->anchor.ops = &ops;
	f->anchor.arg = f;
}

void
fake_anchor_remove(struct fake_anchor *f)
{
	assert_int_equal(unlink(f->path), 0);
}
