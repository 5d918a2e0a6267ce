/*
 * place.h - the directory of a sandbox: its files, who may reach them, its configuration.
 *
 *   DIR/vsmd.conf  written once, then the user's to edit    DIR/state/  0700
 *   DIR/vsmd.log   DIR/vsmd.pid   DIR/lock                  DIR/run/    0700
 *   DIR/vsmd.sock
 *
 * Where DIR is too long for a socket's name, or cannot be reached by the uids that
 * servers drop to, socket and run/ lie in a directory of their own under /tmp, whose name
 * the configuration keeps.
 */
#ifndef CAAS_PLACE_H
#define CAAS_PLACE_H

#include <limits.h>
#include <stdbool.h>

struct place {
	char dir[PATH_MAX]; /* absolute */
	char conf[PATH_MAX + 16], log[PATH_MAX + 16], pid[PATH_MAX + 16];
	char address[PATH_MAX]; /* first `listen` of the configuration */
	char runtime[PATH_MAX];
	int lock; /* held until place_close(): one caas at a time */
};

/* Make what is absent, read the configuration, lock.  CMD_OK, or after the reason was
 * said CMD_FAILED.  `make` false: nothing is made; a DIR that is no sandbox is
 * CMD_FAILED with p->dir empty and nothing said; one that must not be trusted, because
 * others can write there, with p->pid empty. */
int place_open(struct place *p, const char *dir, bool make);
void place_close(struct place *p);
/* Remove the socket, and the directory under /tmp where it is left empty. */
void place_tidy(const struct place *p);

/* The text of a fresh configuration, for `dir` with socket and run/ in `rundir`.
 * Malloced, NULL when out of memory. */
char *place_config_text(const char *dir, const char *rundir);

#endif
