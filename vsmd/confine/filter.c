/* filter.c - which system calls a process may make. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "vsmd/confine/confine.h"

#define PR_SET_VMA_ 0x53564d41 /* names of memory areas, from younger C libraries */

#define NAMESPACES                                                                       \
	((uint64_t)CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET |           \
	    CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)

/* Where clone's flags stand depends on the architecture; these two put them first. */
#if !defined(__x86_64__) && !defined(__aarch64__)
#error "say where clone(2) has its flags on this architecture"
#endif

static int
allow(scmp_filter_ctx f, const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, calls[i], 0);

		/* Not on this architecture: nothing to allow. */
		if (rc != 0 && rc != -EEXIST && rc != -EDOM)
			return rc;
	}
	return 0;
}

static int
allow_clone(scmp_filter_ctx f, unsigned flags)
{
	int rc;

	/* clone3 hides its flags behind a pointer: send the C library back to clone. */
	rc = seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	if (rc == 0 && (flags & CONFINE_FORK))
		rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
		    SCMP_A0(SCMP_CMP_MASKED_EQ, NAMESPACES, 0));
	else if (rc == 0 && (flags & CONFINE_THREADS))
		rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
		    SCMP_A0(SCMP_CMP_MASKED_EQ, NAMESPACES | CLONE_THREAD, CLONE_THREAD));
	return rc;
}

/* Memory is never executable that was not when the door closed. */
static int
allow_memory(scmp_filter_ctx f)
{
	static const int calls[] = {SCMP_SYS(mmap), SCMP_SYS(mprotect)};
	int rc = 0;

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]) && rc == 0; i++)
		rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, calls[i], 1,
		    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	return rc;
}

/*
 * Flags, copies, locks and seals of descriptors.  Not their owner (F_SETOWN, F_SETSIG), who
 * would be sent a signal of one's choice, SIGKILL too; nor leases (F_SETLEASE), which keep
 * others from opening a file.
 */
static int
allow_fcntl(scmp_filter_ctx f)
{
	static const int commands[] = {F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL,
	    F_SETFL, F_GETLK, F_SETLK, F_SETLKW, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW,
	    F_ADD_SEALS, F_GET_SEALS};
	int rc = 0;

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]) && rc == 0; i++)
		rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
		    SCMP_A1(SCMP_CMP_EQ, (uint64_t)commands[i]));
	return rc;
}

/* A name, an end with the parent, and more confinement: nothing that takes any back. */
static int
allow_prctl(scmp_filter_ctx f)
{
	static const int options[] = {
	    PR_SET_NAME, PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, PR_SET_VMA_};
	int rc = 0;

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]) && rc == 0; i++)
		rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
		    SCMP_A0(SCMP_CMP_EQ, (uint64_t)options[i]));
	if (rc == 0)
		rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 2,
		    SCMP_A0(SCMP_CMP_EQ, PR_SET_PDEATHSIG), SCMP_A1(SCMP_CMP_EQ, SIGKILL));
	if (rc == 0)
		rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 2,
		    SCMP_A0(SCMP_CMP_EQ, PR_SET_DUMPABLE), SCMP_A1(SCMP_CMP_EQ, 0));
	return rc;
}

/* All rules; NULL with errno after logging. */
static scmp_filter_ctx
make(const struct confine *c)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int rc = -ENOMEM;

	/* A call of 32-bit programs too ends the process, not a thread of it. */
	if (f != NULL &&
	    (rc = seccomp_attr_set(
	         f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS)) == 0 &&
	    (rc = allow(f, confine_base, confine_base_count)) == 0 &&
	    (rc = allow(f, c->syscalls, c->nsyscalls)) == 0 &&
	    (rc = allow_memory(f)) == 0 && (rc = allow_fcntl(f)) == 0 &&
	    (rc = allow_prctl(f)) == 0 &&
	    (rc = allow_clone(f, c->flags)) == 0)
		return f;
	if (f != NULL)
		seccomp_release(f);
	log_error("%s: seccomp: %s", c->role, strerror(-rc));
	errno = -rc;
	return NULL;
}

int
confine_filter_make(const struct confine *c, struct confine_filter *ret)
{
	scmp_filter_ctx f = make(c);
	int fd = f != NULL ? memfd_create("seccomp", MFD_CLOEXEC) : -1;
	struct stat st;
	int rc = -1;

	memset(ret, 0, sizeof(*ret));
	if (fd >= 0 && seccomp_export_bpf(f, fd) == 0 && fstat(fd, &st) == 0 &&
	    st.st_size <= (off_t)(BPF_MAXINSNS * sizeof(struct sock_filter)) &&
	    (ret->program = malloc((size_t)st.st_size)) != NULL &&
	    pread(fd, ret->program, (size_t)st.st_size, 0) == st.st_size) {
		ret->len =
		    (unsigned short)((size_t)st.st_size / sizeof(struct sock_filter));
		rc = 0;
	} else if (f != NULL) {
		log_error("%s: seccomp: %s", c->role, strerror(errno));
	}
	if (fd >= 0)
		close(fd);
	if (f != NULL)
		seccomp_release(f);
	return rc;
}

static int
load_made(const struct confine *c)
{
	struct sock_fprog program = {.len = c->filter->len, .filter = c->filter->program};

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0)
		return 0;
	log_error("%s: seccomp: %s", c->role, strerror(errno));
	return -1;
}

int
confine_seccomp(const struct confine *c)
{
	scmp_filter_ctx f;
	int rc;

	if (c->filter != NULL && c->filter->len > 0)
		return load_made(c);
	if ((f = make(c)) == NULL)
		return -1;
	rc = seccomp_load(f);
	seccomp_release(f);
	if (rc == 0)
		return 0;
	log_error("%s: seccomp: %s", c->role, strerror(-rc));
	errno = -rc;
	return -1;
}
