/* plain.h - what caas-e2e-steady and its like begin with; failures end the program. */
#ifndef CAAS_TEST_PLAIN_H
#define CAAS_TEST_PLAIN_H

#include "protocol/pkcs11.h"

extern CK_FUNCTION_LIST *p11; /* of the module */
extern CK_SLOT_ID slot;       /* where the token is */

/* Seconds, from some time on. */
double now(void);
void must(CK_RV rv, const char *what);
/* A number in decimal, from 1 to `most`; another text ends the program by `usage`. */
int number_of(const char *text, int most, const char *usage);
/* Load a module; find the token of that label. */
void load(const char *file);
void find_slot(const char *label);

#endif
