/* order.c - see order.h */
#include "libcaas-p11/order.h"

/* These look at the session or the slot before anything else. */
static bool
handle_first(const struct call *call)
{
	switch (call->number) {
	case CALL_C_GetSlotInfo:
	case CALL_C_GetTokenInfo:
	case CALL_C_InitToken:
	case CALL_C_InitPIN:
	case CALL_C_SetPIN:
	case CALL_C_GetSessionInfo:
	case CALL_C_Login:
	case CALL_C_GetOperationState:
	case CALL_C_SetOperationState:
	case CALL_C_EncryptFinal:
	case CALL_C_DecryptFinal:
	case CALL_C_SignRecoverInit:
	case CALL_C_SignRecover:
	case CALL_C_VerifyRecoverInit:
	case CALL_C_VerifyRecover:
	case CALL_C_DigestEncryptUpdate:
	case CALL_C_DecryptDigestUpdate:
	case CALL_C_SignEncryptUpdate:
	case CALL_C_DecryptVerifyUpdate:
		return true;
	default:
		return false;
	}
}

/* Here an empty template may be NULL. */
static bool
template_optional(const struct call *call)
{
	return call->number == CALL_C_FindObjectsInit ||
	    call->number == CALL_C_GenerateKey || call->number == CALL_C_GenerateKeyPair;
}

bool
order_pointers_bad(const struct call *call, const struct arg *args)
{
	if (handle_first(call))
		return false;
	for (size_t i = 0; call->args[i] != ARG_END; i++) {
		switch (call->args[i]) {
		case ARG_OUT_BYTES:
		case ARG_OUT_MECHANISMS:
			if (args[i].plen == NULL)
				return true;
			break;
		case ARG_ATTRS:
			if (args[i].ptr == NULL &&
			    (args[i].len != 0 || !template_optional(call)))
				return true;
			break;
		case ARG_OUT_OBJECTS:
			if (args[i].ptr == NULL || args[i].plen == NULL)
				return true;
			break;
		case ARG_BYTES:
		case ARG_MECH:
		case ARG_ATTRS_QUERY:
		case ARG_OUT_FILL:
		case ARG_OUT_ULONG:
		case ARG_OUT_OBJECT:
		case ARG_OUT_SESSION:
		case ARG_OUT_MECH_INFO:
			if (args[i].ptr == NULL)
				return true;
			break;
		default:
			break;
		}
	}
	return false;
}
