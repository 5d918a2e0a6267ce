/* fake_xen.c - see fake_xen.h */
#include "fake_xen.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

__attribute__((format(printf, 2, 3))) static void
note(struct fake_xen *f, const char *fmt, ...)
{
	size_t len = strlen(f->log);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f->log + len, sizeof(f->log) - len, fmt, ap);
	va_end(ap);
}

/* This call fails. */
static bool
fails(struct fake_xen *f)
{
	f->calls++;
	if (f->fail_at == 0 || f->calls < f->fail_at || (f->calls > f->fail_at && !f->killed))
		return false;
	snprintf(f->why, sizeof(f->why), "fault %d", f->fail_at);
	return true;
}

static struct fake_domain *
by_domid(struct fake_xen *f, uint32_t domid)
{
	for (size_t i = 0; i < FAKE_DOMAINS; i++)
		if (f->domains[i].is && f->domains[i].d.domid == domid)
			return &f->domains[i];
	return NULL;
}

static int64_t *
told_at(struct fake_domain *d, enum told what)
{
	return what == TOLD_TPM ? &d->domt : &d->peer;
}

struct fake_domain *
fake_domain(struct fake_xen *f, const char *name)
{
	for (size_t i = 0; i < FAKE_DOMAINS; i++)
		if (f->domains[i].is && strcmp(f->domains[i].d.name, name) == 0)
			return &f->domains[i];
	return NULL;
}

static struct fake_domain *
new_domain(struct fake_xen *f, const char *name)
{
	struct fake_domain *d = f->domains;

	while (d->is)
		d++;
	memset(d, 0, sizeof(*d));
	d->is = true;
	d->peer = d->domt = -1;
	d->d.domid = f->next_domid++;
	snprintf(d->d.name, sizeof(d->d.name), "%s", name);
	return d;
}

uint32_t
fake_add(struct fake_xen *f, const char *name, uint8_t uuid)
{
	struct fake_domain *d = new_domain(f, name);

	memset(d->d.uuid, uuid, DOMAIN_UUID);
	return d->d.domid;
}

void
fake_destroy(struct fake_xen *f, const char *name)
{
	fake_domain(f, name)->is = false;
}

static int
op_domains(void *x, struct xen_domain **ret, size_t *ret_n)
{
	struct fake_xen *f = x;

	if (fails(f))
		return -1;
	*ret = calloc(FAKE_DOMAINS, sizeof(**ret));
	*ret_n = 0;
	for (size_t i = 0; i < FAKE_DOMAINS; i++)
		if (f->domains[i].is)
			(*ret)[(*ret_n)++] = f->domains[i].d;
	return 0;
}

static int
op_build(void *x, const struct xen_plan *plan, uint32_t *ret_domid)
{
	struct fake_xen *f = x;
	struct fake_domain *d;

	/* A process that is killed in it leaves the domain there. */
	if (fails(f) && !f->killed)
		return -1;
	if (f->killed && f->calls > f->fail_at)
		return -1;
	d = new_domain(f, plan->plan->name);
	memcpy(d->d.uuid, plan->uuid, DOMAIN_UUID);
	d->paused = true;
	f->restored = plan->restore_fd >= 0;
	*ret_domid = d->d.domid;
	note(f, "build %s %u\n", d->d.name, d->d.domid);
	return f->killed && f->calls == f->fail_at ? -1 : 0;
}

static int
op_unpause(void *x, uint32_t domid)
{
	struct fake_xen *f = x;

	if (fails(f))
		return -1;
	by_domid(f, domid)->paused = false;
	note(f, "unpause %s\n", by_domid(f, domid)->d.name);
	return 0;
}

static int
op_destroy(void *x, uint32_t domid)
{
	struct fake_xen *f = x;
	struct fake_domain *d = by_domid(f, domid);

	if (fails(f))
		return -1;
	if (d != NULL) {
		note(f, "destroy %s\n", d->d.name);
		d->is = false;
	}
	return 0;
}

static int
op_save(void *x, uint32_t domid, int fd)
{
	struct fake_xen *f = x;
	struct fake_domain *d = by_domid(f, domid);

	f->saved_fd = fd;
	d->d.suspended = true;
	f->holding = f->hold_save ? getpid() : f->holding;
	while (f->hold_save)
		usleep(1000);
	if (fails(f))
		return -1;
	note(f, "save %s\n", d->d.name);
	return write(fd, "stream", 6) == 6 ? 0 : -1;
}

static int
op_resume(void *x, uint32_t domid)
{
	struct fake_xen *f = x;

	if (fails(f))
		return -1;
	by_domid(f, domid)->d.suspended = false;
	note(f, "resume %s\n", by_domid(f, domid)->d.name);
	return 0;
}

static int
op_xsm(void *x, enum xen_xsm *ret)
{
	struct fake_xen *f = x;

	*ret = f->xsm;
	return fails(f) ? -1 : 0;
}

static uint32_t
op_self(void *x)
{
	struct fake_xen *f = x;

	return f->self;
}

static int
op_tell(void *x, const struct xen_domain *d, enum told what, uint32_t other)
{
	struct fake_xen *f = x;
	struct fake_domain *have = by_domid(f, d->domid);

	if (fails(f) || have == NULL || memcmp(have->d.uuid, d->uuid, DOMAIN_UUID) != 0)
		return -1;
	*told_at(have, what) = other;
	note(f, "tell %s%s\n", have->d.name, what == TOLD_TPM ? " of DomT" : "");
	return 0;
}

static int
op_untell(void *x, const struct xen_domain *d, enum told what)
{
	struct fake_xen *f = x;
	struct fake_domain *have = by_domid(f, d->domid);

	if (fails(f) || have == NULL)
		return -1;
	*told_at(have, what) = -1;
	note(f, "untell %s%s\n", have->d.name, what == TOLD_TPM ? " of DomT" : "");
	return 0;
}

static int
op_told(void *x, uint32_t domid, enum told what, int64_t *ret_other)
{
	struct fake_xen *f = x;
	struct fake_domain *d = by_domid(f, domid);

	/* Another process may just have destroyed it. */
	*ret_other = d != NULL ? *told_at(d, what) : -1;
	return fails(f) ? -1 : 0;
}

static int
op_serving(void *x, uint32_t domc, uint32_t domu, bool *ret)
{
	struct fake_xen *f = x;

	(void)domc;
	*ret = f->ring_for == (int64_t)domu;
	return fails(f) ? -1 : 0;
}

static int
slot_of(const struct fake_xen *f, const char *pair)
{
	for (int i = 0; i < FAKE_RECORDS; i++)
		if (f->records[i][0] != '\0' && strcmp(f->names[i], pair) == 0)
			return i;
	return -1;
}

static int
op_channels(void *x, uint32_t domid, bool *ret)
{
	struct fake_xen *f = x;

	*ret = by_domid(f, domid)->peer >= 0 || f->close_after != 0;
	return fails(f) ? -1 : 0;
}

static int
op_record_put(void *x, const char *pair, const char *text)
{
	struct fake_xen *f = x;
	int i = slot_of(f, pair);

	if (fails(f))
		return -1;
	if (i < 0)
		for (i = 0; f->records[i][0] != '\0';)
			i++;
	snprintf(f->records[i], sizeof(f->records[i]), "%s", text);
	snprintf(f->names[i], PAIR_NAME, "%s", pair);
	return 0;
}

static int
op_record_remove(void *x, const char *pair)
{
	struct fake_xen *f = x;
	int i = slot_of(f, pair);

	if (fails(f))
		return -1;
	if (i >= 0) {
		f->records[i][0] = '\0';
		note(f, "forget %s\n", pair);
	}
	return 0;
}

static char *
op_record_get(void *x, const char *pair, bool *ret_none)
{
	struct fake_xen *f = x;
	int i = slot_of(f, pair);

	*ret_none = i < 0;
	if (fails(f)) {
		*ret_none = false;
		return NULL;
	}
	return i >= 0 ? strdup(f->records[i]) : NULL;
}

static int
op_record_list(void *x, char ***ret, size_t *ret_n)
{
	struct fake_xen *f = x;

	*ret = NULL;
	*ret_n = 0;
	if (fails(f))
		return -1;
	*ret = calloc(FAKE_RECORDS, sizeof(**ret));
	for (int i = 0; i < FAKE_RECORDS; i++)
		if (f->records[i][0] != '\0')
			(*ret)[(*ret_n)++] = strdup(f->names[i]);
	return 0;
}

static void
op_pause(void *x, int ms)
{
	struct fake_xen *f = x;

	(void)ms;
	f->holding = getpid();
	while (f->hold)
		usleep(1000);
	for (size_t i = 0; i < FAKE_DOMAINS; i++) {
		struct fake_domain *d = &f->domains[i];

		if (!d->is || d->paused || strstr(d->d.name, "domc") == NULL)
			continue;
		if (f->serve_after == 0)
			f->ring_for = d->peer;
		if (f->end_after == 0)
			d->d.ended = true;
	}
	f->serve_after -= f->serve_after > 0;
	f->close_after -= f->close_after > 0;
	f->end_after -= f->end_after > 0;
}

static const char *
op_why(void *x)
{
	struct fake_xen *f = x;

	return f->why;
}

void
fake_attach(struct fake_xen *f, struct xen *ret)
{
	static const struct xen_ops ops = {op_domains, op_build, op_unpause, op_destroy, op_save,
	    op_resume, op_xsm, op_self, op_tell, op_untell, op_told, op_serving,
	    op_channels, op_record_put, op_record_remove, op_record_get, op_record_list, op_pause,
	    op_why};

	*ret = (struct xen){.ops = &ops, .x = f};
}

void
fake_init(struct fake_xen *f)
{
	memset(f, 0, sizeof(*f));
	fake_attach(f, &f->xen);
	f->next_domid = 1;
	f->ring_for = f->end_after = f->saved_fd = -1;
	f->serve_after = 3;
}

const char *
fake_record(const struct fake_xen *f, const char *pair)
{
	int i = slot_of(f, pair);

	return i >= 0 ? f->records[i] : NULL;
}
