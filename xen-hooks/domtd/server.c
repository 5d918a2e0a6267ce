/* server.c - see server.h */
#include "xen-hooks/domtd/server.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "common/ipc.h"
#include "common/log.h"
#include "vchan-transport/deadline.h"
#include "xen-hooks/domtd/store.h"
#include "xen-hooks/domtd/task.h"

#define SETTLE_AGAIN 10000 /* ms after one that failed */
#define TELL_EVERY   60000 /* ms: a service that begins anew in its domain may say so to nobody */

enum { AT_SIGNALS, AT_LISTENER, AT_WATCH, AT_TASK, AT_CLIENTS };

/* `c` NULL: nobody asked.  `r` NULL: settle. */
static void
begin(struct server *s, struct client *c, const struct request *r)
{
	struct running *run = &s->running;
	struct task t = {.pairs = s->o->pairs, .r = r, .lock = s->lock, .file = -1,
	    .service = s->o->service.name != NULL ? &s->o->service : NULL};
	pid_t pid;

	if (c != NULL) {
		t.file = c->file;
		c->state = CLIENT_SERVED;
	}
	memset(run, 0, sizeof(*run));
	pid = task_start(&t, &run->pipe);
	if (pid < 0) {
		s->look_at = deadline_at(SETTLE_AGAIN);
		if (c != NULL)
			client_say(s, c, REPLY_ERROR, "no process for it: see domtd's log");
		return;
	}
	run->pid = pid;
	run->client = c;
	run->settle = c == NULL;
	/* It may tell DomT of what is undone afterwards. */
	if (r != NULL)
		s->tell_at = 0;
	if (r != NULL)
		snprintf(run->what, sizeof(run->what), "%s %s", request_word(r->kind), r->pair);
	else
		snprintf(run->what, sizeof(run->what), "settling");
}

/* The same failure again and again is one line. */
static void
settle_failed(struct server *s, const char *text)
{
	s->look_at = deadline_at(SETTLE_AGAIN);
	if (strcmp(s->failure, text) == 0)
		return;
	log_error("%s: %s", s->running.what, text);
	snprintf(s->failure, sizeof(s->failure), "%s", text);
}

static void
settled(struct server *s)
{
	s->failure[0] = '\0';
	if (s->o->service.name == NULL)
		return;
	memcpy(s->heard, s->mark, sizeof(s->heard));
	/* What began anew meanwhile may have heard nothing of it. */
	s->tell_at = s->running.anew ? 0 : deadline_at(TELL_EVERY);
}

static void
service_said(struct server *s, const char *text)
{
	if (strcmp(s->service_text, text) == 0)
		return;
	log_info("DomT's TPM service: %s", text);
	snprintf(s->service_text, sizeof(s->service_text), "%s", text);
}

/* What the operation says is for the log, and for who asked. */
static void
task_said(struct server *s, const struct buf *b)
{
	struct running *run = &s->running;
	enum reply_kind kind;
	json_t *text;

	if (!reply_read(b, &kind, &text)) {
		log_error("%s: its process says what is no reply", run->what);
		return;
	}
	if (kind == REPLY_SERVICE) {
		service_said(s, json_string_value(text));
		json_decref(text);
		return;
	}
	if (kind == REPLY_ERROR && run->settle)
		settle_failed(s, json_string_value(text));
	else if (kind == REPLY_ERROR)
		log_error("%s: %s", run->what, json_string_value(text));
	else if (kind == REPLY_NOTE)
		log_warn("%s: %s", run->what, json_string_value(text));
	else if (!run->settle || kind != REPLY_DONE)
		log_info("%s: %s", run->what, json_string_value(text));
	json_decref(text);
	if (run->settle && kind == REPLY_DONE)
		settled(s);
	run->ended |= reply_last(kind);
	if (run->client == NULL)
		return;
	client_pass(s, run->client, b);
	if (run->client != NULL && run->ended)
		client_close(s, run->client);
}

static void
task_over(struct server *s)
{
	struct running *run = &s->running;
	char text[128];
	int status = 0;

	close(run->pipe);
	while (waitpid(run->pid, &status, 0) < 0 && errno == EINTR)
		continue;
	run->pid = 0;
	if (!run->settle)
		s->look_at = 0;
	if (run->ended)
		return;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		snprintf(text, sizeof(text), "its time is over, and what was done is undone");
	else
		snprintf(text, sizeof(text), "its process ended (%s %d): see domtd's log",
		    WIFSIGNALED(status) ? "signal" : "exit",
		    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	log_error("%s: %s", run->what, text);
	if (run->settle)
		s->look_at = deadline_at(SETTLE_AGAIN);
	if (run->client != NULL)
		client_lost(s, run->client, text);
}

static void
task_read(struct server *s)
{
	struct buf b;
	int rc;

	buf_init(&b, IPC_MAX);
	rc = ipc_recv(s->running.pipe, &b, NULL, NULL);
	if (rc == 0)
		task_said(s, &b);
	buf_free(&b);
	if (rc < 0)
		task_over(s);
}

/* One at a time: what is left to do first, then who waits longest. */
static void
next_task(struct server *s)
{
	struct request make = {.kind = REQUEST_CREATE};
	struct todo todo = {.settle = false};
	struct client *c;

	if (s->running.pid != 0)
		return;
	if (deadline_left(s->look_at) == 0)
		look(s, &todo);
	memcpy(make.pair, todo.make, sizeof(make.pair));
	/* A guest does not wait for a DomT that is not there. */
	if (todo.settle || todo.tell || make.pair[0] != '\0') {
		begin(s, NULL, todo.settle || make.pair[0] == '\0' ? NULL : &make);
		/* Once more afterwards, unless it fails. */
		s->look_at = s->running.pid != 0 ? 0 : s->look_at;
	} else if ((c = clients_next(s)) != NULL) {
		begin(s, c, &c->r);
	}
}

static int
sooner(int a, int b)
{
	return a < 0 ? b : b < 0 || a < b ? a : b;
}

/* A service that has begun anew knows nothing. */
static void
watched(struct server *s)
{
	bool service = false;

	if (store_watched(s->xs, &service))
		s->look_at = 0;
	if (service) {
		s->tell_at = 0;
		s->running.anew = true;
	}
}

/* False: to stop. */
static bool
turn(struct server *s)
{
	struct pollfd p[AT_CLIENTS + CLIENTS];
	int wait;

	next_task(s);
	wait = clients_tick(s);
	wait = sooner(wait, log_left_out());
	if (s->running.pid == 0)
		wait = sooner(wait, clients_next(s) != NULL ? 0 : deadline_left(s->look_at));
	p[AT_SIGNALS] = (struct pollfd){.fd = s->signals, .events = POLLIN};
	p[AT_LISTENER] = (struct pollfd){.fd = s->listener, .events = POLLIN};
	p[AT_WATCH] = (struct pollfd){.fd = s->watch, .events = POLLIN};
	p[AT_TASK] = (struct pollfd){
	    .fd = s->running.pid != 0 ? s->running.pipe : -1, .events = POLLIN};
	for (size_t i = 0; i < CLIENTS; i++)
		p[AT_CLIENTS + i] = (struct pollfd){
		    .fd = s->clients[i].state != CLIENT_NONE ? s->clients[i].fd : -1,
		    .events = POLLIN};
	if (poll(p, AT_CLIENTS + CLIENTS, wait) < 0) {
		if (errno != EINTR)
			log_fatal("poll: %s", strerror(errno));
		return true;
	}
	if (p[AT_SIGNALS].revents != 0)
		return false;
	for (size_t i = 0; i < CLIENTS; i++)
		if (p[AT_CLIENTS + i].revents != 0)
			client_read(s, &s->clients[i]);
	if (p[AT_TASK].revents != 0)
		task_read(s);
	if (p[AT_WATCH].revents != 0)
		watched(s);
	if (p[AT_LISTENER].revents != 0)
		clients_accept(s);
	return true;
}

void
server_run(struct server *s)
{
	s->look_at = s->tell_at = 0;
	s->follows = -1;
	while (turn(s))
		continue;
	log_info("stopping");
	(void)sd_notify(0, "STOPPING=1");
	/* An operation that is cut off is undone by the next domtd. */
	if (s->running.pid != 0) {
		(void)kill(s->running.pid, SIGKILL);
		(void)waitpid(s->running.pid, NULL, 0);
		s->running.pid = 0;
	}
	for (size_t i = 0; i < CLIENTS; i++)
		if (s->clients[i].state != CLIENT_NONE)
			client_lost(s, &s->clients[i], "domtd is being stopped");
}
