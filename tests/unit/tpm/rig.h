/*
 * rig.h - real swtpms for the tests, each in a directory of its own, gone at the end.
 *
 * A failure to start one fails the test.  Threads: one.
 */
#ifndef CAAS_TESTS_TPM_RIG_H
#define CAAS_TESTS_TPM_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

#include "tpm/tpm.h"

struct rig {
	char dir[64];
	char address[160]; /* for tpm_open() */
	pid_t pid;
	char *extra; /* --locality argument, or NULL */
};

/* A directory under /tmp, removed by rig_rmdir() with all in it. */
void rig_mkdir(char dir[64]);
void rig_rmdir(const char *dir);

/* A TPM 2.0 that is new. */
void rig_start(struct rig *r);
/* End it by a signal, keep its state. */
void rig_kill(struct rig *r, int sig);
/* Start it again with the state it has. */
void rig_restart(struct rig *r);
/* End it and remove its directory. */
void rig_free(struct rig *r);

/* An authority: two PEM files in dir. */
void rig_authority(const char *dir, const char *name, char priv[128], char pub[128]);

/* The whole of a small file; the number of bytes. */
size_t rig_read(const char *file, void *buf, size_t size);
void rig_write(const char *file, const void *data, size_t len);

#endif
