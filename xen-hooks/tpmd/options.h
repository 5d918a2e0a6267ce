/* options.h - what domt-tpmd is asked to do on its command line. */
#ifndef CAAS_TPMD_OPTIONS_H
#define CAAS_TPMD_OPTIONS_H

#include <stdbool.h>

struct options {
	const char *config; /* points into argv */
	bool check;	    /* read it, say what is wrong, and end */
};

/* Prints and exits for --help, --version and mistakes. */
void options_parse(struct options *ret, int argc, char **argv);

#endif
