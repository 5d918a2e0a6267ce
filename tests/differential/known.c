/* known.c - differences that are right, each with the section that makes it so */
#include "tests/differential/diff.h"

static const struct {
	uint32_t call;
	CK_RV softhsm, ours;
	const char *why;
} list[] = {
    {0, 0, 0, NULL},
};

static bool
padding_judged(CK_RV rv)
{
	return rv == CKR_OK || rv == CKR_GENERAL_ERROR || rv == CKR_ENCRYPTED_DATA_INVALID;
}

/* Decrypted by keys that differ, what never was a ciphertext ends in a padding by chance. */
static bool
by_chance(const struct step *s)
{
	return s->random &&
	    (s->call->number == CALL_C_Decrypt || s->call->number == CALL_C_DecryptFinal) &&
	    (s->mech == CKM_AES_CBC_PAD || s->mech == CKM_DES3_CBC_PAD || s->mech == CKM_RSA_PKCS) &&
	    padding_judged(s->rv[0]) && padding_judged(s->rv[1]);
}

const char *
known_difference(const struct step *s)
{
	if (by_chance(s))
		return "chance: one of 256 paddings is right";
	for (size_t i = 0; list[i].why != NULL; i++)
		if (list[i].call == s->call->number && list[i].softhsm == s->rv[0] &&
		    list[i].ours == s->rv[1])
			return list[i].why;
	return NULL;
}
