/* options.h - what caas-agent is asked to do on its command line. */
#ifndef CAAS_AGENT_OPTIONS_H
#define CAAS_AGENT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct options {
	const char *listen;      /* unix:/path */
	const char *upstream;    /* any transport's address */
	const char *user;        /* to become, or NULL */
	const char *group;       /* of the socket, or NULL */
	unsigned mode;           /* of the socket */
	size_t max_connections;
	int connect_timeout;     /* milliseconds */
};

/* The strings point into argv.  Prints and exits for --help, --version and mistakes. */
void options_parse(struct options *ret, int argc, char **argv);

#endif
