/* names.c - see names.h */
#include "protocol/names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of the specification, but not in every header. */
#ifndef CKM_DES3_CMAC
#define CKM_DES3_CMAC_GENERAL 0x137UL
#define CKM_DES3_CMAC 0x138UL
#endif
#ifndef CKM_AES_GMAC
#define CKM_AES_GMAC 0x108eUL
#endif
#ifndef CKM_AES_OFB
#define CKM_AES_OFB 0x2104UL
#define CKM_AES_CFB64 0x2105UL
#define CKM_AES_CFB8 0x2106UL
#define CKM_AES_CFB128 0x2107UL
#endif
#ifndef CKA_NAME_HASH_ALGORITHM
#define CKA_NAME_HASH_ALGORITHM 0x8cUL
#endif

struct name {
	const char *name;
	CK_ULONG value;
};

#define CKR(n)
#define CKM(n)
#define CKO(n)
#define CKK(n)
#define CKA(n)

#undef CKR
#define CKR(n) {"CKR_" #n, CKR_##n},
static const struct name rvs[] = {
#include "protocol/names.def"
    {NULL, 0}};
#undef CKR
#define CKR(n)
#undef CKM
#define CKM(n) {"CKM_" #n, CKM_##n},
static const struct name mechs[] = {
#include "protocol/names.def"
    {NULL, 0}};
#undef CKM
#define CKM(n)
#undef CKO
#define CKO(n) {"CKO_" #n, CKO_##n},
static const struct name classes[] = {
#include "protocol/names.def"
    {NULL, 0}};
#undef CKO
#define CKO(n)
#undef CKK
#define CKK(n) {"CKK_" #n, CKK_##n},
static const struct name key_types[] = {
#include "protocol/names.def"
    {NULL, 0}};
#undef CKK
#define CKK(n)
#undef CKA
#define CKA(n) {"CKA_" #n, CKA_##n},
static const struct name attrs[] = {
#include "protocol/names.def"
    {NULL, 0}};

static const char *
name_of(const struct name *table, CK_ULONG value, const char *none)
{
	for (; table->name != NULL; table++)
		if (table->value == value)
			return table->name;
	return none;
}

static bool
parse(const struct name *table, const char *s, CK_ULONG *ret)
{
	char *end;

	for (; table->name != NULL; table++) {
		if (strcmp(table->name, s) == 0) {
			*ret = table->value;
			return true;
		}
	}
	/* strtoul() would take a sign and leading space. */
	if (s[0] < '0' || s[0] > '9')
		return false;
	errno = 0;
	*ret = strtoul(s, &end, 0);
	return *end == '\0' && errno == 0;
}

const char *
ck_rv_name(CK_RV rv)
{
	return name_of(rvs, rv, "CKR_?");
}

const char *
ck_mech_name(CK_MECHANISM_TYPE type)
{
	return name_of(mechs, type, "CKM_?");
}

const char *
ck_class_name(CK_OBJECT_CLASS class)
{
	return name_of(classes, class, "CKO_?");
}

const char *
ck_key_type_name(CK_KEY_TYPE type)
{
	return name_of(key_types, type, "CKK_?");
}

const char *
ck_attr_name(CK_ATTRIBUTE_TYPE type)
{
	return name_of(attrs, type, "CKA_?");
}

bool
ckr_parse(const char *s, CK_RV *ret)
{
	return parse(rvs, s, ret);
}

bool
ckm_parse(const char *s, CK_MECHANISM_TYPE *ret)
{
	return parse(mechs, s, ret);
}

bool
cko_parse(const char *s, CK_OBJECT_CLASS *ret)
{
	return parse(classes, s, ret);
}

bool
ckk_parse(const char *s, CK_KEY_TYPE *ret)
{
	return parse(key_types, s, ret);
}

bool
cka_parse(const char *s, CK_ATTRIBUTE_TYPE *ret)
{
	return parse(attrs, s, ret);
}

const char *
ck_mech_text(char dst[CK_NAME_MAX], CK_MECHANISM_TYPE type)
{
	const char *name = name_of(mechs, type, NULL);

	if (name != NULL)
		snprintf(dst, CK_NAME_MAX, "%s", name);
	else
		snprintf(dst, CK_NAME_MAX, "0x%lx", type);
	return dst;
}

const char *
ck_mech_name_at(size_t index, CK_MECHANISM_TYPE *ret)
{
	if (index >= sizeof(mechs) / sizeof(mechs[0]) - 1)
		return NULL;
	*ret = mechs[index].value;
	return mechs[index].name;
}
