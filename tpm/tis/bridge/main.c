/*
 * caas-tis-bridge - tcsd's way to a TPM 1.2 at the locality of a mapped page: what tcsd -e
 * says over a socket goes to the page's registers.
 *
 * It maps the page, listens, becomes another user, closes the door, and loops.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "common/log.h"
#include "common/stop.h"
#include "common/user.h"
#include "tpm/tis/bridge/loop.h"
#include "tpm/tis/bridge/options.h"
#include "tpm/tis/page.h"
#include "vchan-transport/transport.h"
#include "vsmd/confine/confine.h"

/* It listens until the process ends. */
static int
listen_unix(const struct options *o)
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
	return listener_fd(l);
}

static int
listen_tcp(const struct options *o)
{
	struct sockaddr_in sa = {
	    .sin_family = AF_INET, .sin_port = htons((uint16_t)o->port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, SOMAXCONN) < 0)
		log_fatal("--listen %s: %s", o->listen, strerror(errno));
	log_warn("every user of this machine may use the TPM by %s; unix:/PATH has a mode",
	    o->listen);
	return fd;
}

static void
close_the_door(void)
{
	static const int calls[] = {SCMP_SYS(accept4), SCMP_SYS(flock)};
	const struct confine door = {.role = "caas-tis-bridge",
	    .syscalls = calls,
	    .nsyscalls = sizeof(calls) / sizeof(calls[0])};

	if (confine(&door) < 0)
		log_fatal("cannot confine itself: see the line before");
}

int
main(int argc, char **argv)
{
	struct tis_page page;
	char why[TIS_PAGE_WHY];
	struct options o;
	struct tis t;
	int signals, listener;

	log_name("caas-tis-bridge");
	options_parse(&o, argc, argv);
	signals = stop_signals();
	if (tis_page_open(o.page, &page, why) < 0)
		log_fatal("%s", why);
	tis_init(&t, &tis_page_ops, &page);
	listener = o.port != 0 ? listen_tcp(&o) : listen_unix(&o);
	if (o.user != NULL)
		user_become(o.user);
	else if (geteuid() == 0)
		log_warn("running as root: say --user");
	log_info("bridging listen=%s page=%s locality=%d", o.listen, o.page,
	    tis_page_locality(o.page));
	(void)sd_notify(0, "READY=1");
	close_the_door();
	loop_run(&t, listener, signals);
	log_info("stopping");
	tis_page_close(&page);
	return 0;
}
