/* address.c - which vsmd is meant; see client.h */
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "caas/client.h"

/* The guest module's file: an administrator and the applications ask the same vsmd. */
#define CONF_FILE "/etc/caas/libcaas-p11.conf"
#define DEFAULT_ADDRESS "unix:/run/caas/vsmd.sock"

static int
on_line(void *user, const char *section, const char *name, const char *value)
{
	char *address = user;

	(void)section;
	if (strcmp(name, "address") == 0)
		snprintf(address, 256, "%s", value);
	return 1;
}

const char *
client_address(const struct args *a)
{
	static char address[256];
	const char *env = getenv("CAAS_VSM_ADDRESS"), *file = getenv("CAAS_P11_CONF");

	if (a->value[OPT_ADDRESS] != NULL)
		return a->value[OPT_ADDRESS];
	if (env != NULL && env[0] != '\0')
		return env;
	snprintf(address, sizeof(address), "%s", DEFAULT_ADDRESS);
	ini_parse(file != NULL ? file : CONF_FILE, on_line, address);
	return address;
}

struct client *
client_of(const struct args *a)
{
	uint64_t seconds;

	if (args_number(a, OPT_TIMEOUT, CLIENT_SILENCE / 1000, 86400, &seconds) != CMD_OK)
		return NULL;
	return client_open(client_address(a), (int)seconds * 1000);
}
