/*
 * embedded.h - the default TPM where there is none: an swtpm of our own.
 *
 * Its state lies in a directory of ours; it protects against nothing but mistakes,
 * because whoever can read the sealed store can read it too.  The log says so.
 * The supervisor starts it, watches it, and stops it; it dies with its parent.
 *
 * Threads and fork: call from the main thread (PR_SET_PDEATHSIG is tied to it).
 */
#ifndef CAAS_TPM_EMBEDDED_H
#define CAAS_TPM_EMBEDDED_H

#include <stddef.h>
#include <sys/types.h>

/* The file that swtpm keeps its state in, in its directory; it replaces it in one step, and
 * never syncs it. */
#define EMBEDDED_STATE "tpm2-00.permall"

struct embedded_tpm {
	pid_t pid;
	char address[160]; /* for tpm_open() */
	int lock;          /* descriptor of the lock on the directory */
};

/*
 * Start swtpm with its state in `dir` (made when absent, 0700; sockets in `rundir`, whose
 * path must be short enough for sun_path).  The process is named `vsmd-swtpm`.  0, or -1
 * after a line on the log that says what to do (swtpm not installed, directory in use,
 * state damaged: never re-created silently).
 */
int embedded_start(struct embedded_tpm *t, const char *dir, const char *rundir);
/* TPM2_Shutdown, SIGTERM, wait.  Safe on one that died. */
void embedded_stop(struct embedded_tpm *t);

#endif
