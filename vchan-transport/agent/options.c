/* options.c - see options.h */
#include "vchan-transport/agent/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/usage.h"
#include "vchan-transport/transport.h"

#define PROGRAM		"caas-agent"
#define SECONDS_MAX	3600
#define CONNECTIONS_MAX 65536

static const char help[] =
    "usage: caas-agent --upstream ADDRESS [option ...]\n"
    "Relay PKCS#11 connections of a virtual machine's applications to its vsmd.\n"
    "\n"
    "  --upstream ADDRESS       where vsmd is: vchan:DOMID:PATH, vsock:CID:PORT or\n"
    "                           unix:/PATH\n"
    "  --listen ADDRESS         where applications connect (unix:/run/caas/agent.sock)\n"
    "  --mode MODE              mode of that socket, octal (0660)\n"
    "  --group GROUP            group of that socket\n"
    "  --user USER              user to become after start\n"
    "  --max-connections N      connections at one time, more are refused (256)\n"
    "  --connect-timeout SECS   limit for opening a channel upstream (10)\n"
    "  --help                   print this\n"
    "  --version                print the version\n"
    "\n"
    "See caas-agent(8).\n";

static const char *
address(const char *option, const char *s)
{
	const char *why;

	if (!transport_address_ok(s, &why))
		usage_mistake(PROGRAM, "--%s %s: %s", option, s, why);
	return s;
}

void
options_parse(struct options *ret, int argc, char **argv)
{
	enum { LISTEN = 256, UPSTREAM, MODE, GROUP, USER, MAX, TIMEOUT, HELP, VERSION };
	static const struct option known[] = {
	    {"listen", required_argument, NULL, LISTEN},
	    {"upstream", required_argument, NULL, UPSTREAM},
	    {"mode", required_argument, NULL, MODE},
	    {"group", required_argument, NULL, GROUP},
	    {"user", required_argument, NULL, USER},
	    {"max-connections", required_argument, NULL, MAX},
	    {"connect-timeout", required_argument, NULL, TIMEOUT},
	    {"help", no_argument, NULL, HELP},
	    {"version", no_argument, NULL, VERSION},
	    {NULL, 0, NULL, 0},
	};
	int opt;

	*ret = (struct options){.listen = "unix:/run/caas/agent.sock",
	    .mode = 0660,
	    .max_connections = 256,
	    .connect_timeout = 10 * 1000};
	while ((opt = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (opt) {
		case LISTEN:
			ret->listen = address("listen", optarg);
			break;
		case UPSTREAM:
			ret->upstream = address("upstream", optarg);
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
		case MAX:
			ret->max_connections = usage_number(
			    PROGRAM, "max-connections", optarg, 10, 1, CONNECTIONS_MAX);
			break;
		case TIMEOUT:
			ret->connect_timeout =
			    1000 * (int)usage_number(
				       PROGRAM, "connect-timeout", optarg, 10, 1, SECONDS_MAX);
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
	if (ret->upstream == NULL)
		usage_mistake(PROGRAM, "--upstream is needed: where is vsmd?");
	if (strncmp(ret->listen, "unix:", 5) != 0)
		usage_mistake(PROGRAM, "--listen %s: applications connect to a unix socket",
		    ret->listen);
}
