/* fakebackend.c - see fakebackend.h */
#include "fakebackend.h"

#include <stdbool.h>
#include <string.h>

static CK_SESSION_HANDLE last_session;
static CK_ULONG found; /* objects that a search has handed out */

void
fake_backend_reset(void)
{
	last_session = 0;
	found = 0;
}

/* One result of 48 bytes, as every call with an output buffer has it. */
static CK_RV
output(CK_BYTE *out, CK_ULONG *len)
{
	CK_ULONG room;

	if (len == NULL)
		return CKR_ARGUMENTS_BAD;
	room = *len;
	*len = 48;
	if (out == NULL)
		return CKR_OK;
	if (room < 48)
		return CKR_BUFFER_TOO_SMALL;
	memset(out, 0x5a, 48);
	return CKR_OK;
}

/* Look at every byte that was sent. */
static CK_RV
input(const void *p, CK_ULONG len)
{
	unsigned sum = 0;

	if (p == NULL)
		return len == 0 ? CKR_OK : CKR_ARGUMENTS_BAD;
	for (CK_ULONG i = 0; i < len; i++)
		sum += ((const volatile CK_BYTE *)p)[i];
	return sum % 251 == 250 ? CKR_DATA_INVALID : CKR_OK;
}

static CK_RV
template(const CK_ATTRIBUTE *t, CK_ULONG n)
{
	CK_RV rv = CKR_OK;

	for (CK_ULONG i = 0; t != NULL && i < n && rv == CKR_OK; i++)
		if (t[i].type != CKA_WRAP_TEMPLATE && t[i].type != CKA_UNWRAP_TEMPLATE)
			rv = input(t[i].pValue, t[i].ulValueLen);
	return rv;
}

static CK_RV
get_slot_list(CK_BBOOL present, CK_SLOT_ID *list, CK_ULONG *n)
{
	(void)present;
	if (list != NULL)
		list[0] = 3;
	*n = 1;
	return CKR_OK;
}

static CK_RV
get_slot_info(CK_SLOT_ID slot, CK_SLOT_INFO *info)
{
	if (info == NULL)
		return CKR_ARGUMENTS_BAD;
	memset(info, 0, sizeof(*info));
	return slot == 3 ? CKR_OK : CKR_SLOT_ID_INVALID;
}

static CK_RV
get_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
	if (info == NULL)
		return CKR_ARGUMENTS_BAD;
	memset(info, ' ', sizeof(*info));
	info->flags = CKF_TOKEN_INITIALIZED;
	return slot == 3 ? CKR_OK : CKR_SLOT_ID_INVALID;
}

static CK_RV
get_mechanism_list(CK_SLOT_ID slot, CK_MECHANISM_TYPE *list, CK_ULONG *n)
{
	CK_ULONG room;

	(void)slot;
	if (n == NULL)
		return CKR_ARGUMENTS_BAD;
	room = *n;
	*n = 5;
	if (list != NULL && room < 5)
		return CKR_BUFFER_TOO_SMALL;
	for (CK_ULONG i = 0; list != NULL && i < 5; i++)
		list[i] = i;
	return CKR_OK;
}

static CK_RV
get_mechanism_info(CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *info)
{
	(void)slot;
	(void)type;
	if (info == NULL)
		return CKR_ARGUMENTS_BAD;
	memset(info, 0, sizeof(*info));
	return CKR_OK;
}

static CK_RV
init_token(CK_SLOT_ID slot, CK_UTF8CHAR *pin, CK_ULONG len, CK_UTF8CHAR *label)
{
	(void)slot;
	return input(label, 32) == CKR_OK ? input(pin, len) : CKR_ARGUMENTS_BAD;
}

static CK_RV
open_session(CK_SLOT_ID slot, CK_FLAGS flags, void *app, CK_NOTIFY notify,
    CK_SESSION_HANDLE *ret)
{
	(void)slot;
	(void)app;
	(void)notify;
	if ((flags & CKF_SERIAL_SESSION) == 0)
		return CKR_SESSION_PARALLEL_NOT_SUPPORTED;
	*ret = ++last_session;
	return CKR_OK;
}

static CK_RV
session_only(CK_SESSION_HANDLE s)
{
	return s > 0 && s <= last_session ? CKR_OK : CKR_SESSION_HANDLE_INVALID;
}

static CK_RV
close_all(CK_SLOT_ID slot)
{
	(void)slot;
	return CKR_OK;
}

static CK_RV
session_info(CK_SESSION_HANDLE s, CK_SESSION_INFO *info)
{
	if (info == NULL)
		return CKR_ARGUMENTS_BAD;
	memset(info, 0, sizeof(*info));
	return session_only(s);
}

static CK_RV
with_pin(CK_SESSION_HANDLE s, CK_UTF8CHAR *pin, CK_ULONG len)
{
	CK_RV rv = session_only(s);

	return rv == CKR_OK ? input(pin, len) : rv;
}

static CK_RV
set_pin(CK_SESSION_HANDLE s, CK_UTF8CHAR *old, CK_ULONG old_len, CK_UTF8CHAR *new,
    CK_ULONG new_len)
{
	CK_RV rv = with_pin(s, old, old_len);

	return rv == CKR_OK ? input(new, new_len) : CKR_PIN_INCORRECT;
}

static CK_RV
login(CK_SESSION_HANDLE s, CK_USER_TYPE user, CK_UTF8CHAR *pin, CK_ULONG len)
{
	CK_RV rv = with_pin(s, pin, len);

	return rv == CKR_OK && user > 2 ? CKR_USER_TYPE_INVALID
	    : rv == CKR_DATA_INVALID    ? CKR_PIN_INCORRECT
	                                : rv;
}

static CK_RV
create_object(CK_SESSION_HANDLE s, CK_ATTRIBUTE *t, CK_ULONG n, CK_OBJECT_HANDLE *ret)
{
	if (ret == NULL)
		return CKR_ARGUMENTS_BAD;
	*ret = 9;
	return session_only(s) == CKR_OK ? template(t, n) : CKR_SESSION_HANDLE_INVALID;
}

static CK_RV
copy_object(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o, CK_ATTRIBUTE *t, CK_ULONG n,
    CK_OBJECT_HANDLE *ret)
{
	(void)o;
	return create_object(s, t, n, ret);
}

static CK_RV
with_object(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o)
{
	(void)s;
	return o > 0 && o < 64 ? CKR_OK : CKR_OBJECT_HANDLE_INVALID;
}

static CK_RV
object_size(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o, CK_ULONG *ret)
{
	if (ret == NULL)
		return CKR_ARGUMENTS_BAD;
	*ret = 1;
	return with_object(s, o);
}

static const void *
attribute(CK_OBJECT_HANDLE o, CK_ATTRIBUTE_TYPE type, CK_ULONG *ret_len)
{
	static const CK_OBJECT_CLASS classes[] = {CKO_PRIVATE_KEY, CKO_SECRET_KEY, CKO_DATA};
	static const CK_KEY_TYPE rsa = CKK_RSA;
	static const CK_BBOOL bools[] = {CK_FALSE, CK_TRUE};

	switch (type) {
	case CKA_CLASS:
		*ret_len = sizeof(CK_OBJECT_CLASS);
		return &classes[o % 3];
	case CKA_KEY_TYPE:
		*ret_len = sizeof(CK_KEY_TYPE);
		return &rsa;
	case CKA_TOKEN:
	case CKA_PRIVATE:
		*ret_len = 1;
		return &bools[o % 2];
	case CKA_LABEL:
		*ret_len = o % 5;
		return "abcde";
	case CKA_VALUE:
		*ret_len = 13;
		return "thirteenbytes";
	default:
		return NULL;
	}
}

static CK_RV
get_attributes(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o, CK_ATTRIBUTE *t, CK_ULONG n)
{
	CK_RV rv = with_object(s, o);

	for (CK_ULONG i = 0; t != NULL && rv != CKR_OBJECT_HANDLE_INVALID && i < n; i++) {
		CK_ULONG len = 0;
		const void *v = attribute(o, t[i].type, &len);

		if (v == NULL) {
			rv = CKR_ATTRIBUTE_TYPE_INVALID;
			len = CK_UNAVAILABLE_INFORMATION;
		} else if (t[i].pValue != NULL && t[i].ulValueLen < len) {
			rv = CKR_BUFFER_TOO_SMALL;
			len = CK_UNAVAILABLE_INFORMATION;
		} else if (t[i].pValue != NULL) {
			memcpy(t[i].pValue, v, len);
		}
		t[i].ulValueLen = len;
	}
	return rv;
}

static CK_RV
with_template(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o, CK_ATTRIBUTE *t, CK_ULONG n)
{
	CK_RV rv = with_object(s, o);

	return rv == CKR_OK ? template(t, n) : rv;
}

static CK_RV
find_init(CK_SESSION_HANDLE s, CK_ATTRIBUTE *t, CK_ULONG n)
{
	(void)s;
	found = 0;
	return template(t, n);
}

static CK_RV
find(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE *list, CK_ULONG room, CK_ULONG *n)
{
	(void)s;
	if (list == NULL || n == NULL)
		return CKR_ARGUMENTS_BAD;
	for (*n = 0; *n < room && found < 40; found++)
		list[(*n)++] = found + 1;
	return CKR_OK;
}

static CK_RV
begin(CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_OBJECT_HANDLE key)
{
	(void)s;
	if (m == NULL)
		return CKR_ARGUMENTS_BAD;
	return key < 64 ? CKR_OK : CKR_KEY_HANDLE_INVALID;
}

static CK_RV
begin_digest(CK_SESSION_HANDLE s, CK_MECHANISM *m)
{
	return begin(s, m, 1);
}

static CK_RV
in_out(CK_SESSION_HANDLE s, CK_BYTE *in, CK_ULONG in_len, CK_BYTE *out, CK_ULONG *len)
{
	CK_RV rv = input(in, in_len);

	(void)s;
	return rv == CKR_OK ? output(out, len) : rv;
}

static CK_RV
in_only(CK_SESSION_HANDLE s, CK_BYTE *in, CK_ULONG len)
{
	(void)s;
	return input(in, len);
}

static CK_RV
in_in(CK_SESSION_HANDLE s, CK_BYTE *a, CK_ULONG a_len, CK_BYTE *b, CK_ULONG b_len)
{
	return in_only(s, a, a_len) == CKR_OK ? in_only(s, b, b_len) : CKR_DATA_INVALID;
}

static CK_RV
out_only(CK_SESSION_HANDLE s, CK_BYTE *out, CK_ULONG *len)
{
	(void)s;
	return output(out, len);
}

static CK_RV
set_state(CK_SESSION_HANDLE s, CK_BYTE *in, CK_ULONG len, CK_OBJECT_HANDLE a,
    CK_OBJECT_HANDLE b)
{
	(void)a;
	(void)b;
	return in_only(s, in, len);
}

static CK_RV
generate(CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_ATTRIBUTE *t, CK_ULONG n,
    CK_OBJECT_HANDLE *ret)
{
	return m == NULL ? CKR_ARGUMENTS_BAD : create_object(s, t, n, ret);
}

static CK_RV
generate_pair(CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_ATTRIBUTE *a, CK_ULONG na,
    CK_ATTRIBUTE *b, CK_ULONG nb, CK_OBJECT_HANDLE *ra, CK_OBJECT_HANDLE *rb)
{
	CK_RV rv = generate(s, m, a, na, ra);

	return rv == CKR_OK ? generate(s, m, b, nb, rb) : rv;
}

static CK_RV
wrap(CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_OBJECT_HANDLE by, CK_OBJECT_HANDLE key,
    CK_BYTE *out, CK_ULONG *len)
{
	(void)by;
	return begin(s, m, key) == CKR_OK ? output(out, len) : CKR_ARGUMENTS_BAD;
}

static CK_RV
unwrap(CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_OBJECT_HANDLE by, CK_BYTE *in, CK_ULONG len,
    CK_ATTRIBUTE *t, CK_ULONG n, CK_OBJECT_HANDLE *ret)
{
	CK_RV rv = begin(s, m, by);

	if (rv == CKR_OK)
		rv = input(in, len);
	return rv == CKR_OK ? create_object(s, t, n, ret) : rv;
}

static CK_RV
derive(CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_OBJECT_HANDLE base, CK_ATTRIBUTE *t,
    CK_ULONG n, CK_OBJECT_HANDLE *ret)
{
	CK_RV rv = begin(s, m, base);

	return rv == CKR_OK ? create_object(s, t, n, ret) : rv;
}

static CK_RV
random_bytes(CK_SESSION_HANDLE s, CK_BYTE *out, CK_ULONG len)
{
	(void)s;
	if (out == NULL)
		return CKR_ARGUMENTS_BAD;
	memset(out, 1, len);
	return CKR_OK;
}

CK_FUNCTION_LIST fake_backend = {
    .version = {2, 40},
    .C_GetSlotList = get_slot_list,
    .C_GetSlotInfo = get_slot_info,
    .C_GetTokenInfo = get_token_info,
    .C_GetMechanismList = get_mechanism_list,
    .C_GetMechanismInfo = get_mechanism_info,
    .C_InitToken = init_token,
    .C_InitPIN = with_pin,
    .C_SetPIN = set_pin,
    .C_OpenSession = open_session,
    .C_CloseSession = session_only,
    .C_CloseAllSessions = close_all,
    .C_GetSessionInfo = session_info,
    .C_GetOperationState = out_only,
    .C_SetOperationState = set_state,
    .C_Login = login,
    .C_Logout = session_only,
    .C_CreateObject = create_object,
    .C_CopyObject = copy_object,
    .C_DestroyObject = with_object,
    .C_GetObjectSize = object_size,
    .C_GetAttributeValue = get_attributes,
    .C_SetAttributeValue = with_template,
    .C_FindObjectsInit = find_init,
    .C_FindObjects = find,
    .C_FindObjectsFinal = session_only,
    .C_EncryptInit = begin,
    .C_Encrypt = in_out,
    .C_EncryptUpdate = in_out,
    .C_EncryptFinal = out_only,
    .C_DecryptInit = begin,
    .C_Decrypt = in_out,
    .C_DecryptUpdate = in_out,
    .C_DecryptFinal = out_only,
    .C_DigestInit = begin_digest,
    .C_Digest = in_out,
    .C_DigestUpdate = in_only,
    .C_DigestKey = with_object,
    .C_DigestFinal = out_only,
    .C_SignInit = begin,
    .C_Sign = in_out,
    .C_SignUpdate = in_only,
    .C_SignFinal = out_only,
    .C_SignRecoverInit = begin,
    .C_SignRecover = in_out,
    .C_VerifyInit = begin,
    .C_Verify = in_in,
    .C_VerifyUpdate = in_only,
    .C_VerifyFinal = in_only,
    .C_VerifyRecoverInit = begin,
    .C_VerifyRecover = in_out,
    .C_GenerateKey = generate,
    .C_GenerateKeyPair = generate_pair,
    .C_WrapKey = wrap,
    .C_UnwrapKey = unwrap,
    .C_DeriveKey = derive,
    .C_SeedRandom = in_only,
    .C_GenerateRandom = random_bytes,
};
