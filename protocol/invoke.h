/*
 * invoke.h - a call in flight, made on a token library.
 *
 * Threads: as the token library; nothing is kept here.
 */
#ifndef CAAS_PROTOCOL_INVOKE_H
#define CAAS_PROTOCOL_INVOKE_H

#include "protocol/calls.h"

/*
 * Call the function of the row in fl with args (ARGS_MAX of them, as ask_read() makes
 * them; handles and the slot must be fl's own).  LOCAL and UNSERVED rows, and functions
 * that fl does not have: CKR_FUNCTION_NOT_SUPPORTED.
 *
 * Where SoftHSM2 reads through a NULL pointer without looking, the call is refused here
 * with the code that it uses elsewhere: CKR_ARGUMENTS_BAD for a label and GCM's IV and AAD,
 * CKR_ATTRIBUTE_VALUE_INVALID for an attribute with a length and no value.
 */
CK_RV call_invoke(const struct call *call, CK_FUNCTION_LIST *fl, struct arg *args);

#endif
