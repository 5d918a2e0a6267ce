/*
 * args.h - the kinds of arguments in the table of calls.
 *
 * A call in flight is an array of struct arg, one per kind in its row.  Both ends use
 * the same array: the guest fills it from the C parameters, the worker from the wire,
 * and the worker hands it to the token library.  Which members a kind uses:
 *
 *   kind            C parameters                            ptr      len     plen
 *   SLOT            CK_SLOT_ID                                       id
 *   SESSION         CK_SESSION_HANDLE                                handle
 *   OBJECT          CK_OBJECT_HANDLE                                 handle
 *   FLAGS           CK_FLAGS                                         flags
 *   USER_TYPE       CK_USER_TYPE                                     type
 *   MECH_TYPE       CK_MECHANISM_TYPE                                type
 *   BBOOL           CK_BBOOL                                         value
 *   BYTES           CK_BYTE_PTR, CK_ULONG                   data     length
 *   PIN             CK_UTF8CHAR_PTR, CK_ULONG               data     length
 *   LABEL           CK_UTF8CHAR_PTR (32 bytes)              data
 *   MECH            CK_MECHANISM_PTR                        mech
 *   ATTRS           CK_ATTRIBUTE_PTR, CK_ULONG              array    count
 *   ATTRS_QUERY     the same, filled by the call            array    count
 *   OUT_BYTES       CK_BYTE_PTR, CK_ULONG_PTR               buffer           in: room, out: length
 *   OUT_FILL        CK_BYTE_PTR, CK_ULONG                   buffer   length
 *   OUT_ULONG       CK_ULONG_PTR                            number
 *   OUT_SESSION     CK_SESSION_HANDLE_PTR                   handle
 *   OUT_OBJECT      CK_OBJECT_HANDLE_PTR                    handle
 *   OUT_OBJECTS     CK_OBJECT_HANDLE_PTR, CK_ULONG,
 *                   CK_ULONG_PTR                            array    room    count
 *   OUT_MECHANISMS  CK_MECHANISM_TYPE_PTR, CK_ULONG_PTR     array            in: room, out: count
 *   OUT_SLOT_INFO, OUT_TOKEN_INFO, OUT_MECH_INFO,
 *   OUT_SESSION_INFO  pointer to the structure              struct
 *   POINTER         CK_VOID_PTR: local meaning, not sent    pointer
 *   NOTIFY          CK_NOTIFY: local meaning, not sent      (dropped)
 *   PARAMETER       CK_VOID_PTR, CK_ULONG (3.0 messages)    data     length
 *   OUT_INFO OUT_LIST OUT_SLOTS OUT_SLOT OUT_INTERFACES UTF8 VERSION OUT_INTERFACE
 *                   only in LOCAL rows, which are never sent
 *
 * Every pointer may be NULL, plen too; the wire carries that fact, so that the token
 * library judges it and the code is the one that it would return in-process.
 */
#ifndef CAAS_PROTOCOL_ARGS_H
#define CAAS_PROTOCOL_ARGS_H

#include "protocol/pkcs11.h"

enum arg_kind {
	ARG_END, /* after the last argument of a row */
	ARG_SLOT, ARG_SESSION, ARG_OBJECT, ARG_FLAGS, ARG_USER_TYPE, ARG_MECH_TYPE,
	ARG_BBOOL, ARG_BYTES, ARG_PIN, ARG_LABEL, ARG_MECH, ARG_ATTRS, ARG_ATTRS_QUERY,
	ARG_OUT_BYTES, ARG_OUT_FILL, ARG_OUT_ULONG, ARG_OUT_SESSION, ARG_OUT_OBJECT,
	ARG_OUT_OBJECTS, ARG_OUT_MECHANISMS, ARG_OUT_SLOT_INFO, ARG_OUT_TOKEN_INFO,
	ARG_OUT_MECH_INFO, ARG_OUT_SESSION_INFO,
	ARG_POINTER, ARG_NOTIFY, ARG_PARAMETER,
	ARG_OUT_INFO, ARG_OUT_LIST, ARG_OUT_SLOTS, ARG_OUT_SLOT, ARG_OUT_INTERFACES,
	ARG_UTF8, ARG_VERSION, ARG_OUT_INTERFACE
};

struct arg {
	void *ptr;
	CK_ULONG len;
	CK_ULONG *plen;
	CK_ULONG room; /* worker: where plen points after decoding */
};

#define ARGS_MAX 6

#endif
