/* calls.c - system calls that a worker has no business with. */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "hook.h"

/* In the place of an argument: the number in the command. */
#define GIVEN 0x7ca11edL

static char page[8192] __attribute__((aligned(4096)));
static char root[] = "/", proc[] = "/proc", true_[] = "/bin/true";
static char *no_args[] = {true_, NULL};
static struct iovec here = {page, 64}, there = {page, 64};
static struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "/"};
static struct itimerval timer;
static struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};

#define P(x) ((long)(x))

static const struct {
	const char *name;
	long number, arg[6];
} calls[] = {
    /* the network, other sockets */
    {"socket-inet", SYS_socket, {AF_INET, SOCK_STREAM}},
    {"socket-inet6", SYS_socket, {AF_INET6, SOCK_DGRAM}},
    {"socket-unix", SYS_socket, {AF_UNIX, SOCK_STREAM}},
    {"socket-netlink", SYS_socket, {AF_NETLINK, SOCK_RAW}},
    {"socket-packet", SYS_socket, {AF_PACKET, SOCK_RAW}},
    {"socket-vsock", SYS_socket, {AF_VSOCK, SOCK_STREAM}},
    {"socketpair", SYS_socketpair, {AF_UNIX, SOCK_STREAM, 0, P(page)}},
    {"connect", SYS_connect, {GIVEN, P(&un), sizeof(un)}},
    {"bind", SYS_bind, {GIVEN, P(&un), sizeof(un)}},
    {"listen", SYS_listen, {GIVEN, 1}},
    {"accept", SYS_accept4, {GIVEN, 0, 0, 0}},
    {"setsockopt", SYS_setsockopt, {GIVEN, SOL_SOCKET, SO_KEEPALIVE, P(page), 4}},
    {"getpeername", SYS_getpeername, {GIVEN, P(page), P(page + 256)}},
    /* other processes */
    {"kill", SYS_kill, {GIVEN, SIGKILL}},
    {"tkill", SYS_tkill, {GIVEN, SIGKILL}},
    {"tgkill", SYS_tgkill, {GIVEN, GIVEN, SIGKILL}},
    {"rt-sigqueueinfo", SYS_rt_sigqueueinfo, {GIVEN, SIGKILL, P(page)}},
    {"pidfd-open", SYS_pidfd_open, {GIVEN, 0}},
    {"pidfd-getfd", SYS_pidfd_getfd, {3, 3, 0}},
    {"pidfd-send-signal", SYS_pidfd_send_signal, {3, SIGKILL, 0, 0}},
    {"ptrace-attach", SYS_ptrace, {PTRACE_ATTACH, GIVEN}},
    {"ptrace-seize", SYS_ptrace, {PTRACE_SEIZE, GIVEN}},
    {"process-vm-readv", SYS_process_vm_readv, {GIVEN, P(&here), 1, P(&there), 1, 0}},
    {"process-vm-writev", SYS_process_vm_writev, {GIVEN, P(&here), 1, P(&there), 1, 0}},
    {"process-madvise", SYS_process_madvise, {3, P(&here), 1, MADV_COLD, 0}},
    {"kcmp", SYS_kcmp, {GIVEN, GIVEN, 0, 0, 0}},
    {"setpgid", SYS_setpgid, {0, GIVEN}},
    {"setpriority", SYS_setpriority, {0, GIVEN, 19}},
    {"sched-setaffinity", SYS_sched_setaffinity, {GIVEN, 8, P(page)}},
    {"prlimit", SYS_prlimit64, {GIVEN, RLIMIT_DATA, P(&limit), 0}},
    /* a signal by way of a descriptor */
    {"fcntl-setown", SYS_fcntl, {2, F_SETOWN, GIVEN}},
    {"fcntl-setown-ex", SYS_fcntl, {2, F_SETOWN_EX, P(page)}},
    {"fcntl-setsig", SYS_fcntl, {2, F_SETSIG, SIGKILL}},
    {"fcntl-high", SYS_fcntl, {2, (1L << 32) | F_SETOWN, GIVEN}},
    {"fcntl-lease", SYS_fcntl, {2, F_SETLEASE, F_RDLCK}},
    {"fcntl-notify", SYS_fcntl, {2, F_NOTIFY, DN_MODIFY}},
    {"ioctl", SYS_ioctl, {2, FIOASYNC, P(page)}},
    /* programs, processes */
    {"execve", SYS_execve, {P(true_), P(no_args), P(no_args + 1)}},
    {"execveat", SYS_execveat, {AT_FDCWD, P(true_), P(no_args), P(no_args + 1), 0}},
    {"fork", SYS_clone, {SIGCHLD}},
    {"clone-vm", SYS_clone, {CLONE_VM | SIGCHLD, P(page + sizeof(page))}},
    {"clone-parent", SYS_clone, {CLONE_PARENT | SIGKILL}},
    /* namespaces, mounts */
    {"clone-user", SYS_clone, {CLONE_NEWUSER | SIGCHLD}},
    {"clone-thread-user", SYS_clone, {CLONE_NEWUSER | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM}},
    {"unshare-user", SYS_unshare, {CLONE_NEWUSER}},
    {"unshare-mount", SYS_unshare, {CLONE_NEWNS}},
    {"setns", SYS_setns, {3, 0}},
    {"mount", SYS_mount, {P(proc), P(root), P("tmpfs"), 0, 0}},
    {"umount", SYS_umount2, {P(root), MNT_DETACH}},
    {"open-tree", SYS_open_tree, {AT_FDCWD, P(root), 1}},
    {"fsopen", SYS_fsopen, {P("tmpfs"), 0}},
    {"chroot", SYS_chroot, {P(root)}},
    {"pivot-root", SYS_pivot_root, {P(root), P(root)}},
    {"chdir", SYS_chdir, {P(root)}},
    /* the kernel's own machinery */
    {"bpf", SYS_bpf, {BPF_PROG_LOAD, P(page), 128}},
    {"perf-event-open", SYS_perf_event_open, {P(page), GIVEN, -1, -1, 0}},
    {"io-uring", SYS_io_uring_setup, {8, P(page)}},
    {"keyctl", SYS_keyctl, {KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_KEYRING, 1}},
    {"add-key", SYS_add_key, {P("user"), P("x"), P(page), 8, KEY_SPEC_USER_KEYRING}},
    {"request-key", SYS_request_key, {P("user"), P("x"), 0, 0}},
    {"userfaultfd", SYS_userfaultfd, {0}},
    {"inotify", SYS_inotify_init1, {0}},
    {"fanotify", SYS_fanotify_init, {0, 0}},
    {"syslog", SYS_syslog, {3, P(page), sizeof(page)}},
    {"timer", SYS_setitimer, {ITIMER_REAL, P(&timer), 0}},
    /* files by other ways than a path below the token's directory */
    {"name-to-handle", SYS_name_to_handle_at, {AT_FDCWD, P(root), P(page), P(page + 256), 0}},
    {"open-by-handle", SYS_open_by_handle_at, {2, P(page), 0}},
    {"openat2", SYS_openat2, {AT_FDCWD, P(root), P(page), 24}},
    {"fchmodat", SYS_fchmodat, {AT_FDCWD, P(root), 0777}},
    {"fchmod", SYS_fchmod, {2, 0777}},
    {"utimensat", SYS_utimensat, {AT_FDCWD, P(root), 0, 0}},
    {"setxattr", SYS_setxattr, {P(root), P("user.x"), P(page), 1, 0}},
    {"truncate", SYS_truncate, {P(true_), 0}},
#ifdef __x86_64__ /* others have the calls with an `at' alone */
    {"chmod", SYS_chmod, {P(root), 0777}},
    {"chown", SYS_chown, {P(root), -1, -1}},
    {"link", SYS_link, {P(true_), P(proc)}},
    {"symlink", SYS_symlink, {P(root), P(true_)}},
    {"mknod", SYS_mknod, {P(true_), 0600, 0}},
    {"x32", 0x40000000 | SYS_getpid, {0}},
#endif
    /* memory of others, and code */
    {"shmget", SYS_shmget, {IPC_PRIVATE, 4096, IPC_CREAT | 0600}},
    {"shmat", SYS_shmat, {0, 0, 0}},
    {"mq-open", SYS_mq_open, {P("x"), O_RDONLY}},
    {"memfd-secret", SYS_memfd_secret, {0}},
    {"mmap-code", SYS_mmap, {0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0}},
    {"mprotect-code", SYS_mprotect, {P(page), 4096, PROT_READ | PROT_EXEC}},
    {"personality", SYS_personality, {0x0400000}},
    /* who one is */
    {"setuid", SYS_setuid, {0}},
    {"setresuid", SYS_setresuid, {0, 0, 0}},
    {"capset", SYS_capset, {P(page), P(page)}},
    {"prctl-dumpable", SYS_prctl, {PR_SET_DUMPABLE, 1}},
    {"prctl-outlive", SYS_prctl, {PR_SET_PDEATHSIG, 0}},
    {"prctl-ptracer", SYS_prctl, {PR_SET_PTRACER, -1}},
};

/* The calls of 32-bit programs have other numbers. */
static void
do_int80(char *arg)
{
	(void)arg;
#ifdef __x86_64__
	long rc;

	__asm__ volatile("int $0x80" : "=a"(rc) : "a"(20L /* getpid */) : "memory");
	said("OK");
#endif
}

/* All of the above. */
static void
do_names(char *arg)
{
	char all[HOOK_SAYS] = "int80";

	(void)arg;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		snprintf(all + strlen(all), sizeof(all) - strlen(all), " %s", calls[i].name);
	said("%s", all);
}

const struct attempt call_attempts[] = {{"int80", do_int80}, {"names", do_names}, {NULL, NULL}};

int
call_attempt(const char *name, char *arg)
{
	long given = next_number(&arg), a[6];

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (strcmp(calls[i].name, name) != 0)
			continue;
		for (size_t k = 0; k < 6; k++)
			a[k] = calls[i].arg[k] == GIVEN ? given : calls[i].arg[k];
		said_rc(syscall(calls[i].number, a[0], a[1], a[2], a[3], a[4], a[5]));
		return 1;
	}
	return 0;
}
