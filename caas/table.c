/* table.c - commands.def and options.def as data; see cmd.h */
#include <string.h>

#include "caas/cmd.h"

#define SECRET OPTION_SECRET
const struct option_row option_table[OPT_COUNT_] = {
#define OPTION(id, name, arg, flags, help) [OPT_##id] = {name, arg, help, flags},
#include "caas/options.def"
#undef OPTION
};
#undef SECRET

#define B(id) ((uint64_t)1 << OPT_##id)
#define REMOTE (B(ADDRESS) | B(TIMEOUT))
#define PINS (B(PIN) | B(PIN_FILE))
#define SO_PINS (B(SO_PIN) | B(SO_PIN_FILE))
#define PASSPHRASES (B(PASSPHRASE) | B(PASSPHRASE_FILE))

static const struct command commands[] = {
#define COMMAND(name, handler, required, optional, operand, summary)                     \
	{name, cmd_##handler, required, optional, operand, summary},
#include "caas/commands.def"
#undef COMMAND
};

const struct command *
command_table(size_t *ret_count)
{
	*ret_count = sizeof(commands) / sizeof(commands[0]);
	return commands;
}

/* How many words of argv spell `name`; 0 when they do not. */
static int
words_of(const char *name, int argc, char *const *argv)
{
	int n = 0;

	while (*name != '\0') {
		size_t len = strcspn(name, " ");

		if (n >= argc || strlen(argv[n]) != len ||
		    strncmp(argv[n], name, len) != 0)
			return 0;
		n++;
		name += len;
		name += strspn(name, " ");
	}
	return n;
}

const struct command *
command_find(int argc, char *const *argv, int *ret_words)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		int n = words_of(commands[i].name, argc, argv);

		if (n > 0) {
			*ret_words = n;
			return &commands[i];
		}
	}
	return NULL;
}
