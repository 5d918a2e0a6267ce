/* token.c - caas token list, create, delete, accept-rollback */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "caas/ask.h"
#include "caas/install.h"
#include "caas/output.h"
#include "caas/token_make.h"
#include "common/secmem.h"

#define RANDOM_PIN 32

json_t *
answer_array(json_t *answer, const char *member)
{
	json_t *a = json_is_array(answer) ? answer : json_object_get(answer, member);

	if (!json_is_array(a))
		cmd_fail("vsmd's answer has no %s: upgrade one side", member);
	return json_is_array(a) ? a : NULL;
}

int
cmd_token_list(const struct args *args)
{
	static const struct column columns[] = {{"SLOT", "slot"}, {"LABEL", "label"},
	    {"SERIAL", "serial"}, {"STATE", "state"}};
	json_t *j = ask_once(args, "token-list", NULL), *tokens;

	if (j == NULL)
		return CMD_FAILED;
	tokens = answer_array(j, "tokens");
	if (tokens != NULL && args->value[OPT_JSON] != NULL)
		output_json(tokens);
	else if (tokens != NULL)
		output_table(tokens, columns, 4);
	json_decref(j);
	return tokens != NULL ? CMD_OK : CMD_FAILED;
}

/* 160 bits that nobody will ever type. */
static int
random_pin(struct secret *pin)
{
	static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
	unsigned char bytes[RANDOM_PIN];

	*pin = (struct secret){.text = sec_alloc(RANDOM_PIN + 1), .len = RANDOM_PIN};
	if (pin->text == NULL || getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return cmd_fail("no memory or no randomness for a PIN");
	for (size_t i = 0; i < RANDOM_PIN; i++)
		pin->text[i] = digits[bytes[i] & 31];
	sec_wipe(bytes, sizeof(bytes));
	return CMD_OK;
}

static int
user_pin(const struct args *args, struct secret *pin)
{
	if (args->value[OPT_NO_PIN] == NULL)
		return secret_get(args, OPT_PIN, OPT_PIN_FILE, "user PIN", true, pin);
	if (args->value[OPT_PIN] != NULL || args->value[OPT_PIN_FILE] != NULL)
		return cmd_usage("--no-pin excludes --pin and --pin-file");
	return random_pin(pin);
}

int
cmd_token_create(const struct args *args)
{
	struct secret pin = {0}, so_pin = {0};
	struct token_order o = {.address = client_address(args),
	    .label = args->value[OPT_LABEL],
	    .pin = &pin,
	    .so_pin = &so_pin};
	char module[PATH_MAX];
	json_t *j = NULL;
	int rc = token_label_ok(o.label);

	if (rc == CMD_OK && !install_module(module))
		rc = cmd_fail(
		    "libcaas-p11.so is not where it should be: build or install it");
	o.module = module;
	if (rc == CMD_OK)
		rc = user_pin(args, &pin);
	if (rc == CMD_OK)
		rc = secret_get(
		    args, OPT_SO_PIN, OPT_SO_PIN_FILE, "SO PIN", true, &so_pin);
	if (rc == CMD_OK)
		rc = token_make(&o, &j);
	if (rc == CMD_OK)
		show_object(args, j);
	json_decref(j);
	secret_free(&pin);
	secret_free(&so_pin);
	return rc;
}

int
cmd_token_accept_rollback(const struct args *args)
{
	struct secret so_pin = {0};
	struct client_request r = {.call = "accept-rollback", .so_pin = &so_pin};
	struct client *c = NULL;
	json_t *j = NULL;
	int rc = secret_get(args, OPT_SO_PIN, OPT_SO_PIN_FILE, "SO PIN", false, &so_pin);

	if (rc == CMD_OK && (c = client_of(args)) == NULL)
		rc = CMD_FAILED;
	if (rc == CMD_OK) {
		r.args = json_pack("{s:s}", "label", args->value[OPT_LABEL]);
		if ((j = client_ask(c, &r, NULL)) == NULL)
			rc = CMD_FAILED;
	}
	client_close(c);
	secret_free(&so_pin);
	if (rc == CMD_OK)
		show_object(args, j);
	json_decref(j);
	return rc;
}

int
cmd_token_delete(const struct args *args)
{
	const char *label = args->value[OPT_LABEL];
	char question[256];
	json_t *j;

	snprintf(
	    question, sizeof(question), "Delete token %.64s and all keys on it?", label);
	if (args->value[OPT_YES] == NULL && !tty_confirm(question))
		return cmd_usage("%s is not deleted: confirm, or give --yes", label);
	j = ask_once(args, "token-delete", json_pack("{s:s}", "label", label));
	if (j == NULL)
		return CMD_FAILED;
	json_decref(j);
	return CMD_OK;
}
