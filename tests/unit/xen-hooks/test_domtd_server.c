/* domtd's loop and its operations' processes, over a world that they share with the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/ipc.h"
#include "common/log.h"
#include "fake_service.h"
#include "fake_xen.h"
#include "xen-hooks/domtd/server.h"
#include "xen-hooks/domtd/store.h"
#include "xen-hooks/message/socket.h"

#define WITHIN 20000 /* ms that anything may take */

static struct fake_xen *f;
static struct fake_service domt;
static struct service service; /* of the next domtd */
static char dir[] = "/tmp/test-domtd.XXXXXX";
static char path[64];
static int watch[2]; /* a byte in it: @releaseDomain */
static pid_t server;

struct xen *
xen_open(void)
{
	return &f->xen;
}

void
xen_close(struct xen *xen)
{
	(void)xen;
}

bool
store_follow(struct xs_handle *xs, int64_t *followed, int64_t domid)
{
	(void)xs;
	*followed = domid;
	return true;
}

/* An `s' is of DomT's service. */
bool
store_watched(struct xs_handle *xs, bool *ret_service)
{
	char bytes[8];
	ssize_t n = read(watch[0], bytes, sizeof(bytes));

	(void)xs;
	for (ssize_t i = 0; i < n; i++)
		*ret_service |= bytes[i] == 's';
	return n > 0;
}

static void
serve(void)
{
	static struct server s;
	static struct options o;
	sigset_t stop;
	char lock[64];

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	o.pairs = dir;
	o.service = service;
	s.o = &o;
	s.forward = (uid_t)-1;
	s.watch = watch[0];
	snprintf(lock, sizeof(lock), "%s/lock", dir);
	s.lock = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	(void)sigemptyset(&stop);
	(void)sigaddset(&stop, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &stop, NULL);
	s.signals = signalfd(-1, &stop, SFD_CLOEXEC);
	s.listener = seq_listen(path, 0600, (gid_t)-1);
	/* Tests are not always root's. */
	s.forward = getuid();
	if (s.lock < 0 || s.signals < 0 || s.listener < 0)
		_exit(3);
	server_run(&s);
	_exit(0);
}

static void
start(void)
{
	server = fork();
	assert_true(server >= 0);
	if (server == 0)
		serve();
	for (int i = 0, fd = -1; fd < 0; i++) {
		assert_true(i < WITHIN / 10);
		fd = seq_connect(path);
		if (fd >= 0)
			close(fd);
		else
			usleep(10000);
	}
}

static void
stop(int sig)
{
	int status;

	assert_int_equal(kill(server, sig), 0);
	assert_int_equal(waitpid(server, &status, 0), server);
	if (sig == SIGTERM)
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static int
setup(void **state)
{
	(void)state;
	fake_init(f);
	start();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	f->hold = false;
	stop(SIGTERM);
	return 0;
}

static int
send_text(const char *text, int file)
{
	int fd = seq_connect(path);
	struct buf b;

	assert_true(fd >= 0);
	buf_init(&b, IPC_MAX);
	buf_put_raw(&b, text, strlen(text));
	assert_int_equal(ipc_send(fd, &b, &file, file >= 0), 0);
	buf_free(&b);
	return fd;
}

static int
ask(const char *word, int file)
{
	char text[128];

	snprintf(text, sizeof(text), "{\"version\":1,\"do\":\"%s\"%s}", word,
	    strcmp(word, "list") == 0 ? "" : ",\"pair\":\"web\"");
	return send_text(text, file);
}

/* The next reply; false at the end. */
static bool
hear(int fd, enum reply_kind *kind, json_t **value)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct buf b;
	bool more;

	assert_int_equal(poll(&p, 1, WITHIN), 1);
	buf_init(&b, IPC_MAX);
	more = ipc_recv(fd, &b, NULL, NULL) == 0;
	if (more)
		assert_true(reply_read(&b, kind, value));
	buf_free(&b);
	return more;
}

/* All of it until the last reply, which is `want`; what was said last, in static memory. */
static const char *
ends(int fd, enum reply_kind want)
{
	static char last[MESSAGE_TEXT];
	enum reply_kind kind = REPLY_PROGRESS;
	json_t *v;

	while (!reply_last(kind)) {
		assert_true(hear(fd, &kind, &v));
		if (json_is_string(v))
			snprintf(last, sizeof(last), "%s", json_string_value(v));
		json_decref(v);
	}
	if (kind != want)
		fail_msg("it ends with: %s", last);
	assert_false(hear(fd, &kind, &v));
	close(fd);
	return last;
}

static char said_service[SERVICE_TEXT]; /* by the last list */

/* The state of the one pair, or "" where there is none; in static memory. */
static const char *
listed(void)
{
	static char state[32];
	enum reply_kind kind = REPLY_PROGRESS;
	int fd = ask("list", -1);
	bool noted = false;
	json_t *v;

	state[0] = said_service[0] = '\0';
	while (!reply_last(kind)) {
		assert_true(hear(fd, &kind, &v));
		if (kind == REPLY_SERVICE)
			snprintf(said_service, sizeof(said_service), "%s", json_string_value(v));
		noted |= kind == REPLY_NOTE && strstr(json_string_value(v), "no XSM") != NULL;
		if (kind == REPLY_PAIRS)
			snprintf(state, sizeof(state), "%s",
			    json_string_value(json_object_get(json_array_get(v, 0), "state")));
		json_decref(v);
	}
	assert_int_equal(kind, REPLY_DONE);
	assert_true(noted);
	close(fd);
	return state;
}

static void
until(const char *state)
{
	for (int i = 0; strcmp(listed(), state) != 0; i++) {
		if (i == WITHIN / 50)
			fail_msg("it is `%s', not `%s'", listed(), state);
		usleep(50000);
	}
}

static void
holding(void)
{
	for (int i = 0; f->holding == 0; i++) {
		assert_true(i < WITHIN / 10);
		usleep(10000);
	}
}

static void
made_listed_destroyed(void **state)
{
	(void)state;
	assert_string_equal(listed(), "");
	(void)ends(ask("create", -1), REPLY_DONE);
	assert_string_equal(listed(), "up");
	assert_non_null(strstr(ends(ask("create", -1), REPLY_ERROR), "one DomC for a DomU"));
	(void)ends(ask("destroy", -1), REPLY_DONE);
	assert_string_equal(listed(), "");
}

static void
lists_while_it_makes(void **state)
{
	int first, second;

	(void)state;
	f->hold = true;
	first = ask("create", -1);
	holding();
	assert_string_equal(listed(), "making");
	/* In its turn. */
	second = ask("destroy", -1);
	f->hold = false;
	(void)ends(first, REPLY_DONE);
	(void)ends(second, REPLY_DONE);
	assert_string_equal(listed(), "");
}

static void
who_asked_has_left(void **state)
{
	int fd;

	(void)state;
	f->hold = true;
	fd = ask("create", -1);
	holding();
	close(fd);
	f->hold = false;
	until("up");
}

static void
killed_while_it_makes(void **state)
{
	int fd;

	(void)state;
	f->hold = true;
	fd = ask("create", -1);
	holding();
	assert_int_equal(kill(f->holding, SIGKILL), 0);
	f->hold = false;
	assert_non_null(strstr(ends(fd, REPLY_ERROR), "signal 9"));
	until("");
	assert_null(fake_domain(f, "web-domc"));
}

static void
domtd_killed_while_it_makes(void **state)
{
	(void)state;
	f->hold = true;
	close(ask("create", -1));
	holding();
	stop(SIGKILL);
	/* With it, and long before its time is over. */
	for (int i = 0; kill(f->holding, 0) == 0; i++) {
		assert_true(i < WITHIN / 10);
		usleep(10000);
	}
	f->hold = false;
	start();
	until("");
	assert_null(fake_domain(f, "web-domc"));
	assert_null(fake_domain(f, "web-domu"));
}

static void
domtd_killed_afterwards(void **state)
{
	(void)state;
	(void)ends(ask("create", -1), REPLY_DONE);
	stop(SIGKILL);
	f->log[0] = '\0';
	start();
	assert_string_equal(listed(), "up");
	usleep(200000);
	assert_string_equal(f->log, "");
}

static void
a_domain_is_gone(void **state)
{
	(void)state;
	(void)ends(ask("create", -1), REPLY_DONE);
	fake_destroy(f, "web-domu");
	assert_string_equal(listed(), "domu gone");
	assert_int_equal(write(watch[1], "x", 1), 1);
	until("");
	assert_null(fake_domain(f, "web-domc"));
}

static void
the_guest_reboots(void **state)
{
	(void)state;
	(void)ends(ask("create", -1), REPLY_DONE);
	fake_domain(f, "web-domu")->d.ended = true;
	fake_domain(f, "web-domu")->d.rebooted = true;
	f->serve_after = 2;
	assert_int_equal(write(watch[1], "x", 1), 1);
	for (int i = 0; fake_domain(f, "web-domu") == NULL ||
			fake_domain(f, "web-domu")->d.domid != 3;
	     i++) {
		assert_true(i < WITHIN / 10);
		usleep(10000);
	}
	until("up");
	assert_int_equal(fake_domain(f, "web-domc")->peer, 3);
}

static void
time_is_over(void **state)
{
	(void)state;
	f->hold = true;
	assert_non_null(
	    strstr(ends(send_text("{\"version\":1,\"do\":\"create\",\"pair\":\"short\"}", -1),
		       REPLY_ERROR),
		"time is over"));
	f->hold = false;
	until("");
	assert_null(fake_domain(f, "short-domc"));
}

static void
saved_and_restored(void **state)
{
	int fd = memfd_create("save", MFD_CLOEXEC);

	(void)state;
	(void)ends(ask("create", -1), REPLY_DONE);
	(void)ends(ask("save", fd), REPLY_DONE);
	assert_string_equal(listed(), "saved");
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	(void)ends(ask("restore", fd), REPLY_DONE);
	assert_string_equal(listed(), "up");
	close(fd);
}

/* A save that is cut off is not said to have failed: the file may be the guest. */
static void
save_cut_off(void **state)
{
	int fd = memfd_create("save", MFD_CLOEXEC), client;
	enum reply_kind kind;
	json_t *v;

	(void)state;
	(void)ends(ask("create", -1), REPLY_DONE);
	f->holding = 0;
	f->hold_save = true;
	client = ask("save", fd);
	holding();
	assert_int_equal(kill(f->holding, SIGKILL), 0);
	f->hold_save = false;
	while (hear(client, &kind, &v)) {
		assert_false(reply_last(kind));
		json_decref(v);
	}
	close(client);
	close(fd);
	until("up");
	assert_false(fake_domain(f, "web-domu")->d.suspended);
}

/* Its file may be a pipe that nobody reads. */
static void
who_saves_has_left(void **state)
{
	int fd = memfd_create("save", MFD_CLOEXEC), client;

	(void)state;
	(void)ends(ask("create", -1), REPLY_DONE);
	f->holding = 0;
	f->hold_save = true;
	client = ask("save", fd);
	holding();
	close(client);
	close(fd);
	until("up");
	f->hold_save = false;
	assert_false(fake_domain(f, "web-domu")->d.suspended);
	/* The two are coupled again a moment later. */
	for (int i = 0; fake_domain(f, "web-domu")->peer != 1; i++) {
		assert_true(i < WITHIN / 10);
		usleep(10000);
	}
}

static void
until_service(const char *text)
{
	for (int i = 0; (void)listed(), strstr(said_service, text) == NULL; i++) {
		if (i == WITHIN / 50)
			fail_msg("it is `%s', not `%s'", said_service, text);
		usleep(50000);
	}
}

static int
setup_service(void **state)
{
	fake_service_start(&domt);
	service = (struct service){.name = "domt", .at = domt.address};
	return setup(state);
}

static int
teardown_service(void **state)
{
	int rc = teardown(state);

	service.name = NULL;
	fake_service_stop(&domt);
	return rc;
}

static void
looks(char what)
{
	assert_int_equal(write(watch[1], &what, 1), 1);
}

static void
domt_is_told(void **state)
{
	unsigned times;

	(void)state;
	/* Whoever asks is told that it is not there, and makes nothing. */
	until_service("no domain domt");
	assert_non_null(strstr(ends(ask("create", -1), REPLY_ERROR), "no domain domt"));
	assert_null(fake_domain(f, "web-domc"));
	(void)fake_add(f, "domt", 0xd0);
	looks('x');
	until_service("serves 0 crypto domains");
	(void)ends(ask("create", -1), REPLY_DONE);
	until_service("serves 1 crypto domain");
	/* It is told once more when its service begins anew, and when DomT does. */
	times = fake_service_times(&domt);
	looks('s');
	for (int i = 0; fake_service_times(&domt) == times; i++) {
		assert_true(i < WITHIN / 10);
		usleep(10000);
	}
	fake_destroy(f, "domt");
	looks('x');
	until_service("no domain domt");
	(void)fake_add(f, "domt", 0xd1);
	looks('x');
	until_service("serves 1 crypto domain");
	assert_int_equal(fake_domain(f, "web-domc")->domt, fake_domain(f, "domt")->d.domid);
	/* And when a pair goes, by whomever. */
	fake_destroy(f, "web-domc");
	looks('x');
	until_service("serves 0 crypto domains");
	assert_int_equal(fake_service_pairs(&domt), 0);
	until("");
}

/* One that begins anew hears nothing of what was on its way to the one before it. */
static void
service_begins_anew_while_it_is_told(void **state)
{
	unsigned times, asked;
	int unread = 1;

	(void)state;
	(void)fake_add(f, "domt", 0xd0);
	looks('x');
	until_service("serves 0 crypto domains");
	pthread_mutex_lock(&domt.lock);
	times = domt.times;
	asked = domt.asked;
	looks('s');
	for (int i = 0; domt.asked == asked; i++) {
		assert_true(i < WITHIN / 10);
		usleep(10000);
	}
	looks('s');
	for (int i = 0; unread != 0; i++) {
		assert_true(i < WITHIN / 10);
		usleep(10000);
		assert_int_equal(ioctl(watch[0], FIONREAD, &unread), 0);
	}
	pthread_mutex_unlock(&domt.lock);
	for (int i = 0; fake_service_times(&domt) < times + 2; i++) {
		assert_true(i < WITHIN / 10);
		usleep(10000);
	}
}

/* DomT has heard of a DomC that then did not serve, and was destroyed. */
static void
domt_is_told_of_what_is_undone(void **state)
{
	(void)state;
	(void)fake_add(f, "domt", 0xd0);
	looks('x');
	until_service("serves 0 crypto domains");
	f->end_after = 0;
	f->serve_after = -1;
	assert_non_null(strstr(ends(ask("create", -1), REPLY_ERROR), "ended before it served"));
	until_service("serves 0 crypto domains");
	assert_int_equal(fake_service_pairs(&domt), 0);
}

/* A guest that reboots does not wait for DomT. */
static void
the_guest_reboots_without_domt(void **state)
{
	(void)state;
	(void)fake_add(f, "domt", 0xd0);
	looks('x');
	until_service("serves 0 crypto domains");
	(void)ends(ask("create", -1), REPLY_DONE);
	fake_destroy(f, "domt");
	fake_domain(f, "web-domu")->d.ended = true;
	fake_domain(f, "web-domu")->d.rebooted = true;
	f->serve_after = 2;
	looks('x');
	for (int i = 0; fake_domain(f, "web-domu") == NULL ||
			fake_domain(f, "web-domu")->d.ended; i++) {
		assert_true(i < WITHIN / 10);
		usleep(10000);
	}
	until("up");
}

static void
malformed(void **state)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)state;
	assert_non_null(strstr(ends(send_text("hello", -1), REPLY_ERROR), "malformed"));
	assert_non_null(strstr(ends(ask("save", -1), REPLY_ERROR), "without its file"));
	assert_non_null(strstr(ends(ask("destroy", null), REPLY_ERROR), "a file came"));
	close(null);
}

static int
describe(const char *pair, const char *timeout)
{
	char file[64];
	FILE *out;

	snprintf(file, sizeof(file), "%s/%s.conf", dir, pair);
	out = fopen(file, "we");
	if (out == NULL)
		return -1;
	fprintf(out,
	    "[pair]\n%s\n[domc]\nkernel = /proc/self/exe\nmemory = 64\n"
	    "[domu]\nkernel = /u\nmemory = 64\n",
	    timeout);
	return fclose(out);
}

static int
group_setup(void **state)
{

	(void)state;
	log_level(LOG_ERR_);
	f = mmap(NULL, sizeof(*f), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (f == MAP_FAILED || mkdtemp(dir) == NULL || pipe2(watch, O_NONBLOCK | O_CLOEXEC) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/sock", dir);
	(void)umask(022);
	return describe("web", "") < 0 || describe("short", "timeout = 2\nserving-timeout = 2") < 0;
}

static int
group_teardown(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define S(name) cmocka_unit_test_setup_teardown(name, setup_service, teardown_service)
	const struct CMUnitTest tests[] = {T(made_listed_destroyed), T(lists_while_it_makes),
	    T(who_asked_has_left), T(killed_while_it_makes), T(domtd_killed_while_it_makes),
	    T(domtd_killed_afterwards), T(a_domain_is_gone), T(the_guest_reboots), T(time_is_over),
	    T(saved_and_restored), T(save_cut_off), T(who_saves_has_left), T(malformed),
	    S(domt_is_told), S(domt_is_told_of_what_is_undone),
	    S(service_begins_anew_while_it_is_told),
	    S(the_guest_reboots_without_domt)};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
