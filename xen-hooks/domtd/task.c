/* task.c - see task.h */
#include "xen-hooks/domtd/task.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/ipc.h"
#include "common/log.h"
#include "common/proctitle.h"
#include "vsmd/confine/confine.h"
#include "xen-hooks/domtd/operate.h"

#define SETTLE_TIMEOUT 300 /* s */

/* The pipe is as long as the process lives: nobody there means that domtd is gone. */
static void
say(int pipe, enum reply_kind kind, const char *text)
{
	struct buf b;

	buf_init(&b, MESSAGE_MAX);
	reply_write(&b, kind, text);
	if (ipc_send(pipe, &b, NULL, 0) < 0)
		exit(1);
	buf_free(&b);
}

static void
on_progress(void *arg, const char *text)
{
	say(*(int *)arg, REPLY_PROGRESS, text);
}

static void
on_report(void *arg, const char *line)
{
	say(*(int *)arg, REPLY_NOTE, line);
}

static int
described(struct operation *o, const struct task *t)
{
	struct description *d = description_load(t->pairs, t->r->pair, on_report, o->arg);
	int rc;

	if (d == NULL) {
		snprintf(o->error, sizeof(o->error),
		    "the description of the pair %s, in %s, cannot be used", t->r->pair, t->pairs);
		return -1;
	}
	alarm(d->timeout);
	rc = t->r->kind == REQUEST_CREATE ? operate_create(o, d)
					  : operate_restore(o, d, t->file);
	description_free(d);
	return rc;
}

static int
create(struct operation *o, const struct task *t)
{
	char why[sizeof(o->error)];
	int rc = described(o, t);

	if (rc == 0)
		return 0;
	snprintf(why, sizeof(why), "%s", o->error);
	if (operate_give_up(o, t->r->pair) < 0)
		log_error("%s", o->error);
	snprintf(o->error, sizeof(o->error), "%s", why);
	return -1;
}

/* What cannot be settled is no reason not to tell. */
static int
settle(struct operation *o)
{
	char why[sizeof(o->error)];
	int rc = operate_settle(o, NULL);

	snprintf(why, sizeof(why), "%s", o->error);
	if (operate_tell(o) < 0)
		return -1;
	snprintf(o->error, sizeof(o->error), "%s", why);
	return rc;
}

static int
perform(struct operation *o, const struct task *t)
{
	alarm(SETTLE_TIMEOUT);
	if (t->r == NULL)
		return settle(o);
	switch (t->r->kind) {
	case REQUEST_DESTROY:
		return operate_destroy(o, t->r->pair);
	case REQUEST_FORGET:
		return operate_forget(o, t->r->pair);
	case REQUEST_CREATE:
		return create(o, t);
	case REQUEST_SAVE:
		/* As long as the file takes. */
		alarm(0);
		return operate_save(o, t->r->pair, t->file);
	default:
		return described(o, t);
	}
}

static int
run(const struct task *t, int pipe)
{
	struct xen *xen = xen_open();
	struct operation o = {
	    .xen = xen, .progress = on_progress, .arg = &pipe, .service = t->service};
	int rc = -1;

	if (xen != NULL)
		rc = perform(&o, t);
	else
		snprintf(o.error, sizeof(o.error), "Xen cannot be reached: see domtd's log");
	if (o.service_text[0] != '\0')
		say(pipe, REPLY_SERVICE, o.service_text);
	if (rc < 0)
		say(pipe, o.unknown ? REPLY_NOTE : REPLY_ERROR, o.error);
	else
		say(pipe, REPLY_DONE, t->r != NULL ? request_word(t->r->kind) : "settled");
	xen_close(xen);
	return rc < 0;
}

pid_t
task_start(const struct task *t, int *ret_pipe)
{
	const char *pair = t->r != NULL ? t->r->pair : "";
	pid_t parent = getpid(), pid;
	char title[PAIR_NAME + 16];
	int fds[2];
	sigset_t none;

	if (ipc_pair(fds) < 0) {
		log_error("an operation cannot be begun: %s", strerror(errno));
		return -1;
	}
	if ((pid = fork()) < 0) {
		log_error("an operation cannot be begun: %s", strerror(errno));
		close(fds[0]);
		close(fds[1]);
		return -1;
	}
	if (pid != 0) {
		close(fds[1]);
		*ret_pipe = fds[0];
		return pid;
	}
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(1);
	/* libxl waits for its children by SIGCHLD, and scripts begin as they are used to. */
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	snprintf(title, sizeof(title), "%s %s",
	    t->r != NULL ? request_word(t->r->kind) : "settle", pair);
	log_name("domtd-task");
	proctitle_set("domtd-task", title);
	unsetenv("NOTIFY_SOCKET");
	if (confine_keep_fds((int[]){fds[1], t->lock, t->file}, t->file >= 0 ? 3 : 2) < 0)
		log_fatal("cannot close domtd's descriptors: %s", strerror(errno));
	exit(run(t, fds[1]));
}
