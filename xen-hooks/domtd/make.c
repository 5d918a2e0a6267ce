/* make.c - see operate.h: create and restore, which are the making of what is missing. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/hex.h"
#include "common/log.h"
#include "xen-hooks/domtd/image.h"
#include "xen-hooks/domtd/inside.h"
#include "xen-hooks/domtd/savefile.h"
#include "xen-hooks/domtd/service.h"

#define SERVING_POLL 250 /* ms */

struct make {
	struct operation *o;
	const struct description *d;
	struct record now;
	struct xen_domain domain[HALVES];
	bool live[HALVES]; /* or paused, as it was built */
	int restore_fd;	   /* of DomU; -1: it is booted */
};

/* No domain and no other pair has a name or a UUID of what will be made. */
static int
check_free(const struct make *m, const struct world *w)
{
	for (int h = 0; h < HALVES; h++) {
		const struct record *now = &m->now;

		for (size_t i = 0; now->fresh[h] && i < w->ndomains; i++)
			if (!w->domains[i].dying &&
			    (strcmp(w->domains[i].name, now->name[h]) == 0 ||
				memcmp(w->domains[i].uuid, now->uuid[h], DOMAIN_UUID) == 0))
				return operate_fail(m->o,
				    "there is a domain already with the name or UUID of %s, %s: "
				    "domain %u",
				    half_name((enum half)h), now->name[h], w->domains[i].domid);
		for (size_t i = 0; i < w->n; i++) {
			const struct record *r = &w->pairs[i].record;

			if (strcmp(r->pair, now->pair) != 0 &&
			    (strcmp(r->name[h], now->name[h]) == 0 ||
				memcmp(r->uuid[h], now->uuid[h], DOMAIN_UUID) == 0))
				return operate_fail(m->o,
				    "%s, %s, is of the pair %s: %s", half_name((enum half)h),
				    now->name[h], r->pair,
				    h == DOMU ? "there is one DomC for a DomU"
					      : "a DomC is of one DomU");
		}
	}
	return 0;
}

/* It may be gone a moment later: this only says so before anything was built. */
static int
check_domt(const struct make *m, const struct world *w)
{
	const struct service *s = m->o->service;

	if (!m->now.fresh[DOMC] || s == NULL || service_domain(s, w) != NULL)
		return 0;
	return operate_fail(m->o, SERVICE_ABSENT, s->name);
}

static int
choose_uuid(struct make *m, enum half h)
{
	const struct domain_plan *plan = &m->d->half[h];
	uint8_t *uuid = m->now.uuid[h];

	if (plan->has_uuid) {
		memcpy(uuid, plan->uuid, DOMAIN_UUID);
		return 0;
	}
	if (getrandom(uuid, DOMAIN_UUID, 0) != DOMAIN_UUID)
		return operate_fail(m->o, "no random bytes: %s", strerror(errno));
	hex_uuid_random(uuid);
	return 0;
}

/* What stays is of the record, the rest of the description. */
static int
plan_record(struct make *m, const struct pair *p)
{
	const struct domain_plan *u = &m->d->half[DOMU];

	if (p != NULL)
		m->now = p->record;
	snprintf(m->now.pair, sizeof(m->now.pair), "%s", m->d->name);
	/* A reboot that fails is not tried for ever. */
	m->now.before = m->now.phase == PHASE_REBOOT ? PHASE_UP : m->now.phase;
	m->now.phase = PHASE_MAKING;
	m->now.keep_on_save = m->d->keep_on_save;
	m->now.restart = m->d->restart;
	for (int h = 0; h < HALVES; h++) {
		m->now.keep[h] = m->d->keep[h];
		m->now.fresh[h] = p == NULL || !p->live[h];
		if (!m->now.fresh[h]) {
			m->live[h] = true;
			m->domain[h] = p->domain[h];
			continue;
		}
		snprintf(m->now.name[h], DOMAIN_NAME, "%s", m->d->half[h].name);
		/* Who reboots stays who it is. */
		if (!(h == DOMU && p != NULL && p->record.phase == PHASE_REBOOT) &&
		    choose_uuid(m, (enum half)h) < 0)
			return -1;
	}
	if (m->now.fresh[DOMU]) {
		m->now.memory = u->memory;
		m->now.vcpus = u->vcpus;
		m->now.type = u->type;
	}
	return 0;
}

static int
put(struct make *m)
{
	if (record_put(m->o->xen, &m->now) < 0)
		return operate_xen_failed(m->o, "the pair's record cannot be written");
	return 0;
}

static int
build(struct make *m, enum half h, const struct image *image)
{
	const struct domain_plan *plan = &m->d->half[h];
	struct xen_plan x = {.plan = plan, .restore_fd = h == DOMU ? m->restore_fd : -1};
	struct xen_domain *d = &m->domain[h];

	memcpy(x.uuid, m->now.uuid[h], DOMAIN_UUID);
	if (image != NULL) {
		x.kernel = image->kernel_path;
		x.ramdisk = image->ramdisk >= 0 ? image->ramdisk_path : NULL;
	}
	if (XEN(build, m->o->xen, &x, &d->domid) < 0)
		return operate_fail(m->o, "%s cannot be made: %s: see domtd's log", half_name(h),
		    XEN(why, m->o->xen));
	memcpy(d->uuid, x.uuid, DOMAIN_UUID);
	m->live[h] = true;
	operate_say(m->o, "%s is %s: domain %u", half_name(h),
	    x.restore_fd >= 0 ? "restored, and paused" : "made", d->domid);
	return 0;
}

static int
build_domc(struct make *m)
{
	struct image image;
	char why[512];
	int rc = image_open(&m->d->half[DOMC], &image, why, sizeof(why));

	if (rc < 0) {
		(void)operate_fail(m->o, "DomC's image cannot be read: %s", why);
	} else {
		/* Before there is anything that it could be the digest of. */
		snprintf(m->now.digest, sizeof(m->now.digest), "%s", image.digest);
		rc = put(m);
		if (rc == 0)
			rc = build(m, DOMC, &image);
	}
	image_close(&image);
	return rc;
}

/* Both are there, and who is new does not run: from here on each is told the other's domid. */
static int
couple(struct make *m)
{
	for (int h = 0; h < HALVES; h++)
		if (XEN(tell, m->o->xen, &m->domain[h], TOLD_PEER,
			m->domain[other_half((enum half)h)].domid) < 0)
			return operate_fail(m->o, "%s cannot be told of its peer: %s",
			    half_name((enum half)h), XEN(why, m->o->xen));
	return 0;
}

/* 1 when it is among the domains and has not ended, 0 when not, -1. */
static int
still_runs(const struct make *m, enum half h)
{
	struct xen_domain *all = NULL;
	size_t n = 0;
	int rc = XEN(domains, m->o->xen, &all, &n) < 0 ? -1 : 0;

	for (size_t i = 0; rc == 0 && i < n; i++)
		if (memcmp(all[i].uuid, m->now.uuid[h], DOMAIN_UUID) == 0 && !all[i].dying &&
		    !all[i].ended)
			rc = 1;
	free(all);
	return rc;
}

/*
 * DomC says so by a ring that its DomU, and no other domain, may read: the least that it has to
 * be believed.  A ring that it had for an earlier domid does not count.
 */
static int
wait_serving(struct make *m)
{
	long left = (long)m->d->serving_timeout * 1000;
	bool serving = false;
	int runs;

	for (int turn = 0; !serving; turn++) {
		if (XEN(serving, m->o->xen, m->domain[DOMC].domid, m->domain[DOMU].domid,
			&serving) < 0)
			return operate_xen_failed(m->o, "DomC cannot be looked at");
		if (serving)
			break;
		runs = turn % 4 == 3 ? still_runs(m, DOMC) : 1;
		if (runs < 0)
			return operate_xen_failed(m->o, "domains cannot be listed");
		if (runs == 0)
			return operate_fail(m->o,
			    "DomC ended before it served: see its console (xenconsoled's log)");
		if (left <= 0)
			return operate_fail(m->o,
			    "DomC does not serve after %u s (serving-timeout): see its console",
			    m->d->serving_timeout);
		XEN(pause_ms, m->o->xen, SERVING_POLL);
		left -= SERVING_POLL;
	}
	operate_say(m->o, "DomC serves");
	return 0;
}

/* Before it runs: DomT serves who it was told of, and its keys are there when it asks for them. */
static int
tell(struct make *m)
{
	if (!m->now.fresh[DOMC] || m->o->service == NULL)
		return 0;
	if (operate_tell(m->o) < 0)
		return -1;
	operate_say(m->o, "DomT is told of DomC");
	return 0;
}

static int
run(struct make *m, enum half h)
{
	if (!m->now.fresh[h])
		return 0;
	if (XEN(unpause, m->o->xen, m->domain[h].domid) < 0)
		return operate_fail(m->o, "%s cannot be started: %s", half_name(h),
		    XEN(why, m->o->xen));
	operate_say(m->o, "%s runs", half_name(h));
	return 0;
}

static int
steps(struct make *m)
{
	if (put(m) < 0 || (m->now.fresh[DOMC] && build_domc(m) < 0) ||
	    (m->now.fresh[DOMU] && build(m, DOMU, NULL) < 0) || couple(m) < 0 ||
	    tell(m) < 0 || run(m, DOMC) < 0 || wait_serving(m) < 0 || run(m, DOMU) < 0)
		return -1;
	m->now.phase = PHASE_UP;
	m->now.fresh[DOMC] = m->now.fresh[DOMU] = false;
	return put(m);
}

/* What was made goes, what was there stays; and the error is the first one. */
static void
undo(struct make *m)
{
	char why[sizeof(m->o->error)];

	snprintf(why, sizeof(why), "%s", m->o->error);
	if (operate_settle(m->o, m->now.pair) < 0)
		log_error("pair %s: what was made of it stays until the next try: %s",
		    m->now.pair, m->o->error);
	snprintf(m->o->error, sizeof(m->o->error), "%s", why);
}

/* `p`: what there is of the pair, or NULL. */
static int
make(struct make *m, const struct world *w, const struct pair *p)
{
	if (plan_record(m, p) < 0 || check_free(m, w) < 0 || check_domt(m, w) < 0)
		return -1;
	if (steps(m) == 0)
		return 0;
	undo(m);
	return -1;
}

static int
create(struct make *m, const struct world *w)
{
	const struct pair *p = world_find(w, m->d->name);

	if (p != NULL && p->live[DOMC] && p->live[DOMU])
		return operate_fail(m->o,
		    "the pair %s is there, DomC is domain %u and DomU %u: there is one DomC for a "
		    "DomU",
		    m->d->name, p->domain[DOMC].domid, p->domain[DOMU].domid);
	if (p != NULL && p->record.phase == PHASE_SAVED)
		return operate_fail(m->o,
		    "the DomU of the pair %s is saved: caas pair restore, or destroy", m->d->name);
	return make(m, w, p);
}

int
operate_create(struct operation *o, const struct description *d)
{
	struct make m = {.o = o, .d = d, .restore_fd = -1};
	struct world w;
	int rc;

	if (operate_settle(o, d->name) < 0)
		return -1;
	rc = world_look(o->xen, &w) < 0
		 ? operate_xen_failed(o, "domains and pairs cannot be listed")
		 : create(&m, &w);
	world_free(&w);
	return rc;
}

static int
read_header(struct make *m, struct savefile *ret)
{
	const struct domain_plan *u = &m->d->half[DOMU];
	uint8_t header[SAVEFILE_LEN];
	size_t have = 0;

	while (have < sizeof(header)) {
		ssize_t n = read(m->restore_fd, header + have, sizeof(header) - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return operate_fail(m->o, "the file cannot be read: %s", strerror(errno));
		if (n == 0)
			break;
		have += (size_t)n;
	}
	if (have < sizeof(header) || !savefile_read(header, ret))
		return operate_fail(m->o, "the file is none that caas pair save has written");
	if (strcmp(ret->pair, m->d->name) != 0)
		return operate_fail(m->o, "the file is of the pair %s", ret->pair);
	if (ret->memory != u->memory || ret->vcpus != u->vcpus || ret->type != u->type)
		return operate_fail(m->o,
		    "the file's DomU has memory = %u, vcpus = %u, type = %s: the description has "
		    "to say the same",
		    ret->memory, ret->vcpus, ret->type == DOMAIN_PV ? "pv" : "pvh");
	return 0;
}

static int
restore(struct make *m, const struct world *w, struct description *d)
{
	const struct pair *p = world_find(w, d->name);
	struct savefile s;

	if (p != NULL && p->there[DOMU])
		return operate_fail(m->o, "the DomU of the pair %s is there: domain %u", d->name,
		    p->domain[DOMU].domid);
	if (read_header(m, &s) < 0)
		return -1;
	/* The guest stays who it was. */
	memcpy(d->half[DOMU].uuid, s.uuid, DOMAIN_UUID);
	d->half[DOMU].has_uuid = true;
	return make(m, w, p);
}

int
operate_restore(struct operation *o, const struct description *d, int fd)
{
	struct description same = *d; /* whose strings are the caller's */
	struct make m = {.o = o, .d = &same, .restore_fd = fd};
	struct world w;
	int rc;

	if (operate_settle(o, d->name) < 0)
		return -1;
	rc = world_look(o->xen, &w) < 0
		 ? operate_xen_failed(o, "domains and pairs cannot be listed")
		 : restore(&m, &w, &same);
	world_free(&w);
	return rc;
}
