/* harness.c - see harness.h */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vsmd/supervisor/supervisor.h"

#define PATIENCE 20000 /* ms before a test gives up: long, machines are slow */
#define STEP 10

static void
nap(void)
{
	(void)poll(NULL, 0, STEP);
}

int
vsmd_setup(void **state)
{
	struct vsmd *v = calloc(1, sizeof(*v));

	if (v == NULL)
		return -1;
	snprintf(v->dir, sizeof(v->dir), "/tmp/vsmd-test.XXXXXX");
	if (mkdtemp(v->dir) == NULL)
		return -1;
	snprintf(v->conf, sizeof(v->conf), "%s/conf", v->dir);
	snprintf(v->sock, sizeof(v->sock), "%s/run/sock", v->dir);
	snprintf(v->state, sizeof(v->state), "%s/state", v->dir);
	snprintf(v->log, sizeof(v->log), "%s/log", v->dir);
	snprintf(v->address, sizeof(v->address), "unix:%s", v->sock);
	v->notify = v->held = -1;
	if (mkdir(v->state, 0700) < 0)
		return -1;
	*state = v;
	return 0;
}

static void
remove_tree(const char *dir)
{
	pid_t pid = fork();

	if (pid == 0) {
		execlp("rm", "rm", "-rf", dir, NULL);
		_exit(1);
	}
	(void)waitpid(pid, NULL, 0);
}

int
vsmd_teardown(void **state)
{
	struct vsmd *v = *state;

	if (v->pid > 0) {
		kill(v->pid, SIGKILL);
		(void)waitpid(v->pid, NULL, 0);
	}
	if (v->notify >= 0)
		close(v->notify);
	remove_tree(v->dir);
	free(v);
	return 0;
}

void
vsmd_config(struct vsmd *v, const char *settings, const char *policy)
{
	FILE *f = fopen(v->conf, "we");

	assert_non_null(f);
	fprintf(f,
	    "[vsmd]\nsandbox = yes\nlisten = unix:%s\nstate = %s\nruntime = %s/run\n"
	    "softhsm = %s/library\nlog-level = debug\n%s\n%s\n",
	    v->sock, v->state, v->dir, v->state, settings ? settings : "",
	    policy
		? policy
		: "[principal all]\nuid = *\nrole = admin\n[grant all *]\nallow = all\n");
	fclose(f);
}

static void
report(void *arg, const char *line)
{
	(void)arg;
	fprintf(stderr, "%s\n", line);
}

/* sd_listen_fds(3) */
static void
pass(int fd)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	if (dup2(fd, 3) < 0 || setenv("LISTEN_PID", pid, 1) < 0 ||
	    setenv("LISTEN_FDS", "1", 1) < 0)
		_exit(90);
}

void
vsmd_start(struct vsmd *v, bool wait)
{
	size_t from = 0;
	struct stat st;

	if (stat(v->log, &st) == 0)
		from = (size_t)st.st_size;
	fflush(NULL);
	v->pid = fork();
	assert_true(v->pid >= 0);
	if (v->pid == 0) {
		int fd = open(v->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
		struct config *c = config_load(v->conf, report, NULL);

		if (fd < 0 || c == NULL || dup2(fd, STDERR_FILENO) < 0)
			_exit(90);
		if (v->held >= 0)
			pass(v->held);
		exit(supervisor_main(v->conf, c));
	}
	if (wait)
		(void)vsmd_log(v, from, "listening address=");
}

int
vsmd_wait(struct vsmd *v)
{
	int status = 0;

	for (int i = 0; i < PATIENCE / STEP; i++) {
		if (waitpid(v->pid, &status, WNOHANG) == v->pid) {
			v->pid = 0;
			return WIFEXITED(status) ? WEXITSTATUS(status)
						 : -WTERMSIG(status);
		}
		nap();
	}
	fail_msg("the supervisor does not end");
	return -1;
}

int
vsmd_stop(struct vsmd *v)
{
	assert_int_equal(kill(v->pid, SIGTERM), 0);
	return vsmd_wait(v);
}

static size_t
find(struct vsmd *v, size_t from, const char *text)
{
	static char all[1 << 20];
	FILE *f = fopen(v->log, "re");
	char *at;
	size_t n;

	if (f == NULL)
		return 0;
	n = fread(all, 1, sizeof(all) - 1, f);
	fclose(f);
	all[n] = '\0';
	if (from > n || (at = strstr(all + from, text)) == NULL)
		return 0;
	return (size_t)(at - all) + strlen(text);
}

size_t
vsmd_log(struct vsmd *v, size_t from, const char *text)
{
	size_t at;

	for (int i = 0; i < PATIENCE / STEP; i++) {
		if ((at = find(v, from, text)) > 0)
			return at;
		nap();
	}
	fail_msg("not logged: %s", text);
	return 0;
}

bool
vsmd_logged(struct vsmd *v, const char *text)
{
	return find(v, 0, text) > 0;
}

void
vsmd_mark(struct vsmd *v, const char *file, bool there)
{
	char path[192];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", v->state, file);
	if (!there) {
		assert_int_equal(unlink(path), 0);
		return;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
}

struct channel *
vsmd_hello(
    struct vsmd *v, enum hello_purpose purpose, uint32_t slot, struct hello_answer *ret)
{
	struct hello_ask ask = {.version = HELLO_VERSION,
	    .purpose = purpose,
	    .slot = slot,
	    .max_frame = 1 << 20,
	    .silence = 30000};
	struct channel *c = transport_connect(v->address, 5000);
	uint8_t bytes[HELLO_LEN];
	struct iovec iov = {.iov_base = bytes, .iov_len = sizeof(bytes)};

	memset(ret, 0, sizeof(*ret));
	ret->status = 99;
	if (c == NULL)
		return NULL;
	hello_ask_write(bytes, &ask);
	if (channel_writev(c, &iov, 1, 5000) == 0 &&
	    channel_read_all(c, bytes, sizeof(bytes), PATIENCE + 5000) == 0)
		assert_true(hello_answer_read(bytes, ret));
	return c;
}

long
vsmd_status(struct vsmd *v, const char *key)
{
	struct hello_answer a;
	struct channel *c = vsmd_hello(v, HELLO_ADMIN, 0, &a);
	char text[4096];
	size_t n = 0;
	ssize_t got;
	json_t *o;
	long value;

	assert_non_null(c);
	assert_int_equal(a.status, HELLO_OK);
	while (n < sizeof(text) &&
	       (got = channel_read(c, text + n, sizeof(text) - n, 5000)) > 0)
		n += (size_t)got;
	channel_close(c);
	o = json_loadb(text, n, 0, NULL);
	assert_non_null(o);
	value = (long)json_integer_value(json_object_get(o, key));
	json_decref(o);
	return value;
}

void
vsmd_until(struct vsmd *v, const char *key, long value)
{
	for (int i = 0; i < PATIENCE / STEP; i++) {
		if (vsmd_status(v, key) == value)
			return;
		nap();
	}
	fail_msg("%s does not become %ld", key, value);
}

bool
process_alive(pid_t pid)
{
	char path[64], state = 'Z';
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if ((f = fopen(path, "re")) == NULL)
		return false;
	if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
		state = 'Z';
	fclose(f);
	return state != 'Z' && state != 'X';
}

void
until_dead(pid_t pid)
{
	for (int i = 0; i < PATIENCE / STEP; i++) {
		if (!process_alive(pid))
			return;
		nap();
	}
	fail_msg("process %d lives on", (int)pid);
}
