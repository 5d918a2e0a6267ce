/* transport.c - from an address to its transport, see transport.h */
#include "vchan-transport/ops.h"

#include <errno.h>

#include "vchan-transport/couple.h"
#ifdef CAAS_VCHAN
#include "vchan-transport/bounded.h"
#include "vchan-transport/deadline.h"
#include "vchan-transport/xen.h"
#endif

static const struct transport_ops *const transports[] = {
    [ADDRESS_UNIX] = &transport_unix,
    [ADDRESS_VSOCK] = &transport_vsock,
#ifdef CAAS_VCHAN
    [ADDRESS_VCHAN] = &transport_vchan,
#else
    [ADDRESS_VCHAN] = NULL,
#endif
};

static const struct transport_ops *
find(struct address *a, const char *text, const char **ret_why)
{
	const struct transport_ops *ops;

	if (!address_parse(a, text, ret_why)) {
		errno = EINVAL;
		return NULL;
	}
	if ((ops = transports[a->kind]) == NULL)
		*ret_why = "this build has no vchan: libxenvchan was not there";
	else if (ops->usable == NULL || ops->usable(ret_why))
		return ops;
	errno = EPROTONOSUPPORT;
	return NULL;
}

bool
transport_address_ok(const char *address, const char **ret_why)
{
	struct address a;

	return find(&a, address, ret_why) != NULL;
}

bool
transport_stays(const char *address)
{
	struct address a;
	const char *why;

	return address_parse(&a, address, &why) && a.kind == ADDRESS_VCHAN;
}

struct listener *
transport_listen(const char *address, unsigned mode)
{
	struct address a;
	const char *why;
	const struct transport_ops *ops = find(&a, address, &why);

	return ops == NULL ? NULL : ops->listen(&a, mode);
}

struct listener *
transport_adopt(const char *address, int fd)
{
	struct address a;
	const char *why;
	const struct transport_ops *ops = find(&a, address, &why);

	if (ops != NULL && ops->adopt != NULL)
		return ops->adopt(&a, fd);
	errno = EINVAL;
	return NULL;
}

int
listener_fd(const struct listener *l)
{
	return l->fd;
}

struct channel *
listener_accept(struct listener *l, struct peer *ret_peer)
{
	return l->ops->accept(l, ret_peer);
}

void
listener_close(struct listener *l)
{
	if (l != NULL)
		l->ops->close(l);
}

struct channel *
transport_connect(const char *address, int deadline)
{
	struct address a;
	const char *why;
	const struct transport_ops *ops = find(&a, address, &why);

	return ops == NULL ? NULL : ops->connect(&a, deadline);
}

#ifdef CAAS_VCHAN
struct asking {
	const char *key;
	uint32_t domid;
	int error;
};

static void
ask(void *job)
{
	struct asking *q = job;

	q->error = couple_told(q->key, &q->domid) < 0 ? errno : 0;
	if (q->error == 0 && q->domid == COUPLE_NONE)
		q->error = EHOSTDOWN;
}

int
transport_told(const char *key, uint32_t *ret_domid, int deadline)
{
	struct asking q = {.key = key, .domid = COUPLE_NONE};
	const char *why;

	q.error = EPROTONOSUPPORT;
	if (xen_load(&why) && !bounded_run(ask, NULL, &q, sizeof(q), deadline_at(deadline)))
		return -1;
	*ret_domid = q.domid;
	errno = q.error;
	return q.error == 0 ? 0 : -1;
}
#else
int
transport_told(const char *key, uint32_t *ret_domid, int deadline)
{
	(void)key;
	(void)deadline;
	*ret_domid = COUPLE_NONE;
	errno = EPROTONOSUPPORT;
	return -1;
}
#endif

struct couple_watch *
transport_watch(const char *address)
{
	struct address a;
	const char *why;

	if (find(&a, address, &why) == NULL)
		return NULL;
	errno = 0;
#ifdef CAAS_VCHAN
	if (a.kind == ADDRESS_VCHAN)
		return couple_watch();
#endif
	return NULL;
}

/* Without a vchan there is never a watch. */
#ifndef CAAS_VCHAN
#define couple_watch_fd(w) ((void)(w), -1)
#define couple_changed(w) ((void)(w), false)
#define couple_tell(w) ((void)(w), 0)
#define couple_watch_close(w) ((void)(w))
#endif

int
transport_watch_fd(const struct couple_watch *w)
{
	return couple_watch_fd(w);
}

bool
transport_changed(struct couple_watch *w)
{
	return couple_changed(w);
}

int
transport_closed(struct couple_watch *w)
{
	return couple_tell(w);
}

void
transport_watch_close(struct couple_watch *w)
{
	couple_watch_close(w);
}
