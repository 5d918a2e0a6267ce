/* tcti_tis.c - see tcti_tis.h */
#include "tpm/tis/tcti_tis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tss2/tss2_tpm2_types.h>

#include "common/secmem.h"

#define MAGIC	 0x63616173746973ULL /* "caastis" */
#define PATIENCE 60000 /* ms until others have given the TPM back */

enum state { IDLE, SENT, THERE };

struct tcti {
	TSS2_TCTI_CONTEXT_COMMON_V2 common; /* first: what callers see */
	struct tis_page page;
	struct tis tis;
	uint8_t locality;
	enum state state;
	size_t len; /* THERE: of the response */
	uint8_t response[TIS_MAX];
};

static struct tcti *
of(TSS2_TCTI_CONTEXT *context)
{
	struct tcti *c = (struct tcti *)(void *)context;

	return c != NULL && c->common.v1.magic == MAGIC ? c : NULL;
}

static TSS2_RC
code(enum tis_result r)
{
	switch (r) {
	case TIS_OK:
		return TSS2_RC_SUCCESS;
	case TIS_LATER:
		return TSS2_TCTI_RC_TRY_AGAIN;
	case TIS_BAD_COMMAND:
		return TSS2_TCTI_RC_BAD_VALUE;
	case TIS_ABSENT:
		return TSS2_TCTI_RC_NO_CONNECTION;
	case TIS_BROKEN:
	case TIS_TOO_BIG:
		return TSS2_TCTI_RC_MALFORMED_RESPONSE;
	default:
		return TSS2_TCTI_RC_IO_ERROR;
	}
}

static TSS2_RC
transmit(TSS2_TCTI_CONTEXT *context, size_t size, const uint8_t *command)
{
	struct tcti *c = of(context);
	enum tis_result r;

	if (c == NULL)
		return TSS2_TCTI_RC_BAD_CONTEXT;
	if (command == NULL)
		return TSS2_TCTI_RC_BAD_REFERENCE;
	if (c->state != IDLE)
		return TSS2_TCTI_RC_BAD_SEQUENCE;
	r = tis_send(&c->tis, command, size, PATIENCE);
	if (r == TIS_OK)
		c->state = SENT;
	return code(r);
}

/* The response, into this context: so its size is known, and the TPM free for others. */
static TSS2_RC
fetch(struct tcti *c, int32_t timeout)
{
	enum tis_result r = tis_wait(&c->tis, timeout);

	if (r == TIS_OK)
		r = tis_receive(&c->tis, c->response, sizeof(c->response), &c->len);
	if (r != TIS_LATER)
		c->state = r == TIS_OK ? THERE : IDLE;
	return code(r);
}

static TSS2_RC
receive(TSS2_TCTI_CONTEXT *context, size_t *size, uint8_t *response, int32_t timeout)
{
	struct tcti *c = of(context);
	size_t room;
	TSS2_RC rc;

	if (c == NULL)
		return TSS2_TCTI_RC_BAD_CONTEXT;
	if (size == NULL)
		return TSS2_TCTI_RC_BAD_REFERENCE;
	if (timeout < TSS2_TCTI_TIMEOUT_BLOCK)
		return TSS2_TCTI_RC_BAD_VALUE;
	if (c->state == IDLE)
		return TSS2_TCTI_RC_BAD_SEQUENCE;
	if (c->state == SENT && (rc = fetch(c, timeout)) != TSS2_RC_SUCCESS)
		return rc;
	room = *size;
	*size = c->len;
	if (response == NULL)
		return TSS2_RC_SUCCESS;
	if (room < c->len)
		return TSS2_TCTI_RC_INSUFFICIENT_BUFFER;
	memcpy(response, c->response, c->len);
	sec_wipe(c->response, c->len);
	c->state = IDLE;
	return TSS2_RC_SUCCESS;
}

static TSS2_RC
cancel(TSS2_TCTI_CONTEXT *context)
{
	struct tcti *c = of(context);

	if (c == NULL)
		return TSS2_TCTI_RC_BAD_CONTEXT;
	if (c->state != SENT)
		return TSS2_TCTI_RC_BAD_SEQUENCE;
	return code(tis_cancel(&c->tis));
}

static TSS2_RC
get_poll_handles(TSS2_TCTI_CONTEXT *context, TSS2_TCTI_POLL_HANDLE *handles, size_t *n)
{
	(void)context;
	(void)handles;
	(void)n;
	return TSS2_TCTI_RC_NOT_IMPLEMENTED;
}

static TSS2_RC
set_locality(TSS2_TCTI_CONTEXT *context, uint8_t locality)
{
	struct tcti *c = of(context);

	if (c == NULL)
		return TSS2_TCTI_RC_BAD_CONTEXT;
	if (c->state != IDLE)
		return TSS2_TCTI_RC_BAD_SEQUENCE;
	return locality == c->locality ? TSS2_RC_SUCCESS : TSS2_TCTI_RC_BAD_VALUE;
}

static TSS2_RC
make_sticky(TSS2_TCTI_CONTEXT *context, TPM2_HANDLE *handle, uint8_t sticky)
{
	(void)context;
	(void)handle;
	(void)sticky;
	return TSS2_TCTI_RC_NOT_IMPLEMENTED;
}

static void
finalize(TSS2_TCTI_CONTEXT *context)
{
	struct tcti *c = of(context);

	if (c == NULL)
		return;
	tis_end(&c->tis);
	tis_page_close(&c->page);
	sec_wipe(c, sizeof(*c));
}

static void
fill(struct tcti *c, const struct tis_ops *ops, void *arg, uint8_t locality)
{
	c->common.v1 = (TSS2_TCTI_CONTEXT_COMMON_V1){.magic = MAGIC,
	    .version = 2,
	    .transmit = transmit,
	    .receive = receive,
	    .finalize = finalize,
	    .cancel = cancel,
	    .getPollHandles = get_poll_handles,
	    .setLocality = set_locality};
	c->common.makeSticky = make_sticky;
	c->locality = locality;
	c->state = IDLE;
	tis_init(&c->tis, ops, arg);
}

/* True when the caller only asks for the size, or has too little: *ret_rc says which. */
static bool
only_size(const TSS2_TCTI_CONTEXT *context, size_t *size, TSS2_RC *ret_rc)
{
	if (size == NULL || (context != NULL && *size < sizeof(struct tcti))) {
		*ret_rc = TSS2_TCTI_RC_BAD_VALUE;
		return true;
	}
	*size = sizeof(struct tcti);
	*ret_rc = TSS2_RC_SUCCESS;
	return context == NULL;
}

static TSS2_RC
init(struct tcti *c, const char *conf, char why[TIS_PAGE_WHY])
{
	if (conf == NULL || conf[0] == '\0')
		conf = TIS_PAGE_DEFAULT;
	memset(c, 0, sizeof(*c));
	if (tis_page_open(conf, &c->page, why) < 0)
		return tis_page_locality(conf) < 0 ? TSS2_TCTI_RC_BAD_VALUE
						   : TSS2_TCTI_RC_NO_CONNECTION;
	fill(c, &tis_page_ops, &c->page, (uint8_t)tis_page_locality(conf));
	return TSS2_RC_SUCCESS;
}

TSS2_RC
tcti_tis_init(TSS2_TCTI_CONTEXT *context, size_t *size, const char *conf)
{
	char why[TIS_PAGE_WHY];
	TSS2_RC rc;

	if (only_size(context, size, &rc))
		return rc;
	rc = init((struct tcti *)(void *)context, conf, why);
	/* A TCTI has no other way to say it. */
	if (rc != TSS2_RC_SUCCESS)
		fprintf(stderr, "caas-tis: %s\n", why);
	return rc;
}

TSS2_RC
tcti_tis_over(TSS2_TCTI_CONTEXT *context, size_t *size, const struct tis_ops *ops, void *arg,
    uint8_t locality)
{
	struct tcti *c = (struct tcti *)(void *)context;
	TSS2_RC rc;

	if (only_size(context, size, &rc))
		return rc;
	memset(c, 0, sizeof(*c));
	c->page.lock = -1;
	fill(c, ops, arg, locality);
	return TSS2_RC_SUCCESS;
}

TSS2_TCTI_CONTEXT *
tcti_tis_open(const char *conf, char why[TIS_PAGE_WHY])
{
	struct tcti *c = malloc(sizeof(*c));

	if (c == NULL) {
		snprintf(why, TIS_PAGE_WHY, "no memory for the TPM");
		return NULL;
	}
	if (init(c, conf, why) != TSS2_RC_SUCCESS) {
		free(c);
		return NULL;
	}
	return (TSS2_TCTI_CONTEXT *)(void *)c;
}

void
tcti_tis_close(TSS2_TCTI_CONTEXT *context)
{
	Tss2_Tcti_Finalize(context);
	free(context);
}
