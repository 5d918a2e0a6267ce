/* options.c - see options.h */
#include "tpm/tis/bridge/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/usage.h"
#include "tpm/tis/page.h"
#include "vchan-transport/transport.h"

#define PROGRAM "caas-tis-bridge"

static const char help[] =
    "usage: caas-tis-bridge [option ...]\n"
    "Pass the commands of tcsd -e to a TPM 1.2, at the locality of a page of its registers.\n"
    "\n"
    "  --page PATH:ADDRESS      the page (" TIS_PAGE_DEFAULT ", which is locality 2)\n"
    "  --listen ADDRESS         unix:/PATH, or tcp:PORT on loopback (unix:/run/caas/tis.sock)\n"
    "  --mode MODE              mode of that socket, octal (0660)\n"
    "  --group GROUP            group of that socket\n"
    "  --user USER              user to become once the page is mapped\n"
    "  --help                   print this\n"
    "  --version                print the version\n"
    "\n"
    "See caas-tis-bridge(8).\n";

static void
set_listen(struct options *o, const char *s)
{
	const char *why;

	o->listen = s;
	o->port = 0;
	if (strncmp(s, "tcp:", 4) == 0)
		o->port = (unsigned)usage_number(PROGRAM, "listen tcp:", s + 4, 10, 1, 65535);
	else if (strncmp(s, "unix:", 5) != 0)
		usage_mistake(PROGRAM, "--listen %s: wants unix:/PATH or tcp:PORT", s);
	else if (!transport_address_ok(s, &why))
		usage_mistake(PROGRAM, "--listen %s: %s", s, why);
}

void
options_parse(struct options *ret, int argc, char **argv)
{
	enum { PAGE = 256, LISTEN, MODE, GROUP, USER, HELP, VERSION };
	static const struct option known[] = {
	    {"page", required_argument, NULL, PAGE},
	    {"listen", required_argument, NULL, LISTEN},
	    {"mode", required_argument, NULL, MODE},
	    {"group", required_argument, NULL, GROUP},
	    {"user", required_argument, NULL, USER},
	    {"help", no_argument, NULL, HELP},
	    {"version", no_argument, NULL, VERSION},
	    {NULL, 0, NULL, 0},
	};
	int opt;

	*ret = (struct options){
	    .page = TIS_PAGE_DEFAULT, .listen = "unix:/run/caas/tis.sock", .mode = 0660};
	while ((opt = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (opt) {
		case PAGE:
			ret->page = optarg;
			break;
		case LISTEN:
			set_listen(ret, optarg);
			break;
		case MODE:
			ret->mode = (unsigned)usage_number(PROGRAM, "mode", optarg, 8, 0, 0777);
			break;
		case GROUP:
			ret->group = optarg;
			break;
		case USER:
			ret->user = optarg;
			break;
		case HELP:
			fputs(help, stdout);
			exit(0);
		case VERSION:
			puts(PROGRAM " " CAAS_VERSION);
			exit(0);
		default:
			fputs("Try " PROGRAM " --help.\n", stderr);
			exit(2);
		}
	}
	if (optind < argc)
		usage_mistake(PROGRAM, "%s: not an option", argv[optind]);
	if (tis_page_locality(ret->page) < 0)
		usage_mistake(PROGRAM,
		    "--page %s: wants PATH:0xADDRESS of a page of a TPM, as %s", ret->page,
		    TIS_PAGE_DEFAULT);
}
