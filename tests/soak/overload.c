/* overload.c - see overload.h: starts the applications, and counts how they end */
#include "tests/soak/overload.h"

#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/e2e/plain.h"

#define MS UINT64_C(1000000)
#define STARTING 8  /* at one time */
#define MOST_NEW 300 /* newcomers at one time: who is due meanwhile comes later */
#define OVERDUE 60  /* seconds after the end */

static const char usage[] =
    "usage: caas-overload MODULE TOKEN PIN LABEL APPS SESSIONS RATE SECONDS";

static struct {
	unsigned started, ended, failed; /* processes */
	unsigned crowd;                  /* newcomers at one time, at most */
	uint64_t behind;                 /* how late one was started, at most */
} count;

static void
must_not(bool failed, const char *what)
{
	if (failed)
		err(2, "%s", what);
}

/* A process that does it, and ends. */
static void
start(struct overload *o, void (*do_it)(struct overload *o, unsigned number), unsigned number)
{
	pid_t pid = fork();

	must_not(pid < 0, "fork");
	if (pid == 0) {
		/* The driver's ends, whose closing everybody waits for. */
		close(o->go[1]);
		close(o->stop[1]);
		do_it(o, number);
		exit(0);
	}
	count.started++;
}

/* Who has ended? */
static void
reap(void)
{
	int status;

	while (waitpid(-1, &status, WNOHANG) > 0) {
		count.ended++;
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			count.failed++;
	}
}

static void
nap(void)
{
	overload_sleep(overload_now() + MS);
	reap();
}

static bool
comes_to(atomic_uint *what, unsigned n, uint64_t until)
{
	while (atomic_load(what) < n && count.failed == 0 && overload_now() < until)
		nap();
	return atomic_load(what) >= n;
}

static void
look(struct overload *o, unsigned number)
{
	(void)number;
	overload_look(o);
}

static void
sessions(struct overload *o, unsigned number)
{
	(void)number;
	overload_sessions(o);
}

static void
newcomer(struct overload *o, unsigned number)
{
	(void)number;
	overload_newcomer(o);
}

static void
public_key(struct overload *o)
{
	start(o, look, 0);
	while (count.ended == 0)
		nap();
	if (count.failed != 0)
		exit(2);
	o->public = p256_public(o->shared->point);
	count.started = count.ended = 0;
}

static bool
start_all(struct overload *o)
{
	start(o, sessions, 0);
	for (unsigned i = 0; i < o->apps && count.failed == 0; i++) {
		while (count.started - atomic_load(&o->shared->ready) > STARTING &&
		    count.failed == 0)
			nap();
		start(o, overload_steady, i);
	}
	return comes_to(&o->shared->ready, o->apps + 1, UINT64_MAX);
}

/* RATE newcomers each second, each at its time. */
static void
newcomers(struct overload *o, unsigned others)
{
	for (uint64_t i = 0; i < (uint64_t)o->rate * o->seconds && count.failed == 0; i++) {
		uint64_t due = o->shared->begin + i * 1000 * MS / o->rate, now;

		overload_sleep(due);
		do {
			nap();
			now = count.started - count.ended - others;
		} while (now >= MOST_NEW && count.failed == 0);
		if (now + 1 > count.crowd)
			count.crowd = (unsigned)now + 1;
		now = overload_now();
		if (now - due > count.behind)
			count.behind = now - due;
		start(o, newcomer, 0);
	}
}

static bool
all_end(unsigned left)
{
	uint64_t until = overload_now() + OVERDUE * 1000 * MS;

	while (count.started - count.ended > left && count.failed == 0 &&
	    overload_now() < until)
		nap();
	return count.started - count.ended == left && count.failed == 0;
}

static void
report(const struct overload *o)
{
	static const char *const names[] = {"sign", "sign-from-due", "session", "new"};
	const struct overload_shared *s = o->shared;

	for (int i = 0; i < OVERLOAD_KINDS; i++) {
		const struct times *t = &s->times[i];

		printf("%s n=%lu p50_ms=%.2f p99_ms=%.2f p999_ms=%.2f max_ms=%.2f\n", names[i],
		    (unsigned long)t->n, (double)times_of(t, 500) / MS,
		    (double)times_of(t, 990) / MS, (double)times_of(t, 999) / MS,
		    (double)t->longest / MS);
	}
	printf("newcomers at_once=%u started_late_ms=%.2f\n", count.crowd,
	    (double)count.behind / MS);
	printf("signatures asked=%lu right=%lu applications=%u failed=%u\n", s->asked, s->right,
	    count.ended, count.failed);
}

/* Whoever is left ends with the driver. */
static void
kill_all(void)
{
	(void)signal(SIGTERM, SIG_IGN);
	(void)kill(0, SIGTERM);
}

/* A line, with which whoever runs this goes on. */
static void
wait_line(void)
{
	char line[16];

	fflush(stdout);
	if (fgets(line, sizeof(line), stdin) == NULL) {
		kill_all();
		exit(2);
	}
}

static bool
run(struct overload *o)
{
	uint64_t began = overload_now();
	bool all;

	public_key(o);
	if (!start_all(o))
		return false;
	printf("ready applications=%u seconds=%.1f\n", count.started,
	    (double)(overload_now() - began) / (1000 * MS));
	wait_line();
	o->shared->begin = overload_now() + 100 * MS;
	o->shared->end = o->shared->begin + o->seconds * 1000 * MS;
	close(o->go[1]);
	newcomers(o, o->apps + 1);
	all = all_end(o->apps + 1) && comes_to(&o->shared->done, o->apps + 1,
	    o->shared->end + OVERDUE * 1000 * MS);
	printf("done\n");
	wait_line();
	close(o->stop[1]);
	all = all_end(0) && all;
	report(o);
	return all && o->shared->asked == o->shared->right;
}

int
main(int argc, char *argv[])
{
	struct overload o = {0};
	bool right;

	if (argc != 9)
		errx(2, "%s", usage);
	o.token = argv[2];
	o.pin = argv[3];
	o.label = argv[4];
	o.apps = (unsigned)number_of(argv[5], 10000, usage);
	o.sessions = (unsigned)number_of(argv[6], 1000000, usage);
	o.rate = (unsigned)number_of(argv[7], 1000, usage);
	o.seconds = (unsigned)number_of(argv[8], 86400, usage);
	o.shared = mmap(NULL, sizeof(*o.shared), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must_not(o.shared == MAP_FAILED, "mmap");
	must_not(pipe(o.go) != 0 || pipe(o.stop) != 0, "pipe");
	must_not(setpgid(0, 0) != 0 && errno != EPERM, "setpgid");
	load(argv[1]);
	right = run(&o);
	kill_all();
	return right ? 0 : 1;
}
