/*
 * address.h - the text of an address, taken apart.
 *
 *   unix:/absolute/path   vsock:CID:PORT   vsock:any:PORT
 *   vchan:DOMID:PATH      vchan:coupled:PATH
 *
 * DOMID is the other domain; coupled: the one that this is coupled with (couple.h), whose domid
 * may change; a PATH without a leading '/' is below the listening domain's
 * own directory in XenStore, so both sides may write it alike.
 *
 * Threads: no state.
 */
#ifndef CAAS_TRANSPORT_ADDRESS_H
#define CAAS_TRANSPORT_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#define ADDRESS_PATH_MAX 108 /* with the NUL; sun_path has no more */

#define ADDRESS_DOMID_LAST 0x7fef /* Xen: 0x7ff0 and above are not domains */
#define ADDRESS_COUPLED UINT32_MAX

enum address_kind { ADDRESS_UNIX, ADDRESS_VSOCK, ADDRESS_VCHAN };

struct address {
	enum address_kind kind;
	uint32_t id;   /* CID (UINT32_MAX: any) or domid (or ADDRESS_COUPLED) */
	uint32_t port; /* vsock */
	char path[ADDRESS_PATH_MAX];
};

/* False: *ret_why (a constant) says what is wrong with the text.  Says
 * nothing about whether the transport is compiled in. */
bool address_parse(struct address *ret, const char *text, const char **ret_why);
/* A decimal number without sign, blanks or leading zeroes, from p up to `end`, at most max. */
bool address_number(const char *p, const char *end, uint64_t max, uint32_t *ret);

#endif
