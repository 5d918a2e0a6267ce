/*
 * fuzz_guest.c - a hostile vsmd: the input is what it sends.
 *
 * The first byte's lowest bit puts a valid hello before the rest; the next has beginnings
 * held and taken along (libcaas-p11/hold.h), the third searches gone on with in every way,
 * the fourth questions about slot, token and mechanisms asked again and again (told.h).
 * Then come pieces, a u16 length before each: one piece is what one read gets, so that a
 * reply need not be there before its request.  Each connection that the module makes gets
 * the input from where the last one left it.  The calls are those of a typical
 * application, with buffers of exact size for the sanitizer to watch.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "libcaas-p11/config.h"
#include "protocol/frame.h"
#include "protocol/hello.h"
#include "protocol/pkcs11.h"
#include "vchan-transport/transport.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
struct channel *__wrap_transport_connect(const char *address, int deadline);
ssize_t __wrap_channel_read(struct channel *c, void *p, size_t len, int deadline);
int __wrap_channel_writev(
    struct channel *c, const struct iovec *iov, int n, int deadline);
bool __wrap_config_load(struct config *c);
int __wrap_nanosleep(const struct timespec *t, struct timespec *rest);

static const uint8_t *input;
static size_t left, piece; /* of the input, of the present piece */
static uint8_t hello[HELLO_LEN];
static size_t hello_left;

bool
__wrap_config_load(struct config *c)
{
	*c = (struct config){.address = "unix:/", .silence = 1, .connect_timeout = 1,
	    .reconnect = 0, .shortcuts = true};
	return true;
}

struct channel *
__wrap_transport_connect(const char *address, int deadline)
{
	int fds[2];

	(void)address;
	(void)deadline;
	if (left == 0) {
		errno = ECONNREFUSED;
		return NULL;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0)
		abort();
	(void)close(fds[1]);
	piece = 0;
	return channel_from_fd(fds[0]);
}

ssize_t
__wrap_channel_read(struct channel *c, void *p, size_t len, int deadline)
{
	(void)c;
	(void)deadline;
	if (hello_left > 0) {
		if (len > hello_left)
			len = hello_left;
		memcpy(p, hello + HELLO_LEN - hello_left, len);
		hello_left -= len;
		return (ssize_t)len;
	}
	if (piece == 0 && left >= 2) {
		piece = (size_t)input[0] | (size_t)input[1] << 8;
		input += 2;
		left -= 2;
	}
	if (piece > left)
		piece = left;
	if (len > piece)
		len = piece;
	memcpy(p, input, len);
	input += len;
	left -= len;
	piece -= len;
	return (ssize_t)len;
}

int
__wrap_channel_writev(struct channel *c, const struct iovec *iov, int n, int deadline)
{
	(void)c;
	(void)iov;
	(void)n;
	(void)deadline;
	return 0;
}

int
__wrap_nanosleep(const struct timespec *t, struct timespec *rest)
{
	(void)t;
	(void)rest;
	return 0;
}

static void
find(CK_SESSION_HANDLE s)
{
	CK_OBJECT_HANDLE *o = malloc(3 * sizeof(*o));
	CK_BYTE *value = malloc(5);
	CK_ATTRIBUTE *nested = calloc(2, sizeof(*nested));
	CK_ATTRIBUTE t[] = {{CKA_LABEL, value, 5}, {CKA_WRAP_TEMPLATE, nested,
	    2 * sizeof(*nested)}, {CKA_ID, NULL, 0}};
	CK_ULONG n = 0;

	(void)C_FindObjectsInit(s, NULL, 0);
	(void)C_FindObjects(s, o, 3, &n);
	(void)C_FindObjectsFinal(s);
	(void)C_GetAttributeValue(s, n > 0 ? o[0] : 1, t, 3);
	free(nested);
	free(value);
	free(o);
}

/* Searches of two sessions, what they brought, and what comes between. */
static void
search_often(CK_SESSION_HANDLE s)
{
	CK_MECHANISM sha = {CKM_SHA256, NULL, 0};
	CK_OBJECT_HANDLE *o = malloc(sizeof(*o));
	CK_SESSION_HANDLE t = s;
	CK_BYTE *value = malloc(5);
	CK_ULONG n;

	(void)C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &t);
	for (int i = 0; i < 4; i++) {
		CK_ATTRIBUTE a[] = {{CKA_LABEL, value, 5}, {CKA_ID, NULL, 0}};

		(void)C_FindObjectsInit(s, a, i == 2);
		(void)C_FindObjectsInit(t, NULL, 0);
		if (i == 1)
			(void)C_DigestInit(s, &sha);
		for (int k = 0; k < 3; k++) {
			*o = 0;
			n = 0;
			(void)C_FindObjects(k & 1 ? t : s, o, 1, &n);
			if (n == 0)
				break;
			a[0].ulValueLen = 5;
			(void)C_GetAttributeValue(s, *o, a, 2);
			(void)C_GetAttributeValue(t, *o, a + 1, 1);
		}
		if (i == 3)
			(void)C_DestroyObject(t, *o);
		(void)C_FindObjectsFinal(s);
		if (i != 2)
			(void)C_FindObjectsFinal(t);
	}
	(void)C_CloseSession(t);
	free(value);
	free(o);
}

static void
sign(CK_SESSION_HANDLE s)
{
	CK_MECHANISM m = {CKM_RSA_PKCS, NULL, 0};
	CK_BYTE *out = malloc(7);
	CK_OBJECT_HANDLE a, b;
	CK_ULONG len = 7;

	(void)C_GenerateKeyPair(s, &m, NULL, 0, NULL, 0, &a, &b);
	(void)C_SignInit(s, &m, 1);
	(void)C_Sign(s, out, 7, out, &len);
	len = 7;
	(void)C_Sign(s, out, 7, NULL, &len);
	(void)C_GenerateRandom(s, out, 7);
	free(out);
}

/* The same again and again, on a session of its own, then with a change in between. */
static void
sign_often(CK_SESSION_HANDLE s)
{
	CK_MECHANISM m = {CKM_RSA_PKCS, NULL, 0}, sha = {CKM_SHA256, NULL, 0};
	CK_BYTE *out = malloc(7);
	CK_OBJECT_HANDLE a = 1, b = 1;
	CK_SESSION_HANDLE t = s;
	CK_ULONG len;

	(void)C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &t);
	(void)C_GenerateKeyPair(s, &m, NULL, 0, NULL, 0, &a, &b);
	for (int i = 0; i < 3; i++) {
		(void)C_SignInit(t, &m, b);
		(void)C_Sign(t, out, 7, NULL, &len);
		len = 7;
		(void)C_Sign(t, out, 7, out, &len);
		len = 7;
		(void)C_DigestInit(t, &sha);
		(void)C_Digest(t, out, 7, out, &len);
		(void)C_VerifyInit(s, &m, a);
		(void)C_Verify(s, out, 7, out, 7);
	}
	(void)C_SignInit(t, &m, b);
	(void)C_SignUpdate(t, out, 7);
	len = 7;
	(void)C_SignFinal(t, out, &len);
	(void)C_SignInit(t, &m, b);
	(void)C_DestroyObject(s, b);
	len = 7;
	(void)C_Sign(t, out, 7, out, &len);
	(void)C_DigestInit(t, &sha);
	(void)C_CloseSession(t);
	free(out);
}

/* What is told of slot, token, mechanisms and session, and what changes it. */
static void
ask_often(CK_SESSION_HANDLE s)
{
	CK_MECHANISM_TYPE *types = calloc(2, sizeof(*types));
	CK_MECHANISM_INFO *mechanism = malloc(sizeof(*mechanism));
	CK_SESSION_INFO *session = malloc(sizeof(*session));
	CK_TOKEN_INFO *token = malloc(sizeof(*token));
	CK_SLOT_INFO *slot = malloc(sizeof(*slot));
	CK_ULONG n;

	for (int i = 0; i < 3; i++) {
		(void)C_GetSlotInfo(1, slot);
		(void)C_GetTokenInfo(1, token);
		n = 2;
		(void)C_GetMechanismList(1, types, &n);
		(void)C_GetMechanismInfo(1, types[0], mechanism);
		(void)C_GetMechanismInfo(1, 0x99, mechanism);
		(void)C_GetSessionInfo(s, session);
		if (i == 1)
			(void)C_Logout(s);
	}
	free(slot);
	free(token);
	free(session);
	free(mechanism);
	free(types);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CK_MECHANISM_TYPE *mechanisms = malloc(2 * sizeof(*mechanisms));
	CK_SLOT_ID *slots = malloc(2 * sizeof(*slots));
	CK_ULONG n = 2;
	CK_SESSION_HANDLE s = 1;
	CK_SESSION_INFO session;
	CK_TOKEN_INFO token;

	if (size > 0) {
		struct hello_answer answer = {.version = HELLO_VERSION, .flags = HELLO_KEEP,
		    .max_frame = FRAME_MAX_LEAST, .silence = 1};

		hello_answer_write(hello, &answer);
		hello_left = data[0] & 1 ? HELLO_LEN : 0;
		input = data + 1;
		left = size - 1;
		(void)C_Initialize(NULL);
		(void)C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &s);
		(void)C_Login(s, CKU_USER, (CK_UTF8CHAR_PTR) "1234", 4);
		find(s);
		sign(s);
		if (data[0] & 2)
			sign_often(s);
		if (data[0] & 4)
			search_often(s);
		if (data[0] & 8)
			ask_often(s);
		(void)C_GetSessionInfo(s, &session);
		(void)C_GetTokenInfo(1, &token);
		(void)C_GetMechanismList(1, mechanisms, &n);
		(void)C_CloseSession(s);
		n = 2;
		(void)C_GetSlotList(CK_TRUE, slots, &n);
		(void)C_Finalize(NULL);
	}
	free(slots);
	free(mechanisms);
	return 0;
}
