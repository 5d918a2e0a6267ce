/* fake_root.c - see fake_root.h */
#include "fake_root.h"

#include <stdio.h>
#include <string.h>

const uint8_t fake_root_key[LEDGER_KEY] = "the key of a fake DomT's state.";

static bool
silent(struct fake_root *f, char *why)
{
	f->calls++;
	snprintf(why, LEDGER_WHY, "the fake TPM does not answer");
	if (f->silent == 0)
		return false;
	f->silent--;
	return true;
}

static enum tpm_result
define(void *arg, const uint8_t origin[TPM_ANCHOR_LEN], char why[LEDGER_WHY])
{
	struct fake_root *f = arg;

	if (silent(f, why))
		return TPM_ABSENT;
	f->defined = true;
	f->value = (struct tpm_anchor_value){.count = 1};
	tpm_anchor_after(f->value.value, origin);
	if (f->done != NULL)
		f->done(f);
	return TPM_OK;
}

static enum tpm_result
read_(void *arg, struct tpm_anchor_value *ret, char why[LEDGER_WHY])
{
	struct fake_root *f = arg;

	if (silent(f, why))
		return TPM_ABSENT;
	*ret = f->value;
	return f->defined ? TPM_OK : TPM_UNANCHORED;
}

static enum tpm_result
extend(void *arg, const uint8_t digest[TPM_ANCHOR_LEN], char why[LEDGER_WHY])
{
	struct fake_root *f = arg;

	if (silent(f, why))
		return TPM_ABSENT;
	snprintf(why, LEDGER_WHY, "the fake TPM failed");
	if (f->fail_before > 0) {
		f->fail_before--;
		return TPM_FAILED;
	}
	tpm_anchor_after(f->value.value, digest);
	f->extends++;
	if (f->done != NULL)
		f->done(f);
	if (f->fail_after > 0) {
		f->fail_after--;
		return TPM_FAILED;
	}
	return TPM_OK;
}

const struct ledger_tpm fake_root_ops = {.define = define, .read = read_, .extend = extend};

void
fake_root_ledger(struct fake_root *f, struct ledger *l, int dir)
{
	memset(l, 0, sizeof(*l));
	l->dir = dir;
	l->tpm = &fake_root_ops;
	l->tpm_arg = f;
	l->key = fake_root_key;
}
