/*
 * main.c - domt-tpmd(8): in DomT, the TPM of the crypto domains of pairs.
 *
 * It opens the TPM and its state, becomes another user, closes the door, and loops.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "common/hex.h"
#include "common/log.h"
#include "common/secmem.h"
#include "common/stop.h"
#include "common/user.h"
#include "vchan-transport/transport.h"
#include "xen-hooks/tpmd/conf.h"
#include "xen-hooks/tpmd/door.h"
#include "xen-hooks/tpmd/loop.h"
#include "xen-hooks/tpmd/options.h"

#define LOCALITY 2 /* that no other domain has */

static void
report(void *arg, const char *line)
{
	(void)arg;
	fprintf(stderr, "%s\n", line);
}

/* Its own, and nobody else's; made where there is none. */
static int
open_dir(const char *path, mode_t mode, const char *user)
{
	const struct passwd *pw = geteuid() == 0 ? getpwnam(user) : NULL;
	int fd;

	if (geteuid() == 0 && pw == NULL)
		log_fatal("user = %s: there is no such user", user);
	if (mkdir(path, mode) < 0 && errno != EEXIST)
		log_fatal("%s: %s", path, strerror(errno));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || (pw != NULL && fchown(fd, pw->pw_uid, pw->pw_gid) < 0) ||
	    fchmod(fd, mode) < 0)
		log_fatal("%s: %s", path, strerror(errno));
	return fd;
}

static int
open_state(const struct tpmd_conf *c)
{
	int fd = open_dir(c->state, 0700, c->user);

	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		log_fatal("%s: another domt-tpmd has it", c->state);
	return fd;
}

/* A vchan takes four, and who waits for one as many. */
static void
raise_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &r);
	}
}

static const char *
note(const struct tpmd_conf *c)
{
	if (c->policy.locality == LOCALITY)
		return "";
	return "DomT's secret is not bound to locality 2 of the TPM: dom0 could open it";
}

static void
own_files(const struct root *r, const struct tpmd_conf *c)
{
	const struct passwd *pw = geteuid() == 0 ? getpwnam(c->user) : NULL;
	static const char *const names[] = {"root.sealed", "state.0", "state.1"};

	/* What was made as root is to be replaced by the user. */
	for (size_t i = 0; pw != NULL && i < sizeof(names) / sizeof(names[0]); i++)
		if (fchownat(r->dir, names[i], pw->pw_uid, pw->pw_gid, AT_SYMLINK_NOFOLLOW) < 0 &&
		    errno != ENOENT)
			log_warn("%s: %s", names[i], strerror(errno));
}

static struct loop *
start(const struct tpmd_conf *c, struct root *r, struct ledger *l, struct service *s, int signals)
{
	const struct loop_config config = {.sockets = c->sockets,
	    .builder = c->builder,
	    .writes = c->writes,
	    .extensions = c->extensions,
	    .note = note(c),
	    .signals = signals};
	char identity[2 * DOMT_IDENTITY + 1];
	struct loop *loop;

	if (c->sockets != NULL)
		(void)close(open_dir(c->sockets, 0755, c->user));
	if (root_open(r, l) < 0) {
		log_error("%s", r->why);
		return NULL;
	}
	own_files(r, c);
	if (!sec_locked())
		log_warn("secrets may be swapped: raise the limit of locked memory");
	if (geteuid() == 0)
		user_become(c->user);
	*s = (struct service){.ledger = l,
	    .wrap = r->keys->wrap,
	    .identity = r->identity,
	    .random = root_random,
	    .random_arg = r};
	/* Jansson wants a seed of /dev/urandom, which the door hides; Xen's library is loaded. */
	json_object_seed(0);
	if ((loop = loop_new(&config, s, r)) == NULL)
		return NULL;
	if (door_close(c) < 0) {
		loop_free(loop);
		return NULL;
	}
	log_info("serving tpm=%s identity=%s rows=%zu sequence=%llu", r->name,
	    hex_put(identity, r->identity, DOMT_IDENTITY), l->now.n,
	    (unsigned long long)l->sequence);
	(void)sd_notify(0, "READY=1");
	return loop;
}

int
main(int argc, char **argv)
{
	static struct ledger ledger;
	static struct service service;
	struct tpmd_conf conf;
	struct options o;
	struct root root = {.tpm = NULL};
	struct loop *loop;
	bool ok = false;
	int signals;

	log_name("domt-tpmd");
	options_parse(&o, argc, argv);
	if (!tpmd_conf_read(o.config, &conf, report, NULL)) {
		tpmd_conf_free(&conf);
		return 2;
	}
	if (o.check) {
		tpmd_conf_free(&conf);
		return 0;
	}
	/* There are secrets before the door is closed. */
	(void)prctl(PR_SET_DUMPABLE, 0);
	signals = stop_signals();
	raise_limit();
	root.address = conf.tpm;
	root.policy = conf.policy;
	root.approvals = conf.approvals;
	root.dir = open_state(&conf);
	if ((loop = start(&conf, &root, &ledger, &service, signals)) != NULL) {
		ok = loop_run(loop);
		log_info("stopping");
		loop_free(loop);
	}
	root_close(&root, &ledger);
	tpmd_conf_free(&conf);
	return ok ? 0 : 1;
}
