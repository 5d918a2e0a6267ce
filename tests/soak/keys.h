/* keys.h - key pairs: made, found, and used once with OpenSSL's word on it. */
#ifndef CAAS_SOAK_KEYS_H
#define CAAS_SOAK_KEYS_H

#include "tests/soak/judge.h"

enum key_kind { KEY_RSA, KEY_EC, KEY_ED, KEY_KINDS };

struct pair {
	enum key_kind kind;
	CK_OBJECT_HANDLE public, private;
	EVP_PKEY *judge;
};

/*
 * A pair with this label; its halves have the ids `origin'.p and `origin'.s.  bits: of
 * RSA. On the token it is the caller's to write it down (ledger.h).
 */
void keys_make(struct job *, enum key_kind, CK_ULONG bits, const char *label,
    const char *origin, bool token, struct pair *ret);
/* The pair of that label on the token, which must be there. */
void keys_find(struct job *, const char *label, struct pair *ret);
void keys_free(struct pair *);

/* A signature by a random mechanism of the key, in one part or several. */
struct signature {
	CK_MECHANISM_TYPE mechanism;
	CK_BYTE data[2000], bytes[512];
	CK_ULONG len, bytes_len;
};
void keys_sign(
    struct job *, CK_OBJECT_HANDLE private, enum key_kind, struct signature *ret);
void keys_judge(struct job *, EVP_PKEY *, const struct signature *);
/* Both. */
void keys_use(struct job *, const struct pair *);

/* The keys that role `make' made, by kind. */
extern const char *const keys_labels[KEY_KINDS];

#endif
