/* world.c - see world.h */
#include "xen-hooks/domtd/world.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"

static void
find_domains(const struct world *w, struct pair *p)
{
	for (int h = 0; h < HALVES; h++)
		for (size_t i = 0; i < w->ndomains; i++) {
			const struct xen_domain *d = &w->domains[i];

			if (d->dying || memcmp(d->uuid, p->record.uuid[h], DOMAIN_UUID) != 0)
				continue;
			p->there[h] = true;
			p->live[h] = !d->ended;
			p->domain[h] = *d;
		}
}

static int
look_pair(const struct xen *xen, struct world *w, const char *name)
{
	struct pair *p = &w->pairs[w->n];
	int rc = record_get(xen, name, &p->record);

	if (rc <= 0)
		return rc;
	find_domains(w, p);
	for (int h = 0; h < HALVES; h++) {
		p->peer[h] = -1;
		if (p->there[h] &&
		    XEN(told, xen, p->domain[h].domid, TOLD_PEER, &p->peer[h]) < 0)
			return -1;
	}
	p->domt = -1;
	if (p->there[DOMC] &&
	    XEN(told, xen, p->domain[DOMC].domid, TOLD_TPM, &p->domt) < 0)
		return -1;
	w->n++;
	return 0;
}

int
world_look(const struct xen *xen, struct world *ret)
{
	char **names = NULL;
	size_t n = 0;
	int rc = 0;

	memset(ret, 0, sizeof(*ret));
	ret->in_dom0 = XEN(self, xen) == 0;
	/* Records first: what is made meanwhile belongs to no record, and is left alone. */
	if (XEN(record_list, xen, &names, &n) < 0)
		return -1;
	ret->pairs = calloc(n > 0 ? n : 1, sizeof(*ret->pairs));
	if (ret->pairs == NULL || XEN(domains, xen, &ret->domains, &ret->ndomains) < 0 ||
	    XEN(xsm, xen, &ret->xsm) < 0)
		rc = -1;
	if (n > WORLD_PAIRS)
		log_error("XenStore has %zu pairs, and %d are looked at", n, WORLD_PAIRS);
	for (size_t i = 0; rc == 0 && i < n && i < WORLD_PAIRS; i++)
		if (pair_name_ok(names[i]))
			rc = look_pair(xen, ret, names[i]);
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
	return rc;
}

void
world_free(struct world *w)
{
	free(w->pairs);
	free(w->domains);
	memset(w, 0, sizeof(*w));
}

const struct pair *
world_find(const struct world *w, const char *name)
{
	for (size_t i = 0; i < w->n; i++)
		if (strcmp(w->pairs[i].record.pair, name) == 0)
			return &w->pairs[i];
	return NULL;
}

/* An operation was cut off: what it was making goes, and the record is as it was before. */
static void
judge_making(const struct pair *p, struct verdict *v)
{
	for (int h = 0; h < HALVES; h++)
		v->destroy[h] = p->there[h] && p->record.fresh[h];
	v->phase = p->record.before;
	v->forget = p->record.before == PHASE_NONE;
	v->why = "it was not made to its end";
}

static void
judge_saved(const struct pair *p, struct verdict *v)
{
	v->destroy[DOMU] = p->there[DOMU];
	v->destroy[DOMC] = p->there[DOMC] && (!p->live[DOMC] || !p->record.keep_on_save);
	v->forget = !p->live[DOMC] || !p->record.keep_on_save;
	v->uncouple[DOMC] = !v->forget && p->peer[DOMC] >= 0;
	if (v->destroy[DOMU] || v->forget || v->uncouple[DOMC])
		v->why = v->forget ? "its DomU is saved, and DomC gone"
				   : "its DomU is saved";
}

/* DomU is gone in between, by itself, and DomC waits for it. */
static void
judge_reboot(const struct pair *p, struct verdict *v)
{
	v->destroy[DOMU] = p->there[DOMU];
	v->uncouple[DOMC] = p->peer[DOMC] >= 0;
	v->phase = PHASE_REBOOT;
	if (p->record.phase != PHASE_REBOOT || v->destroy[DOMU] || v->uncouple[DOMC])
		v->why = "its DomU reboots";
	v->make = v->why == NULL;
}

static void
judge_up(const struct pair *p, struct verdict *v)
{
	if (p->there[DOMU] && p->domain[DOMU].rebooted && p->record.restart && p->live[DOMC]) {
		judge_reboot(p, v);
		return;
	}
	for (int h = 0; h < HALVES; h++) {
		enum half other = other_half((enum half)h);

		v->destroy[h] = p->there[h] && !p->live[h];
		if (!p->live[h] || p->live[other])
			continue;
		v->destroy[h] = !p->record.keep[other];
		v->uncouple[h] = p->record.keep[other] && p->peer[h] >= 0;
		if (v->destroy[h] || v->uncouple[h])
			v->why = other == DOMU ? "its DomU is gone" : "its DomC is gone";
	}
	v->forget = (!p->live[DOMC] || v->destroy[DOMC]) && (!p->live[DOMU] || v->destroy[DOMU]);
	v->couple = p->live[DOMC] && p->live[DOMU] &&
		    (p->peer[DOMC] != (int64_t)p->domain[DOMU].domid ||
			p->peer[DOMU] != (int64_t)p->domain[DOMC].domid);
	if (v->couple)
		v->why = "its domains are not told of each other";
	if (v->why == NULL && (v->forget || v->destroy[DOMC] || v->destroy[DOMU]))
		v->why = v->forget ? "both its domains are gone" : "one of its domains has ended";
}

void
world_judge(const struct pair *p, struct verdict *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->phase = p->record.phase;
	switch (p->record.phase) {
	case PHASE_MAKING:
		judge_making(p, ret);
		break;
	case PHASE_SAVING:
		ret->phase = PHASE_UP;
		ret->resume = p->there[DOMU] && p->domain[DOMU].suspended;
		ret->why = "its DomU was not saved to its end";
		break;
	case PHASE_SAVED:
		judge_saved(p, ret);
		break;
	case PHASE_REBOOT:
		if (p->live[DOMC]) {
			judge_reboot(p, ret);
			break;
		}
		ret->phase = PHASE_UP;
		judge_up(p, ret);
		break;
	default:
		judge_up(p, ret);
	}
}
