/*
 * supervisor.h - the process that listens, greets, and forks all others.
 *
 * It reads the configuration, identifies peers, and hands channels over; it holds no key
 * and parses nothing of variable length from a guest.  One thread, one event loop that
 * never blocks: a peer, or a process of ours, that hangs delays nobody else.
 *
 * Threads and fork: call once, from the main thread of a process that has no other.
 */
#ifndef CAAS_VSMD_SUPERVISOR_SUPERVISOR_H
#define CAAS_VSMD_SUPERVISOR_SUPERVISOR_H

#include "vsmd/policy/config.h"

/*
 * Run until SIGTERM or SIGINT, or until nothing can be served any more.  `file` is what
 * SIGHUP reads again; `config`, which it was loaded into, is the supervisor's from then
 * on.  Returns the exit status; every error has been logged.
 */
int supervisor_main(const char *file, struct config *config);

#endif
