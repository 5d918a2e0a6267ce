/* show.h - the world for people and programs: what `caas pair list` prints. */
#ifndef CAAS_DOMTD_SHOW_H
#define CAAS_DOMTD_SHOW_H

#include <jansson.h>

#include "xen-hooks/domtd/world.h"

/* A new object:
 * {"pair", "state", "domc": {"name", "domid", "uuid", "state", "sha256"}, "domu": {...}} */
json_t *show_pair(const struct pair *p);
/* What this hypervisor, and domtd where it runs, do not protect; NULL: nothing to say. */
const char *show_unprotected(const struct world *w);

#endif
