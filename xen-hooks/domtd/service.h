/*
 * service.h - DomT's TPM service, domt-tpmd(8), as domtd sees it: who it is, what it has to know.
 *
 * The domain of the name that domtd was given is DomT.  Each DomC finds its domid in XenStore
 * (caas/tpm), and it is told all DomCs that there are (xen-hooks/tpmd/control.h): before a new
 * one runs, and by the loop whenever that has changed, when DomT or its service came anew, and
 * once a minute.
 *
 * That no older world comes later is the doing of the lock which domtd and the process of its
 * operation hold (main.c, task.h): there is one such process at a time, it looks and it waits
 * for the answer, and a later one is not begun, by another domtd neither, before it has ended.
 *
 * Threads: none.
 */
#ifndef CAAS_DOMTD_SERVICE_H
#define CAAS_DOMTD_SERVICE_H

#include "xen-hooks/domtd/operate.h"
#include "xen-hooks/tpmd/control.h"

#define SERVICE_MARK 32

struct service {
	const char *name; /* of DomT; NULL: none, and then an operation has no service */
	const char *at;	  /* the transport address of its service; NULL: by its domid, over a vchan */
};

/* DomT among the domains; NULL: it is not there, or does not run. */
const struct xen_domain *service_domain(const struct service *s, const struct world *w);
/* All DomCs, with what there is of their images.  False: no memory.  control_world_free() it. */
bool service_world(const struct world *w, struct control_world *ret);
/* What changes when somebody has to be told something: of DomT, of the DomCs, of what each is told.
 * False: no memory. */
bool service_mark(const struct service *s, const struct world *w, uint8_t ret[SERVICE_MARK]);

#define SERVICE_ABSENT                                                                            \
	"there is no domain %s, which is to be DomT (--domt): start it, see docs/xen.md"

#endif
