/* landlock.c - which paths a process may reach. */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/log.h"
#include "vsmd/confine/confine.h"

/* Rights younger than the oldest kernel headers we build with. */
#define FS_TRUNCATE (1ULL << 14)
#define FS_IOCTL_DEV (1ULL << 15)
#define NET_TCP 0x3ULL         /* bind, connect */
#define SCOPE_ALL 0x3ULL       /* abstract unix sockets, signals */

#define FS_ABI_1 ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)
#define FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_WRITE                                                                         \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                 \
	    LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |               \
	    LANDLOCK_ACCESS_FS_MAKE_REG | FS_TRUNCATE)
/* What a rule on a file, not a directory, may name. */
#define FS_FILE                                                                          \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE |    \
	    FS_IOCTL_DEV)

/* The kernel's struct landlock_ruleset_attr, as of ABI 6. */
struct ruleset {
	uint64_t fs, net, scoped;
};

static size_t
ruleset_for(int abi, struct ruleset *r)
{
	memset(r, 0, sizeof(*r));
	r->fs = FS_ABI_1;
	if (abi >= 2)
		r->fs |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= 3)
		r->fs |= FS_TRUNCATE;
	if (abi >= 5)
		r->fs |= FS_IOCTL_DEV;
	if (abi >= 4)
		r->net = NET_TCP;
	if (abi >= 6)
		r->scoped = SCOPE_ALL;
	return abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
}

static int
add_path(int ruleset, const struct confine_path *path, uint64_t write, uint64_t handled)
{
	struct landlock_path_beneath_attr rule = {0};
	struct stat st;
	int rc;

	rule.parent_fd = open(path->path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return -1;
	rule.allowed_access = FS_READ | (path->write ? write : 0);
	if (fstat(rule.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rule.allowed_access &= FS_FILE;
	rule.allowed_access &= handled;
	rc = (int)syscall(
	    SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	close(rule.parent_fd);
	return rc;
}

int
confine_landlock(const struct confine *c)
{
	uint64_t write = FS_WRITE | (c->flags & CONFINE_DEVICES ? FS_IOCTL_DEV : 0) |
			 (c->flags & CONFINE_SOCKETS ? LANDLOCK_ACCESS_FS_MAKE_SOCK : 0);
	struct ruleset r;
	size_t size;
	int abi, fd, rc = -1;

	abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);
	if (abi < 1) {
		log_warn("%s: this kernel has no Landlock, paths are not confined "
			 "(enable it with lsm=landlock)", c->role);
		return 0;
	}
	size = ruleset_for(abi, &r);
	if ((fd = (int)syscall(SYS_landlock_create_ruleset, &r, size, 0)) < 0) {
		log_error("%s: landlock: %s", c->role, strerror(errno));
		return -1;
	}
	for (size_t i = 0; i < c->npaths; i++)
		if (add_path(fd, &c->paths[i], write, r.fs) != 0) {
			log_error("%s: landlock: %s: %s", c->role, c->paths[i].path,
			    strerror(errno));
			goto out;
		}
	if (syscall(SYS_landlock_restrict_self, fd, 0) != 0) {
		log_error("%s: landlock: %s", c->role, strerror(errno));
		goto out;
	}
	rc = 0;
out:
	close(fd);
	return rc;
}
