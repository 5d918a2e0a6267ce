/*
 * calls.h - the table of calls (calls.def) as data.
 *
 * Threads: everything here is constant.
 */
#ifndef CAAS_PROTOCOL_CALLS_H
#define CAAS_PROTOCOL_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/args.h"

enum call_where { WHERE_LOCAL, WHERE_SLOT, WHERE_SESSION, WHERE_UNSERVED };

enum call_class {
	CLASS_NONE, CLASS_READ, CLASS_USE, CLASS_RANDOM, CLASS_LOGIN, CLASS_PIN,
	CLASS_OBJECT, CLASS_GENERATE, CLASS_IMPORT, CLASS_WRAP, CLASS_DESTROY, CLASS_INIT
};

enum call_gate { GATE_NONE, GATE_SHARED, GATE_EXCLUSIVE };

#define CALL_SLOW 0x1
#define CALL_SECRET 0x2
#define CALL_V3 0x4
#define CALL_ONCE 0x8
/* In the column of flags only: the number of the call that must have come before. */
#define CALL_AFTER(name) (CALL_##name << 16)
#define CALL_AFTER_OF(flags) ((uint32_t)(flags) >> 16)

/* CALL_C_Sign and so on: the numbers on the wire. */
enum call_number {
#define SLOW CALL_SLOW
#define SECRET CALL_SECRET
#define V3 CALL_V3
#define ONCE CALL_ONCE
#define CALL(number, name, where, class, gate, flags, args) CALL_##name = number,
#include "protocol/calls.def"
#undef CALL
#undef SLOW
#undef SECRET
#undef V3
#undef ONCE
	CALL_COUNT_ /* one past the last */
};

struct call {
	uint32_t number;
	const char *name; /* "C_Sign" */
	enum call_where where;
	enum call_class class;
	enum call_gate gate;
	unsigned flags; /* CALL_* */
	uint32_t after; /* the call that begins what this one does and ends, or 0 */
	enum arg_kind args[ARGS_MAX + 1]; /* ends with ARG_END */
};

/* The row of a number, or NULL when there is none. */
const struct call *call_by_number(uint32_t number);
/* The row of a name, or NULL. */
const struct call *call_by_name(const char *name);
/* The rows in order; *ret_count is their number. */
const struct call *call_table(size_t *ret_count);
/* The call that begins what this one does and ends in one part; NULL for any other call. */
const struct call *call_beginning(const struct call *call);
/* The call that does in one part what this one begins, or NULL. */
const struct call *call_of_beginning(const struct call *begin);
/* With CKR_OK, does the call leave an operation in its session; and: is one over?  A call
 * that only asks for a length ends nothing. */
bool call_begins(const struct call *call);
bool call_ends(const struct call *call, const struct arg *args);
/* Does the call make objects, of the token perhaps? */
bool call_makes(const struct call *call);
/* How many arguments the row has. */
size_t call_nargs(const struct call *call);
/* "SESSION", "USE", "EXCLUSIVE", "OUT_BYTES": for documents and logs. */
const char *call_where_name(enum call_where where);
const char *call_class_name(enum call_class class);
const char *call_gate_name(enum call_gate gate);
const char *arg_kind_name(enum arg_kind kind);

#endif
