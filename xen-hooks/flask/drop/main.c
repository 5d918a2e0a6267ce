/*
 * caas-flask-drop - the last thing that dom0 does of its boot: see drop.h.
 *
 * Exits 0 when dom0 has the label, 1 when it has not, 2 for a mistake in the arguments.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/log.h"
#include "xen-hooks/flask/drop/drop.h"

static const char help[] =
    "usage: caas-flask-drop [option ...]\n"
    "Relabel dom0 for the rest of its life, so that it can no longer reach crypto "
    "domains.\n"
    "\n"
    "  --label LABEL  the label (" DROP_LABEL ")\n"
    "  --tpm          first take the TPM's localities 1 to 4 from dom0\n"
    "  --help         print this\n"
    "  --version      print the version\n"
    "\n"
    "See caas-flask-drop(8).\n";

int
main(int argc, char **argv)
{
	enum { LABEL = 256, TPM, HELP, VERSION };
	static const struct option known[] = {
	    {"label", required_argument, NULL, LABEL},
	    {"tpm", no_argument, NULL, TPM},
	    {"help", no_argument, NULL, HELP},
	    {"version", no_argument, NULL, VERSION},
	    {NULL, 0, NULL, 0},
	};
	const char *label = DROP_LABEL;
	bool tpm = false;
	int opt;

	while ((opt = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (opt) {
		case LABEL:
			label = optarg;
			break;
		case TPM:
			tpm = true;
			break;
		case HELP:
			(void)fputs(help, stdout);
			return 0;
		case VERSION:
			(void)puts("caas-flask-drop " CAAS_VERSION);
			return 0;
		default:
			(void)fputs("Try caas-flask-drop --help.\n", stderr);
			return 2;
		}
	}
	if (optind != argc) {
		(void)fputs("caas-flask-drop: it takes options only\n"
			    "Try caas-flask-drop --help.\n",
		    stderr);
		return 2;
	}
	log_name("caas-flask-drop");
	return drop(label, tpm) ? 0 : 1;
}
