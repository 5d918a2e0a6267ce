/* user.c - see user.h */
#include "common/user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"

void
user_become(const char *name)
{
	const struct passwd *pw = getpwnam(name);

	if (pw == NULL)
		log_fatal("--user %s: there is no such user", name);
	if (geteuid() == pw->pw_uid && getegid() == pw->pw_gid)
		return;
	if (initgroups(name, pw->pw_gid) < 0 ||
	    setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) < 0 ||
	    setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) < 0)
		log_fatal("--user %s: %s: only root can become another user", name,
		    strerror(errno));
	if (pw->pw_uid != 0 && setuid(0) == 0)
		log_fatal("--user %s: the way back to root is open", name);
}
