/* fake.c - see fake.h */
#include "fake.h"

#include <assert.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fake_worker.h"
#include "protocol/hello.h"
#include "vchan-transport/transport.h"

static void
write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert(f != NULL);
	fputs(text, f);
	assert(fclose(f) == 0);
}

/* Answer the hello, and be the worker when one was asked for. */
static void
greet(struct fake *f, struct channel *c)
{
	uint8_t bytes[HELLO_LEN], record[HELLO_SLOT_LEN];
	struct hello_answer answer = {.version = HELLO_VERSION};
	struct hello_slot slots[] = {{FAKE_EMPTY_SLOT, 0},
	    {FAKE_SLOT, HELLO_SLOT_INITIALIZED}};
	struct iovec v = {bytes, sizeof(bytes)}, s = {record, sizeof(record)};
	struct hello_ask ask;
	bool token;

	if (channel_read_all(c, bytes, sizeof(bytes), 5000) != 0 ||
	    !hello_ask_read(bytes, &ask))
		return;
	f->hellos++;
	token = ask.purpose == HELLO_TOKEN;
	answer.max_frame = ask.max_frame;
	answer.silence = ask.silence;
	if (token && f->knows_once)
		answer.flags = ask.flags & HELLO_ONCE;
	if (token && f->keeps)
		answer.flags |= ask.flags & HELLO_KEEP;
	answer.status = f->mode == FAKE_REFUSE ? HELLO_REFUSED
			: f->mode == FAKE_BUSY ? HELLO_BUSY
			: token && ask.slot != FAKE_SLOT && ask.slot != FAKE_EMPTY_SLOT
			    ? HELLO_NO_SLOT
			    : HELLO_OK;
	if (f->mode == FAKE_OTHER)
		answer.version++;
	if (ask.purpose == HELLO_SLOTS && answer.status == HELLO_OK)
		answer.count = 2;
	hello_answer_write(bytes, &answer);
	if (f->mode == FAKE_GARBAGE)
		memset(bytes, 'x', sizeof(bytes));
	if (f->mode == FAKE_MUTE_HELLO) {
		(void)channel_read_all(c, bytes, 1, -1);
		return;
	}
	if (f->mode == FAKE_DIES_EARLY) {
		if (atomic_fetch_sub(&f->dying, 1) == 1)
			f->mode = FAKE_HONEST;
		return;
	}
	if (channel_writev(c, &v, 1, 5000) != 0)
		return;
	for (uint32_t i = 0; i < answer.count; i++) {
		hello_slot_write(record, &slots[i]);
		(void)channel_writev(c, &s, 1, 5000);
	}
	if (!token || answer.status != HELLO_OK || answer.version != HELLO_VERSION)
		return;
	f->channels++;
	worker_serve(f, c, ask.slot, ask.max_frame);
}

static void
listen_forever(struct fake *f, int ready)
{
	struct listener *l = transport_listen(f->address, 0600);
	struct channel *c;
	struct pollfd p;
	struct peer peer;

	assert(l != NULL);
	assert(write(ready, "r", 1) == 1);
	for (;;) {
		p = (struct pollfd){.fd = listener_fd(l), .events = POLLIN};
		(void)poll(&p, 1, -1);
		if ((c = listener_accept(l, &peer)) == NULL)
			continue;
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			(void)close(listener_fd(l));
			greet(f, c);
			channel_close(c);
			_exit(0);
		}
		channel_drop(c);
	}
}

static void
spawn(struct fake *f)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert(pipe(ready) == 0);
	if ((pid = fork()) == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setpgid(0, 0);
		signal(SIGCHLD, SIG_IGN);
		(void)close(ready[0]);
		listen_forever(f, ready[1]);
		_exit(1);
	}
	f->pid = pid;
	setpgid(pid, pid);
	(void)close(ready[1]);
	assert(read(ready[0], &byte, 1) == 1);
	(void)close(ready[0]);
}

struct fake *
fake_start(void)
{
	struct fake *f = mmap(NULL, sizeof(*f), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char path[160], text[256];
	int status;
	pid_t pid;

	assert(f != MAP_FAILED);
	f->beat_ms = 50;
	f->epoch = 1;
	f->late_ms = FAKE_LATE_MS;
	snprintf(f->dir, sizeof(f->dir), "/tmp/caas-p11-test.XXXXXX");
	assert(mkdtemp(f->dir) != NULL);
	snprintf(f->address, sizeof(f->address), "unix:%s/s", f->dir);
	snprintf(path, sizeof(path), "%s/tokens", f->dir);
	assert(mkdir(path, 0700) == 0);
	snprintf(path, sizeof(path), "%s/softhsm2.conf", f->dir);
	snprintf(text, sizeof(text), "directories.tokendir = %s/tokens\n", f->dir);
	write_text(path, text);
	assert(setenv("SOFTHSM2_CONF", path, 1) == 0);
	assert(setenv("CAAS_VSM_ADDRESS", f->address, 1) == 0);
	if ((pid = fork()) == 0)
		_exit(worker_make_token() ? 0 : 1);
	assert(waitpid(pid, &status, 0) == pid && status == 0);
	spawn(f);
	return f;
}

void
fake_kill(struct fake *f)
{
	if (f->pid == 0)
		return;
	(void)kill(-f->pid, SIGKILL);
	(void)waitpid(f->pid, NULL, 0);
	/* Orphans of the group may still be dying; their sockets close with them. */
	while (kill(-f->pid, 0) == 0)
		(void)usleep(1000);
	f->pid = 0;
}

void
fake_restart(struct fake *f)
{
	spawn(f);
}

static void
for_each_worker(struct fake *f, void (*act)(pid_t pid))
{
	char path[64], buf[4096], *p, *end;
	FILE *file;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", f->pid, f->pid);
	assert((file = fopen(path, "r")) != NULL);
	n = fread(buf, 1, sizeof(buf) - 1, file);
	buf[n] = '\0';
	(void)fclose(file);
	for (p = buf;; p = end) {
		long pid = strtol(p, &end, 10);

		if (end == p)
			break;
		act((pid_t)pid);
	}
}

static void
kill_worker(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	while (kill(pid, 0) == 0)
		(void)usleep(1000);
}

void
fake_kill_workers(struct fake *f)
{
	for_each_worker(f, kill_worker);
}

/* The thread stands still, or is gone. */
static bool
stands(const char *stat_path)
{
	char line[256], *state;
	FILE *f = fopen(stat_path, "r");
	bool yes = true;

	if (f == NULL)
		return true;
	if (fgets(line, sizeof(line), f) != NULL && (state = strrchr(line, ')')) != NULL)
		yes = strchr("TtZX", state[2]) != NULL;
	(void)fclose(f);
	return yes;
}

/* SIGSTOP takes its time, for each thread its own. */
static void
wait_until_it_stands(pid_t pid)
{
	char path[300];
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	if ((d = opendir(path)) == NULL)
		return;
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%s/stat", (int)pid, e->d_name);
		while (!stands(path))
			(void)usleep(1000);
	}
	(void)closedir(d);
}

void
fake_freeze(struct fake *f)
{
	assert(kill(-f->pid, SIGSTOP) == 0);
	wait_until_it_stands(f->pid);
	for_each_worker(f, wait_until_it_stands);
}

void
fake_thaw(struct fake *f)
{
	assert(kill(-f->pid, SIGCONT) == 0);
}

void
fake_stop(struct fake *f)
{
	char command[128];

	fake_kill(f);
	snprintf(command, sizeof(command), "rm -rf '%s'", f->dir);
	assert(system(command) == 0);
	(void)munmap(f, sizeof(*f));
}
