/* seal.c: who gets what was sealed, and who does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../tpm/rig.h"
#include "tpm/approval.h"
#include "xen-hooks/tpmd/seal.h"

#define REF "vsmd-use:1"

static const uint8_t key[32] = "the key of the blobs of a DomT.", other_key[32] = "another key";
static const uint8_t identity[DOMT_IDENTITY] = "identity", other_identity[DOMT_IDENTITY] = "other";
static const uint8_t secret[32] = "a master key";
static uint8_t image[SEAL_IMAGE], next_image[SEAL_IMAGE];

struct authority {
	char dir[64], private[128], public[128];
	uint8_t pem[DOMT_AUTHORITY_MAX];
	size_t len;
};

static int
make_authority(void **state)
{
	struct authority *a = calloc(1, sizeof(*a));

	assert_non_null(a);
	memset(image, 1, sizeof(image));
	memset(next_image, 2, sizeof(next_image));
	rig_mkdir(a->dir);
	rig_authority(a->dir, "tenant", a->private, a->public);
	a->len = rig_read(a->public, a->pem, sizeof(a->pem));
	*state = a;
	return 0;
}

static int
remove_authority(void **state)
{
	struct authority *a = *state;

	rig_rmdir(a->dir);
	free(a);
	return 0;
}

static void
make(struct buf *blob, const struct authority *a)
{
	struct sealed s = {.pair = "web",
	    .ref = REF,
	    .secret = {secret, sizeof(secret)},
	    .authority = {a != NULL ? a->pem : NULL, a != NULL ? a->len : 0}};

	memcpy(s.image, image, sizeof(image));
	buf_init(blob, TPM_BLOB_MAX);
	assert_true(seal_make(key, identity, &s, blob));
}

static void
opens(void **state)
{
	char why[TPM_ERROR_MAX];
	struct buf blob, plain;
	struct sealed s;

	make(&blob, *state);
	buf_init(&plain, TPM_BLOB_MAX);
	assert_int_equal(
	    seal_open(key, identity, blob.data, blob.len, &plain, &s, why), TPM_OK);
	assert_string_equal(s.pair, "web");
	assert_string_equal(s.ref, REF);
	assert_int_equal(s.secret.len, sizeof(secret));
	assert_memory_equal(s.secret.data, secret, sizeof(secret));
	buf_reset(&plain);
	assert_int_equal(seal_open(key, other_identity, blob.data, blob.len, &plain, &s, why),
	    TPM_FOREIGN);
	assert_int_equal(seal_open(other_key, identity, blob.data, blob.len, &plain, &s, why),
	    TPM_BAD_BLOB);
	for (size_t i = 0; i < blob.len; i++) {
		blob.data[i] ^= 0x80;
		assert_int_not_equal(
		    seal_open(key, identity, blob.data, blob.len, &plain, &s, why), TPM_OK);
		blob.data[i] ^= 0x80;
		assert_int_not_equal(
		    seal_open(key, identity, blob.data, i, &plain, &s, why), TPM_OK);
	}
	buf_free(&plain);
	buf_free(&blob);
}

/* Two blobs of the same are not the same. */
static void
fresh(void **state)
{
	struct buf a, b;

	make(&a, *state);
	make(&b, *state);
	assert_int_equal(a.len, b.len);
	assert_memory_not_equal(a.data, b.data, a.len);
	buf_free(&a);
	buf_free(&b);
}

static enum tpm_result
judge(const struct authority *with, const char *pair, const uint8_t *img,
    const struct domt_bytes *approvals, size_t n, bool *ret_updated)
{
	char why[TPM_ERROR_MAX] = "";
	struct buf blob, plain;
	struct sealed s;
	enum tpm_result r;

	make(&blob, with);
	buf_init(&plain, TPM_BLOB_MAX);
	assert_int_equal(
	    seal_open(key, identity, blob.data, blob.len, &plain, &s, why), TPM_OK);
	r = seal_judge(&s, pair, img, approvals, n, ret_updated, why);
	assert_true(r == TPM_OK || why[0] != '\0');
	buf_free(&plain);
	buf_free(&blob);
	return r;
}

static size_t
approve(const struct authority *a, const char *ref, const uint8_t *img, bool pcr,
    uint8_t text[APPROVAL_FILE_MAX])
{
	struct tpm_policy p = {.locality = -1, .ref = ref, .npcrs = pcr, .pcrs = {13}};
	char file[128];

	snprintf(file, sizeof(file), "%s/approval", a->dir);
	assert_int_equal(tpm_approve(a->private, &p, img, file), 0);
	return rig_read(file, text, APPROVAL_FILE_MAX);
}

static void
judges(void **state)
{
	struct authority *a = *state, evil;
	uint8_t text[6][APPROVAL_FILE_MAX];
	struct domt_bytes given[6];
	bool updated;

	memset(&evil, 0, sizeof(evil));
	snprintf(evil.dir, sizeof(evil.dir), "%s", a->dir);
	rig_authority(evil.dir, "evil", evil.private, evil.public);
	assert_int_equal(judge(a, "web", image, NULL, 0, &updated), TPM_OK);
	assert_false(updated);
	assert_int_equal(judge(a, "ca", image, NULL, 0, &updated), TPM_FOREIGN);
	assert_int_equal(judge(a, "web", next_image, NULL, 0, &updated), TPM_WRONG_STATE);
	/* Of another image, for another key, of a TPM's state, no approval, and another's. */
	given[0] = (struct domt_bytes){text[0], approve(a, REF, image, false, text[0])};
	given[1] = (struct domt_bytes){text[1], approve(a, "vsmd-use:2", next_image, false, text[1])};
	given[2] = (struct domt_bytes){text[2], approve(a, REF, next_image, true, text[2])};
	given[3] = (struct domt_bytes){(const uint8_t *)"{}", 2};
	assert_int_equal(judge(a, "web", next_image, given, 4, &updated), TPM_WRONG_STATE);
	given[4] = (struct domt_bytes){text[4], approve(&evil, REF, next_image, false, text[4])};
	assert_int_equal(judge(a, "web", next_image, given, 5, &updated), TPM_UNAPPROVED);
	given[5] = (struct domt_bytes){text[5], approve(a, REF, next_image, false, text[5])};
	assert_int_equal(judge(a, "web", next_image, given, 6, &updated), TPM_OK);
	assert_true(updated);
	assert_int_equal(judge(a, "ca", next_image, given, 6, &updated), TPM_FOREIGN);
	/* Without an authority nobody approves. */
	assert_int_equal(judge(NULL, "web", next_image, given, 6, &updated), TPM_WRONG_STATE);
	assert_int_equal(judge(NULL, "web", image, given, 6, &updated), TPM_OK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(opens),
	    cmocka_unit_test(fresh),
	    cmocka_unit_test(judges),
	};

	return cmocka_run_group_tests_name("tpmd seal", tests, make_authority, remove_authority);
}
