/*
 * config.h - where vsmd is, and how long to wait for it.
 *
 * From /etc/caas/libcaas-p11.conf, or the file that $CAAS_P11_CONF names; then from
 * $CAAS_VSM_ADDRESS, $CAAS_VSM_SILENCE_MS, $CAAS_VSM_SHORTCUTS and
 * $CAAS_VSM_SHARED_MEMORY.  A program that runs with more rights than its caller
 * (secure_getenv(3)) ignores the environment.
 */
#ifndef CAAS_P11_CONFIG_H
#define CAAS_P11_CONFIG_H

#include <stdbool.h>

#define CONFIG_FILE "/etc/caas/libcaas-p11.conf"
#define CONFIG_ADDRESS "unix:/run/caas/vsmd.sock"
#define CONFIG_SILENCE 30000
#define CONFIG_SILENCE_LEAST 300 /* a worker does not beat for less */
#define CONFIG_CONNECT 5000
#define CONFIG_RECONNECT 5000

struct config {
	char address[256];
	/* milliseconds */
	int silence;         /* of vsmd, after which it counts as dead */
	int connect_timeout; /* for a connection to be made */
	int reconnect;       /* how long to try, once a channel was lost */
	bool shortcuts;      /* fewer round trips (hold.h) */
	bool shared_memory;  /* use it where vsmd offers it (shm.h) */
	bool debug;          /* $CAAS_P11_DEBUG: say on standard error what goes wrong */
};

/* Defaults, file, environment.  false: a named file that is missing, or anything that
 * does not parse.  A missing CONFIG_FILE is fine. */
bool config_load(struct config *c);
/* The file alone, over what c holds.  0, -1 for a file that cannot be read, or the
 * line that is wrong. */
int config_read(struct config *c, const char *path);

#endif
