/*
 * fuzz_client.c - a hostile vsmd, asked by `caas`: u8 the command, then what vsmd sends, for as
 * many connections as there are.  With the highest bit a valid hello goes before it, and the
 * rest is bodies of answers, u16 length each, that get their header here.
 *
 * Whatever comes, what people see of it has no character that a terminal would obey.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "caas/cmd.h"
#include "common/log.h"
#include "protocol/frame.h"
#include "protocol/hello.h"
#include "vchan-transport/transport.h"
#include "vsmd/admin/admin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
struct channel *__wrap_transport_connect(const char *address, int deadline);
int __wrap_channel_read_all(struct channel *c, void *p, size_t len, int deadline);
int __wrap_channel_writev(struct channel *c, const struct iovec *iov, int n, int deadline);
void __wrap_channel_close(struct channel *c);
int __wrap_cmd_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static struct buf in;
static bool framed;
static uint8_t ahead[HELLO_LEN]; /* goes before the input */
static size_t nahead;
static uint32_t asked; /* id of the last request */
static unsigned open_channels;

struct channel *
__wrap_transport_connect(const char *address, int deadline)
{
	struct hello_answer answer = {.version = HELLO_VERSION,
	    .status = HELLO_OK,
	    .max_frame = FRAME_MAX_LEAST};
	static char channel;

	(void)address;
	(void)deadline;
	nahead = 0;
	if (framed) {
		hello_answer_write(ahead, &answer);
		nahead = HELLO_LEN;
	}
	asked = 0;
	open_channels++;
	return (struct channel *)(void *)&channel;
}

void
__wrap_channel_close(struct channel *c)
{
	if (c != NULL)
		open_channels--;
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

/* The header of the next body. */
static void
put_header(void)
{
	size_t len = buf_get_u16(&in);
	struct buf b;

	if (len > buf_left(&in))
		len = buf_left(&in);
	buf_init(&b, FRAME_HEADER + len);
	frame_begin(&b, ++asked, ADMIN_CALL);
	(void)buf_reserve(&b, len);
	frame_end(&b);
	if (!buf_ok(&b))
		abort();
	memcpy(ahead, b.data, FRAME_HEADER);
	nahead = FRAME_HEADER;
	buf_free(&b);
}

int
__wrap_channel_read_all(struct channel *c, void *p, size_t len, int deadline)
{
	const uint8_t *from;

	(void)c;
	(void)deadline;
	if (framed && nahead == 0 && len == FRAME_HEADER)
		put_header();
	if (nahead > 0 && len == nahead) {
		memcpy(p, ahead, len);
		nahead = 0;
		return 0;
	}
	if (len > buf_left(&in) || (len > 0 && buf_left(&in) == 0)) {
		errno = ECONNRESET;
		return -1;
	}
	if ((from = buf_get_raw(&in, len)) != NULL && len > 0)
		memcpy(p, from, len);
	return 0;
}

static void
must_be_clean(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (((unsigned char)s[i] < 0x20 && s[i] != '\n') || s[i] == 0x7f)
			abort();
}

/* What it says goes through output_clean(): not on the fuzzer's own standard error. */
int
__wrap_cmd_fail(const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return CMD_FAILED;
}

static void
run(uint8_t which)
{
	static char address[] = "unix:/none";
	struct args args = {.value = {[OPT_ADDRESS] = address}};

	switch (which % 5) {
	case 0:
		(void)cmd_status(&args);
		break;
	case 1:
		(void)cmd_token_list(&args);
		break;
	case 2:
		(void)cmd_audit_show(&args);
		break;
	case 3:
		(void)cmd_audit_verify(&args);
		break;
	default:
		(void)cmd_tpm_reseal(&args);
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FILE *before = stdout;
	char *text = NULL;
	size_t len = 0;
	uint8_t which;

	log_level(LOG_ERR_);
	buf_view(&in, data, size);
	which = buf_get_u8(&in);
	framed = which & 0x80;
	if ((stdout = open_memstream(&text, &len)) == NULL)
		abort();
	run(which & 0x7f);
	if (fclose(stdout) != 0)
		abort();
	stdout = before;
	must_be_clean(text, len);
	free(text);
	if (open_channels != 0)
		abort();
	return 0;
}
