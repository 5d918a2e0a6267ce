/* tpm12.c - the TPM 1.2 back end: addresses tpm1.2:HOST:PORT. */
#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <trousers/tss.h>

#include "common/secmem.h"
#include "tpm/tpm12/tpm12.h"

/* HOST:PORT, or [ADDRESS]:PORT. */
static int
parse(struct tpm12 *s, const char *where)
{
	const char *colon = strrchr(where, ':');
	size_t len;
	char *end;
	long port;

	if (colon == NULL || colon == where)
		return -1;
	len = (size_t)(colon - where);
	if (where[0] == '[' && where[len - 1] == ']') {
		where++;
		len -= 2;
	}
	port = strtol(colon + 1, &end, 10);
	if (len == 0 || len >= sizeof(s->host) || *end != '\0' || port < 1 || port > 65535)
		return -1;
	memcpy(s->host, where, len);
	snprintf(s->port, sizeof(s->port), "%ld", port);
	return 0;
}

static void
ignore_sigpipe(void)
{
	struct sigaction sa;

	if (sigaction(SIGPIPE, NULL, &sa) == 0 && sa.sa_handler == SIG_DFL)
		signal(SIGPIPE, SIG_IGN);
}

static void
describe(struct tpm *t)
{
	struct tpm12 *s = t->state;
	UINT32 property = TSS_TPMCAP_PROP_MANUFACTURER, len;
	BYTE *name;
	TSS_RESULT rc;

	TPM12_TRY(rc, Tspi_TPM_GetCapability(s->tpm, TSS_TPMCAP_PROPERTY, sizeof(property),
	    (BYTE *)&property, &len, &name));
	snprintf(t->description, sizeof(t->description), "TPM 1.2 through tcsd");
	if (rc != TSS_SUCCESS)
		return;
	/* Four characters, the last one perhaps NUL. */
	if (len == 4 && isprint(name[0]) && isprint(name[1]) && isprint(name[2]) &&
	    (isprint(name[3]) || name[3] == '\0'))
		snprintf(t->description, sizeof(t->description), "TPM 1.2 %.4s through tcsd",
		    (const char *)name);
	(void)Tspi_Context_FreeMemory(s->context, name);
}

static void
close_(struct tpm *t)
{
	tpm12_disconnect(t->state);
	free(t->state);
}

static enum tpm_result
open_(struct tpm *t, const char *where)
{
	struct tpm12 *s = calloc(1, sizeof(*s));
	enum tpm_result r;

	if (s == NULL)
		return tpm_fail(t, TPM_FAILED, "no memory for the TPM");
	t->state = s;
	if (parse(s, where) < 0) {
		free(s);
		return tpm_fail(t, TPM_FAILED, "TPM address tpm1.2:%s is not of the form "
		    "tpm1.2:HOST:PORT (tcsd's usual port is 30003)", where);
	}
	ignore_sigpipe();
	r = tpm12_connect(t);
	if (r != TPM_OK) {
		close_(t);
		return r;
	}
	describe(t);
	return TPM_OK;
}

static enum tpm_result
random_(struct tpm *t, void *out, size_t len)
{
	struct tpm12 *s = t->state;
	enum tpm_result r = tpm12_connect(t);
	BYTE *bytes;
	TSS_RESULT rc;

	if (r != TPM_OK || len == 0)
		return r;
	TPM12_TRY(rc, Tspi_TPM_GetRandom(s->tpm, (UINT32)len, &bytes));
	if (rc != TSS_SUCCESS)
		return tpm12_fail(t, rc, "getting random bytes");
	memcpy(out, bytes, len);
	sec_wipe(bytes, len);
	(void)Tspi_Context_FreeMemory(s->context, bytes);
	return TPM_OK;
}

/* tcsd does not give the SRK's public key: there is nothing to pin to. */
static enum tpm_result
pin(struct tpm *t, const void *data, size_t len)
{
	struct tpm12_blob blob;

	if (tpm12_blob_read(data, len, &blob) < 0)
		return tpm_fail(t, TPM_BAD_BLOB, "the sealed key is damaged, or not one of a "
		    "TPM 1.2: restore the file from a copy");
	return TPM_OK;
}

const struct tpm_backend tpm12_backend = {
    .prefix = "tpm1.2:",
    .open = open_,
    .close = close_,
    .seal = tpm12_seal,
    .unseal = tpm12_unseal,
    .pin = pin,
    .predict = tpm12_predict,
    .extend = tpm12_extend,
    .pcr_digest = tpm12_pcr_digest,
    .random = random_,
    .anchor_define = tpm12_anchor_define,
    .anchor_read = tpm12_anchor_read,
    .anchor_extend = tpm12_anchor_extend,
    .anchor_count = tpm12_anchor_count,
    .anchor_index = tpm12_anchor_index,
};
