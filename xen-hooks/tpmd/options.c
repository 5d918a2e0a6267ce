/* options.c - see options.h */
#include "xen-hooks/tpmd/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "xen-hooks/tpmd/conf.h"

static const char usage[] =
    "usage: domt-tpmd [-c FILE] [--check] [--foreground]\n"
    "Seal, unseal and anchor for the crypto domains of pairs, with one TPM.\n"
    "\n"
    "  -c, --config=FILE   read FILE instead of " CONF_FILE "\n"
    "      --check         check the configuration and exit\n"
    "      --foreground    stay in the foreground (always the case)\n"
    "  -h, --help          print this and exit\n"
    "  -V, --version       print the version and exit\n"
    "\n"
    "The manual is in domt-tpmd(8) and domt-tpmd.conf(5).\n";

void
options_parse(struct options *ret, int argc, char **argv)
{
	enum { CHECK = 256, FOREGROUND };
	static const struct option known[] = {{"config", required_argument, NULL, 'c'},
	    {"check", no_argument, NULL, CHECK},
	    {"foreground", no_argument, NULL, FOREGROUND},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {NULL, 0, NULL, 0}};
	int opt;

	*ret = (struct options){.config = CONF_FILE};
	while ((opt = getopt_long(argc, argv, "c:hV", known, NULL)) != -1)
		switch (opt) {
		case 'c':
			ret->config = optarg;
			break;
		case CHECK:
			ret->check = true;
			break;
		case FOREGROUND:
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		case 'V':
			puts("domt-tpmd " CAAS_VERSION);
			exit(0);
		default:
			fputs(usage, stderr);
			exit(2);
		}
	if (optind != argc) {
		fputs(usage, stderr);
		exit(2);
	}
}
