/*
 * pkcs11.h - the declarations of PKCS#11 2.40 and 3.0, from one place.
 *
 * NSS's headers are the only packaged ones with the 3.0 function list; only
 * declarations come from there, no code.  The wire carries CK_ULONG as 64 bits and
 * attribute values as they lie in memory, so both ends must be LP64, little-endian.
 */
#ifndef CAAS_PROTOCOL_PKCS11_H
#define CAAS_PROTOCOL_PKCS11_H

#include <pkcs11.h>

_Static_assert(sizeof(CK_ULONG) == 8, "CK_ULONG must have 64 bits");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "little-endian only");

#endif
