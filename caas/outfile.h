/*
 * outfile.h - a file that is replaced whole or not at all: written under another name
 * until it is on the disk.
 */
#ifndef CAAS_OUTFILE_H
#define CAAS_OUTFILE_H

#include <limits.h>
#include <stdbool.h>

struct outfile {
	const char *name; /* the caller's */
	char temp[PATH_MAX];
	int fd;
};

/* CMD_OK, or after saying why. */
int outfile_begin(struct outfile *o, const char *name);
/* `good`: it takes the place of `name`; otherwise it goes.  CMD_OK, or after saying why
 * (nothing is said when it was not good). */
int outfile_end(struct outfile *o, bool good);

#endif
