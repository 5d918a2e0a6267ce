/* approval.c - see approval.h and tpm_approve() in tpm.h */
#include "tpm/approval.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/hex.h"
#include "common/log.h"

/* What the authority signs: TPM2_VerifySignature takes the SHA-256 of it. */
static size_t
to_sign(const struct approval *a, uint8_t m[POLICY_LEN + TPM_REF_MAX])
{
	size_t len = strlen(a->ref);

	memcpy(m, a->policy, POLICY_LEN);
	memcpy(m + POLICY_LEN, a->ref, len);
	return POLICY_LEN + len;
}

bool
approval_signed_by(const struct approval *a, const uint8_t authority[AUTHORITY_LEN])
{
	uint8_t m[POLICY_LEN + TPM_REF_MAX];
	size_t len = to_sign(a, m);

	return authority_verify(authority, m, len, a->signature);
}

static void
policy_of(const struct approval *a, uint8_t d[POLICY_LEN])
{
	memset(d, 0, POLICY_LEN);
	policy_pcr(d, a->pcrs, a->pcr_digest);
}

static int
get_pcrs(const json_t *list, uint32_t *ret)
{
	size_t i;
	const json_t *v;

	*ret = 0;
	if (!json_is_array(list) || json_array_size(list) > TPM_MAX_PCRS)
		return -1;
	json_array_foreach (list, i, v) {
		json_int_t n = json_is_integer(v) ? json_integer_value(v) : -1;

		if (n < 0 || n >= TPM_MAX_PCRS || (*ret >> n) != 0)
			return -1; /* ascending, so that a state has one form */
		*ret |= UINT32_C(1) << n;
	}
	return 0;
}

static int
from_json(json_t *o, struct approval *a)
{
	uint8_t expected[POLICY_LEN];
	const char *digest, *ref, *policy, *signature;
	json_t *pcrs;
	int version;

	/* "!": no member but these. */
	if (json_unpack(o, "{s:i, s:o, s:s, s:s, s:s, s:s !}", "caas_approval", &version, "pcrs",
		&pcrs, "pcr_digest", &digest, "ref", &ref, "policy", &policy, "signature",
		&signature) != 0 || version != 1 || strlen(ref) > TPM_REF_MAX)
		return -1;
	memset(a, 0, sizeof(*a));
	snprintf(a->ref, sizeof(a->ref), "%s", ref);
	if (get_pcrs(pcrs, &a->pcrs) < 0 ||
	    !hex_get(digest, a->pcr_digest, sizeof(a->pcr_digest)) ||
	    !hex_get(policy, a->policy, sizeof(a->policy)) ||
	    !hex_get(signature, a->signature, sizeof(a->signature)))
		return -1;
	policy_of(a, expected);
	return memcmp(expected, a->policy, sizeof(expected)) == 0 ? 0 : -1;
}

int
approval_read(const void *text, size_t len, struct approval *ret)
{
	json_t *o = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	int r = o != NULL ? from_json(o, ret) : -1;

	json_decref(o);
	return r;
}

int
approval_parse(const char *name, const void *text, size_t len, struct approval *ret)
{
	int r = approval_read(text, len, ret);

	if (r < 0)
		log_warn("approval %s: not an approval, or altered; passed over (make one with "
		    "`caas tpm approve`)", name);
	return r;
}

/* A file of an administrator's directory: no device, no pipe, no link, not large. */
static int
read_file(int dir, const char *name, struct approval *ret)
{
	char text[APPROVAL_FILE_MAX];
	struct stat st;
	ssize_t n = -1;
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    st.st_size <= APPROVAL_FILE_MAX)
		n = read(fd, text, sizeof(text));
	if (fd >= 0)
		close(fd);
	if (n < 0) {
		log_warn("approval %s: not a readable file of at most %d bytes; passed over",
		    name, APPROVAL_FILE_MAX);
		return -1;
	}
	return approval_parse(name, text, (size_t)n, ret);
}

void
approval_each(const char *dir, const char *ref,
    int (*each)(void *arg, const char *file, const struct approval *a), void *arg)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	struct approval a;
	int seen = 0;

	if (d == NULL) {
		if (errno != ENOENT)
			log_warn("approvals in %s cannot be read: %s", dir, strerror(errno));
		return;
	}
	while ((e = readdir(d)) != NULL && seen < APPROVALS_MAX) {
		if (e->d_name[0] == '.')
			continue;
		seen++;
		if (read_file(dirfd(d), e->d_name, &a) == 0 && strcmp(a.ref, ref) == 0 &&
		    each(arg, e->d_name, &a) != 0)
			break;
	}
	closedir(d);
}

static json_t *
to_json(const struct approval *a)
{
	char digest[2 * POLICY_LEN + 1], policy[2 * POLICY_LEN + 1];
	char signature[2 * AUTHORITY_LEN + 1];
	json_t *pcrs = json_array();

	for (int i = 0; i < TPM_MAX_PCRS; i++)
		if (a->pcrs >> i & 1)
			json_array_append_new(pcrs, json_integer(i));
	return json_pack("{s:i, s:o, s:s, s:s, s:s, s:s}", "caas_approval", 1, "pcrs", pcrs,
	    "pcr_digest", hex_put(digest, a->pcr_digest, POLICY_LEN), "ref", a->ref, "policy",
	    hex_put(policy, a->policy, POLICY_LEN), "signature",
	    hex_put(signature, a->signature, AUTHORITY_LEN));
}

void
approval_put(const struct approval *a, struct buf *b)
{
	json_t *o = to_json(a);
	char *text = o != NULL ? json_dumps(o, JSON_COMPACT) : NULL;

	if (text == NULL)
		buf_fail(b);
	else
		buf_put_raw(b, text, strlen(text));
	free(text);
	json_decref(o);
}

static int
write_file(const struct approval *a, const char *file)
{
	json_t *o = to_json(a);
	int r = o != NULL ? json_dump_file(o, file, JSON_INDENT(2)) : -1;

	json_decref(o);
	if (r != 0)
		log_error("approval %s: cannot write it: %s", file, strerror(errno));
	return r == 0 ? 0 : -1;
}

int
tpm_approve(const char *private_key_pem, const struct tpm_policy *p,
    const uint8_t pcr_digest[32], const char *out_file)
{
	struct approval a = {.pcrs = tpm_pcr_mask(p)};
	uint8_t m[POLICY_LEN + TPM_REF_MAX], point[AUTHORITY_LEN];

	if (p->ref == NULL || strlen(p->ref) > TPM_REF_MAX) {
		log_error("an approval names a reference of at most %d bytes", TPM_REF_MAX);
		return -1;
	}
	snprintf(a.ref, sizeof(a.ref), "%s", p->ref);
	memcpy(a.pcr_digest, pcr_digest, sizeof(a.pcr_digest));
	policy_of(&a, a.policy);
	if (authority_sign(private_key_pem, m, to_sign(&a, m), a.signature, point) < 0)
		return -1;
	if (!approval_signed_by(&a, point)) {
		log_error("approval %s: the signature just made does not verify", out_file);
		return -1;
	}
	return write_file(&a, out_file);
}
