/* status.c - caas status, and what asks one thing and prints the answer */
#include "caas/ask.h"
#include "caas/output.h"

json_t *
ask_once(const struct args *args, const char *call, json_t *arguments)
{
	struct client *c = client_of(args);
	struct client_request r = {.call = call, .args = arguments};
	json_t *j;

	if (c == NULL) {
		json_decref(arguments);
		return NULL;
	}
	j = client_ask(c, &r, NULL);
	client_close(c);
	return j;
}

void
show_object(const struct args *args, const json_t *j)
{
	if (args->value[OPT_JSON] != NULL)
		output_json(j);
	else
		output_object(j);
}

int
cmd_status(const struct args *args)
{
	json_t *j = ask_once(args, "status", NULL);

	if (j == NULL)
		return CMD_FAILED;
	show_object(args, j);
	json_decref(j);
	return CMD_OK;
}
