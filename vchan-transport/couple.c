/* couple.c - see couple.h */
#include "vchan-transport/couple.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vchan-transport/address.h"
#include "vchan-transport/xen.h"

/* Below this domain's own directory. */
#define SELF "domid"
#define PEER "caas/peer"
#define TOLD "data/caas-agent"

struct couple_watch {
	struct xs_handle *xs;
	int fd; /* asked for at once: libxenstore makes a pipe then */
	struct couple last;
};

/* What is no domid is none: it is nobody's that this domain talks to. */
static uint32_t
domid_at(struct xs_handle *xs, const char *path)
{
	uint32_t domid = COUPLE_NONE;
	unsigned len = 0;
	char *text = xen.xs_read(xs, XBT_NULL, path, &len);

	if (text != NULL && !address_number(text, text + len, ADDRESS_DOMID_LAST, &domid))
		domid = COUPLE_NONE;
	free(text);
	return domid;
}

static void
look(struct xs_handle *xs, struct couple *ret)
{
	ret->self = domid_at(xs, SELF);
	ret->peer = domid_at(xs, PEER);
	/* dom0 is no half of a pair: it would be the guest, with all that a guest may. */
	if (ret->peer == 0)
		ret->peer = COUPLE_NONE;
}

int
couple_now(struct couple *ret)
{
	struct xs_handle *xs = xen.xs_open(0);

	if (xs == NULL)
		return -1;
	look(xs, ret);
	xen.xs_close(xs);
	return 0;
}

int
couple_told(const char *key, uint32_t *ret_domid)
{
	struct xs_handle *xs = xen.xs_open(0);

	if (xs == NULL)
		return -1;
	*ret_domid = domid_at(xs, key);
	xen.xs_close(xs);
	return 0;
}

struct couple_watch *
couple_watch(void)
{
	struct couple_watch *w = calloc(1, sizeof(*w));
	int saved;

	if (w == NULL)
		return NULL;
	if ((w->xs = xen.xs_open(0)) != NULL && xen.xs_watch(w->xs, PEER, "") &&
	    xen.xs_watch(w->xs, SELF, "") && (w->fd = xen.xs_fileno(w->xs)) >= 0) {
		look(w->xs, &w->last);
		return w;
	}
	saved = errno;
	if (w->xs != NULL)
		xen.xs_close(w->xs);
	free(w);
	errno = saved;
	return NULL;
}

int
couple_watch_fd(const struct couple_watch *w)
{
	return w->fd;
}

bool
couple_changed(struct couple_watch *w)
{
	struct couple before = w->last;
	char **event;

	while ((event = xen.xs_check_watch(w->xs)) != NULL)
		free(event);
	look(w->xs, &w->last);
	return before.self != w->last.self || before.peer != w->last.peer;
}

int
couple_tell(struct couple_watch *w)
{
	char text[16] = "none";

	if (w->last.peer != COUPLE_NONE)
		snprintf(text, sizeof(text), "%u", w->last.peer);
	return xen.xs_write(w->xs, XBT_NULL, TOLD, text, (unsigned)strlen(text)) ? 0 : -1;
}

void
couple_watch_close(struct couple_watch *w)
{
	if (w == NULL)
		return;
	xen.xs_close(w->xs);
	free(w);
}
