/*
 * pin.h - the PIN of now, that one application changes while others use it.
 *
 * PINs are numbered.  Who changes it announces the next number before, and says so after;
 * who logs in may meet either one meanwhile, and nothing else.
 */
#ifndef CAAS_SOAK_PIN_H
#define CAAS_SOAK_PIN_H

#include "tests/soak/soak.h"

/* Log in with the PIN of now. */
CK_RV pin_login(struct job *);
/* Anything but a PIN that is or was. */
CK_RV pin_wrong(struct job *);

#endif
