/* main.c - vsmd(8): options, the configuration, and then the supervisor. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/proctitle.h"
#include "vsmd/supervisor/supervisor.h"

#define CONFIG "/etc/caas/vsmd.conf"

static const char usage[] =
    "usage: vsmd [-c FILE] [--check] [--foreground]\n"
    "\n"
    "  -c, --config=FILE   read FILE instead of " CONFIG "\n"
    "      --check         check the configuration and exit\n"
    "      --foreground    stay in the foreground (always the case)\n"
    "  -h, --help          print this and exit\n"
    "  -V, --version       print the version and exit\n"
    "\n"
    "The manual is in vsmd(8) and vsmd.conf(5).\n";

enum { OPT_CHECK = 256, OPT_FOREGROUND };

static const struct option options[] = {
    {"config", required_argument, NULL, 'c'},
    {"check", no_argument, NULL, OPT_CHECK},
    {"foreground", no_argument, NULL, OPT_FOREGROUND},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

/* An error of the configuration, as a compiler would say it. */
static void
report(void *arg, const char *line)
{
	(void)arg;
	fprintf(stderr, "%s\n", line);
}

/* Descriptors 0 to 2 must be something: else the first socket becomes standard error. */
static void
open_standard(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int
main(int argc, char **argv)
{
	const char *given = CONFIG;
	struct config *config;
	bool check = false;
	char *file;
	int c;

	open_standard();
	while ((c = getopt_long(argc, argv, "c:hV", options, NULL)) != -1)
		switch (c) {
		case 'c':
			given = optarg;
			break;
		case OPT_CHECK:
			check = true;
			break;
		case OPT_FOREGROUND:
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		case 'V':
			puts("vsmd " CAAS_VERSION);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	if (optind != argc) {
		fputs(usage, stderr);
		return 2;
	}
	/* The options are about to be overwritten, and SIGHUP reads the file again. */
	if ((file = realpath(given, NULL)) == NULL) {
		fprintf(stderr, "%s: %s\n", given, strerror(errno));
		return 1;
	}
	if ((config = config_load(file, report, NULL)) == NULL) {
		free(file);
		return 1;
	}
	if (check) {
		config_free(config);
		free(file);
		return 0;
	}
	proctitle_init(argc, argv);
	log_name("vsmd");
	c = supervisor_main(file, config);
	free(file);
	return c;
}
