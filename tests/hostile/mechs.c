/* mechs.c - a mechanism with a parameter: of every layout in protocol/mech.def. */
#include "hostile.h"

#include <stddef.h>
#include <string.h>

#include "protocol/names.h"

enum field_kind { RAW_, BYTES_, HANDLE_, PASSWORD_, INNER_ };

struct layout;
struct field {
	enum field_kind kind;
	size_t len;
	const struct layout *(*inner)(void);
};
struct layout {
	size_t size, nfields;
	const struct field *fields;
};
struct one_handle {
	CK_OBJECT_HANDLE handle;
};

#define RAW(first, last)                                                                 \
	{                                                                                \
		RAW_, offsetof(S, last) + sizeof(((S *)NULL)->last) - offsetof(S, first), NULL \
	}
#define BYTES(pointer, length) {BYTES_, 0, NULL}
#define READ(pointer, length) {BYTES_, 0, NULL}
#define HANDLE(member) {HANDLE_, 0, NULL}
#define PBKD2LEN(pointer, length) {PASSWORD_, 0, NULL}
#define INNER(pointer, layout) {INNER_, 0, layout_##layout}
#define LAYOUT(name, structure, ...)                                                     \
	static const struct layout *layout_##name(void)                                  \
	{                                                                                \
		typedef structure S;                                                     \
		static const struct field fields[] = {__VA_ARGS__};                      \
		static const struct layout layout = {                                    \
		    sizeof(S), sizeof(fields) / sizeof(fields[0]), fields};              \
		return &layout;                                                          \
	}
#define USES(mechanism, name)
#define OPAQUE(mechanism)
#include "protocol/mech.def"
#undef LAYOUT
#undef USES
#undef OPAQUE

static const struct use {
	CK_MECHANISM_TYPE mechanism;
	const struct layout *(*layout)(void); /* NULL: its length alone goes over */
} uses[] = {
#define LAYOUT(name, structure, ...)
#define USES(mechanism, name) {mechanism, layout_##name},
#define OPAQUE(mechanism) {mechanism, NULL},
#include "protocol/mech.def"
};

/* Those that SoftHSM2 can do something with, most often; and the length it wants. */
static const struct usual {
	CK_MECHANISM_TYPE mechanism;
	uint32_t len;
	const char *calls; /* letters of the calls it is for: S V E D H K P W U R */
} usual[] = {
    {CKM_ECDSA, 0, "SV"}, {CKM_ECDSA, 0, "SV"}, {CKM_RSA_PKCS, 0, "SVEDWU"},
    {CKM_SHA256_RSA_PKCS, 0, "SV"}, {CKM_RSA_X_509, 0, "SVED"},
    {CKM_RSA_PKCS_PSS, 24, "SV"}, {CKM_SHA256_RSA_PKCS_PSS, 24, "SV"},
    {CKM_RSA_PKCS_OAEP, 40, "EDWU"}, {CKM_EDDSA, 0, "SV"}, {CKM_SHA256_HMAC, 0, "SV"},
    {CKM_SHA_1_HMAC, 0, "SV"}, {CKM_MD5_HMAC, 0, "SV"}, {CKM_AES_CMAC, 0, "SV"},
    {CKM_AES_ECB, 0, "ED"}, {CKM_AES_CBC, 16, "ED"},
    {CKM_AES_CBC_PAD, 16, "EDWU"}, {CKM_AES_CTR, 24, "ED"}, {CKM_AES_GCM, 48, "ED"},
    {CKM_AES_GCM, 40, "ED"}, {CKM_DES3_ECB, 0, "ED"}, {CKM_DES3_CBC, 8, "ED"},
    {CKM_DES3_CBC_PAD, 8, "ED"}, {CKM_AES_KEY_WRAP, 0, "WU"},
    {CKM_AES_KEY_WRAP_PAD, 0, "WU"}, {CKM_SHA256, 0, "H"}, {CKM_SHA_1, 0, "H"},
    {CKM_MD5, 0, "H"}, {CKM_SHA512, 0, "H"}, {CKM_AES_KEY_GEN, 0, "K"},
    {CKM_GENERIC_SECRET_KEY_GEN, 0, "K"}, {CKM_DES3_KEY_GEN, 0, "K"},
    {CKM_DES2_KEY_GEN, 0, "K"}, {CKM_DSA_PARAMETER_GEN, 0, "K"}, {CKM_EC_KEY_PAIR_GEN, 0, "P"},
    {CKM_EC_KEY_PAIR_GEN, 0, "P"}, {CKM_EC_EDWARDS_KEY_PAIR_GEN, 0, "P"},
    {CKM_RSA_PKCS_KEY_PAIR_GEN, 0, "P"}, {CKM_ECDH1_DERIVE, 40, "R"},
    {CKM_AES_ECB_ENCRYPT_DATA, 16, "R"}, {CKM_AES_CBC_ENCRYPT_DATA, 32, "R"},
    {CKM_DES3_ECB_ENCRYPT_DATA, 16, "R"}, {CKM_CONCATENATE_BASE_AND_KEY, 8, "R"},
    {CKM_XOR_BASE_AND_DATA, 16, "R"},
};

static char
letter(const struct call *call)
{
	switch (call->number) {
	case CALL_C_SignInit:
	case CALL_C_SignRecoverInit:
		return 'S';
	case CALL_C_VerifyInit:
	case CALL_C_VerifyRecoverInit:
		return 'V';
	case CALL_C_EncryptInit:
		return 'E';
	case CALL_C_DecryptInit:
		return 'D';
	case CALL_C_DigestInit:
		return 'H';
	case CALL_C_GenerateKey:
		return 'K';
	case CALL_C_GenerateKeyPair:
		return 'P';
	case CALL_C_WrapKey:
		return 'W';
	case CALL_C_UnwrapKey:
		return 'U';
	default:
		return 'R';
	}
}

static void
put_bytes(struct forged *f)
{
	struct chance *c = f->chance;
	size_t len = one_in(c, 8) ? forge_length(c) : below(c, 5) * 4;
	bool present = !one_in(c, 16);

	forge_flag(f, present);
	forge_number(f, len, SPOT_LENGTH);
	if (present)
		forge_content(f, NULL, len);
}

static void
put_fields(struct forged *f, const struct layout *l)
{
	struct chance *c = f->chance;
	bool present;

	for (size_t i = 0; i < l->nfields; i++)
		switch (l->fields[i].kind) {
		case RAW_:
			forge_content(f, NULL, l->fields[i].len);
			break;
		case BYTES_:
			put_bytes(f);
			break;
		case HANDLE_:
			forge_number(f, below(c, 64), SPOT_HANDLE);
			break;
		case PASSWORD_:
			forge_flag(f, (uint8_t)below(c, 2));
			put_bytes(f);
			break;
		case INNER_:
			present = !one_in(c, 8);
			forge_flag(f, present);
			if (present)
				put_fields(f, l->fields[i].inner());
			break;
		}
}

/* What is said of a hash, a mask and a salt. */
static void
put_pss(struct forged *f)
{
	uint64_t v[3] = {CKM_SHA256, CKG_MGF1_SHA256, 32};

	forge_content(f, v, sizeof(v));
}

static void
put_parameter(struct forged *f, CK_MECHANISM_TYPE type, size_t len)
{
	bool plain = true;

	for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++) {
		if (uses[i].mechanism != type)
			continue;
		plain = false;
		if (uses[i].layout != NULL && uses[i].layout()->size == len) {
			put_fields(f, uses[i].layout());
			return;
		}
	}
	if (plain && len == 24 && (type == CKM_RSA_PKCS_PSS || type == CKM_SHA256_RSA_PKCS_PSS) &&
	    !one_in(f->chance, 4))
		put_pss(f);
	else if (plain)
		forge_content(f, NULL, len);
}

static CK_MECHANISM_TYPE
any(struct chance *c)
{
	CK_MECHANISM_TYPE type;
	const char *name;

	do
		name = ck_mech_name_at(below(c, 512), &type);
	while (name == NULL);
	return type;
}

void
forge_mech(struct forged *f, const struct call *call)
{
	struct chance *c = f->chance;
	CK_MECHANISM_TYPE type = any(c);
	size_t len = below(c, 4) == 0 ? forge_length(c) : 0;
	bool present = !one_in(c, 100);

	for (unsigned tries = one_in(c, 6) ? 0 : 100; tries > 0; tries--) {
		const struct usual *u = &usual[below(c, sizeof(usual) / sizeof(usual[0]))];

		if (strchr(u->calls, letter(call)) == NULL)
			continue;
		type = u->mechanism;
		len = u->len;
		break;
	}
	/* One of a layout's length is more than a length. */
	if (one_in(c, 20)) {
		const struct use *u = &uses[below(c, sizeof(uses) / sizeof(uses[0]))];

		type = u->mechanism;
		len = u->layout != NULL ? u->layout()->size : below(c, 64);
	}
	forge_flag(f, present);
	if (!present)
		return;
	/* The type and the length say what follows: neither is any number. */
	forge_number(f, type, SPOT_LENGTH);
	present = len > 0 || one_in(c, 4);
	forge_flag(f, present);
	forge_number(f, len, SPOT_LENGTH);
	if (present)
		put_parameter(f, type, len);
}
