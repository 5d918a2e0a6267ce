/*
 * fork.h - are we the process that we were?
 *
 * The kernel empties one page of ours in a forked child (MADV_WIPEONFORK), so that the
 * question costs one load and not a system call.  Where the kernel cannot do that, it
 * costs a getpid().  pthread_atfork() is no choice: its handlers cannot be taken back
 * when the module is unloaded.
 */
#ifndef CAAS_P11_FORK_H
#define CAAS_P11_FORK_H

#include <stdbool.h>

/* From now on this process is "we". */
void fork_watch(void);
void fork_unwatch(void);
/* We are a child of the process that called fork_watch(). */
bool fork_happened(void);

#endif
