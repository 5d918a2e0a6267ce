/*
 * compact.h - a new generation of the log, with what is live and nothing else.
 *
 * The new log is written whole and synced before the head names it, and the old one goes
 * after: a crash at any point leaves one whole store.  It is also the way out after a
 * failed sync: what the disk has of the old log no longer matters.  With an anchor the
 * old one stays until a record in the new one is anchored (vault.c).
 */
#ifndef CAAS_STORE_COMPACT_H
#define CAAS_STORE_COMPACT_H

#include "vsmd/store/journal.h"
#include "vsmd/store/map.h"

#define COMPACT_MIN (1u << 20) /* bytes of log below which garbage does not matter */

/* More than half of a log that is not small is garbage. */
bool compact_worth(const struct journal *j, const struct map *m);
/* Replace the journal by one of that generation, above all that are there.  The old log
 * is removed, with `keep` it stays.  0, or -1 with errno after a line on the log: the
 * journal is then as before.  Without `keep` the new one may be broken: its head could not
 * be made sure to stay. */
int compact(struct journal *j, const struct map *m, uint64_t generation, bool keep);

#endif
