/*
 * self.c - this domain's own entries in XenStore; see domc.h.
 *
 *	domid		by libxl: ours, another one after a restore
 *	image.state	written here: starting, serving or stopped
 *
 * Who the guest is, at caas/peer, is vsmd's to read (vchan-transport/couple.h).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xenstore.h>

#include "common/log.h"
#include "vchan-transport/address.h"
#include "xen-hooks/domc/domc.h"

#define PATH_DOMID "domid"
#define UNKNOWN	   UINT32_MAX

struct self {
	struct xs_handle *xs;
	uint32_t domid; /* UNKNOWN: not told yet */
};

static uint32_t
read_domid(struct self *s)
{
	uint32_t domid = UNKNOWN;
	unsigned int len = 0;
	char *text = xs_read(s->xs, XBT_NULL, PATH_DOMID, &len);

	if (text != NULL && !address_number(text, text + len, ADDRESS_DOMID_LAST, &domid))
		domid = UNKNOWN;
	free(text);
	return domid;
}

struct self *
self_open(void)
{
	struct self *s = calloc(1, sizeof(*s));

	if (s != NULL && (s->xs = xs_open(0)) != NULL && xs_watch(s->xs, PATH_DOMID, "")) {
		s->domid = read_domid(s);
		return s;
	}
	log_error("XenStore: %s: is this a domain of Xen?", strerror(errno));
	self_close(s);
	return NULL;
}

void
self_close(struct self *s)
{
	if (s != NULL && s->xs != NULL)
		xs_close(s->xs);
	free(s);
}

int
self_fd(const struct self *s)
{
	return xs_fileno(s->xs);
}

bool
self_restored(struct self *s)
{
	uint32_t was = s->domid, now;
	bool any = false;
	char **event;

	while ((event = xs_check_watch(s->xs)) != NULL) {
		free(event);
		any = true;
	}
	if (!any || (now = read_domid(s)) == UNKNOWN)
		return false;
	s->domid = now;
	return was != UNKNOWN && was != now;
}

void
self_tell(struct self *s, const char *word)
{
	if (!xs_write(s->xs, XBT_NULL, image.state, word, (unsigned int)strlen(word)))
		log_warn("XenStore: %s cannot be written: %s", image.state, strerror(errno));
}
