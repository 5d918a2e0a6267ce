/*
 * store.h - the entries of domtd in XenStore.
 *
 *	/caas/pair/NAME                    a record; nobody else may read it
 *	/local/domain/DOMID/caas/peer      the domid of the other half; DOMID alone may read it
 *	/local/domain/DOMC/caas/tpm        the domid of DomT; DOMC alone may read it
 *	/local/domain/DOMU/data/caas-agent where caas-agent of DomU says whom it has channels to
 *	/local/domain/DOMC/data/caas/...   where libxenvchan of DomC says that a ring waits
 *	/local/domain/DOMT/data/domt       where DomT's init says how far its service is
 *
 * Errors: -1 or NULL with errno.  Threads: a store belongs to one.
 */
#ifndef CAAS_DOMTD_STORE_H
#define CAAS_DOMTD_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xen-hooks/domtd/xen.h"

struct xs_handle;

struct store {
	struct xs_handle *xs;
	unsigned self; /* the domid of this domain */
};

int store_open(struct store *s);
void store_close(struct store *s);

int store_tell(struct store *s, uint32_t domid, const uint8_t uuid[DOMAIN_UUID], enum told what,
    uint32_t other);
int store_untell(struct store *s, uint32_t domid, const uint8_t uuid[DOMAIN_UUID], enum told what);
int store_told(struct store *s, uint32_t domid, enum told what, int64_t *ret_other);
int store_serving(struct store *s, uint32_t domc, uint32_t domu, bool *ret);

int store_channels(struct store *s, uint32_t domid, bool *ret);

int store_record_put(struct store *s, const char *pair, const char *text);
int store_record_remove(struct store *s, const char *pair);
char *store_record_get(struct store *s, const char *pair);
int store_record_list(struct store *s, char ***ret, size_t *ret_n);

/* A handle of its own that becomes readable when a domain may have ended. */
struct xs_handle *store_watch(int *ret_fd);
/* That it becomes so too when DomT, whose domid is that (-1: there is none), says how far its
 * service is.  *followed is who it was so far, -1 at first. */
bool store_follow(struct xs_handle *xs, int64_t *followed, int64_t domid);
/* Take what it has said; true when it was that.  *ret_service is set when it was of DomT's
 * service, and left alone when not. */
bool store_watched(struct xs_handle *xs, bool *ret_service);

#endif
