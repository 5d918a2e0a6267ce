/* nursery.c - see nursery.h */
#include "vsmd/nursery/nursery.h"

#include <errno.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/ipc.h"
#include "common/log.h"
#include "common/proctitle.h"
#include "vsmd/confine/confine.h"
#include "vsmd/msg.h"
#include "vsmd/nursery/softhsm.h"
#include "vsmd/worker/curve.h"
#include "vsmd/worker/gate.h"
#include "vsmd/worker/index.h"
#include "vsmd/worker/interpose.h"
#include "vsmd/worker/learn.h"
#include "vsmd/worker/seen.h"
#include "vsmd/worker/slot.h"
#include "vsmd/worker/view.h"
#include "vsmd/worker/worker.h"

#define REFRESH 64 /* commits after which the objects are read anew before a fork */
#define RENEW 1024 /* the same, for SoftHSM2 itself: what was destroyed it keeps till it ends */

struct nursery {
	const struct nursery_config *config;
	CK_FUNCTION_LIST *fl;
	int supervisor, children; /* ipc pipe; signalfd of SIGCHLD */
	struct gate_file file;
	struct gate gate;
	struct index *index; /* of the objects, for the workers */
	uint32_t pins;  /* generation that SoftHSM2 has read */
	uint64_t epoch; /* of the objects that SoftHSM2 has read */
	uint64_t began; /* the same, when it was started */
	time_t read;    /* in which second (monotonic) it has looked for others */
};

static int
tell(struct nursery *n, enum msg type, uint32_t pid, uint32_t status, const char *why)
{
	struct buf b;
	int rc;

	buf_init(&b, IPC_MAX);
	buf_put_u8(&b, (uint8_t)type);
	if (type == M_N_STARTED || type == M_N_EXITED)
		buf_put_u32(&b, pid);
	if (type == M_N_EXITED)
		buf_put_u32(&b, status);
	if (type == M_N_FAILED)
		buf_put_str(&b, why);
	rc = ipc_send(n->supervisor, &b, NULL, 0);
	buf_free(&b);
	return rc;
}

/* With many objects SoftHSM2 sees, at first, none (view.h). */
static bool
is_big(const struct nursery *n)
{
	char directory[VIEW_PATH];
	uint8_t name[VIEW_NAME];
	bool odd = false, any_odd = false;
	size_t objects = 0;
	DIR *d;

	if (n->index == NULL || !view_directory(n->config->directory, directory) ||
	    (d = view_list(directory)) == NULL)
		return false;
	while (view_next(d, name, &odd)) {
		objects++;
		any_odd |= odd;
	}
	closedir(d);
	return objects >= n->config->big && !any_odd && !odd;
}

/* Have SoftHSM2 read the token from its files. */
static int
start_softhsm(struct nursery *n)
{
	CK_RV rv;

	gate_enter(&n->gate, GATE_SHARED);
	n->pins = gate_pins(&n->file);
	n->epoch = n->began = gate_epoch(&n->file);
	seen_start(n->index != NULL ? index_changes(n->index) : NULL);
	view_start(n->config->directory, !is_big(n));
	rv = softhsm_start(n->fl);
	if (!view_was_asked())
		view_whole();
	gate_leave(&n->gate);
	if (rv != CKR_OK)
		log_error("SoftHSM2 does not start on %s: 0x%lx", n->config->directory, rv);
	return rv == CKR_OK ? 0 : -1;
}

/* Is it worth while to read the objects anew before a fork? */
static bool
is_behind(struct nursery *n)
{
	uint64_t commits = gate_epoch(&n->file) - n->epoch;
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	if (commits == 0 || (commits < REFRESH && ts.tv_sec == n->read))
		return false;
	n->read = ts.tv_sec;
	return true;
}

/*
 * Before a fork.  SoftHSM2 reads PINs, and which token there is, once: after a change it
 * is started anew.  Objects it finds by itself, but each worker would for itself, in
 * memory of its own: so they are read here after many changes, and after few once in a
 * second.  After very many SoftHSM2 is started anew too: else a nursery would grow by each
 * object that was ever seen.
 */
static int
refresh(struct nursery *n)
{
	CK_OBJECT_CLASS none = CKO_VENDOR_DEFINED | 0x7fffffff;
	CK_ATTRIBUTE match = {CKA_CLASS, &none, sizeof(none)};
	CK_SESSION_HANDLE session;
	CK_SLOT_ID slot;
	bool blank;

	if (gate_pins(&n->file) != n->pins) {
		(void)n->fl->C_Finalize(NULL);
		return start_softhsm(n);
	}
	if (!view_is_whole() || !is_behind(n))
		return 0;
	if (gate_epoch(&n->file) - n->began >= RENEW || is_big(n)) {
		(void)n->fl->C_Finalize(NULL);
		return start_softhsm(n);
	}
	gate_enter(&n->gate, GATE_SHARED);
	n->epoch = gate_epoch(&n->file);
	if (softhsm_slot(n->fl, &slot, &blank) == CKR_OK && !blank &&
	    n->fl->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &session) == CKR_OK) {
		if (n->fl->C_FindObjectsInit(session, &match, 1) == CKR_OK)
			(void)n->fl->C_FindObjectsFinal(session);
		(void)n->fl->C_CloseSession(session);
	}
	gate_leave(&n->gate);
	return 0;
}

/* In the child: nothing of the nursery's but SoftHSM2 and the log stays. */
static int
be_worker(struct nursery *n, struct worker_config *w, pid_t parent)
{
	sigset_t none;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || getppid() != parent)
		return 1;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	close(n->supervisor);
	close(n->children);
	gate_close(&n->gate);
	return worker_main(w);
}

static int
attach(struct nursery *n, struct buf *b, int fds[2])
{
	static struct worker_config w; /* a grant is large */
	const uint8_t *hello = buf_get_raw(b, HELLO_LEN);
	pid_t parent = getpid(), pid;

	if (hello == NULL || !hello_ask_read(hello, &w.hello) || !grant_read(b, &w.grant) ||
	    !buf_end(b)) {
		log_error("the supervisor's message is malformed");
		return -1;
	}
	if (refresh(n) != 0)
		return -1;
	w.nursery = n->config;
	w.backend = n->fl;
	w.channel = fds[0];
	w.store = fds[1];
	w.pins = n->pins;
	w.index = n->index;
	w.cell = counters_cell_take(n->config->counters);
	if ((pid = fork()) < 0)
		counters_cell_is(n->config->counters, w.cell, 0);
	if (pid < 0)
		return tell(n, M_N_FAILED, 0, 0, strerror(errno));
	if (pid == 0)
		_exit(be_worker(n, &w, parent));
	counters_cell_is(n->config->counters, w.cell, pid);
	return tell(n, M_N_STARTED, (uint32_t)pid, 0, NULL);
}

static int
from_supervisor(struct nursery *n)
{
	struct buf b;
	int fds[IPC_MAX_FDS], rc = -1;
	size_t nfds = 0;

	buf_init(&b, IPC_MAX);
	if (ipc_recv(n->supervisor, &b, fds, &nfds) != 0)
		rc = errno == ECONNRESET ? 1 : -1;
	else if (buf_get_u8(&b) == M_N_ATTACH && nfds == 2)
		rc = attach(n, &b, fds);
	else
		log_error("the supervisor's message is malformed");
	for (size_t i = 0; i < nfds; i++)
		close(fds[i]);
	buf_free(&b);
	return rc;
}

static int
reap(struct nursery *n)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	if (read(n->children, &info, sizeof(info)) < 0 && errno != EAGAIN && errno != EINTR)
		return -1;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		counters_cell_free(n->config->counters, pid);
		/* Of other signals the supervisor tells, which knows whose it was. */
		if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && log_may("killed"))
			log_warn("worker %d was killed by signal %d", (int)pid, SIGKILL);
		if (tell(n, M_N_EXITED, (uint32_t)pid, (uint32_t)status, NULL) != 0)
			return -1;
	}
	return 0;
}

static int
serve(struct nursery *n)
{
	struct pollfd p[2] = {
	    {.fd = n->supervisor, .events = POLLIN}, {.fd = n->children, .events = POLLIN}};
	int rc = 0;

	if (tell(n, M_N_READY, 0, 0, NULL) != 0)
		return 1;
	while (rc == 0) {
		if (poll(p, 2, log_left_out()) < 0) {
			if (errno == EINTR)
				continue;
			return 1;
		}
		if (p[1].revents)
			rc = reap(n);
		if (rc == 0 && p[0].revents)
			rc = from_supervisor(n);
	}
	/* 1: the supervisor is gone, and that is how a nursery ends. */
	return rc == 1 ? 0 : 1;
}

static int
watch_children(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int
close_the_door(const struct nursery_config *c)
{
	static const int more[] = {SCMP_SYS(wait4), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt),
	    SCMP_SYS(getrlimit), SCMP_SYS(prlimit64)};
	struct confine_path paths[] = {{c->directory, true}, {c->gate, true}};
	int calls[64];
	size_t n = 0;
	struct confine door = {.role = "vsmd-nursery", .paths = paths, .npaths = 2,
	    .syscalls = calls, .flags = CONFINE_FORK};

	if (confine_worker_count + sizeof(more) / sizeof(more[0]) >
	    sizeof(calls) / sizeof(calls[0])) {
		log_error("the list of system calls is too long");
		return -1;
	}
	for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++)
		calls[n++] = more[i];
	for (size_t i = 0; i < confine_worker_count; i++)
		calls[n++] = confine_worker[i];
	door.nsyscalls = n;
	return confine(&door);
}

int
nursery_main(int supervisor, const struct nursery_config *config)
{
	struct nursery n = {.config = config, .supervisor = supervisor};
	char title[32];

	log_name("vsmd-nursery");
	if (config->counters != NULL)
		log_share(&config->counters->log);
	snprintf(title, sizeof(title), "slot %u", config->slot);
	proctitle_set("vsmd-nursery", title);
	signal(SIGPIPE, SIG_IGN);
	if (confine_keep_fds(&supervisor, 1) != 0 || (n.children = watch_children()) < 0 ||
	    gate_file_open(&n.file, config->gate) != 0 || gate_open(&n.gate, &n.file) != 0) {
		log_error("slot %u: %s", config->slot, strerror(errno));
		return 1;
	}
	/* Without an index the whole of a token is read. */
	if ((n.index = index_make()) == NULL)
		log_warn("slot %u: no index of objects: %s", config->slot, strerror(errno));
	if (interpose_init() != 0 || learn_init() != 0 || curve_init() != 0 ||
	    softhsm_warm() != 0 || (n.fl = softhsm_load(config->library, config->directory)) == NULL ||
	    start_softhsm(&n) != 0 || worker_prepare() != 0 || close_the_door(config) != 0)
		return 1;
	return serve(&n);
}
