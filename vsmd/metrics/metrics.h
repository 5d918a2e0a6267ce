/*
 * metrics.h - the vsmd-metrics process: one page over HTTP, for Prometheus.
 *
 * It listens on a unix socket or on loopback, and asks the supervisor (M_P_ASK) and the store
 * (M_A_ASK, of which it may ask `status` alone) when somebody asks it, at most once a second.
 * It has no key, no file and no other descriptor; HTTP is libmicrohttpd's, which no other process
 * has (mhd.h).  When either of the two does not answer it ends, and the supervisor starts the next.
 */
#ifndef CAAS_VSMD_METRICS_H
#define CAAS_VSMD_METRICS_H

struct metrics_config {
	const char *address;   /* address.h */
	int supervisor, store; /* ipc pipes */
};

/* Serve until the supervisor is gone; returns the exit status. */
int metrics_main(const struct metrics_config *config);

#endif
