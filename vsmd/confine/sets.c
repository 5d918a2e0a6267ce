/* sets.c - the system calls that processes have in common. */
#include <seccomp.h>

#include "vsmd/confine/confine.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define SANITIZED
#endif

const int confine_base[] = {
	/* descriptors that are open */
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev),
	SCMP_SYS(pread64), SCMP_SYS(pwrite64), SCMP_SYS(lseek), SCMP_SYS(close),
	SCMP_SYS(close_range), SCMP_SYS(fstat), SCMP_SYS(poll), SCMP_SYS(ppoll),
	SCMP_SYS(sendmsg), SCMP_SYS(recvmsg), SCMP_SYS(sendto),
	SCMP_SYS(recvfrom), SCMP_SYS(shutdown),
	/* memory */
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),
	SCMP_SYS(mlock), SCMP_SYS(mlock2), SCMP_SYS(munlock), SCMP_SYS(mlockall),
	/* threads and signals of our own */
	SCMP_SYS(futex), SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(sched_yield),
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
	SCMP_SYS(restart_syscall), SCMP_SYS(exit), SCMP_SYS(exit_group),
	/* clocks, randomness, who am I */
	SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep),
	SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(getrandom), SCMP_SYS(getpid),
	SCMP_SYS(gettid), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid),
	SCMP_SYS(getegid), SCMP_SYS(getppid),
	/* malloc(3) asks for the number of processors, qsort(3) for the memory */
	SCMP_SYS(sched_getaffinity), SCMP_SYS(sysinfo),
	/* sched_getcpu(3), where neither rseq(2) nor the vdso tells it (inbox.c) */
	SCMP_SYS(getcpu),
	/* further confinement */
	SCMP_SYS(seccomp), SCMP_SYS(landlock_create_ruleset),
	SCMP_SYS(landlock_add_rule), SCMP_SYS(landlock_restrict_self),
#ifdef SANITIZED
	SCMP_SYS(sigaltstack), SCMP_SYS(getrlimit),
	SCMP_SYS(prlimit64), SCMP_SYS(readlink), SCMP_SYS(open), SCMP_SYS(openat),
	SCMP_SYS(tgkill), SCMP_SYS(newfstatat), SCMP_SYS(ioctl), SCMP_SYS(stat),
#endif
};
const size_t confine_base_count = sizeof(confine_base) / sizeof(confine_base[0]);

/* Not chmod(2): Landlock does not hold it back, and all of our processes are one user. */
#define FILES                                                                              \
	SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(creat), SCMP_SYS(stat), SCMP_SYS(lstat), \
	    SCMP_SYS(newfstatat), SCMP_SYS(access), SCMP_SYS(faccessat),                   \
	    SCMP_SYS(faccessat2), SCMP_SYS(getdents64), SCMP_SYS(readlink),                \
	    SCMP_SYS(readlinkat), SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(rmdir),     \
	    SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(rename), SCMP_SYS(renameat),    \
	    SCMP_SYS(renameat2), SCMP_SYS(ftruncate), SCMP_SYS(fsync),                     \
	    SCMP_SYS(fdatasync), SCMP_SYS(flock), SCMP_SYS(umask), SCMP_SYS(statfs),       \
	    SCMP_SYS(fstatfs), SCMP_SYS(fallocate)

const int confine_files[] = {FILES};
const size_t confine_files_count = sizeof(confine_files) / sizeof(confine_files[0]);

const int confine_worker[] = {FILES, SCMP_SYS(memfd_create)};
const size_t confine_worker_count = sizeof(confine_worker) / sizeof(confine_worker[0]);
