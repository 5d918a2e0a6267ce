/*
 * description.h - a pair as an administrator describes it: caas-pair(5), read once, checked whole.
 *
 * One file per pair, NAME.conf.  A file with an error is never half applied.
 *
 * Threads: a description is constant once loaded.
 */
#ifndef CAAS_DOMTD_DESCRIPTION_H
#define CAAS_DOMTD_DESCRIPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xen-hooks/message/message.h"

enum half { DOMC, DOMU, HALVES };
/* "DomC", "DomU": how people are told of it. */
const char *half_name(enum half h);
static inline enum half
other_half(enum half h)
{
	return h == DOMC ? DOMU : DOMC;
}

#define DOMAIN_NAME 64
#define DOMAIN_UUID 16
#define DOMAIN_DISKS 8
#define DOMAIN_VIFS 4

enum domain_type { DOMAIN_PV, DOMAIN_PVH };

/* What a half is built of.  Strings are the description's; NULL where nothing was said. */
struct domain_plan {
	char *name;
	enum domain_type type;
	char *kernel, *ramdisk; /* paths */
	char *cmdline;
	unsigned memory; /* MiB */
	unsigned vcpus;
	char *disks[DOMAIN_DISKS]; /* xl-disk-configuration(5) */
	size_t ndisks;
	char *vifs[DOMAIN_VIFS]; /* "bridge=...,mac=..." */
	size_t nvifs;
	char *seclabel, *init_seclabel;
	bool has_uuid;
	uint8_t uuid[DOMAIN_UUID];
	unsigned line; /* of its section, 0: there is none */
};

struct description {
	char name[PAIR_NAME];
	struct domain_plan half[HALVES];
	bool keep[HALVES];   /* its partner, when this one is gone */
	bool restart;	     /* DomU, when it reboots, beside the same DomC */
	bool keep_on_save;   /* DomC, when DomU was saved */
	unsigned serving_timeout; /* s until DomC serves */
	unsigned timeout;	  /* s for all of an operation */
};

/* Of DIR/NAME.conf, which nobody but its owner, who is root or us, may write.  NULL after every
 * error was reported, a line each. */
struct description *description_load(
    const char *dir, const char *name, void (*report)(void *, const char *), void *arg);
/* The same from memory; `file` stands in messages. */
struct description *description_parse(const char *file, const char *name, const char *text,
    size_t len, void (*report)(void *, const char *), void *arg);
void description_free(struct description *d);

#endif
