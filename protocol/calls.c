/* calls.c - see calls.h */
#include "protocol/calls.h"

#include <string.h>

#include "protocol/each.h"

#define SLOW CALL_SLOW
#define SECRET CALL_SECRET
#define V3 CALL_V3
#define ONCE CALL_ONCE
#define AFTER(name) CALL_AFTER(name)
#define KIND(i, kind) ARG_##kind
#define CALL(number, name, where, class, gate, flags, args)                              \
	{number, #name, WHERE_##where, CLASS_##class, GATE_##gate,                       \
	    (flags) & 0xffff, CALL_AFTER_OF(flags), {LIST(KIND, args), ARG_END}},

static const struct call table[] = {
#include "protocol/calls.def"
};

#define TABLE_LEN (sizeof(table) / sizeof(table[0]))

_Static_assert(TABLE_LEN == CALL_COUNT_ - 1, "the numbers in calls.def have no gap");

const struct call *
call_by_number(uint32_t number)
{
	/* Row n has number n + 1: test_calls.c holds calls.def to that. */
	if (number == 0 || number > TABLE_LEN)
		return NULL;
	return &table[number - 1];
}

const struct call *
call_by_name(const char *name)
{
	for (size_t i = 0; i < TABLE_LEN; i++)
		if (strcmp(table[i].name, name) == 0)
			return &table[i];
	return NULL;
}

const struct call *
call_table(size_t *ret_count)
{
	*ret_count = TABLE_LEN;
	return table;
}

const struct call *
call_beginning(const struct call *call)
{
	return call_by_number(call->after);
}

const struct call *
call_of_beginning(const struct call *begin)
{
	/* It is the next row: test_calls.c holds calls.def to that. */
	const struct call *call = call_by_number(begin->number + 1);

	return call != NULL && call->after == begin->number ? call : NULL;
}

bool
call_begins(const struct call *call)
{
	return call->class == CLASS_USE || call->number == CALL_C_FindObjectsInit;
}

bool
call_ends(const struct call *call, const struct arg *args)
{
	switch (call->number) {
	case CALL_C_FindObjectsFinal:
	case CALL_C_Verify:
	case CALL_C_VerifyFinal:
		return true;
	case CALL_C_EncryptFinal:
	case CALL_C_DecryptFinal:
	case CALL_C_DigestFinal:
	case CALL_C_SignFinal:
		return args[1].ptr != NULL;
	case CALL_C_Encrypt:
	case CALL_C_Decrypt:
	case CALL_C_Digest:
	case CALL_C_Sign:
	case CALL_C_SignRecover:
	case CALL_C_VerifyRecover:
		return args[2].ptr != NULL;
	default:
		return false;
	}
}

bool
call_makes(const struct call *call)
{
	for (size_t i = 0; call->args[i] != ARG_END; i++)
		if (call->args[i] == ARG_OUT_OBJECT)
			return call->where == WHERE_SESSION;
	return false;
}

size_t
call_nargs(const struct call *call)
{
	size_t n = 0;

	while (n < ARGS_MAX && call->args[n] != ARG_END)
		n++;
	return n;
}

const char *
call_where_name(enum call_where where)
{
	static const char *const names[] = {"LOCAL", "SLOT", "SESSION", "UNSERVED"};

	return (size_t)where < sizeof(names) / sizeof(names[0]) ? names[where] : "?";
}

const char *call_class_name(enum call_class class)
{
	static const char *const names[] = {"NONE", "READ", "USE", "RANDOM", "LOGIN",
	    "PIN", "OBJECT", "GENERATE", "IMPORT", "WRAP", "DESTROY", "INIT"};

	return (size_t) class < sizeof(names) / sizeof(names[0]) ? names[class] : "?";
}

const char *
call_gate_name(enum call_gate gate)
{
	static const char *const names[] = {"NONE", "SHARED", "EXCLUSIVE"};

	return (size_t)gate < sizeof(names) / sizeof(names[0]) ? names[gate] : "?";
}

const char *
arg_kind_name(enum arg_kind kind)
{
#define NAME(kind) [ARG_##kind] = #kind
	static const char *const names[] = {NAME(END), NAME(SLOT), NAME(SESSION),
	    NAME(OBJECT), NAME(FLAGS), NAME(USER_TYPE), NAME(MECH_TYPE), NAME(BBOOL),
	    NAME(BYTES), NAME(PIN), NAME(LABEL), NAME(MECH), NAME(ATTRS),
	    NAME(ATTRS_QUERY), NAME(OUT_BYTES), NAME(OUT_FILL), NAME(OUT_ULONG),
	    NAME(OUT_SESSION), NAME(OUT_OBJECT), NAME(OUT_OBJECTS), NAME(OUT_MECHANISMS),
	    NAME(OUT_SLOT_INFO), NAME(OUT_TOKEN_INFO), NAME(OUT_MECH_INFO),
	    NAME(OUT_SESSION_INFO), NAME(POINTER), NAME(NOTIFY), NAME(PARAMETER),
	    NAME(OUT_INFO), NAME(OUT_LIST), NAME(OUT_SLOTS), NAME(OUT_SLOT),
	    NAME(OUT_INTERFACES), NAME(UTF8), NAME(VERSION), NAME(OUT_INTERFACE)};

	return (size_t)kind < sizeof(names) / sizeof(names[0]) ? names[kind] : "?";
}
