/*
 * couple.h - which domain this one is coupled with, as XenStore tells.
 *
 * Who makes the two domains of a pair writes into the directory of each the domid of the other,
 * at `caas/peer`, where the domain itself can only read it.  It changes when the other half is
 * made anew, saved, restored or gone; and this domain's own domid changes when it is restored
 * itself.  Nothing else says so: a domain that is gone tells nobody, and a channel to it stays
 * silent.
 *
 * Threads: couple_now() any; a watch belongs to one.  Fork: the child leaves a watch alone.
 */
#ifndef CAAS_TRANSPORT_COUPLE_H
#define CAAS_TRANSPORT_COUPLE_H

#include <stdbool.h>
#include <stdint.h>

#define COUPLE_NONE UINT32_MAX

struct couple {
	uint32_t self; /* this domain's domid; COUPLE_NONE: it is not told */
	uint32_t peer; /* COUPLE_NONE: coupled with nobody now; never dom0 */
};

/* -1 with errno when there is no XenStore.  After xen_load(). */
int couple_now(struct couple *ret);

/* The domid at `key` below this domain's own directory in XenStore, COUPLE_NONE when there is
 * none.  -1 with errno as above. */
int couple_told(const char *key, uint32_t *ret_domid);

struct couple_watch;

/* Runs a thread of libxenstore's.  NULL with errno when there is no XenStore. */
struct couple_watch *couple_watch(void);
/* Readable: ask couple_changed(). */
int couple_watch_fd(const struct couple_watch *w);
/* It is not as it was at the last call, or at the beginning.  Never blocks for long. */
bool couple_changed(struct couple_watch *w);
/*
 * Say so, at `data/caas-agent`: channels to the domain whose domid is there, or to nobody
 * (`none`), and no others, are open.  Who saves this domain reads it: Linux 6.1 does not survive
 * that a process ends whose vchan was saved with its domain.  -1 with errno.
 */
int couple_tell(struct couple_watch *w);
void couple_watch_close(struct couple_watch *w);

#endif
