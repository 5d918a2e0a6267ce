/* config.c - see config.h */
#include "libcaas-p11/config.h"

#include <errno.h>
#include <ini.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "vchan-transport/transport.h"

/* Milliseconds. */
static bool
parse_ms(const char *s, int least, int *ret)
{
	char *end;
	long v;

	errno = 0;
	v = strtol(s, &end, 10);
	if (errno != 0 || end == s || *end != '\0' || v < least || v > INT_MAX)
		return false;
	*ret = (int)v;
	return true;
}

static bool
parse_address(struct config *c, const char *s)
{
	size_t len = strlen(s);
	const char *why;

	if (len >= sizeof(c->address) || !transport_address_ok(s, &why))
		return false;
	memcpy(c->address, s, len + 1);
	return true;
}

static bool
parse_switch(const char *s, bool *ret)
{
	*ret = strcmp(s, "on") == 0;
	return *ret || strcmp(s, "off") == 0;
}

static int
on_line(void *user, const char *section, const char *name, const char *value)
{
	struct config *c = user;

	(void)section;
	if (strcmp(name, "address") == 0)
		return parse_address(c, value);
	if (strcmp(name, "silence") == 0)
		return parse_ms(value, CONFIG_SILENCE_LEAST, &c->silence);
	if (strcmp(name, "connect_timeout") == 0)
		return parse_ms(value, 1, &c->connect_timeout);
	if (strcmp(name, "reconnect") == 0)
		return parse_ms(value, 1, &c->reconnect);
	if (strcmp(name, "shortcuts") == 0)
		return parse_switch(value, &c->shortcuts);
	if (strcmp(name, "shared_memory") == 0)
		return parse_switch(value, &c->shared_memory);
	return 0;
}

int
config_read(struct config *c, const char *path)
{
	/* Another thread of the program may be about to execute something. */
	FILE *f = fopen(path, "re");
	int line;

	if (f == NULL)
		return -1;
	line = ini_parse_file(f, on_line, c);
	(void)fclose(f);
	return line;
}

/* From the environment, if it is there. */
static bool
take_switch(const struct config *c, const char *name, bool *ret)
{
	const char *value = secure_getenv(name);

	if (value == NULL || parse_switch(value, ret))
		return true;
	if (c->debug)
		log_error("libcaas-p11: %s=%s: neither on nor off", name, value);
	return false;
}

bool
config_load(struct config *c)
{
	const char *file = secure_getenv("CAAS_P11_CONF");
	const char *address = secure_getenv("CAAS_VSM_ADDRESS");
	const char *silence = secure_getenv("CAAS_VSM_SILENCE_MS");
	const char *path = file != NULL ? file : CONFIG_FILE;
	int line;

	*c = (struct config){.address = CONFIG_ADDRESS, .silence = CONFIG_SILENCE,
	    .connect_timeout = CONFIG_CONNECT, .reconnect = CONFIG_RECONNECT,
	    .shortcuts = true, .shared_memory = true};
	c->debug = secure_getenv("CAAS_P11_DEBUG") != NULL;
	line = config_read(c, path);
	if (line > 0 || (line < 0 && file != NULL)) {
		if (c->debug && line > 0)
			log_error(
			    "libcaas-p11: %s line %d: not a setting of ours, or not a "
			    "value for it",
			    path, line);
		else if (c->debug)
			log_error("libcaas-p11: %s: cannot be read", path);
		return false;
	}
	if (address != NULL && !parse_address(c, address)) {
		if (c->debug)
			log_error(
			    "libcaas-p11: CAAS_VSM_ADDRESS=%s: not an address", address);
		return false;
	}
	if (silence != NULL && !parse_ms(silence, CONFIG_SILENCE_LEAST, &c->silence)) {
		if (c->debug)
			log_error("libcaas-p11: CAAS_VSM_SILENCE_MS=%s: not a number of "
				  "milliseconds, %d at least", silence, CONFIG_SILENCE_LEAST);
		return false;
	}
	return take_switch(c, "CAAS_VSM_SHORTCUTS", &c->shortcuts) &&
	    take_switch(c, "CAAS_VSM_SHARED_MEMORY", &c->shared_memory);
}
