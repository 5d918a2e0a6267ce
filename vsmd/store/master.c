/* master.c - see master.h */
#include "vsmd/store/master.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/hex.h"
#include "common/log.h"
#include "common/secmem.h"
#include "vsmd/store/file.h"
#include "vsmd/store/vault.h"

int
master_write(int state, const void *blob, size_t len)
{
	if (file_replace(state, VAULT_MASTER, VAULT_MASTER_NEXT, blob, len) != 0)
		return -1;
	return fsync(state) == 0 ? 0 : 1;
}

static int
seal(const struct store_config *config, struct tpm *t, int state, struct master *m)
{
	struct tpm_policy policy = config->policy;
	struct buf blob;
	int r = -1;

	policy.ref = m->ref;
	buf_init(&blob, TPM_BLOB_MAX);
	if (tpm_seal(t, &policy, m->key, CRYPT_KEY, &blob) != TPM_OK || !buf_ok(&blob))
		log_error(VAULT_MASTER ": cannot seal: %s", tpm_error(t));
	else if (master_write(state, blob.data, blob.len) != 0)
		log_error(VAULT_MASTER ": cannot be written: %s", strerror(errno));
	else
		r = 0;
	if (r == 0) {
		buf_free(&m->blob);
		m->blob = blob;
	} else {
		buf_free(&blob);
	}
	return r;
}

static void
set_store(struct master *m, const uint8_t id[STORE_ID])
{
	char uuid[HEX_UUID];

	memcpy(m->store, id, STORE_ID);
	hex_uuid(uuid, id);
	snprintf(m->ref, sizeof(m->ref), "vsmd-use:%s", uuid);
}

/* Neither our generator nor the TPM's alone decides the key. */
static int
make(const struct store_config *config, struct tpm *t, int state, struct master *m)
{
	uint8_t ours[CRYPT_KEY], theirs[CRYPT_KEY], id[STORE_ID];
	int r = -1;

	if (!crypt_random(ours, sizeof(ours)) || !crypt_random(id, sizeof(id))) {
		log_error(VAULT_MASTER ": no randomness");
	} else if (tpm_random(t, theirs, sizeof(theirs)) != TPM_OK) {
		log_error(VAULT_MASTER ": no randomness from the TPM: %s", tpm_error(t));
	} else if (crypt_derive(
		       ours, theirs, sizeof(theirs), "caas master key", m->key)) {
		hex_uuid_random(id);
		set_store(m, id);
		r = seal(config, t, state, m);
	}
	sec_wipe(ours, sizeof(ours));
	sec_wipe(theirs, sizeof(theirs));
	if (r == 0)
		log_info(
		    VAULT_MASTER ": a new master key, sealed to %s", tpm_describe(t));
	return r;
}

/* Which store this is the key of, as the head says that the key authenticates. */
static bool
find_store(int state, struct master *m)
{
	struct store_keys *keys = keys_derive(m->key);
	struct head head;
	bool ok = keys != NULL && head_read(state, keys, &head) == HEAD_OK;

	if (ok)
		set_store(m, head.store);
	keys_free(keys);
	return ok;
}

static int
load(int state, struct buf *blob)
{
	uint8_t *p = buf_reserve(blob, TPM_BLOB_MAX + 1);
	ssize_t n;

	n = p != NULL ? file_load(state, VAULT_MASTER, p, TPM_BLOB_MAX + 1) : -1;
	if (n >= 0 && n <= TPM_BLOB_MAX) {
		buf_truncate(blob, (size_t)n);
		return 0;
	}
	log_error(VAULT_MASTER ": %s",
	    n < 0 ? strerror(errno) : "too long: not a sealed key; restore it from a copy");
	return -1;
}

static int
unseal(const struct store_config *config, struct tpm *t, int state, struct master *m)
{
	int updated = 0;
	size_t got = 0;

	if (load(state, &m->blob) != 0)
		return -1;
	if (tpm_unseal(t, m->blob.data, m->blob.len, config->approvals, m->key, CRYPT_KEY,
		&got, &updated) != TPM_OK) {
		log_error(VAULT_MASTER ": the TPM does not open it: %s", tpm_error(t));
		return -1;
	}
	if (got != CRYPT_KEY) {
		log_error(VAULT_MASTER ": what was sealed is no master key: restore it "
				       "from a copy");
		return -1;
	}
	/* Without a good head nothing is sealed for it; vault_open() says what is wrong. */
	if (find_store(state, m) && updated && seal(config, t, state, m) == 0)
		log_info(VAULT_MASTER
		    ": opened in a state that was approved ahead, sealed again to it");
	return 0;
}

int
master_open(const struct store_config *config, int state, bool fresh, struct master *m)
{
	struct tpm *t = NULL;
	enum tpm_result tr;
	int r;

	memset(m, 0, sizeof(*m));
	/* One more than a blob may have, to see that it has more. */
	buf_init(&m->blob, TPM_BLOB_MAX + 1);
	if ((m->key = sec_alloc(CRYPT_KEY)) == NULL) {
		log_error("no memory for the master key: %s", strerror(errno));
		return -1;
	}
	if ((tr = tpm_open(config->tpm, &t)) != TPM_OK) {
		log_error("TPM %s: %s", config->tpm, tpm_result_text(tr));
		return -1;
	}
	snprintf(m->tpm, sizeof(m->tpm), "%s", tpm_describe(t));
	r = fresh ? make(config, t, state, m) : unseal(config, t, state, m);
	if (r == 0)
		m->seeded = seed_draw(t, m->seed);
	tpm_close(t);
	return r;
}

void
master_free(struct master *m)
{
	sec_free(m->key);
	m->key = NULL;
	buf_free(&m->blob);
}
