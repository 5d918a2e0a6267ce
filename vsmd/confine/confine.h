/*
 * confine.h - close the door behind a process that has opened what it needs.
 *
 * In this order: no new privileges, no core dump, not traceable, Landlock (paths, TCP,
 * signals and abstract sockets to the outside, as far as the kernel's ABI goes), then
 * seccomp: a system call that is not listed kills the process.  Layers add up: a child
 * may confine itself further, never less.
 *
 * Threads: call while the process has one.  Fork: inherited.
 */
#ifndef CAAS_VSMD_CONFINE_H
#define CAAS_VSMD_CONFINE_H

#include <stdbool.h>
#include <stddef.h>

struct confine_path {
	const char *path; /* must exist; a directory stands for all beneath it */
	bool write;       /* also create, change and remove */
};

/* Threads can be made (clone with CLONE_THREAD). */
#define CONFINE_THREADS 0x1
/* Processes can be made too, in the same namespaces. */
#define CONFINE_FORK 0x2
/* The layers below are as they should be: only add this seccomp filter. */
#define CONFINE_FILTER_ONLY 0x4
/* On devices beneath the paths that may be written, ioctl(2) too. */
#define CONFINE_DEVICES 0x8
/* Beneath the paths that may be written, sockets can be made too. */
#define CONFINE_SOCKETS 0x10

/* A seccomp filter, ready to be loaded. */
struct confine_filter {
	void *program;
	unsigned short len; /* instructions; 0: none */
};

struct confine {
	const char *role; /* for the log */
	const struct confine_path *paths;
	size_t npaths;
	const int *syscalls; /* beside confine_base; SCMP_SYS() numbers */
	size_t nsyscalls;
	unsigned flags; /* CONFINE_* */
	const struct confine_filter *filter; /* confine_filter_make() of the rest, or NULL */
};

/*
 * 0, or -1 with errno after logging what failed: the caller must end.  A kernel without
 * Landlock or with an old one is logged once, and is no failure.
 */
int confine(const struct confine *c);

/*
 * Make the filter before it is needed: a process that forks many which confine themselves
 * alike spares them the time, and the memory that stays behind.  0, or -1 with errno after
 * logging.  To be released with free(ret->program).
 */
int confine_filter_make(const struct confine *c, struct confine_filter *ret);

/*
 * System calls that every process may make: memory, clocks, locks, open descriptors.
 * Beside them, by their arguments: mmap and mprotect without PROT_EXEC, fcntl for flags,
 * copies, locks and seals, and prctl for a name, an end with the parent, and more confinement.
 */
extern const int confine_base[];
extern const size_t confine_base_count;
/* Files by path (Landlock says which). */
extern const int confine_files[];
extern const size_t confine_files_count;
/* The same, and memory to be shared with a guest. */
extern const int confine_worker[];
extern const size_t confine_worker_count;

/* Close every descriptor from 3 on but the `n` in `keep` (at most CONFINE_MAX_KEEP).
 * 0, or -1 with errno. */
#define CONFINE_MAX_KEEP 16
int confine_keep_fds(const int *keep, size_t n);

/* Landlock alone and seccomp alone; confine() calls both. */
int confine_landlock(const struct confine *c);
int confine_seccomp(const struct confine *c);

#endif
