/*
 * main.c - domtd(8): the builder of DomC-DomU pairs.
 *
 * It opens what it needs, and loops.  It gives up nothing: on a hypervisor without XSM what it
 * does needs dom0's root, and it says so.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "common/log.h"
#include "common/proctitle.h"
#include "common/stop.h"
#include "vchan-transport/deadline.h"
#include "vchan-transport/transport.h"
#include "xen-hooks/domtd/description.h"
#include "xen-hooks/domtd/server.h"
#include "xen-hooks/domtd/store.h"
#include "xen-hooks/message/socket.h"

#define PAIRS "/etc/caas/pairs"
#define RUNTIME "/run/caas-domtd"
#define USER "caas-forward"
#define LOCK_WITHIN 10000 /* ms, for the process of a domtd that was killed */

static const char usage[] =
    "usage: domtd [--pairs DIR] [--runtime DIR] [--forward-user USER] [--domt NAME]\n"
    "       domtd --check NAME [--pairs DIR]\n"
    "\n"
    "  --pairs DIR          where descriptions of pairs are (" PAIRS ")\n"
    "  --runtime DIR        directory of the socket (" RUNTIME ")\n"
    "  --forward-user USER  the user that domt-forward runs as (" USER ")\n"
    "  --domt NAME          the domain that has the TPM service of all crypto domains\n"
    "  --domt-at ADDRESS    where that service listens, if not by a vchan of that domain\n"
    "  --check NAME         check the description of a pair and exit\n"
    "  --help               print this and exit\n"
    "  --version            print the version and exit\n"
    "\n"
    "The manual is in domtd(8) and caas-pair(5).\n";

static void
report(void *arg, const char *line)
{
	(void)arg;
	fprintf(stderr, "%s\n", line);
}

static int
check(const char *dir, const char *name)
{
	struct description *d = description_load(dir, name, report, NULL);
	int rc = d == NULL;

	description_free(d);
	return rc;
}

static void
check_service(const struct service *s)
{
	const char *why;

	if (s->name == NULL && s->at != NULL)
		log_fatal("--domt-at without --domt: which domain is DomT?");
	if (s->name == NULL)
		return;
	if (s->name[0] == '\0' || strlen(s->name) >= DOMAIN_NAME)
		log_fatal("--domt %s: no name of a domain", s->name);
	if (!transport_address_ok(s->at != NULL ? s->at : "vchan:1:" CONTROL_PATH, &why))
		log_fatal("--domt: %s", why);
}

/* argv is overwritten by the titles of our processes. */
static const char *
keep(const char *s)
{
	char *copy = strdup(s);

	if (copy == NULL)
		log_fatal("out of memory");
	return copy;
}

/* Descriptors 0 to 2 must be something: else the first socket becomes standard error. */
static void
open_standard(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/* One domtd at a time, its operation's process included. */
static int
take_lock(const char *runtime)
{
	int64_t until = deadline_at(LOCK_WITHIN);
	char path[PATH_MAX];
	int fd;

	if (mkdir(runtime, 0755) < 0 && errno != EEXIST)
		log_fatal("%s: %s", runtime, strerror(errno));
	snprintf(path, sizeof(path), "%s/lock", runtime);
	if ((fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)) < 0)
		log_fatal("%s: %s", path, strerror(errno));
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK || deadline_left(until) == 0)
			log_fatal("%s: another domtd runs", path);
		usleep(100000);
	}
	return fd;
}

static void
open_all(struct server *s)
{
	const struct passwd *pw = getpwnam(s->o->user);
	char path[PATH_MAX];

	if (pw == NULL)
		log_fatal("--forward-user %s: there is no such user", s->o->user);
	s->forward = pw->pw_uid;
	s->signals = stop_signals();
	s->lock = take_lock(s->o->runtime);
	if ((s->xs = store_watch(&s->watch)) == NULL)
		log_fatal("XenStore cannot be reached: %s: is this dom0, and xenstored running?",
		    strerror(errno));
	snprintf(path, sizeof(path), "%s/domtd.sock", s->o->runtime);
	if ((s->listener = seq_listen(path, 0660, pw->pw_gid)) < 0)
		log_fatal("%s: %s", path, strerror(errno));
	log_info("serving pairs=%s socket=%s", s->o->pairs, path);
}

int
main(int argc, char **argv)
{
	enum { PAIRS_ = 256, RUNTIME_, USER_, DOMT, DOMT_AT, CHECK, HELP, VERSION };
	static const struct option known[] = {{"pairs", required_argument, NULL, PAIRS_},
	    {"runtime", required_argument, NULL, RUNTIME_},
	    {"forward-user", required_argument, NULL, USER_},
	    {"domt", required_argument, NULL, DOMT},
	    {"domt-at", required_argument, NULL, DOMT_AT},
	    {"check", required_argument, NULL, CHECK}, {"help", no_argument, NULL, HELP},
	    {"version", no_argument, NULL, VERSION}, {NULL, 0, NULL, 0}};
	static struct server s;
	static struct options o = {.pairs = PAIRS, .runtime = RUNTIME, .user = USER};
	const char *name = NULL;
	int opt;

	open_standard();
	log_name("domtd");
	while ((opt = getopt_long(argc, argv, "", known, NULL)) != -1)
		switch (opt) {
		case PAIRS_:
			o.pairs = keep(optarg);
			break;
		case RUNTIME_:
			o.runtime = keep(optarg);
			break;
		case USER_:
			o.user = keep(optarg);
			break;
		case DOMT:
			o.service.name = keep(optarg);
			break;
		case DOMT_AT:
			o.service.at = keep(optarg);
			break;
		case CHECK:
			name = optarg;
			break;
		case HELP:
			fputs(usage, stdout);
			return 0;
		case VERSION:
			puts("domtd " CAAS_VERSION);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	if (optind != argc) {
		fputs(usage, stderr);
		return 2;
	}
	if (name != NULL)
		return check(o.pairs, name);
	check_service(&o.service);
	(void)prctl(PR_SET_DUMPABLE, 0);
	proctitle_init(argc, argv);
	s.o = &o;
	open_all(&s);
	(void)sd_notify(0, "READY=1");
	server_run(&s);
	return 0;
}
