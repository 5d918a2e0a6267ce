/*
 * token_make.h - make a token as any PKCS#11 application would: C_InitToken on the free
 * slot, then C_InitPIN, through libcaas-p11.so.
 */
#ifndef CAAS_TOKEN_MAKE_H
#define CAAS_TOKEN_MAKE_H

#include <jansson.h>
#include <stdbool.h>

#include "caas/secret.h"

struct token_order {
	const char *module;  /* path of libcaas-p11.so */
	const char *address; /* of vsmd; NULL: as the module is configured */
	const char *label;
	const struct secret *pin, *so_pin;
	bool keep_existing;  /* a token of this label is success, not an error */
};

/* CMD_OK or CMD_FAILED.  *ret (may be NULL): {label, serial, slot}, a new reference. */
int token_make(const struct token_order *o, json_t **ret);
/* 1 to 32 bytes, no control characters: CMD_OK or CMD_USAGE. */
int token_label_ok(const char *label);

#endif
