/* confine.c - see confine.h */
#include "vsmd/confine/confine.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/log.h"

/* Memory of this process goes nowhere: no core file, no ptrace, no /proc/N/mem. */
static int
seal_memory(const char *role)
{
	struct rlimit none = {0, 0};

	if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
		log_error("%s: cannot forbid core dumps: %s", role, strerror(errno));
		return -1;
	}
	return 0;
}

int
confine(const struct confine *c)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
		log_error("%s: cannot give up new privileges: %s", c->role, strerror(errno));
		return -1;
	}
	if ((c->flags & CONFINE_FILTER_ONLY) == 0 &&
	    (seal_memory(c->role) != 0 || confine_landlock(c) != 0))
		return -1;
	return confine_seccomp(c);
}

int
confine_keep_fds(const int *keep, size_t n)
{
	unsigned from = 3;

	if (n > CONFINE_MAX_KEEP) {
		errno = EINVAL;
		return -1;
	}
	/* Close the gaps between the kept ones, in order. */
	for (;;) {
		unsigned next = ~0u;

		for (size_t i = 0; i < n; i++)
			if (keep[i] >= (int)from && (unsigned)keep[i] < next)
				next = (unsigned)keep[i];
		if (next > from && close_range(from, next == ~0u ? ~0u : next - 1, 0) != 0)
			return -1;
		if (next == ~0u)
			return 0;
		from = next + 1;
	}
}
