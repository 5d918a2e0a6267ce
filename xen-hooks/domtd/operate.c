/* operate.c - see operate.h: destroy, save and settle.  make.c has create and restore. */
#include "xen-hooks/domtd/operate.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "xen-hooks/domtd/inside.h"
#include "xen-hooks/domtd/savefile.h"

#define CLOSE_WITHIN 30000 /* ms until caas-agent has closed its channels */
#define CLOSE_POLL 250

int
operate_fail(struct operation *o, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(o->error, sizeof(o->error), fmt, ap);
	va_end(ap);
	return -1;
}

int
operate_xen_failed(struct operation *o, const char *what)
{
	return operate_fail(o, "%s: %s: see domtd's log", what, XEN(why, o->xen));
}

void
operate_say(struct operation *o, const char *fmt, ...)
{
	char text[MESSAGE_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	o->progress(o->arg, text);
}

int
operate_destroy_domain(struct operation *o, enum half h, uint32_t domid)
{
	if (XEN(destroy, o->xen, domid) < 0)
		return operate_fail(o, "%s, domain %u, cannot be destroyed: %s: see domtd's log",
		    half_name(h), domid, XEN(why, o->xen));
	operate_say(o, "%s is destroyed: domain %u", half_name(h), domid);
	return 0;
}

/* DomU first: it is not left without its keys. */
static int
destroy_both(struct operation *o, const struct pair *p)
{
	static const enum half order[] = {DOMU, DOMC};

	for (int i = 0; i < HALVES; i++)
		if (p->there[order[i]] &&
		    operate_destroy_domain(o, order[i], p->domain[order[i]].domid) < 0)
			return -1;
	return XEN(record_remove, o->xen, p->record.pair) < 0
		   ? operate_xen_failed(o, "the pair's record cannot be removed")
		   : 0;
}

int
operate_destroy(struct operation *o, const char *pair)
{
	const struct pair *p;
	struct world w;
	int rc;

	if (world_look(o->xen, &w) < 0)
		rc = operate_xen_failed(o, "domains and pairs cannot be listed");
	else if ((p = world_find(&w, pair)) == NULL)
		rc = operate_fail(o, "there is no pair %s: see caas pair list", pair);
	else
		rc = destroy_both(o, p);
	world_free(&w);
	return rc;
}

static int
put_header(struct operation *o, const struct record *r, int fd)
{
	struct savefile s = {.memory = r->memory, .vcpus = r->vcpus, .type = r->type};
	uint8_t header[SAVEFILE_LEN];
	ssize_t n;

	snprintf(s.pair, sizeof(s.pair), "%s", r->pair);
	snprintf(s.name, sizeof(s.name), "%s", r->name[DOMU]);
	memcpy(s.uuid, r->uuid[DOMU], DOMAIN_UUID);
	savefile_write(header, &s);
	n = write(fd, header, sizeof(header));
	if (n == (ssize_t)sizeof(header))
		return 0;
	return operate_fail(
	    o, "the file cannot be written: %s", n < 0 ? strerror(errno) : "it takes no more");
}

static int
put_phase(struct operation *o, struct record *r, enum phase phase)
{
	r->phase = phase;
	if (record_put(o->xen, r) < 0)
		return operate_xen_failed(o, "the pair's record cannot be written");
	return 0;
}

/* The guest goes on as if nothing had been: it runs, and then the two are coupled again. */
static int
save_failed(struct operation *o, const char *pair)
{
	char why[sizeof(o->error)];

	snprintf(why, sizeof(why), "%s", o->error);
	for (int i = 0; i < 2; i++)
		if (operate_settle(o, pair) < 0)
			break;
	snprintf(o->error, sizeof(o->error), "%s", why);
	return -1;
}

static int
close_channels(struct operation *o, const struct pair *p)
{
	uint32_t domid = p->domain[DOMU].domid;
	bool open = true;

	for (int h = 0; h < HALVES; h++)
		if (p->live[h] && XEN(untell, o->xen, &p->domain[h], TOLD_PEER) < 0)
			return operate_xen_failed(o, "a domain is still told of its peer");
	for (int left = CLOSE_WITHIN; left > 0; left -= CLOSE_POLL) {
		if (XEN(channels, o->xen, domid, &open) < 0)
			return operate_xen_failed(o, "DomU cannot be looked at");
		if (!open)
			return 0;
		XEN(pause_ms, o->xen, CLOSE_POLL);
	}
	return operate_fail(o,
	    "caas-agent in DomU, domain %u, has not closed its channels after %d s: is it alive?",
	    domid, CLOSE_WITHIN / 1000);
}

/* A pipe cannot be synced, and need not be. */
static int
sync_file(struct operation *o, int fd)
{
	if (fsync(fd) == 0 || errno == EINVAL || errno == EROFS)
		return 0;
	return operate_fail(o, "the file cannot be written: %s", strerror(errno));
}

static int
save_domu(struct operation *o, const struct pair *p, int fd)
{
	struct record r = p->record;

	if (put_header(o, &r, fd) < 0 || put_phase(o, &r, PHASE_SAVING) < 0)
		return -1;
	if (close_channels(o, p) < 0)
		return save_failed(o, r.pair);
	operate_say(o, "DomU is being saved: domain %u", p->domain[DOMU].domid);
	if (XEN(save, o->xen, p->domain[DOMU].domid, fd) < 0) {
		(void)operate_xen_failed(o, "DomU cannot be saved");
		return save_failed(o, r.pair);
	}
	if (sync_file(o, fd) < 0)
		return save_failed(o, r.pair);
	/* From here on the file is the guest, and what is left of it here must not run. */
	if (put_phase(o, &r, PHASE_SAVED) < 0) {
		o->unknown = put_phase(o, &r, PHASE_SAVING) < 0;
		return save_failed(o, r.pair);
	}
	operate_say(o, "DomU is saved");
	/* What cannot be done now, domtd tries again: the file is good in any case. */
	if (operate_settle(o, r.pair) < 0)
		operate_say(o, "%s", o->error);
	return 0;
}

int
operate_save(struct operation *o, const char *pair, int fd)
{
	const struct pair *p;
	struct world w;
	int rc;

	if (world_look(o->xen, &w) < 0)
		rc = operate_xen_failed(o, "domains and pairs cannot be listed");
	else if ((p = world_find(&w, pair)) == NULL)
		rc = operate_fail(o, "there is no pair %s: see caas pair list", pair);
	else if (p->record.phase != PHASE_UP || !p->live[DOMU])
		rc = operate_fail(o, "the pair %s has no DomU that runs: see caas pair list", pair);
	else
		rc = save_domu(o, p, fd);
	world_free(&w);
	return rc;
}

int
operate_give_up(struct operation *o, const char *pair)
{
	struct record r;
	int rc = record_get(o->xen, pair, &r);

	if (rc < 0)
		return operate_xen_failed(o, "the pair's record cannot be read");
	return rc == 1 && r.phase == PHASE_REBOOT ? put_phase(o, &r, PHASE_UP) : 0;
}

static int
couple_again(struct operation *o, const struct pair *p)
{
	for (int h = 0; h < HALVES; h++) {
		const struct xen_domain *other = &p->domain[other_half((enum half)h)];

		if (XEN(tell, o->xen, &p->domain[h], TOLD_PEER, other->domid) < 0)
			return operate_xen_failed(o, "a domain cannot be told of its peer");
	}
	return 0;
}

static int
settle_pair(struct operation *o, const struct pair *p)
{
	struct record r = p->record;
	struct verdict v;

	world_judge(p, &v);
	if (v.why == NULL)
		return 0;
	log_info("pair %s: %s", r.pair, v.why);
	for (int h = 0; h < HALVES; h++) {
		if (v.destroy[h] &&
		    operate_destroy_domain(o, (enum half)h, p->domain[h].domid) < 0)
			return -1;
		if (v.uncouple[h] && XEN(untell, o->xen, &p->domain[h], TOLD_PEER) < 0)
			return operate_xen_failed(o, "a domain is still told of its peer");
	}
	if (v.resume && XEN(resume, o->xen, p->domain[DOMU].domid) < 0)
		return operate_xen_failed(o, "DomU cannot be resumed");
	if (v.couple && couple_again(o, p) < 0)
		return -1;
	if (v.forget)
		return XEN(record_remove, o->xen, r.pair) < 0
			   ? operate_xen_failed(o, "the pair's record cannot be removed")
			   : 0;
	return v.phase != r.phase ? put_phase(o, &r, v.phase) : 0;
}

int
operate_settle(struct operation *o, const char *pair)
{
	struct world w;
	int rc = 0;

	if (world_look(o->xen, &w) < 0)
		rc = operate_xen_failed(o, "domains and pairs cannot be listed");
	/* One that cannot be helped keeps nothing from the others. */
	for (size_t i = 0; i < w.n; i++)
		if ((pair == NULL || strcmp(w.pairs[i].record.pair, pair) == 0) &&
		    settle_pair(o, &w.pairs[i]) < 0) {
			log_error("pair %s: %s", w.pairs[i].record.pair, o->error);
			rc = -1;
		}
	world_free(&w);
	return rc;
}
