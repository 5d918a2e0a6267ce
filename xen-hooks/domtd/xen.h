/*
 * xen.h - what domtd asks of the hypervisor and of XenStore, as a table of functions.
 *
 * libxl.c has the real one; a test fills it with a world of its own, in which each may fail.
 *
 * Errors: -1 or NULL, and why() says what it was until the next call.  What libxl has said
 * meanwhile is in the log.  Calls block, for as long as building a domain takes.
 * Threads and fork: a handle belongs to one thread of the process that opened it.
 */
#ifndef CAAS_DOMTD_XEN_H
#define CAAS_DOMTD_XEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xen-hooks/domtd/description.h"

/* A domain as the hypervisor has it. */
struct xen_domain {
	uint32_t domid;
	uint8_t uuid[DOMAIN_UUID];
	char name[DOMAIN_NAME]; /* as XenStore has it; "" for none or a longer one */
	bool dying;		/* destroyed, and not all of it is gone yet */
	bool ended;		/* shut down, rebooted or crashed by itself: it runs no more */
	bool rebooted;		/* it has ended, to be started again */
	bool suspended;		/* stopped to be saved */
};

/* A domain to be made. */
struct xen_plan {
	const struct domain_plan *plan;
	uint8_t uuid[DOMAIN_UUID];
	const char *kernel, *ramdisk; /* in the place of the plan's; NULL: as there */
	int restore_fd;		      /* what save() wrote, at its position; -1: it is booted */
};

/* What a domain is told, each a domid: the other half of its pair, and, of a DomC, DomT. */
enum told { TOLD_PEER, TOLD_TPM };

enum xen_xsm { XSM_NONE, XSM_PERMISSIVE, XSM_ENFORCING };

struct xen_ops {
	/* All but dom0; the array is the caller's to free(). */
	int (*domains)(void *x, struct xen_domain **ret, size_t *ret_n);
	/* Make it, and leave it paused.  When it fails nothing of it stays, or what its UUID
	 * names. */
	int (*build)(void *x, const struct xen_plan *plan, uint32_t *ret_domid);
	int (*unpause)(void *x, uint32_t domid);
	int (*destroy)(void *x, uint32_t domid);
	/* Stop it and write it to fd.  It stays, suspended. */
	int (*save)(void *x, uint32_t domid, int fd);
	int (*resume)(void *x, uint32_t domid);
	int (*xsm)(void *x, enum xen_xsm *ret);
	/* The domid of the domain that this runs in. */
	uint32_t (*self)(void *x);

	/*
	 * /local/domain/DOMID/caas/peer and .../tpm, which this domain owns and `domid` alone
	 * reads.  Only as long as the domain there has that UUID, by XenStore, in one transaction.
	 */
	int (*tell)(void *x, const struct xen_domain *d, enum told what, uint32_t other);
	int (*untell)(void *x, const struct xen_domain *d, enum told what);
	/* *ret_other is -1 when it is told nothing. */
	int (*told)(void *x, uint32_t domid, enum told what, int64_t *ret_other);
	/* Has domc offered a ring of its own for domu to read? */
	int (*serving)(void *x, uint32_t domc, uint32_t domu, bool *ret);

	/* Does caas-agent of that domain say that it has channels open? */
	int (*channels)(void *x, uint32_t domid, bool *ret);

	/* /caas/pair/NAME, which nobody else reads. */
	int (*record_put)(void *x, const char *pair, const char *text);
	int (*record_remove)(void *x, const char *pair);
	/* Allocated; NULL with *ret_none true when there is no such record. */
	char *(*record_get)(void *x, const char *pair, bool *ret_none);
	/* Names, allocated, each and the array. */
	int (*record_list)(void *x, char ***ret, size_t *ret_n);

	void (*pause_ms)(void *x, int ms);
	const char *(*why)(void *x);
};

struct xen {
	const struct xen_ops *ops;
	void *x;
};

#define XEN(call, xen, ...) ((xen)->ops->call((xen)->x, ##__VA_ARGS__))

/* libxl.c: NULL after the reason was logged.  Closed in the child of a fork by nobody: what it
 * holds is close-on-exec, and confine_keep_fds() ends it. */
struct xen *xen_open(void);
void xen_close(struct xen *xen);

#endif
