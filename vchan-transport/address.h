/*
 * address.h - the text of an address, taken apart.
 *
 *   unix:/absolute/path   vsock:CID:PORT   vsock:any:PORT   vchan:DOMID:PATH
 *
 * DOMID is the other domain; a PATH without a leading '/' is below the listening domain's
 * own directory in XenStore, so both sides may write it alike.
 *
 * Threads: no state.
 */
#ifndef CAAS_TRANSPORT_ADDRESS_H
#define CAAS_TRANSPORT_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#define ADDRESS_PATH_MAX 108 /* with the NUL; sun_path has no more */

enum address_kind { ADDRESS_UNIX, ADDRESS_VSOCK, ADDRESS_VCHAN };

struct address {
	enum address_kind kind;
	uint32_t id;   /* CID (UINT32_MAX: any) or domid */
	uint32_t port; /* vsock */
	char path[ADDRESS_PATH_MAX];
};

/* False: *ret_why (a constant) says what is wrong with the text.  Says
 * nothing about whether the transport is compiled in. */
bool address_parse(struct address *ret, const char *text, const char **ret_why);

#endif
