/* data.h - data objects and AES keys, whose values follow from their origins. */
#ifndef CAAS_SOAK_DATA_H
#define CAAS_SOAK_DATA_H

#include "tests/soak/soak.h"

#define AES_KEY 32

/* Made on the token. */
CK_OBJECT_HANDLE data_make(struct job *, const char *origin, const char *label);
CK_OBJECT_HANDLE aes_make(struct job *, const char *origin, const char *label);
/* Has it the value it was made with? */
void data_judge(struct job *, CK_OBJECT_HANDLE, const char *origin);
void aes_judge(struct job *, CK_OBJECT_HANDLE, const char *origin);

#endif
