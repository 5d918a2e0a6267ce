/* master.c - see master.h */
#include "vsmd/store/master.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/secmem.h"
#include "vsmd/store/file.h"
#include "vsmd/store/vault.h"

int
master_write(int state, const void *blob, size_t len)
{
	if (file_replace(state, VAULT_MASTER, VAULT_MASTER_NEXT, blob, len) != 0)
		return -1;
	return fsync(state);
}

static int
seal(const struct store_config *config, struct tpm *t, int state,
    const uint8_t key[CRYPT_KEY])
{
	struct buf blob;
	int r = -1;

	buf_init(&blob, TPM_BLOB_MAX);
	if (tpm_seal(t, &config->policy, key, CRYPT_KEY, &blob) != TPM_OK ||
	    !buf_ok(&blob))
		log_error(VAULT_MASTER ": cannot seal: %s", tpm_error(t));
	else if (master_write(state, blob.data, blob.len) != 0)
		log_error(VAULT_MASTER ": cannot be written: %s", strerror(errno));
	else
		r = 0;
	buf_free(&blob);
	return r;
}

/* Neither our generator nor the TPM's alone decides the key. */
static int
make(const struct store_config *config, struct tpm *t, int state, uint8_t key[CRYPT_KEY])
{
	uint8_t ours[CRYPT_KEY], theirs[CRYPT_KEY];
	int r = -1;

	if (!crypt_random(ours, sizeof(ours)))
		log_error(VAULT_MASTER ": no randomness");
	else if (tpm_random(t, theirs, sizeof(theirs)) != TPM_OK)
		log_error(VAULT_MASTER ": no randomness from the TPM: %s", tpm_error(t));
	else if (crypt_derive(ours, theirs, sizeof(theirs), "caas master key", key))
		r = seal(config, t, state, key);
	sec_wipe(ours, sizeof(ours));
	sec_wipe(theirs, sizeof(theirs));
	if (r == 0)
		log_info(
		    VAULT_MASTER ": a new master key, sealed to %s", tpm_describe(t));
	return r;
}

static int
unseal(
    const struct store_config *config, struct tpm *t, int state, uint8_t key[CRYPT_KEY])
{
	uint8_t blob[TPM_BLOB_MAX + 1];
	int updated = 0;
	size_t got = 0;
	ssize_t n;

	n = file_load(state, VAULT_MASTER, blob, sizeof(blob));
	if (n < 0 || n > TPM_BLOB_MAX) {
		log_error(VAULT_MASTER ": %s",
		    n < 0 ? strerror(errno) : "too long: not a sealed key");
		return -1;
	}
	if (tpm_unseal(t, blob, (size_t)n, config->approvals, key, CRYPT_KEY, &got,
		&updated) != TPM_OK) {
		log_error(VAULT_MASTER ": the TPM does not open it: %s", tpm_error(t));
		return -1;
	}
	if (got != CRYPT_KEY) {
		log_error(VAULT_MASTER ": what was sealed is no master key");
		return -1;
	}
	if (updated && seal(config, t, state, key) == 0)
		log_info(VAULT_MASTER
		    ": opened by an approval, sealed again to the state of now");
	return 0;
}

/* Say in a PCR that the store is about to open: for a TPM that starts with us, nobody
 * else measures anything. */
static int
measure(const struct store_config *config, struct tpm *t)
{
	static const char what[] = "caas vsmd store open";

	if (config->measure_pcr < 0)
		return 0;
	if (tpm_extend(t, (unsigned)config->measure_pcr, what, sizeof(what) - 1) ==
	    TPM_OK)
		return 0;
	log_error("PCR %d: cannot be extended: %s", config->measure_pcr, tpm_error(t));
	return -1;
}

int
master_open(const struct store_config *config, int state, bool fresh,
    uint8_t key[CRYPT_KEY], char *describe, size_t size)
{
	struct tpm *t = NULL;
	enum tpm_result tr = tpm_open(config->tpm, &t);
	int r;

	if (tr != TPM_OK) {
		log_error("TPM %s: %s", config->tpm, tpm_result_text(tr));
		return -1;
	}
	snprintf(describe, size, "%s", tpm_describe(t));
	r = measure(config, t);
	if (r == 0)
		r = fresh ? make(config, t, state, key) : unseal(config, t, state, key);
	tpm_close(t);
	return r;
}
