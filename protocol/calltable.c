/*
 * calltable.c - prints what is derived from calls.def.
 *
 *	caas-calltable --markdown     the table in docs/protocol.md
 *	caas-calltable --names        one name per line
 *	caas-calltable --dictionary   for libFuzzer: call and frame numbers, mechanisms,
 *	                              attributes
 */
#include <stdio.h>
#include <string.h>

#include "protocol/calls.h"
#include "protocol/frame.h"
#include "protocol/names.h"

static void
print_flags(const struct call *c)
{
	static const struct {
		unsigned flag;
		const char *name;
	} names[] = {{CALL_SLOW, "SLOW"}, {CALL_SECRET, "SECRET"}, {CALL_V3, "V3"},
	    {CALL_ONCE, "ONCE"}};
	const char *sep = "";

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if ((c->flags & names[i].flag) == 0)
			continue;
		printf("%s%s", sep, names[i].name);
		sep = " ";
	}
	if (call_beginning(c) != NULL)
		printf("%sAFTER(%s)", sep, call_beginning(c)->name);
}

static void
markdown(const struct call *calls, size_t n)
{
	printf("| # | call | where | class | gate | flags | arguments |\n");
	printf("|--:|---|---|---|---|---|---|\n");
	for (size_t i = 0; i < n; i++) {
		const struct call *c = &calls[i];

		printf("| %u | `%s` | %s | %s | %s | ", c->number, c->name,
		    call_where_name(c->where), call_class_name(c->class),
		    call_gate_name(c->gate));
		print_flags(c);
		printf(" | ");
		for (size_t k = 0; k < call_nargs(c); k++)
			printf("%s%s", k > 0 ? " " : "", arg_kind_name(c->args[k]));
		printf(" |\n");
	}
}

static void
entry(const char *name, unsigned long v, size_t bytes)
{
	printf("%s=\"", name);
	for (size_t i = 0; i < bytes; i++)
		printf("\\x%02lx", v >> (8 * i) & 0xff);
	printf("\"\n");
}

static void
dictionary(const struct call *calls, size_t n)
{
	CK_MECHANISM_TYPE type;
	const char *name;

	for (size_t i = 0; i < n; i++)
		entry(calls[i].name, calls[i].number, 4);
	entry("FRAME_RESUME", FRAME_RESUME, 4);
	entry("FRAME_FETCH", FRAME_FETCH, 4);
	entry("FRAME_INFO", FRAME_INFO, 4);
	for (size_t i = 0; (name = ck_mech_name_at(i, &type)) != NULL; i++)
		entry(name, type, 8);
	entry("CKA_WRAP_TEMPLATE", CKA_WRAP_TEMPLATE, 8);
	entry("CKA_UNWRAP_TEMPLATE", CKA_UNWRAP_TEMPLATE, 8);
	entry("CKA_ALLOWED_MECHANISMS", CKA_ALLOWED_MECHANISMS, 8);
	entry("CKA_VALUE", CKA_VALUE, 8);
	entry("CK_UNAVAILABLE_INFORMATION", CK_UNAVAILABLE_INFORMATION, 8);
	entry("CKR_BUFFER_TOO_SMALL", CKR_BUFFER_TOO_SMALL, 8);
	entry("CKR_ATTRIBUTE_SENSITIVE", CKR_ATTRIBUTE_SENSITIVE, 8);
}

int
main(int argc, char **argv)
{
	const char *what = argc == 2 ? argv[1] : "";
	size_t n;
	const struct call *calls = call_table(&n);

	if (strcmp(what, "--markdown") == 0) {
		markdown(calls, n);
	} else if (strcmp(what, "--names") == 0) {
		for (size_t i = 0; i < n; i++)
			printf("%s\n", calls[i].name);
	} else if (strcmp(what, "--dictionary") == 0) {
		dictionary(calls, n);
	} else {
		fprintf(stderr,
		    "usage: caas-calltable --markdown | --names | --dictionary\n");
		return 2;
	}
	return fflush(stdout) == 0 ? 0 : 1;
}
