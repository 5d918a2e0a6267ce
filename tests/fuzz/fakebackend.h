/* fakebackend.h - a PKCS#11 library without keys: every call answers at once, and fills
 * the room that it is given to the last byte, so that a wrong size is seen. */
#ifndef CAAS_FUZZ_FAKEBACKEND_H
#define CAAS_FUZZ_FAKEBACKEND_H

#include "protocol/pkcs11.h"

extern CK_FUNCTION_LIST fake_backend;
/* Forget sessions and objects. */
void fake_backend_reset(void);

#endif
