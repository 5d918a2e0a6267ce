/*
 * prototype.h - C parameter lists from rows of calls.def.
 *
 *	#define CALL(number, name, where, class, gate, flags, args) \
 *		CK_RV name(CALL_PARAMS(args)) \
 *		{ \
 *			struct arg a[] = {CALL_ARGS(args)}; \
 *			return serve(CALL_##name, a); \
 *		}
 *	#include "protocol/calls.def"
 *
 * Argument i is a<i>; the length or count beside it n<i>.  The types are those of
 * args.h, and so of the headers: a row that differs does not compile.
 */
#ifndef CAAS_PROTOCOL_PROTOTYPE_H
#define CAAS_PROTOCOL_PROTOTYPE_H

#include "protocol/args.h"
#include "protocol/each.h"

#define CALL_PARAMS(args) LIST(CALL_PARAM_, args)
#define CALL_ARGS(args) LIST(CALL_ARG_, args)

#define CALL_PARAM_(i, kind) PARAM_##kind(a##i, n##i)
#define CALL_ARG_(i, kind) VALUE_##kind(a##i, n##i)

#define PARAM_SLOT(a, n) CK_SLOT_ID a
#define PARAM_SESSION(a, n) CK_SESSION_HANDLE a
#define PARAM_OBJECT(a, n) CK_OBJECT_HANDLE a
#define PARAM_FLAGS(a, n) CK_FLAGS a
#define PARAM_USER_TYPE(a, n) CK_USER_TYPE a
#define PARAM_MECH_TYPE(a, n) CK_MECHANISM_TYPE a
#define PARAM_BBOOL(a, n) CK_BBOOL a
#define PARAM_BYTES(a, n) CK_BYTE_PTR a, CK_ULONG n
#define PARAM_PIN(a, n) CK_UTF8CHAR_PTR a, CK_ULONG n
#define PARAM_LABEL(a, n) CK_UTF8CHAR_PTR a
#define PARAM_MECH(a, n) CK_MECHANISM_PTR a
#define PARAM_ATTRS(a, n) CK_ATTRIBUTE_PTR a, CK_ULONG n
#define PARAM_ATTRS_QUERY(a, n) CK_ATTRIBUTE_PTR a, CK_ULONG n
#define PARAM_OUT_BYTES(a, n) CK_BYTE_PTR a, CK_ULONG_PTR n
#define PARAM_OUT_FILL(a, n) CK_BYTE_PTR a, CK_ULONG n
#define PARAM_OUT_ULONG(a, n) CK_ULONG_PTR a
#define PARAM_OUT_SESSION(a, n) CK_SESSION_HANDLE_PTR a
#define PARAM_OUT_OBJECT(a, n) CK_OBJECT_HANDLE_PTR a
#define PARAM_OUT_OBJECTS(a, n) CK_OBJECT_HANDLE_PTR a, CK_ULONG n, CK_ULONG_PTR p##n
#define PARAM_OUT_MECHANISMS(a, n) CK_MECHANISM_TYPE_PTR a, CK_ULONG_PTR n
#define PARAM_OUT_SLOT_INFO(a, n) CK_SLOT_INFO_PTR a
#define PARAM_OUT_TOKEN_INFO(a, n) CK_TOKEN_INFO_PTR a
#define PARAM_OUT_MECH_INFO(a, n) CK_MECHANISM_INFO_PTR a
#define PARAM_OUT_SESSION_INFO(a, n) CK_SESSION_INFO_PTR a
#define PARAM_POINTER(a, n) CK_VOID_PTR a
#define PARAM_NOTIFY(a, n) CK_NOTIFY a
#define PARAM_PARAMETER(a, n) CK_VOID_PTR a, CK_ULONG n
#define PARAM_OUT_INFO(a, n) CK_INFO_PTR a
#define PARAM_OUT_LIST(a, n) CK_FUNCTION_LIST_PTR_PTR a
#define PARAM_OUT_SLOTS(a, n) CK_SLOT_ID_PTR a, CK_ULONG_PTR n
#define PARAM_OUT_SLOT(a, n) CK_SLOT_ID_PTR a
#define PARAM_OUT_INTERFACES(a, n) CK_INTERFACE_PTR a, CK_ULONG_PTR n
#define PARAM_UTF8(a, n) CK_UTF8CHAR_PTR a
#define PARAM_VERSION(a, n) CK_VERSION_PTR a
#define PARAM_OUT_INTERFACE(a, n) CK_INTERFACE_PTR_PTR a

/* The shapes that a struct arg takes. */
#define SHAPE_NUMBER_(a) {.len = (a)}
#define SHAPE_POINTER_(a) {.ptr = (a)}
#define SHAPE_ARRAY_(a, n) {.ptr = (a), .len = (n)}
#define SHAPE_BUFFER_(a, n) {.ptr = (a), .plen = (n)}

#define VALUE_SLOT(a, n) SHAPE_NUMBER_(a)
#define VALUE_SESSION(a, n) SHAPE_NUMBER_(a)
#define VALUE_OBJECT(a, n) SHAPE_NUMBER_(a)
#define VALUE_FLAGS(a, n) SHAPE_NUMBER_(a)
#define VALUE_USER_TYPE(a, n) SHAPE_NUMBER_(a)
#define VALUE_MECH_TYPE(a, n) SHAPE_NUMBER_(a)
#define VALUE_BBOOL(a, n) SHAPE_NUMBER_(a)
#define VALUE_BYTES(a, n) SHAPE_ARRAY_(a, n)
#define VALUE_PIN(a, n) SHAPE_ARRAY_(a, n)
#define VALUE_LABEL(a, n) SHAPE_POINTER_(a)
#define VALUE_MECH(a, n) SHAPE_POINTER_(a)
#define VALUE_ATTRS(a, n) SHAPE_ARRAY_(a, n)
#define VALUE_ATTRS_QUERY(a, n) SHAPE_ARRAY_(a, n)
#define VALUE_OUT_BYTES(a, n) SHAPE_BUFFER_(a, n)
#define VALUE_OUT_FILL(a, n) SHAPE_ARRAY_(a, n)
#define VALUE_OUT_ULONG(a, n) SHAPE_POINTER_(a)
#define VALUE_OUT_SESSION(a, n) SHAPE_POINTER_(a)
#define VALUE_OUT_OBJECT(a, n) SHAPE_POINTER_(a)
#define VALUE_OUT_OBJECTS(a, n) {.ptr = (a), .len = (n), .plen = (p##n)}
#define VALUE_OUT_MECHANISMS(a, n) SHAPE_BUFFER_(a, n)
#define VALUE_OUT_SLOT_INFO(a, n) SHAPE_POINTER_(a)
#define VALUE_OUT_TOKEN_INFO(a, n) SHAPE_POINTER_(a)
#define VALUE_OUT_MECH_INFO(a, n) SHAPE_POINTER_(a)
#define VALUE_OUT_SESSION_INFO(a, n) SHAPE_POINTER_(a)
#define VALUE_POINTER(a, n) SHAPE_POINTER_(a)
#define VALUE_NOTIFY(a, n) {.len = (a) != NULL}
#define VALUE_PARAMETER(a, n) SHAPE_ARRAY_(a, n)
#define VALUE_OUT_INFO(a, n) SHAPE_POINTER_(a)
#define VALUE_OUT_LIST(a, n) SHAPE_POINTER_(a)
#define VALUE_OUT_SLOTS(a, n) SHAPE_BUFFER_(a, n)
#define VALUE_OUT_SLOT(a, n) SHAPE_POINTER_(a)
#define VALUE_OUT_INTERFACES(a, n) SHAPE_BUFFER_(a, n)
#define VALUE_UTF8(a, n) SHAPE_POINTER_(a)
#define VALUE_VERSION(a, n) SHAPE_POINTER_(a)
#define VALUE_OUT_INTERFACE(a, n) SHAPE_POINTER_(a)

#endif
