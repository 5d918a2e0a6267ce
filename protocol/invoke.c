/* invoke.c - see invoke.h */
#include "protocol/invoke.h"

#include "protocol/attrs.h"
#include "protocol/each.h"
#include "protocol/mech.h"

static CK_RV
check_template(const CK_ATTRIBUTE *t, CK_ULONG n)
{
	for (CK_ULONG i = 0; i < n; i++) {
		CK_RV rv = CKR_OK;

		if (t[i].pValue == NULL && t[i].ulValueLen > 0)
			return CKR_ATTRIBUTE_VALUE_INVALID;
		if (t[i].pValue != NULL && attr_nested(t[i].type))
			rv = check_template(
			    t[i].pValue, t[i].ulValueLen / sizeof(CK_ATTRIBUTE));
		if (rv != CKR_OK)
			return rv;
	}
	return CKR_OK;
}

static CK_RV
check_arg(enum arg_kind kind, const struct arg *arg)
{
	switch (kind) {
	case ARG_LABEL:
		return arg->ptr != NULL ? CKR_OK : CKR_ARGUMENTS_BAD;
	case ARG_MECH:
		return arg->ptr == NULL || mech_sound(arg->ptr) ? CKR_OK
								: CKR_ARGUMENTS_BAD;
	case ARG_ATTRS:
		return arg->ptr != NULL ? check_template(arg->ptr, arg->len) : CKR_OK;
	default:
		return CKR_OK;
	}
}

/* How a struct arg becomes C arguments: shapes, then kinds. */
#define NUMBER_(a) (a).len
#define POINTER_(a) (a).ptr
#define ARRAY_(a) (a).ptr, (a).len
#define BUFFER_(a) (a).ptr, (a).plen

#define PASS_SLOT NUMBER_
#define PASS_SESSION NUMBER_
#define PASS_OBJECT NUMBER_
#define PASS_FLAGS NUMBER_
#define PASS_USER_TYPE NUMBER_
#define PASS_MECH_TYPE NUMBER_
#define PASS_BYTES ARRAY_
#define PASS_PIN ARRAY_
#define PASS_LABEL POINTER_
#define PASS_MECH POINTER_
#define PASS_ATTRS ARRAY_
#define PASS_ATTRS_QUERY ARRAY_
#define PASS_OUT_BYTES BUFFER_
#define PASS_OUT_FILL ARRAY_
#define PASS_OUT_ULONG POINTER_
#define PASS_OUT_SESSION POINTER_
#define PASS_OUT_OBJECT POINTER_
#define PASS_OUT_OBJECTS(a) (a).ptr, (a).len, (a).plen
#define PASS_OUT_MECHANISMS BUFFER_
#define PASS_OUT_SLOT_INFO POINTER_
#define PASS_OUT_TOKEN_INFO POINTER_
#define PASS_OUT_MECH_INFO POINTER_
#define PASS_OUT_SESSION_INFO POINTER_
/* Meant for the guest's process alone. */
#define PASS_POINTER(a) NULL
#define PASS_NOTIFY(a) NULL

#define PASS(i, kind) PASS_##kind(args[i])
#define INVOKE_SLOT(name, kinds) INVOKE_SESSION(name, kinds)
#define INVOKE_SESSION(name, kinds)                                                      \
	return fl->name != NULL ? fl->name(LIST(PASS, kinds)) : CKR_FUNCTION_NOT_SUPPORTED
#define INVOKE_LOCAL(name, kinds) return CKR_FUNCTION_NOT_SUPPORTED
#define INVOKE_UNSERVED(name, kinds) return CKR_FUNCTION_NOT_SUPPORTED

CK_RV
call_invoke(const struct call *call, CK_FUNCTION_LIST *fl, struct arg *args)
{
	for (size_t i = 0; call->args[i] != ARG_END; i++) {
		CK_RV rv = check_arg(call->args[i], &args[i]);

		if (rv != CKR_OK)
			return rv;
	}
	switch (call->number) {
#define CALL(number, name, where, class, gate, flags, kinds)                             \
	case number:                                                                     \
		INVOKE_##where(name, kinds);
#include "protocol/calls.def"
	default:
		return CKR_FUNCTION_NOT_SUPPORTED;
	}
}
