/* forks.c - role: children of fork beside threads that sign; see libcaas-p11/fork.c */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/soak/keys.h"

#define THREADS 2

static struct pair pairs[KEY_KINDS];
static pthread_t threads[THREADS];

/*
 * OpenSSL may be in the middle of something in another thread at the fork: a child does
 * not ask it, but hands the signature to its parent.
 */
struct message {
	enum key_kind kind;
	struct signature signature;
};

static void *
signer(void *arg)
{
	struct job *j = arg;

	app_open(j);
	while (!atomic_load(&soak.stop)) {
		keys_use(j, &pairs[chance_below(j, KEY_KINDS)]);
		pause_ms(chance_below(j, 20));
		j->step++;
	}
	return NULL;
}

void
fork_prepare(struct job *j)
{
	static struct job jobs[THREADS];

	for (int k = 0; k < KEY_KINDS; k++)
		keys_find(j, keys_labels[k], &pairs[k]);
	for (unsigned i = 0; i < THREADS; i++) {
		jobs[i] = (struct job){.rng = chance_next(j) | 1, .number = 10 + i};
		if (pthread_create(&threads[i], NULL, signer, &jobs[i]) != 0)
			fail(j, "no thread");
	}
}

void
fork_finish(struct job *j)
{
	(void)j;
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

static void
tell(struct job *j, int fd, CK_OBJECT_HANDLE key, enum key_kind kind)
{
	struct message m = {.kind = kind};

	keys_sign(j, key, kind, &m.signature);
	for (size_t at = 0; at < sizeof(m);) {
		ssize_t n = write(fd, (char *)&m + at, sizeof(m) - at);

		if (n <= 0)
			_exit(4);
		at += (size_t)n;
	}
}

/* With what it inherited, several times; or as an application of its own. */
static void
child(struct job *j, int fd, unsigned way)
{
	int status;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (way == 0)
		_exit(0); /* not a call */
	if (way == 1) {
		app_initialize(j);
		app_open(j);
		app_login(j);
		MUST(j, C_Finalize, NULL);
		_exit(0);
	}
	for (int n = 0; n < 3; n++) {
		enum key_kind k = chance_below(j, KEY_KINDS);

		tell(j, fd, pairs[k].private, k);
	}
	if (way == 2) {
		pid_t pid = fork();

		if (pid == 0) {
			tell(j, fd, pairs[KEY_EC].private, KEY_EC);
			_exit(0);
		}
		if (waitpid(pid, &status, 0) != pid || status != 0)
			fail(j, "a grandchild ended with status 0x%x", status);
	}
	_exit(0);
}

static bool
hear(int fd, struct message *m)
{
	for (size_t at = 0; at < sizeof(*m);) {
		ssize_t n = read(fd, (char *)m + at, sizeof(*m) - at);

		if (n <= 0)
			return false;
		at += (size_t)n;
	}
	return true;
}

void
fork_step(struct job *j)
{
	static const unsigned want[] = {0, 0, 4, 3};
	unsigned way = chance_below(j, COUNT(want)), heard = 0;
	uint64_t seed = chance_next(j) | 1;
	struct message m;
	int fd[2], status = 0;
	pid_t pid;

	if (pipe(fd) < 0 || (pid = fork()) < 0)
		fail(j, "no child");
	if (pid == 0) {
		close(fd[0]);
		j->rng = seed;
		j->number += 100;
		child(j, fd[1], way);
	}
	close(fd[1]);
	for (; hear(fd[0], &m); heard++)
		keys_judge(j, pairs[m.kind].judge, &m.signature);
	close(fd[0]);
	if (waitpid(pid, &status, 0) != pid || status != 0)
		fail(j, "a child (way %u) ended with status 0x%x", way, status);
	if (heard != want[way])
		fail(j, "a child (way %u) made %u signatures", way, heard);
	keys_use(j, &pairs[chance_below(j, KEY_KINDS)]);
	pause_ms(chance_below(j, 200));
}
