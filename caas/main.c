/* main.c - caas, the administrator's command */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "caas/cmd.h"
#include "common/log.h"

static int
run(const struct command *c, int argc, char **argv)
{
	struct args a;
	int rc = args_parse(&a, c, argc, argv);

	if (rc == CMD_OK && a.value[OPT_HELP] != NULL)
		help_command(c);
	else if (rc == CMD_OK)
		rc = c->run(&a);
	args_free(&a);
	return rc;
}

int
main(int argc, char **argv)
{
	const struct command *c;
	int words = 0, rc;

	log_name("caas");
	log_level(LOG_WARN_);
	signal(SIGPIPE, SIG_IGN);
	/* PINs and passphrases pass through here: no core file. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (argc < 2) {
		cmd_usage("no command given: see caas help");
		return CMD_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		help_all();
		rc = CMD_OK;
	} else if (strcmp(argv[1], "--version") == 0) {
		printf("caas %s\n", CAAS_VERSION);
		rc = CMD_OK;
	} else if (argc == 3 && strcmp(argv[2], "--help") == 0 && help_group(argv[1])) {
		rc = CMD_OK;
	} else if ((c = command_find(argc - 1, argv + 1, &words)) == NULL) {
		return cmd_usage("no command %s%s%s: see caas help", argv[1],
		    argc > 2 ? " " : "", argc > 2 ? argv[2] : "");
	} else {
		rc = run(c, argc - 1 - words, argv + 1 + words);
	}
	if (fflush(stdout) != 0 || ferror(stdout))
		return cmd_fail(
		    "cannot write the output: is its disk full, or its reader gone?");
	return rc;
}
