/*
 * proctitle.h - how a process is called in ps and top.
 *
 * Threads: call from the main thread, before others exist.
 */
#ifndef CAAS_COMMON_PROCTITLE_H
#define CAAS_COMMON_PROCTITLE_H

/* Remember where argv and the environment lie; the environment is moved away.
 * Call first in main(). */
void proctitle_init(int argc, char **argv);
/* Set the name (prctl PR_SET_NAME, cut at 15 bytes) to `name`, and the command
 * line to `name: detail` or, when detail is NULL, `name`. */
void proctitle_set(const char *name, const char *detail);

#endif
