/*
 * record.h - what domtd has to remember of a pair, beside what Xen knows.
 *
 * One text in XenStore for each pair.  Domains are named in it by their UUIDs, which are chosen
 * and written before the domains are made: so a domid that was given to another domain is never
 * taken for theirs, and what an operation that was cut off left behind is found.
 */
#ifndef CAAS_DOMTD_RECORD_H
#define CAAS_DOMTD_RECORD_H

#include <stdbool.h>

#include "xen-hooks/domtd/xen.h"

#define RECORD_MAX 2048
#define DIGEST_HEX 65 /* SHA-256 */

enum phase {
	PHASE_NONE,   /* no pair */
	PHASE_MAKING, /* the halves of `fresh' are being made */
	PHASE_UP,     /* what is there runs */
	PHASE_SAVING, /* DomU is being written to a file */
	PHASE_SAVED,  /* it is in that file, whole */
	PHASE_REBOOT, /* DomU is gone, and has to be made again */
	PHASES
};

struct record {
	char pair[PAIR_NAME];
	enum phase phase;
	enum phase before; /* of MAKING: what it was, if it fails */
	bool fresh[HALVES];
	uint8_t uuid[HALVES][DOMAIN_UUID];
	char name[HALVES][DOMAIN_NAME];
	bool keep[HALVES]; /* as in the description when it was made */
	bool keep_on_save, restart;
	uint32_t memory, vcpus; /* of DomU, as it was made: what a restore has to agree with */
	enum domain_type type;
	char digest[DIGEST_HEX]; /* of DomC's image, "" as long as there was none */
};

const char *phase_name(enum phase phase);
/* 0, or -1 with why(). */
int record_put(const struct xen *xen, const struct record *r);
/* 1; 0 when there is none, or none that can be understood, which is logged; -1 with why(). */
int record_get(const struct xen *xen, const char *pair, struct record *ret);

#endif
