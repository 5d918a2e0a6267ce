/* confine.c - see confine.h */
#include "vchan-transport/agent/confine.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/log.h"

#if CONFINE_UNFILTERED
static void
filter(void)
{
	log_warn("no filter of system calls: this build has a sanitizer");
}
#else
/* Where clone's flags stand depends on the architecture; these two put them first. */
#if !defined(__x86_64__) && !defined(__aarch64__)
#error "say where clone(2) has its flags on this architecture"
#endif

/* Threads of this process, for what may take long (bounded.h), and no other. */
static int
allow_threads(scmp_filter_ctx ctx)
{
	/* clone3 hides its flags behind a pointer: send the C library back to clone. */
	int r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);

	return r == 0 ? seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
			    SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD))
		      : r;
}

static void
filter(void)
{
	static const int calls[] = {
	    /* the relay */
	    SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg),
	    SCMP_SYS(sendto), SCMP_SYS(sendmsg), SCMP_SYS(read), SCMP_SYS(write),
	    SCMP_SYS(writev), SCMP_SYS(close), SCMP_SYS(shutdown), SCMP_SYS(accept4),
	    SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(fcntl),
	    /* a new channel: sockets, or Xen's devices and XenStore */
	    SCMP_SYS(socket), SCMP_SYS(connect), SCMP_SYS(openat), SCMP_SYS(access),
	    SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(ioctl), SCMP_SYS(fstat),
	    SCMP_SYS(newfstatat), SCMP_SYS(lseek), SCMP_SYS(eventfd2),
	    SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(rt_sigaction),
	    SCMP_SYS(flock),
	    /* libsystemd says who it is */
	    SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid),
	    /* the end */
	    SCMP_SYS(getpid), SCMP_SYS(unlink), SCMP_SYS(exit), SCMP_SYS(exit_group),
	    /* memory, time, threads, signals */
	    SCMP_SYS(brk), SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mremap),
	    SCMP_SYS(madvise), SCMP_SYS(mprotect), SCMP_SYS(futex), SCMP_SYS(clock_gettime),
	    SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(rt_sigprocmask),
	    SCMP_SYS(rt_sigreturn), SCMP_SYS(restart_syscall), SCMP_SYS(sched_yield),
	    SCMP_SYS(getrandom), SCMP_SYS(set_robust_list), SCMP_SYS(rseq),
	    SCMP_SYS(sched_getaffinity)};
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r = ctx == NULL ? -ENOMEM : seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);

	for (size_t i = 0; r == 0 && i < sizeof(calls) / sizeof(calls[0]); i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 0);
	if (r == 0)
		r = allow_threads(ctx);
	if (r == 0)
		r = seccomp_load(ctx);
	if (r < 0)
		log_fatal("seccomp: %s: does this kernel have it?", strerror(-r));
	seccomp_release(ctx);
}
#endif

void
confine_calls(void)
{
	const struct rlimit none = {0, 0};

	if (setrlimit(RLIMIT_CORE, &none) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		log_fatal("prctl: %s", strerror(errno));
	filter();
}
