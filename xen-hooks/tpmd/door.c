/* door.c - see door.h */
#include "xen-hooks/tpmd/door.h"

#include <errno.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/log.h"
#include "vsmd/confine/confine.h"

#define DEVICES "/dev/xen"

static const char device[] = "tpm2:device:", page[] = "tpm2:tis:", swtpm[] = "tpm2:swtpm:path=";

static bool
begins(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

/* What is not there is left out: not every machine has it all. */
static void
add(struct confine *c, struct confine_path *paths, const char *path, bool write)
{
	if (access(path, R_OK) == 0)
		paths[c->npaths++] = (struct confine_path){path, write};
}

static int
confine_files_to(const struct tpmd_conf *conf)
{
	static const char *const read[] = {"/usr", "/lib", "/lib64", "/etc"};
	struct confine_path paths[8];
	struct confine c = {.role = "domt-tpmd", .paths = paths,
	    .flags = conf->sockets != NULL ? CONFINE_SOCKETS : CONFINE_DEVICES};

	if (!begins(conf->tpm, device) && !begins(conf->tpm, page) && !begins(conf->tpm, swtpm))
		return 0;
	for (size_t i = 0; i < sizeof(read) / sizeof(read[0]); i++)
		add(&c, paths, read[i], false);
	add(&c, paths, conf->state, true);
	add(&c, paths, conf->sockets != NULL ? conf->sockets : DEVICES, true);
	if (begins(conf->tpm, device)) {
		c.flags |= CONFINE_DEVICES;
		add(&c, paths, conf->tpm + strlen(device), true);
	}
	return confine_landlock(&c);
}

static int
confine_calls(const struct tpmd_conf *conf)
{
	static const int denied[] = {SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(fork),
	    SCMP_SYS(vfork), SCMP_SYS(kill), SCMP_SYS(tkill), SCMP_SYS(tgkill), SCMP_SYS(ptrace),
	    SCMP_SYS(listen), SCMP_SYS(accept), SCMP_SYS(accept4)};
	size_t n = sizeof(denied) / sizeof(denied[0]) - (conf->sockets != NULL ? 3 : 0);
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
	int rc = f != NULL ? 0 : -ENOMEM;

	for (size_t i = 0; rc == 0 && i < n; i++) {
		rc = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), denied[i], 0);
		if (rc == -EDOM) /* not on this architecture */
			rc = 0;
	}
	if (rc == 0)
		rc = seccomp_load(f);
	seccomp_release(f);
	if (rc == 0)
		return 0;
	log_error("seccomp: %s", strerror(-rc));
	return -1;
}

int
door_close(const struct tpmd_conf *c)
{
	struct rlimit none = {0, 0}, limit;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0 ||
	    setrlimit(RLIMIT_CORE, &none) < 0) {
		log_error("cannot give up privileges: %s", strerror(errno));
		return -1;
	}
	if (confine_files_to(c) < 0 || confine_calls(c) < 0)
		return -1;
	/* A limit would make the libraries' allocations fail: all or nothing. */
	if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY)
		(void)mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
	return 0;
}
