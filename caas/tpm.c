/* tpm.c - caas tpm: who may open the store after the machine's state, or its image, has changed */
#include "tpm/tpm.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "caas/ask.h"
#include "common/hex.h"

#define REF_MAX 65 /* of struct tpm_policy, and a NUL */

/* "0,7,13": ascending, each once. */
static int
parse_pcrs(const char *list, struct tpm_policy *p)
{
	while (*list != '\0') {
		char *end;
		unsigned long n = strtoul(list, &end, 10);

		if (end == list || list[0] < '0' || list[0] > '9' || n >= TPM_MAX_PCRS ||
		    (*end != ',' && *end != '\0') || (*end == ',' && end[1] == '\0') ||
		    (p->npcrs > 0 && n <= p->pcrs[p->npcrs - 1]))
			return cmd_usage(
			    "--pcrs: indices from 0 to %d, ascending, with commas "
			    "between: 0,7,13",
			    TPM_MAX_PCRS - 1);
		p->pcrs[p->npcrs++] = (uint8_t)n;
		list = *end == ',' ? end + 1 : end;
	}
	return p->npcrs > 0 ? CMD_OK : cmd_usage("--pcrs is empty");
}

static int
digest_of_tpm(const char *address, const struct tpm_policy *p, uint8_t digest[32])
{
	struct tpm *t = NULL;
	enum tpm_result r = tpm_open(address, &t);
	size_t len = 0;
	int rc = CMD_OK;

	if (r != TPM_OK)
		return cmd_fail("TPM %s: %s", address, tpm_result_text(r));
	if (tpm_pcr_digest(t, p, digest, &len) != TPM_OK)
		rc = cmd_fail("TPM %s: %s", address, tpm_error(t));
	else if (len != 32)
		rc = cmd_fail(
		    "TPM %s is a TPM 1.2, which has no approvals: use caas tpm predict",
		    address);
	tpm_close(t);
	return rc;
}

/* The reference that the store is sealed for: as given, else as vsmd says.  CMD_OK, or
 * after saying why. */
static int
find_ref(const struct args *args, char ref[REF_MAX])
{
	const char *given = args->value[OPT_REF], *found;
	json_t *j = NULL;
	int rc = CMD_OK;

	if (given == NULL) {
		if ((j = ask_once(args, "status", NULL)) == NULL)
			return cmd_usage("no vsmd to ask for its --ref: give it; `caas "
					 "status` shows it, and the refusal in vsmd's log");
		found = json_string_value(json_object_get(json_object_get(j, "tpm"), "ref"));
		given = found != NULL ? found : "";
	}
	if (given[0] == '\0' || strlen(given) >= REF_MAX)
		rc = cmd_usage("--ref: 1 to %d bytes, as `caas status` shows it", REF_MAX - 1);
	else
		snprintf(ref, REF_MAX, "%s", given);
	json_decref(j);
	return rc;
}

/* Of a TPM's registers: which they are, and their digest. */
static int
find_state(const struct args *args, struct tpm_policy *p, uint8_t digest[32])
{
	const char *hex = args->value[OPT_DIGEST], *address = args->value[OPT_TPM];
	int rc;

	if (args->value[OPT_PCRS] == NULL)
		return cmd_usage("give --pcrs LIST, and --digest HEX or --tpm ADDRESS; or --image "
				 "HEX");
	if ((rc = parse_pcrs(args->value[OPT_PCRS], p)) != CMD_OK)
		return rc;
	if ((hex != NULL) == (address != NULL))
		return cmd_usage("give --digest HEX or --tpm ADDRESS, and not both");
	if (hex != NULL && !hex_get_any(hex, digest, 32))
		return cmd_usage("--digest: 64 hexadecimal digits");
	if (address != NULL && strncmp(address, "domt:", 5) == 0)
		return cmd_usage("--tpm: DomT shows no registers: approve an image with --image HEX");
	return address != NULL ? digest_of_tpm(address, p, digest) : CMD_OK;
}

/* Of an image: its digest alone. */
static int
find_image(const struct args *args, uint8_t digest[32])
{
	if (args->value[OPT_PCRS] != NULL || args->value[OPT_DIGEST] != NULL ||
	    args->value[OPT_TPM] != NULL)
		return cmd_usage("--image goes without --pcrs, --digest and --tpm, which are about "
				 "a TPM's registers");
	if (!hex_get_any(args->value[OPT_IMAGE], digest, 32))
		return cmd_usage("--image: 64 hexadecimal digits");
	return CMD_OK;
}

int
cmd_tpm_approve(const struct args *args)
{
	char ref[REF_MAX];
	struct tpm_policy p = {.locality = -1, .ref = ref};
	uint8_t digest[32];
	int rc = args->value[OPT_IMAGE] != NULL ? find_image(args, digest)
						: find_state(args, &p, digest);

	if (rc != CMD_OK || (rc = find_ref(args, ref)) != CMD_OK)
		return rc;
	if (tpm_approve(args->value[OPT_KEY], &p, digest, args->value[OPT_OUT]) < 0)
		return cmd_fail(
		    "no approval was written to %s: see above", args->value[OPT_OUT]);
	return CMD_OK;
}

int
cmd_tpm_reseal(const struct args *args)
{
	json_t *j = ask_once(args, "tpm-reseal", NULL);

	if (j == NULL)
		return CMD_FAILED;
	show_object(args, j);
	json_decref(j);
	return CMD_OK;
}

/* In the one spelling that vsmd takes. */
static json_t *
digest(const char *hex, size_t len)
{
	char lower[65];

	for (size_t i = 0; i < len && i < sizeof(lower); i++)
		lower[i] = (char)tolower((unsigned char)hex[i]);
	return json_stringn(lower, len);
}

/* "13=HEX,14=HEX" to {"13": "HEX", ...}. */
static json_t *
parse_values(const char *list)
{
	json_t *pcrs = json_object();

	while (*list != '\0') {
		size_t index = strspn(list, "0123456789"), len;
		char name[3] = "";

		if (index < 1 || index > 2 || list[index] != '=')
			break;
		memcpy(name, list, index);
		list += index + 1;
		len = strcspn(list, ",");
		if ((len != 40 && len != 64) ||
		    strspn(list, "0123456789abcdefABCDEF") < len ||
		    json_object_get(pcrs, name) != NULL)
			break;
		json_object_set_new(pcrs, name, digest(list, len));
		list += len;
		if (list[0] == ',' && list[1] != '\0')
			list++;
	}
	if (*list == '\0' && json_object_size(pcrs) > 0)
		return pcrs;
	json_decref(pcrs);
	return NULL;
}

int
cmd_tpm_predict(const struct args *args)
{
	json_t *pcrs = parse_values(args->value[OPT_VALUES]), *j;

	if (pcrs == NULL)
		return cmd_usage(
		    "--values: INDEX=HEX with commas between, 40 or 64 digits each");
	j = ask_once(args, "tpm-predict", json_pack("{s:o}", "pcrs", pcrs));
	if (j == NULL)
		return CMD_FAILED;
	show_object(args, j);
	json_decref(j);
	return CMD_OK;
}
