/*
 * world.h - what there is of pairs: records of XenStore against domains of the hypervisor.
 *
 * domtd keeps nothing of this between two looks, so after its restart, or when somebody destroys
 * a domain by other means, the next look says the same as if it had always been there.
 */
#ifndef CAAS_DOMTD_WORLD_H
#define CAAS_DOMTD_WORLD_H

#include "xen-hooks/domtd/record.h"

#define WORLD_PAIRS 1024

struct pair {
	struct record record;
	bool there[HALVES];		  /* a domain with that UUID, and it is not dying */
	bool live[HALVES];		  /* and it has not ended */
	struct xen_domain domain[HALVES]; /* when it is there */
	int64_t peer[HALVES];		  /* what XenStore tells that domain, -1: nothing */
	int64_t domt;			  /* what it tells DomC of DomT, -1: nothing */
};

struct world {
	struct pair *pairs;
	size_t n;
	struct xen_domain *domains;
	size_t ndomains;
	enum xen_xsm xsm;
	bool in_dom0;
};

/* 0, or -1 with why(); world_free() it always. */
int world_look(const struct xen *xen, struct world *ret);
void world_free(struct world *w);
/* NULL: there is none. */
const struct pair *world_find(const struct world *w, const char *name);

/* What has to be done for a pair that no operation is working on. */
struct verdict {
	bool destroy[HALVES];
	bool resume;	      /* DomU, which was stopped for a save that did not come to its end */
	bool uncouple[HALVES]; /* its partner is gone: nothing is told it any more */
	bool couple;	      /* both live, and one is not told of the other */
	bool forget;	      /* the record */
	bool make;	      /* by operate_create(): DomU reboots */
	enum phase phase;     /* what the record has to say, unless it is forgotten */
	const char *why;      /* for the log; NULL: nothing but to make */
};
void world_judge(const struct pair *p, struct verdict *ret);

#endif
