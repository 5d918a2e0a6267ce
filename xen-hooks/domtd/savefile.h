/*
 * savefile.h - what stands before libxl's stream in the file of a saved DomU.
 *
 *	"CAASDOMU"  u32 version  str pair  str name  16 bytes UUID  u32 MiB  u32 vcpus  u8 type
 *
 * in SAVEFILE_LEN bytes, zeroes at the end.  The domain is made again by the pair's description,
 * not by what a file says; what the two have to agree on is here.  The file is not authenticated:
 * who can write it decides what the guest's memory is, as who runs dom0 does anyway.
 */
#ifndef CAAS_DOMTD_SAVEFILE_H
#define CAAS_DOMTD_SAVEFILE_H

#include "xen-hooks/domtd/description.h"

#define SAVEFILE_LEN 512

struct savefile {
	char pair[PAIR_NAME];
	char name[DOMAIN_NAME];
	uint8_t uuid[DOMAIN_UUID];
	uint32_t memory, vcpus;
	enum domain_type type;
};

void savefile_write(uint8_t dst[SAVEFILE_LEN], const struct savefile *s);
/* False: it is none. */
bool savefile_read(const uint8_t src[SAVEFILE_LEN], struct savefile *ret);

#endif
