/* help.c - what people are told: help and errors; see cmd.h */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "caas/cmd.h"
#include "caas/output.h"

static void
print_option(enum option_id id, bool required)
{
	const struct option_row *o = &option_table[id];

	if (o->arg != NULL)
		printf(required ? " --%s %s" : " [--%s %s]", o->name, o->arg);
	else
		printf(required ? " --%s" : " [--%s]", o->name);
}

static void
print_usage(const struct command *c)
{
	printf("usage: caas %s", c->name);
	for (int i = 0; i < OPT_COUNT_; i++)
		if ((c->required & (uint64_t)1 << i) != 0)
			print_option((enum option_id)i, true);
	for (int i = 0; i < OPT_COUNT_; i++)
		if ((c->optional & (uint64_t)1 << i) != 0)
			print_option((enum option_id)i, false);
	if (c->operand != NULL && c->operand[0] == '!')
		printf(" %s", c->operand + 1);
	else if (c->operand != NULL)
		printf(" [%s]", c->operand);
	printf("\n");
}

void
help_command(const struct command *c)
{
	uint64_t mask = c->required | c->optional | (uint64_t)1 << OPT_HELP;

	print_usage(c);
	printf("\n%s\n\noptions:\n", c->summary);
	for (int i = 0; i < OPT_COUNT_; i++) {
		char left[64];

		if ((mask & (uint64_t)1 << i) == 0)
			continue;
		snprintf(left, sizeof(left), "--%s%s%s", option_table[i].name,
		    option_table[i].arg != NULL ? " " : "",
		    option_table[i].arg != NULL ? option_table[i].arg : "");
		printf("  %-24s %s\n", left, option_table[i].help);
	}
}

void
help_all(void)
{
	size_t n;
	const struct command *c = command_table(&n);

	printf("usage: caas COMMAND [OPTIONS]\n\ncommands:\n");
	for (size_t i = 0; i < n; i++)
		printf("  %-15s %s\n", c[i].name, c[i].summary);
	printf("\n`caas COMMAND --help` lists the options of a command.\n"
	       "CAAS_VSM_ADDRESS names the vsmd to ask.\n");
}

bool
help_group(const char *word)
{
	size_t n, len = strlen(word);
	const struct command *c = command_table(&n);
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		if (strncmp(c[i].name, word, len) != 0 || c[i].name[len] != ' ')
			continue;
		if (!any)
			printf("usage: caas %s COMMAND [OPTIONS]\n\ncommands:\n", word);
		printf("  %-15s %s\n", c[i].name, c[i].summary);
		any = true;
	}
	return any;
}

int
cmd_help(const struct args *args)
{
	char *words[2] = {0};
	const struct command *c;
	int used;

	if (args->noperands == 0) {
		help_all();
		return CMD_OK;
	}
	for (size_t i = 0; i < args->noperands; i++)
		words[i] = (char *)(uintptr_t)args->operand[i];
	c = command_find((int)args->noperands, words, &used);
	if (c == NULL || (size_t)used != args->noperands)
		return cmd_usage("no command %s%s%s: see caas help", words[0],
		    words[1] != NULL ? " " : "", words[1] != NULL ? words[1] : "");
	help_command(c);
	return CMD_OK;
}

__attribute__((format(printf, 1, 0))) static void
say(const char *fmt, va_list ap)
{
	char text[1024], clean[1024];

	/* Some of it is vsmd's, or a file's name. */
	vsnprintf(text, sizeof(text), fmt, ap);
	output_clean(clean, sizeof(clean), text);
	fprintf(stderr, "caas: %s\n", clean);
}

int
cmd_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
	return CMD_FAILED;
}

int
cmd_usage(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
	return CMD_USAGE;
}

void
cmd_note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
}
