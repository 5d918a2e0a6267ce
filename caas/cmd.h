/*
 * cmd.h - subcommands and their options, as data and as parsed.
 *
 * Exit codes: CMD_OK, CMD_FAILED (it was tried), CMD_USAGE (it was not).  Whoever returns
 * one of the last two has said why through cmd_fail() or cmd_usage().
 * Threads: none.
 */
#ifndef CAAS_CMD_H
#define CAAS_CMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CMD_OK = 0, CMD_FAILED = 1, CMD_USAGE = 2 };

enum option_id {
#define OPTION(id, name, arg, flags, help) OPT_##id,
#include "caas/options.def"
#undef OPTION
	OPT_COUNT_
};

#define OPTION_SECRET 0x1
#define OPERANDS 1024

struct option_row {
	const char *name, *arg, *help;
	unsigned flags;
};

struct args;

struct command {
	const char *name; /* "token list" */
	int (*run)(const struct args *args);
	uint64_t required, optional; /* bits by option_id */
	/* "FILE ...": any number up to OPERANDS; "!NAME FILE": just these; else two at most */
	const char *operand;
	const char *summary;
};

struct args {
	const struct command *command;
	char *value[OPT_COUNT_]; /* "" for an option without argument; NULL: not given.
	                          * Secrets are in secmem, the others in argv. */
	const char *operand[OPERANDS];
	size_t noperands;
};

extern const struct option_row option_table[OPT_COUNT_];
const struct command *command_table(size_t *ret_count);
/* The command that argv starts with; *ret_words is how many words its name has. */
const struct command *command_find(int argc, char *const *argv, int *ret_words);

/* Parse what follows the command's name.  CMD_OK or CMD_USAGE.  args_free() it always. */
int args_parse(struct args *a, const struct command *command, int argc, char **argv);
void args_free(struct args *a);
/* The option's number, `fallback` when it was not given.  CMD_USAGE for what is none. */
int args_number(const struct args *a, enum option_id id, uint64_t fallback, uint64_t max,
    uint64_t *ret);

/* All commands, or one, on standard output. */
void help_all(void);
void help_command(const struct command *c);
/* The commands whose first word is `word`; false when there is none of two words. */
bool help_group(const char *word);

/* "caas: what happened: what to do" on standard error; return CMD_FAILED, CMD_USAGE. */
int cmd_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int cmd_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* A line on standard error that is no error. */
void cmd_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The handlers, one file per first word. */
#define COMMAND(name, handler, required, optional, operand, summary)                     \
	int cmd_##handler(const struct args *args);
#include "caas/commands.def"
#undef COMMAND

#endif
