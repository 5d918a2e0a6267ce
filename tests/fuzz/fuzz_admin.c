/*
 * fuzz_admin.c - an administrator's request bodies into vsmd-admin, a fake store behind
 * it.
 *
 * The first byte says how the store answers.
 */
#include <stdlib.h>
#include <string.h>

#include "common/ipc.h"
#include "common/log.h"
#include "vsmd/admin/admin.h"
#include "vsmd/admin/check.h"
#include "vsmd/admin/serve.h"
#include "vsmd/msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What goes on to the store is well formed, whatever came in. */
static void
must_be_request(const struct buf *request)
{
	char call[64];
	struct buf b;
	size_t len;

	buf_view(&b, request->data, request->len);
	if (buf_get_u8(&b) != M_A_ASK)
		abort();
	buf_get_str(&b, call, sizeof(call));
	buf_get_bytes(&b, &len); /* JSON */
	buf_get_bytes(&b, &len); /* secret */
	buf_get_bytes(&b, &len); /* blob */
	if (!buf_end(&b) || len > ADMIN_MAX_BLOB || request->len > IPC_MAX ||
	    admin_call_by_name(call) == NULL)
		abort();
}

static int
fake_ask(void *arg, const struct buf *request, struct buf *answer)
{
	uint8_t how = *(const uint8_t *)arg;

	must_be_request(request);
	if (how == 0)
		return -1;
	buf_put_u8(answer, M_A_ANSWER);
	buf_put_u8(answer, how & 1);
	if (how == 2) /* an echo, to reach the parser of answers */
		buf_put_raw(answer, request->data, request->len);
	else {
		buf_put_str(answer, "{\"tokens\":1}");
		buf_put_bytes(answer, request->data, how);
	}
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t how = size > 0 ? data[0] : 0;
	struct admin_back back = {.ask = fake_ask, .arg = &how, .status = "{\"pid\":1}"};
	struct buf in, out;

	if (size == 0)
		return 0;
	log_level(LOG_ERR_);
	buf_view(&in, data + 1, size - 1);
	buf_init(&out, ADMIN_MAX);
	(void)admin_serve(&in, &out, &back);
	buf_free(&out);
	return 0;
}
