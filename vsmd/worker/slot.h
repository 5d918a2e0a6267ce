/*
 * slot.h - which of SoftHSM2's slots is the one that a nursery and its workers serve.
 */
#ifndef CAAS_VSMD_SLOT_H
#define CAAS_VSMD_SLOT_H

#include <stdbool.h>

#include "protocol/pkcs11.h"

/*
 * The slot of the token, or the one without, which SoftHSM2 always has besides; *ret_blank:
 * there is no token.  SoftHSM2 reads its directory for it, so pass the gate around it.
 * CKR_OK or SoftHSM2's code.
 */
CK_RV softhsm_slot(CK_FUNCTION_LIST *fl, CK_SLOT_ID *ret, bool *ret_blank);

#endif
