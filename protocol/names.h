/*
 * names.h - PKCS#11's constants and their names, both ways.
 *
 * The names are those of the specification: "CKR_OK", "CKM_RSA_PKCS", "CKO_SECRET_KEY",
 * "CKK_EC", "CKA_LABEL".  For logs, audit records and policy files.
 *
 * Threads: everything here is constant.
 */
#ifndef CAAS_PROTOCOL_NAMES_H
#define CAAS_PROTOCOL_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "protocol/pkcs11.h"

/* Enough for any name, and for a number in hexadecimal. */
#define CK_NAME_MAX 48

/* The name, or "CKR_?" and so on for a value without one; never NULL. */
const char *ck_rv_name(CK_RV rv);
const char *ck_mech_name(CK_MECHANISM_TYPE type);
const char *ck_class_name(CK_OBJECT_CLASS class);
const char *ck_key_type_name(CK_KEY_TYPE type);
const char *ck_attr_name(CK_ATTRIBUTE_TYPE type);

/* A name, or a number as strtoul(3) with base 0 understands it.  False: neither. */
bool ckr_parse(const char *s, CK_RV *ret);
bool ckm_parse(const char *s, CK_MECHANISM_TYPE *ret);
bool cko_parse(const char *s, CK_OBJECT_CLASS *ret);
bool ckk_parse(const char *s, CK_KEY_TYPE *ret);
bool cka_parse(const char *s, CK_ATTRIBUTE_TYPE *ret);

/* The mechanism's name, or 0x... when it has none; returns dst. */
const char *ck_mech_text(char dst[CK_NAME_MAX], CK_MECHANISM_TYPE type);

/* The names in order, for those that print them all; NULL past the last. */
const char *ck_mech_name_at(size_t index, CK_MECHANISM_TYPE *ret);

#endif
