/* options.h - what caas-tis-bridge is asked to do on its command line. */
#ifndef CAAS_TIS_BRIDGE_OPTIONS_H
#define CAAS_TIS_BRIDGE_OPTIONS_H

struct options {
	const char *page;   /* PATH:ADDRESS */
	const char *listen; /* unix:/path, or tcp:PORT on loopback */
	unsigned port;	    /* of tcp:, else 0 */
	const char *user;   /* to become, or NULL */
	const char *group;  /* of the socket, or NULL */
	unsigned mode;	    /* of the socket */
};

/* The strings point into argv.  Prints and exits for --help, --version and mistakes. */
void options_parse(struct options *ret, int argc, char **argv);

#endif
