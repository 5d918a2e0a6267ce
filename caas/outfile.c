/* outfile.c - see outfile.h */
#include "caas/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "caas/cmd.h"

int
outfile_begin(struct outfile *o, const char *name)
{
	o->name = name;
	if ((size_t)snprintf(o->temp, sizeof(o->temp), "%s.XXXXXX", name) >=
	    sizeof(o->temp))
		return cmd_usage("--out is too long");
	o->fd = mkostemp(o->temp, O_CLOEXEC);
	if (o->fd < 0)
		return cmd_fail("cannot write beside %s: %s", name, strerror(errno));
	return CMD_OK;
}

int
outfile_end(struct outfile *o, bool good)
{
	int rc = good ? CMD_OK : CMD_FAILED;

	if (good && (fsync(o->fd) < 0 || rename(o->temp, o->name) < 0))
		rc = cmd_fail("cannot write %s: %s", o->name, strerror(errno));
	close(o->fd);
	if (rc != CMD_OK)
		unlink(o->temp);
	return rc;
}
