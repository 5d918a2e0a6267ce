/*
 * main.c - domt-forward(8): in dom0, between administrators and domtd, without any privilege.
 *
 * Where domtd runs in a domain of its own, this is all that dom0 has of it.
 */
#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "common/log.h"
#include "common/stop.h"
#include "vsmd/confine/confine.h"
#include "xen-hooks/forward/forward.h"

#define GROUP "caas-admin"

static const char usage[] =
    "usage: domt-forward [--listen PATH] [--domtd PATH] [--group GROUP]\n"
    "Pass administrators' requests about pairs of domains to domtd.\n"
    "\n"
    "  --listen PATH   the socket that caas connects to (" SEQ_FORWARD ")\n"
    "  --domtd PATH    domtd's socket (" SEQ_DOMTD ")\n"
    "  --group GROUP   who may ask, beside root (" GROUP ")\n"
    "  --help          print this and exit\n"
    "  --version       print the version and exit\n"
    "\n"
    "The manual is in domt-forward(8).\n";

/* Sockets of this machine, and nothing else. */
static void
close_the_door(void)
{
	static const int calls[] = {SCMP_SYS(socket), SCMP_SYS(connect), SCMP_SYS(accept4),
	    SCMP_SYS(getsockopt), SCMP_SYS(setsockopt)};
	const struct confine door = {.role = "domt-forward",
	    .syscalls = calls,
	    .nsyscalls = sizeof(calls) / sizeof(calls[0])};

	if (confine(&door) < 0)
		log_fatal("it cannot be confined");
}

int
main(int argc, char **argv)
{
	enum { LISTEN = 256, DOMTD, GROUP_, HELP, VERSION };
	static const struct option known[] = {{"listen", required_argument, NULL, LISTEN},
	    {"domtd", required_argument, NULL, DOMTD},
	    {"group", required_argument, NULL, GROUP_}, {"help", no_argument, NULL, HELP},
	    {"version", no_argument, NULL, VERSION}, {NULL, 0, NULL, 0}};
	static struct forward f = {.domtd = SEQ_DOMTD};
	const char *path = SEQ_FORWARD, *group = GROUP;
	const struct group *gr;
	int opt;

	log_name("domt-forward");
	while ((opt = getopt_long(argc, argv, "", known, NULL)) != -1)
		switch (opt) {
		case LISTEN:
			path = optarg;
			break;
		case DOMTD:
			f.domtd = optarg;
			break;
		case GROUP_:
			group = optarg;
			break;
		case HELP:
			fputs(usage, stdout);
			return 0;
		case VERSION:
			puts("domt-forward " CAAS_VERSION);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	if (optind != argc) {
		fputs(usage, stderr);
		return 2;
	}
	if (geteuid() == 0)
		log_fatal("it needs no privilege: start it as a user of its own, in the group %s",
		    group);
	if ((gr = getgrnam(group)) == NULL)
		log_fatal("--group %s: there is no such group", group);
	f.admins = gr->gr_gid;
	f.signals = stop_signals();
	if ((f.listener = seq_listen(path, 0660, f.admins)) < 0)
		log_fatal("%s: %s: the group %s has to be one of this user", path,
		    strerror(errno), group);
	/* Jansson wants a seed of /dev/urandom, which the door hides. */
	json_object_seed(0);
	close_the_door();
	log_info("forwarding socket=%s domtd=%s", path, f.domtd);
	(void)sd_notify(0, "READY=1");
	forward_run(&f);
	return 0;
}
