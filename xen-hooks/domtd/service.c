/* service.c - see service.h */
#include "xen-hooks/domtd/service.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hex.h"
#include "common/log.h"
#include "vchan-transport/deadline.h"
#include "vchan-transport/transport.h"
#include "xen-hooks/domtd/inside.h"
#include "xen-hooks/tpmd/rows.h"

#define WITHIN 20000 /* ms for all of it: a DomT that has just been made is not there yet */
#define ADDRESS 192

_Static_assert(DOMAIN_UUID == CONTROL_UUID, "one kind of UUID");

const struct xen_domain *
service_domain(const struct service *s, const struct world *w)
{
	for (size_t i = 0; i < w->ndomains; i++) {
		const struct xen_domain *d = &w->domains[i];

		if (!d->dying && !d->ended && strcmp(d->name, s->name) == 0)
			return d;
	}
	return NULL;
}

bool
service_world(const struct world *w, struct control_world *ret)
{
	*ret = (struct control_world){.pairs = calloc(w->n + 1, sizeof(*ret->pairs))};
	if (ret->pairs == NULL)
		return false;
	for (size_t i = 0; i < w->n; i++) {
		const struct pair *p = &w->pairs[i];
		struct control_pair *c = &ret->pairs[ret->n];

		/* What has no digest has not been built by us. */
		if (!p->live[DOMC] || !hex_get(p->record.digest, c->digest, CONTROL_DIGEST))
			continue;
		memcpy(c->pair, p->record.pair, sizeof(c->pair));
		c->domid = p->domain[DOMC].domid;
		memcpy(c->uuid, p->domain[DOMC].uuid, CONTROL_UUID);
		ret->n++;
	}
	return true;
}

bool
service_mark(const struct service *s, const struct world *w, uint8_t ret[SERVICE_MARK])
{
	const struct xen_domain *domt = service_domain(s, w);
	struct control_world all;
	struct buf b;
	bool ok;

	if (!service_world(w, &all))
		return false;
	buf_init(&b, 2 * CONTROL_MAX);
	control_world_write(&b, &all);
	buf_put_u32(&b, domt != NULL ? domt->domid : 0);
	for (size_t i = 0; i < w->n; i++)
		buf_put_u64(&b, (uint64_t)w->pairs[i].domt);
	ok = buf_ok(&b) && EVP_Digest(b.data, b.len, ret, NULL, EVP_sha256(), NULL) == 1;
	buf_free(&b);
	control_world_free(&all);
	return ok;
}

/* 0 with the answer, or -1 with errno. */
static int
converse(struct channel *c, struct buf *b, struct control_answer *ret, int64_t until)
{
	struct iovec iov = {.iov_base = b->data, .iov_len = b->len};
	uint8_t head[4];
	struct buf len;
	uint32_t n;
	void *p;

	if (channel_writev(c, &iov, 1, deadline_left(until)) < 0 ||
	    channel_read_all(c, head, sizeof(head), deadline_left(until)) < 0)
		return -1;
	buf_view(&len, head, sizeof(head));
	n = buf_get_u32(&len);
	buf_reset(b);
	errno = EPROTO;
	if (n == 0 || n > CONTROL_MAX || (p = buf_reserve(b, n)) == NULL)
		return -1;
	if (channel_read_all(c, p, n, deadline_left(until)) < 0)
		return -1;
	errno = EPROTO;
	return control_answer_read(b, ret) ? 0 : -1;
}

/* 0, or -1 after operate_fail(). */
static int
say(struct operation *o, const char *address, const struct control_world *w,
    struct control_answer *ret)
{
	int64_t until = deadline_at(WITHIN);
	struct channel *c = transport_connect(address, WITHIN);
	struct buf b;
	int rc;

	if (c == NULL)
		return operate_fail(o,
		    "DomT's TPM service cannot be reached at %s: %s: does domt-tpmd run there?",
		    address, strerror(errno));
	buf_init(&b, CONTROL_MAX + 4);
	buf_put_u32(&b, 0);
	control_world_write(&b, w);
	if (buf_ok(&b)) {
		buf_set_u32(&b, 0, (uint32_t)(b.len - 4));
		rc = converse(c, &b, ret, until);
	} else {
		rc = -1;
		errno = EMSGSIZE;
	}
	if (rc < 0)
		(void)operate_fail(o, "DomT's TPM service, at %s, does not answer: %s: see its log",
		    address, errno == EPROTO ? "malformed answer" : strerror(errno));
	else if (!ret->ok)
		rc = operate_fail(o, "DomT's TPM service refuses: %s", ret->text);
	buf_free(&b);
	channel_close(c);
	return rc;
}

/* caas/tpm of each DomC; the last failure is o->error. */
static int
tell_each(struct operation *o, const struct world *w, const struct xen_domain *domt)
{
	int64_t want = domt != NULL ? (int64_t)domt->domid : -1;
	int rc = 0;

	for (size_t i = 0; i < w->n; i++) {
		const struct pair *p = &w->pairs[i];
		const struct xen_domain *d = &p->domain[DOMC];

		if (!p->live[DOMC] || p->domt == want)
			continue;
		if ((domt != NULL ? XEN(tell, o->xen, d, TOLD_TPM, domt->domid)
				  : XEN(untell, o->xen, d, TOLD_TPM)) < 0)
			rc = operate_fail(o, "DomC of %s cannot be told where DomT is: %s",
			    p->record.pair, XEN(why, o->xen));
	}
	return rc;
}

/* `forget`: the pair that is to be forgotten, or "". */
static int
tell_world(struct operation *o, const struct world *w, const struct xen_domain *domt,
    const char *forget, struct control_answer *ret)
{
	struct control_world all;
	char address[ADDRESS];
	int rc;

	if (o->service->at != NULL)
		snprintf(address, sizeof(address), "%s", o->service->at);
	else
		snprintf(address, sizeof(address), "vchan:%u:" CONTROL_PATH, domt->domid);
	if (!service_world(w, &all))
		return operate_fail(o, "out of memory");
	snprintf(all.forget, sizeof(all.forget), "%s", forget);
	rc = say(o, address, &all, ret);
	if (rc == 0)
		snprintf(o->service_text, sizeof(o->service_text),
		    "%s, domain %u, serves %zu crypto domain%s, keeps %u of %d rows%s%s",
		    o->service->name, domt->domid, all.n, all.n == 1 ? "" : "s", ret->rows,
		    ROWS_MAX, ret->text[0] != '\0' ? ": " : "", ret->text);
	control_world_free(&all);
	return rc;
}

static int
tell(struct operation *o, const struct world *w, const char *forget, struct control_answer *ret)
{
	const struct xen_domain *domt = service_domain(o->service, w);
	int rc = tell_each(o, w, domt);

	if (domt == NULL)
		rc = operate_fail(o, SERVICE_ABSENT, o->service->name);
	/* It hears of them in any case: one that cannot be told keeps nothing from others. */
	else if (tell_world(o, w, domt, forget, ret) < 0)
		rc = -1;
	if (rc < 0)
		snprintf(o->service_text, sizeof(o->service_text), "not to be had: %.*s",
		    SERVICE_TEXT - 32, o->error);
	return rc;
}

int
operate_tell(struct operation *o)
{
	struct control_answer answer;
	struct world w;
	int rc;

	if (o->service == NULL)
		return 0;
	if (world_look(o->xen, &w) < 0) {
		rc = operate_xen_failed(o, "domains and pairs cannot be listed");
		snprintf(o->service_text, sizeof(o->service_text), "not to be had: %.*s",
		    SERVICE_TEXT - 32, o->error);
	} else {
		rc = tell(o, &w, "", &answer);
	}
	world_free(&w);
	return rc;
}

int
operate_forget(struct operation *o, const char *pair)
{
	struct control_answer answer;
	struct world w;
	int rc;

	if (o->service == NULL)
		return operate_fail(o,
		    "there is no DomT (--domt): crypto domains keep nothing but on their disks");
	if (world_look(o->xen, &w) < 0)
		rc = operate_xen_failed(o, "domains and pairs cannot be listed");
	else if (world_find(&w, pair) != NULL)
		rc = operate_fail(o, "the pair %s is there: caas pair destroy comes first", pair);
	else if ((rc = tell(o, &w, pair, &answer)) == 0 && answer.forgotten > 0)
		operate_say(o, "DomT has forgotten %s: %u rows", pair, answer.forgotten);
	else if (rc == 0)
		operate_say(o, "DomT kept nothing of %s", pair);
	world_free(&w);
	return rc;
}
