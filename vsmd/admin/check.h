/*
 * check.h - an administrator's request, checked against admin.def.
 *
 * Memory: the request borrows from the buf that it was read from; its JSON is its own,
 * released by admin_request_free().  One thread.
 */
#ifndef CAAS_VSMD_ADMIN_CHECK_H
#define CAAS_VSMD_ADMIN_CHECK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

#define ADMIN_MAX_JSON 8192
#define ADMIN_MAX_BLOB (48 * 1024)
#define ADMIN_MAX_PASSPHRASE 1024
#define ADMIN_MAX_PIN 255
#define ADMIN_MAX_STRING 255
#define ADMIN_MAX_ARGS 2

enum admin_type { ADMIN_STRING = 1, ADMIN_NUMBER, ADMIN_PCRS };

#define ADMIN_PASSPHRASE 0x1
#define ADMIN_SO_PIN 0x2
#define ADMIN_BLOB 0x4

struct admin_arg {
	const char *name; /* NULL after the last */
	enum admin_type type;
};

struct admin_call {
	const char *name;
	unsigned flags;
	struct admin_arg args[ADMIN_MAX_ARGS + 1];
};

struct admin_request {
	const struct admin_call *call;
	json_t *args;
	const uint8_t *secret; /* { bytes passphrase, bytes so_pin }, or empty */
	size_t secret_len;
	const uint8_t *blob;
	size_t blob_len;
};

enum admin_verdict {
	ADMIN_GOOD,
	ADMIN_REFUSED, /* answer with the text */
	ADMIN_BREACH   /* close the channel */
};

/* The row of a name, or NULL. */
const struct admin_call *admin_call_by_name(const char *name);
/* Read a request from `in`, which must outlive it.  On ADMIN_REFUSED `why` holds the
 * sentence for the administrator.  Free *ret in every case. */
enum admin_verdict admin_check(struct buf *in, struct admin_request *ret, char *why,
    size_t size);
void admin_request_free(struct admin_request *r);

#endif
