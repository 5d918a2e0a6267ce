/* admin_tpm.c - the master key sealed again; see admin_ask.h */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vsmd/store/admin_ask.h"
#include "vsmd/store/file.h"
#include "vsmd/store/hex.h"
#include "vsmd/store/master.h"
#include "vsmd/store/sealer.h"

#define SHA1 20

static void
reseal(struct store *s, struct attach *a, const char *event, const struct buf *old,
    const uint8_t *values, size_t len)
{
	char why[256];
	const char *wrong;
	struct buf blob;

	buf_init(&blob, TPM_BLOB_MAX);
	wrong = s->sealer == NULL
		    ? "there is no TPM"
		    : sealer_ask(s->sealer, s->master, old, values, len, &blob, why);
	if (wrong == NULL && store_note(s, a, event, s->tpm, 0) != 0)
		wrong = "the audit log cannot be written";
	if (wrong == NULL && master_write(s->vault.dir, blob.data, blob.len) != 0)
		wrong = strerror(errno);
	buf_free(&blob);
	if (wrong != NULL)
		admin_bad(a, "%s: nothing was changed: %s", event, wrong);
	else
		admin_good(a, json_pack("{s:s}", "tpm", s->tpm), NULL, 0);
}

void
admin_tpm_reseal(struct store *s, struct attach *a, const struct admin_request *r)
{
	(void)r;
	reseal(s, a, "tpm-reseal", NULL, NULL, 0);
}

void
admin_tpm_predict(struct store *s, struct attach *a, const struct admin_request *r)
{
	const struct tpm_policy *policy = &s->config->policy;
	uint8_t values[TPM_MAX_PCRS * SHA1];
	json_t *pcrs = json_object_get(r->args, "pcrs");
	struct buf old;
	uint8_t *p;
	ssize_t n;

	for (size_t i = 0; i < policy->npcrs; i++) {
		char index[8];
		const char *hex;

		snprintf(index, sizeof(index), "%u", policy->pcrs[i]);
		hex = json_string_value(json_object_get(pcrs, index));
		if (hex == NULL || !hex_get(hex, values + i * SHA1, SHA1)) {
			admin_bad(a,
			    "pcrs: a value of 40 lower-case digits is needed for PCR %s",
			    index);
			return;
		}
	}
	if (policy->npcrs == 0 || json_object_size(pcrs) != policy->npcrs) {
		admin_bad(a, "pcrs: exactly the %zu PCRs of the policy", policy->npcrs);
		return;
	}
	buf_init(&old, TPM_BLOB_MAX);
	p = buf_reserve(&old, TPM_BLOB_MAX);
	n = p != NULL ? file_load(s->vault.dir, VAULT_MASTER, p, TPM_BLOB_MAX) : -1;
	if (n < 0) {
		admin_bad(a, VAULT_MASTER ": %s", strerror(errno));
	} else {
		buf_truncate(&old, (size_t)n);
		reseal(s, a, "tpm-predict", &old, values, policy->npcrs * SHA1);
	}
	buf_free(&old);
}
