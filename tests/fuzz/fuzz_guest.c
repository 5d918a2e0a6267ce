/*
 * fuzz_guest.c - a hostile vsmd: the input is what it sends.
 *
 * Each connection that the module makes is a socket pair with the input in it.  A first
 * byte that is odd has a valid hello put before the rest.  The calls are those of a
 * typical application, with buffers of exact size for the sanitizer to watch.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libcaas-p11/config.h"
#include "protocol/frame.h"
#include "protocol/hello.h"
#include "protocol/pkcs11.h"
#include "vchan-transport/transport.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
struct channel *__wrap_transport_connect(const char *address, int deadline);
bool __wrap_config_load(struct config *c);

#define MOST 65536 /* what surely fits in a socket's buffer */
#define CONNECTIONS 32

static const uint8_t *input;
static size_t input_len;
static int peers[CONNECTIONS], npeers; /* our ends, open until the application is done */

bool
__wrap_config_load(struct config *c)
{
	*c = (struct config){.address = "unix:/", .silence = 1, .connect_timeout = 1,
	    .reconnect = 1};
	return true;
}

struct channel *
__wrap_transport_connect(const char *address, int deadline)
{
	struct hello_answer answer = {.version = HELLO_VERSION,
	    .max_frame = FRAME_MAX_LEAST, .silence = 1};
	uint8_t hello[HELLO_LEN];
	int fds[2];

	(void)address;
	(void)deadline;
	if (npeers == CONNECTIONS) {
		errno = ECONNREFUSED;
		return NULL;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0)
		abort();
	hello_answer_write(hello, &answer);
	if (input[0] & 1)
		(void)!write(fds[1], hello, sizeof(hello));
	(void)!write(fds[1], input + 1, input_len - 1);
	/* Half closed: the module reads all of it, and its requests go nowhere. */
	(void)shutdown(fds[1], SHUT_WR);
	peers[npeers++] = fds[1];
	return channel_from_fd(fds[0]);
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

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CK_MECHANISM_TYPE *mechanisms = malloc(2 * sizeof(*mechanisms));
	CK_SLOT_ID *slots = malloc(2 * sizeof(*slots));
	CK_ULONG n = 2;
	CK_SESSION_HANDLE s = 1;
	CK_SESSION_INFO session;
	CK_TOKEN_INFO token;

	if (size > 0 && size <= MOST) {
		input = data;
		input_len = size;
		(void)C_Initialize(NULL);
		(void)C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &s);
		(void)C_Login(s, CKU_USER, (CK_UTF8CHAR_PTR) "1234", 4);
		find(s);
		sign(s);
		(void)C_GetSessionInfo(s, &session);
		(void)C_GetTokenInfo(1, &token);
		(void)C_GetMechanismList(1, mechanisms, &n);
		(void)C_CloseSession(s);
		n = 2;
		(void)C_GetSlotList(CK_TRUE, slots, &n);
		(void)C_Finalize(NULL);
		while (npeers > 0)
			(void)close(peers[--npeers]);
	}
	free(slots);
	free(mechanisms);
	return 0;
}
