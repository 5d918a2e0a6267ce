/* sandbox.c - caas sandbox: a private vsmd without root */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "caas/cmd.h"
#include "caas/daemon.h"
#include "caas/install.h"
#include "caas/output.h"
#include "caas/place.h"
#include "caas/secret.h"
#include "caas/token_make.h"

#define UP_TIMEOUT 60 /* seconds */
#define DOWN_TIMEOUT 30
#define TIMEOUT_MOST 86400

/* For the shell that evals: quoted where it needs to be. */
static void
print_export(const char *name, const char *value)
{
	printf("export %s=", name);
	if (strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			  "0123456789@%+=:,./_-") == strlen(value)) {
		printf("%s\n", value);
		return;
	}
	putchar('\'');
	for (; *value != '\0'; value++)
		if (*value == '\'')
			printf("'\\''");
		else
			putchar(*value);
	printf("'\n");
}

/* The same sandbox asked for again is left with the token that it has. */
static int
want_token(const struct args *args, const struct place *p, const char *module)
{
	struct token_order o = {.module = module,
	    .address = p->address,
	    .label = args->value[OPT_TOKEN],
	    .keep_existing = true};
	struct secret pin = {0}, so_pin = {0};
	int rc;

	rc = secret_get(args, OPT_PIN, OPT_PIN_FILE, "user PIN", true, &pin);
	if (rc == CMD_OK)
		rc = secret_get(
		    args, OPT_SO_PIN, OPT_SO_PIN_FILE, "SO PIN", true, &so_pin);
	if (rc == CMD_OK) {
		o.pin = &pin;
		o.so_pin = &so_pin;
		rc = token_make(&o, NULL);
	}
	secret_free(&pin);
	secret_free(&so_pin);
	return rc;
}

static int
check_up_args(const struct args *args)
{
	bool pins = args->value[OPT_PIN] != NULL || args->value[OPT_PIN_FILE] != NULL ||
		    args->value[OPT_SO_PIN] != NULL ||
		    args->value[OPT_SO_PIN_FILE] != NULL;

	if (args->value[OPT_TOKEN] == NULL && pins)
		return cmd_usage("PINs without --token LABEL: say which token to make");
	if (args->value[OPT_TOKEN] != NULL)
		return token_label_ok(args->value[OPT_TOKEN]);
	return CMD_OK;
}

static int
up(const struct args *args, struct place *p, int timeout)
{
	char vsmd[PATH_MAX], module[PATH_MAX];

	if (!install_module(module))
		return cmd_fail(
		    "libcaas-p11.so is not where it should be: build or install it");
	if (place_open(p, args->value[OPT_DIR], true) != CMD_OK)
		return CMD_FAILED;
	if (daemon_running(p) == 0) {
		if (!install_vsmd(vsmd))
			return cmd_fail(
			    "vsmd is not where it should be: build or install it");
		/* What a killed vsmd may have left behind. */
		if (daemon_stop(p, 5000) != CMD_OK ||
		    daemon_start(p, vsmd, timeout) != CMD_OK)
			return CMD_FAILED;
	}
	if (args->value[OPT_TOKEN] != NULL) {
		int rc = want_token(args, p, module);

		if (rc != CMD_OK)
			return rc;
	}
	print_export("CAAS_P11_MODULE", module);
	print_export("CAAS_VSM_ADDRESS", p->address);
	return CMD_OK;
}

int
cmd_sandbox_up(const struct args *args)
{
	struct place p = {.lock = -1};
	uint64_t seconds;
	int rc = args_number(args, OPT_TIMEOUT, UP_TIMEOUT, TIMEOUT_MOST, &seconds);

	if (rc == CMD_OK)
		rc = check_up_args(args);
	if (rc == CMD_OK)
		rc = up(args, &p, (int)seconds * 1000);
	place_close(&p);
	return rc;
}

int
cmd_sandbox_down(const struct args *args)
{
	struct place p;
	uint64_t seconds;
	int rc = args_number(args, OPT_TIMEOUT, DOWN_TIMEOUT, TIMEOUT_MOST, &seconds);

	if (rc != CMD_OK)
		return rc;
	rc = place_open(&p, args->value[OPT_DIR], false);
	if (rc != CMD_OK && p.dir[0] == '\0')
		return CMD_OK; /* nothing there, nothing runs */
	if (rc != CMD_OK && p.pid[0] == '\0')
		return rc;
	/* With a configuration that was broken meanwhile, it can be stopped all the same.
	 */
	rc = daemon_stop(&p, (int)seconds * 1000);
	if (rc == CMD_OK)
		place_tidy(&p);
	place_close(&p);
	return rc;
}

int
cmd_sandbox_status(const struct args *args)
{
	char module[PATH_MAX];
	struct place p;
	json_t *j;
	pid_t pid;

	if (place_open(&p, args->value[OPT_DIR], false) != CMD_OK) {
		if (p.dir[0] == '\0')
			cmd_fail("%s is no sandbox: caas sandbox up --dir makes one",
			    args->value[OPT_DIR]);
		place_close(&p);
		return CMD_FAILED;
	}
	pid = daemon_running(&p);
	j = json_pack(
	    "{s:b, s:s, s:s}", "running", pid != 0, "dir", p.dir, "address", p.address);
	if (pid != 0)
		json_object_set_new(j, "pid", json_integer(pid));
	if (install_module(module))
		json_object_set_new(j, "module", json_string(module));
	if (args->value[OPT_JSON] != NULL)
		output_json(j);
	else
		output_object(j);
	json_decref(j);
	place_close(&p);
	return pid != 0 ? CMD_OK : CMD_FAILED;
}
