/* policy.c - caas policy check: a configuration before vsmd meets it */
#include <stdio.h>
#include <string.h>

#include "caas/cmd.h"
#include "caas/output.h"
#include "vsmd/policy/config.h"

#define CONF_FILE "/etc/caas/vsmd.conf"

static void
collect(void *arg, const char *line)
{
	json_array_append_new(arg, json_string(line));
}

int
cmd_policy_check(const struct args *args)
{
	const char *file = args->noperands > 0 ? args->operand[0] : CONF_FILE;
	json_t *errors, *j;
	struct config *c;
	bool good;

	if (args->noperands > 1)
		return cmd_usage("policy check: one file at a time");
	errors = json_array();
	c = config_load(file, collect, errors);
	good = c != NULL;
	config_free(c);
	if (args->value[OPT_JSON] != NULL) {
		j = json_pack(
		    "{s:s, s:b, s:O}", "file", file, "ok", good, "errors", errors);
		output_json(j);
		json_decref(j);
	} else if (good) {
		printf("%s: good\n", file);
	} else {
		for (size_t i = 0; i < json_array_size(errors); i++)
			fprintf(
			    stderr, "%s\n", json_string_value(json_array_get(errors, i)));
	}
	json_decref(errors);
	return good ? CMD_OK : CMD_FAILED;
}
