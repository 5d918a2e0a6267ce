/*
 * softhsm.h - SoftHSM2, loaded on one directory.
 *
 * Its configuration is a sealed memory file, which it can still open after confinement,
 * when it is initialised anew.  One per process.
 */
#ifndef CAAS_VSMD_SOFTHSM_H
#define CAAS_VSMD_SOFTHSM_H

#include "protocol/pkcs11.h"

/* Load `library` on token directory `directory`.  NULL after logging why. */
CK_FUNCTION_LIST *softhsm_load(const char *library, const char *directory);
/* C_Initialize; pass the gate around it.  CKR_OK or SoftHSM2's code. */
CK_RV softhsm_start(CK_FUNCTION_LIST *fl);
/* Make libcrypto load now whatever it would load later from disk. */
int softhsm_warm(void);

#endif
