/*
 * caas-agent - in the guest: applications that may not open a channel to vsmd connect
 * to a unix socket here, and get one each.
 *
 * It opens what it needs, becomes another user, closes the door, and loops.
 */
#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "common/log.h"
#include "common/stop.h"
#include "common/user.h"
#include "vchan-transport/agent/confine.h"
#include "vchan-transport/agent/loop.h"

#define FDS_PER_CONNECTION 8 /* a vchan: epoll, eventfd, events, grants, and spare */
#define FDS_OTHER 32

static void
raise_limits(size_t connections)
{
	struct rlimit r;
	rlim_t need = connections * FDS_PER_CONNECTION + FDS_OTHER;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur >= need)
		return;
	r.rlim_cur = need < r.rlim_max ? need : r.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &r);
	if (r.rlim_cur < need)
		log_warn("%zu connections may need %llu files, the limit is %llu "
			 "(LimitNOFILE=)",
		    connections, (unsigned long long)need, (unsigned long long)r.rlim_cur);
}

static struct listener *
open_listener(const struct options *o)
{
	const char *path = o->listen + strlen("unix:");
	const struct group *gr = NULL;
	struct listener *l;

	if (o->group != NULL && (gr = getgrnam(o->group)) == NULL)
		log_fatal("--group %s: there is no such group", o->group);
	/* For the group only once the group is the right one. */
	if ((l = transport_listen(o->listen, gr != NULL ? o->mode & 0700 : o->mode)) == NULL)
		log_fatal("cannot listen: %s", transport_strerror(o->listen, errno));
	if (gr != NULL &&
	    (lchown(path, (uid_t)-1, gr->gr_gid) < 0 || chmod(path, o->mode) < 0))
		log_fatal("--group %s: %s", o->group, strerror(errno));
	return l;
}

int
main(int argc, char **argv)
{
	struct options o;
	struct listener *l;
	struct connector *c;
	struct couple_watch *w;
	int signals;

	log_name("caas-agent");
	options_parse(&o, argc, argv);
	signals = stop_signals();
	raise_limits(o.max_connections);
	l = open_listener(&o);
	if (o.user != NULL)
		user_become(o.user);
	if ((w = transport_watch(o.upstream)) == NULL && errno != 0)
		log_fatal("cannot watch: %s", transport_strerror(o.upstream, errno));
	if ((c = connector_new(o.upstream, o.connect_timeout, o.max_connections)) == NULL)
		log_fatal("cannot start a thread: %s", strerror(errno));
	confine_calls();
	log_info("relaying listen=%s upstream=%s", o.listen, o.upstream);
	(void)sd_notify(0, "READY=1");
	loop_run(&o, l, c, w, signals);
	return 0;
}
