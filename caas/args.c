/* args.c - the command line of a subcommand; see cmd.h */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "caas/cmd.h"
#include "common/secmem.h"

static int
option_find(const struct command *c, const char *name, size_t len)
{
	uint64_t allowed = c->required | c->optional | (uint64_t)1 << OPT_HELP;

	for (int i = 0; i < OPT_COUNT_; i++)
		if ((allowed & (uint64_t)1 << i) != 0 &&
		    strlen(option_table[i].name) == len &&
		    strncmp(option_table[i].name, name, len) == 0)
			return i;
	return -1;
}

/* Out of argv, so that ps shows it no longer. */
static char *
take_secret(char *value)
{
	size_t len = strlen(value);
	char *copy = sec_alloc(len + 1);

	if (copy != NULL)
		memcpy(copy, value, len);
	memset(value, '*', len);
	return copy;
}

static int
option_set(struct args *a, int id, char *value)
{
	if (a->value[id] != NULL)
		return cmd_usage("--%s is given twice", option_table[id].name);
	if (option_table[id].flags & OPTION_SECRET)
		value = take_secret(value);
	if (value == NULL)
		return cmd_fail("no memory for a PIN: free some");
	a->value[id] = value;
	return CMD_OK;
}

static int
parse_option(struct args *a, int argc, char **argv, int *i)
{
	static char set[] = "";
	char *name = argv[*i] + 2, *eq = strchr(name, '=');
	size_t len = eq != NULL ? (size_t)(eq - name) : strlen(name);
	int id = option_find(a->command, name, len);

	if (id < 0)
		return cmd_usage("%s: no option --%.*s: see caas %s --help",
		    a->command->name, (int)len, name, a->command->name);
	if (option_table[id].arg == NULL)
		return eq != NULL
			   ? cmd_usage("--%s takes no value", option_table[id].name)
			   : option_set(a, id, set);
	if (eq != NULL)
		return option_set(a, id, eq + 1);
	if (*i + 1 >= argc)
		return cmd_usage("--%s needs a value: %s", option_table[id].name,
		    option_table[id].arg);
	*i += 1;
	return option_set(a, id, argv[*i]);
}

/* How many words there are after the "!". */
static size_t
operands_needed(const struct command *c)
{
	size_t n = 1;

	if (c->operand == NULL || c->operand[0] != '!')
		return 0;
	for (const char *s = c->operand; *s != '\0'; s++)
		n += *s == ' ';
	return n;
}

static int
check_required(const struct args *a)
{
	size_t need = operands_needed(a->command);

	for (int i = 0; i < OPT_COUNT_; i++)
		if ((a->command->required & (uint64_t)1 << i) != 0 && a->value[i] == NULL)
			return cmd_usage("%s needs --%s %s: see caas %s --help",
			    a->command->name, option_table[i].name, option_table[i].arg,
			    a->command->name);
	if (need > 0 && a->noperands != need)
		return cmd_usage("%s needs %s: see caas %s --help", a->command->name,
		    a->command->operand + 1, a->command->name);
	return CMD_OK;
}

int
args_parse(struct args *a, const struct command *command, int argc, char **argv)
{
	bool options = true, many = command->operand != NULL &&
				    strstr(command->operand, "...") != NULL;
	/* `help token list` has two */
	size_t most = many ? OPERANDS : command->operand != NULL ? 2 : 0;

	*a = (struct args){.command = command};
	for (int i = 0; i < argc; i++) {
		int rc = CMD_OK;

		if (options && strcmp(argv[i], "--") == 0)
			options = false;
		else if (options && strcmp(argv[i], "-h") == 0)
			a->value[OPT_HELP] = argv[i];
		else if (options && strncmp(argv[i], "--", 2) == 0)
			rc = parse_option(a, argc, argv, &i);
		else if (a->noperands == most)
			rc = cmd_usage("%s: unexpected argument %s: see caas %s --help",
			    command->name, argv[i], command->name);
		else
			a->operand[a->noperands++] = argv[i];
		if (rc != CMD_OK)
			return rc;
	}
	return a->value[OPT_HELP] != NULL ? CMD_OK : check_required(a);
}

void
args_free(struct args *a)
{
	for (int i = 0; i < OPT_COUNT_; i++)
		if ((option_table[i].flags & OPTION_SECRET) != 0)
			sec_free(a->value[i]);
	memset(a, 0, sizeof(*a));
}

int
args_number(const struct args *a, enum option_id id, uint64_t fallback, uint64_t max,
    uint64_t *ret)
{
	const char *s = a->value[id];
	char *end;

	*ret = fallback;
	if (s == NULL)
		return CMD_OK;
	errno = 0;
	*ret = strtoull(s, &end, 10);
	if (s[0] < '0' || s[0] > '9' || *end != '\0' || errno != 0 || *ret > max)
		return cmd_usage("--%s must be a number from 0 to %llu, not %s",
		    option_table[id].name, (unsigned long long)max, s);
	return CMD_OK;
}
