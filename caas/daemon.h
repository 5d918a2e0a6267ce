/*
 * daemon.h - the vsmd of a sandbox as processes: start, wait, stop.
 *
 * They form a session of their own, by which all of them are found again.
 */
#ifndef CAAS_DAEMON_H
#define CAAS_DAEMON_H

#include <sys/types.h>

#include "caas/place.h"

/* The pid of the vsmd that runs for this place, or 0. */
pid_t daemon_running(const struct place *p);
/* Start it and wait until it serves, at most `timeout` ms.  CMD_OK or CMD_FAILED. */
int daemon_start(const struct place *p, const char *program, int timeout);
/* End all its processes and wait for them: politely for `timeout` ms, then by SIGKILL.
 * CMD_OK also when none runs. */
int daemon_stop(const struct place *p, int timeout);

#endif
