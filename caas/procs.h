/*
 * procs.h - other processes, without mistaking one for another that has its old number.
 */
#ifndef CAAS_PROCS_H
#define CAAS_PROCS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct proc {
	pid_t pid;
	pid_t session;
	uint64_t start; /* clock ticks since boot: with pid, a name that is never reused */
	char state;     /* as in /proc/PID/stat: Z is a zombie */
	char name[17];
};

/* Read /proc/PID/stat; false when there is no such process. */
bool proc_read(pid_t pid, struct proc *ret);
/* Parse the content of a stat file. */
bool proc_parse(const char *stat, struct proc *ret);
/* The processes of a session, zombies aside; malloced, NULL when there are none. */
struct proc *procs_of_session(pid_t session, size_t *ret_count);
/* It still runs (and is no zombie). */
bool proc_alive(const struct proc *p);
/* It is in the table of processes still, if only as a zombie. */
bool proc_listed(const struct proc *p);
/* Signal exactly that process. */
void proc_signal(const struct proc *p, int sig);

#endif
