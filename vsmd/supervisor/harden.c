/*
 * harden.c - what the supervisor gives up before it meets anybody.
 *
 * Its children inherit all of it, so it can only give up what none of them needs: no
 * Landlock (the store writes the disk, swtpm is executed), and of system calls those
 * that only an attacker would make.  Each child then confines itself (vsmd/confine/).
 */
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/log.h"
#include "vsmd/supervisor/super.h"

#define USER "caas"

#if defined(__SANITIZE_ADDRESS__)
#define TRACEABLE 1 /* the leak checker traces its own process */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TRACEABLE 1
#endif
#endif
#ifndef TRACEABLE
#define TRACEABLE 0
#endif

void
harden_limits(void)
{
	struct rlimit none = {0, 0}, lock = {RLIM_INFINITY, RLIM_INFINITY};

	if (setrlimit(RLIMIT_CORE, &none) < 0)
		log_warn("cannot forbid core dumps: %s", strerror(errno));
	if (!TRACEABLE && prctl(PR_SET_DUMPABLE, 0) < 0)
		log_warn("PR_SET_DUMPABLE: %s", strerror(errno));
	if (setrlimit(RLIMIT_MEMLOCK, &lock) == 0)
		return;
	if (getrlimit(RLIMIT_MEMLOCK, &lock) == 0) {
		lock.rlim_cur = lock.rlim_max;
		if (setrlimit(RLIMIT_MEMLOCK, &lock) == 0 &&
		    lock.rlim_max != RLIM_INFINITY)
			log_info("memory that can be locked is limited to %llu bytes: "
				 "keys may "
				 "reach swap (LimitMEMLOCK=infinity lifts it)",
			    (unsigned long long)lock.rlim_max);
	}
}

int
harden_user(const struct config_settings *c, uid_t *ret_uid, gid_t *ret_gid)
{
	const char *name = c->user != NULL ? c->user : USER;
	const struct passwd *pw;

	*ret_uid = geteuid();
	*ret_gid = getegid();
	/* A sandbox belongs to who made it. */
	if (*ret_uid != 0 || (c->sandbox && c->user == NULL))
		return 0;
	if ((pw = getpwnam(name)) == NULL) {
		log_error("there is no user %s to run as: make it (systemd-sysusers), or "
			  "set user "
			  "in vsmd.conf",
		    name);
		return -1;
	}
	*ret_uid = pw->pw_uid;
	*ret_gid = pw->pw_gid;
	return 0;
}

/* A service manager may have given CAP_SYS_ADMIN for the mount. */
static int
drop_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {{0}};

	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capset, &header, none) == 0)
		return 0;
	log_error("cannot drop capabilities: %s", strerror(errno));
	return -1;
}

int
harden_drop(const struct config_settings *c)
{
	const char *name = c->user != NULL ? c->user : USER;
	uid_t uid;
	gid_t gid;

	if (harden_user(c, &uid, &gid) < 0)
		return -1;
	if (uid == 0) {
		if (!c->sandbox)
			log_warn("running as root: set user in vsmd.conf");
		return 0;
	}
	if (geteuid() != 0)
		return drop_capabilities();
	if (initgroups(name, gid) < 0 || setresgid(gid, gid, gid) < 0 ||
	    setresuid(uid, uid, uid) < 0) {
		log_error("cannot become user %s: %s", name, strerror(errno));
		return -1;
	}
	/* Changing the user may have made the process dumpable again. */
	if (!TRACEABLE)
		(void)prctl(PR_SET_DUMPABLE, 0);
	return drop_capabilities();
}

/* Refused with EPERM rather than by a signal: a library may try one. */
static const int denied[] = {SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
    SCMP_SYS(pidfd_getfd), SCMP_SYS(process_madvise), SCMP_SYS(kcmp),
    SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load), SCMP_SYS(init_module),
    SCMP_SYS(finit_module), SCMP_SYS(delete_module), SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd), SCMP_SYS(mount), SCMP_SYS(umount2),
    SCMP_SYS(pivot_root), SCMP_SYS(chroot), SCMP_SYS(move_mount), SCMP_SYS(open_tree),
    SCMP_SYS(fsopen), SCMP_SYS(fsmount), SCMP_SYS(fsconfig), SCMP_SYS(fspick),
    SCMP_SYS(mount_setattr), SCMP_SYS(swapon), SCMP_SYS(swapoff), SCMP_SYS(reboot),
    SCMP_SYS(setns), SCMP_SYS(unshare), SCMP_SYS(keyctl), SCMP_SYS(add_key),
    SCMP_SYS(request_key), SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter),
    SCMP_SYS(io_uring_register), SCMP_SYS(open_by_handle_at), SCMP_SYS(acct),
    SCMP_SYS(quotactl), SCMP_SYS(settimeofday), SCMP_SYS(clock_settime),
    SCMP_SYS(adjtimex), SCMP_SYS(clock_adjtime), SCMP_SYS(iopl), SCMP_SYS(ioperm),
    SCMP_SYS(modify_ldt), SCMP_SYS(fanotify_init), SCMP_SYS(sethostname),
    SCMP_SYS(setdomainname), SCMP_SYS(syslog), SCMP_SYS(personality)};

int
harden_deny(void)
{
	scmp_filter_ctx f;
	int rc;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		log_error("PR_SET_NO_NEW_PRIVS: %s", strerror(errno));
		return -1;
	}
	if ((f = seccomp_init(SCMP_ACT_ALLOW)) == NULL) {
		log_error("cannot make a seccomp filter");
		return -1;
	}
	rc = seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree, not a list */
	for (size_t i = 0; rc == 0 && i < sizeof(denied) / sizeof(denied[0]); i++) {
		rc = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), denied[i], 0);
		/* Not on this machine: nothing to deny. */
		if (rc == -EDOM || rc == -EFAULT)
			rc = 0;
	}
	if (rc == 0 && !TRACEABLE)
		rc = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ptrace), 0);
	if (rc == 0)
		rc = seccomp_load(f);
	seccomp_release(f);
	if (rc < 0)
		log_error("cannot load a seccomp filter: %s", strerror(-rc));
	return rc < 0 ? -1 : 0;
}
