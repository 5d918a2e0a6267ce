/*
 * door.h - what domt-tpmd gives up once it has what it needs.
 *
 * Files: the libraries and their configuration to read; the state, Xen's devices or the sockets'
 * directory, and the TPM's device, to write.  Where the TPM is reached over TCP files are not
 * confined, since Landlock would forbid TCP as well.  Calls: the TPM's libraries call what they
 * like, but start no program, make no process, and trace and end none; over vchan, nobody can
 * connect to it.
 */
#ifndef CAAS_TPMD_DOOR_H
#define CAAS_TPMD_DOOR_H

#include "xen-hooks/tpmd/conf.h"

/* 0, or -1 after a line on the log. */
int door_close(const struct tpmd_conf *c);

#endif
