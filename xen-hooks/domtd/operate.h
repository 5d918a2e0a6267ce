/*
 * operate.h - the operations on a pair, each from its beginning to its end.
 *
 * Each looks at the world first, says what it does by o->progress, and leaves a record at every
 * moment that a later look judges rightly, should this process be killed in it.
 *
 * Errors: -1, and o->error says why and what to do.  Blocks, in libxl and until DomC serves.
 * Threads: none.
 */
#ifndef CAAS_DOMTD_OPERATE_H
#define CAAS_DOMTD_OPERATE_H

#include "xen-hooks/domtd/world.h"

#define SERVICE_TEXT 512

struct service;

struct operation {
	const struct xen *xen;
	void (*progress)(void *arg, const char *text);
	void *arg;
	char error[MESSAGE_TEXT];
	const struct service *service; /* DomT's (service.h); NULL: nobody is told of DomT */
	char service_text[SERVICE_TEXT]; /* for people: what has become of the last
					  * operate_tell(), or "" */
	bool unknown; /* with an error of save: the file may be all that there is of the guest */
};

/*
 * Make what is missing of the pair: both domains, or the half that is gone where the other was
 * kept.  DomC serves before DomU runs.  Refused when both are there, and when a domain or another
 * pair has the name or the UUID of one of them.
 */
int operate_create(struct operation *o, const struct description *d);
/* A DomU that reboots and could not be made again is gone from now on. */
int operate_give_up(struct operation *o, const char *pair);
/* DomU and DomC, and the record. */
int operate_destroy(struct operation *o, const char *pair);
/*
 * DomU into the file at fd, which is empty or a pipe.  Before, both are told of nobody, so that
 * they close their channels, which a kernel does not survive a save with.  Then DomU goes, and
 * DomC stays or goes as the description said when the pair was made.
 */
int operate_save(struct operation *o, const char *pair, int fd);
/* DomU out of the file at fd, with the DomC that was kept or a new one. */
int operate_restore(struct operation *o, const struct description *d, int fd);
/* Each DomC is told who DomT is, and DomT who they are.  0 where nobody has to be told.  It waits
 * 20 s at most. */
int operate_tell(struct operation *o);
/* DomT keeps nothing any more of a pair that is not there: what was on its disks opens never
 * again.  Nothing was kept: that is said, and is no error. */
int operate_forget(struct operation *o, const char *pair);
/* What world_judge() says: for one pair, if it is there, or where `pair` is NULL for each. */
int operate_settle(struct operation *o, const char *pair);

#endif
