/* admin_tpm.c - the master key sealed again; see admin_ask.h */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/hex.h"
#include "common/log.h"
#include "vsmd/store/admin_ask.h"
#include "vsmd/store/clock.h"
#include "vsmd/store/sealer.h"

#define SHA1 20

static void
ask_sealer(struct store *s, struct attach *a, const char *event, const uint8_t *values,
    size_t len)
{
	const char *wrong;

	if (s->sealer->event != NULL) {
		admin_bad(a, "the TPM is sealing already: try again when it has");
		return;
	}
	if ((wrong = sealer_ask(s->sealer, &s->master, values, len)) != NULL) {
		admin_bad(a, "%s: nothing was changed: %s", event, wrong);
		return;
	}
	s->sealer->event = event;
	s->sealer->asker = a;
	a->wait = WAIT_TPM;
}

/* NULL, or what went wrong. */
static const char *
keep(struct store *s, const struct attach *a, struct buf *blob)
{
	int r;

	if (store_note(s, a, s->sealer->event, s->master.tpm, 0) != 0)
		return "nothing was changed: the audit log cannot be written";
	r = master_write(s->vault.dir, blob->data, blob->len);
	if (r < 0) {
		(void)store_note(s, a, "tpm-seal-failed", strerror(errno), 1);
		return "nothing was changed: " VAULT_MASTER
		       " cannot be written: see whether the disk is full or failing";
	}
	buf_free(&s->master.blob);
	s->master.blob = *blob;
	buf_init(blob, TPM_BLOB_MAX);
	return r == 0 ? NULL
		      : "it is sealed, but the disk does not confirm it: do it again";
}

void
admin_tpm_tick(struct store *s, bool readable)
{
	struct sealer *sealer = s->sealer;
	const char *wrong, *event = sealer->event;
	struct attach *a = s->attached;
	char why[TPM_MSG_WHY];
	struct buf blob;

	if (event == NULL || (!readable && clock_ms() < sealer->until))
		return;
	while (a != NULL && a != sealer->asker)
		a = a->next;
	buf_init(&blob, TPM_BLOB_MAX);
	if ((wrong = sealer_answer(sealer, &blob, why)) == NULL)
		wrong = keep(s, a, &blob);
	else
		(void)store_note(s, a, "tpm-seal-failed", wrong, 1);
	buf_free(&blob);
	sealer->event = NULL;
	sealer->asker = NULL;
	if (wrong != NULL)
		log_error("%s: %s", event, wrong);
	if (a != NULL && wrong != NULL)
		admin_bad(a, "%s: %s", event, wrong);
	else if (a != NULL)
		admin_good(a, json_pack("{s:s}", "tpm", s->master.tpm), NULL, 0);
}

void
admin_tpm_reseal(struct store *s, struct attach *a, const struct admin_request *r)
{
	(void)r;
	ask_sealer(s, a, "tpm-reseal", NULL, 0);
}

void
admin_tpm_predict(struct store *s, struct attach *a, const struct admin_request *r)
{
	const struct tpm_policy *policy = &s->config->policy;
	uint8_t values[TPM_MAX_PCRS * SHA1];
	json_t *pcrs = json_object_get(r->args, "pcrs");

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
	ask_sealer(s, a, "tpm-predict", values, policy->npcrs * SHA1);
}
