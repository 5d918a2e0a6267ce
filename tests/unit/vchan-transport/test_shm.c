/* test_shm.c - how memory comes to be shared, and a peer that dies or lies */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "vchan-transport/berth.h"
#include "vchan-transport/shm_channel.h"

#define PATIENCE 20000 /* ms, for what must happen */
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static void
pair(int fds[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
}

static bool
is_shared(struct channel *c)
{
	int fd = channel_take_fd(c);

	if (fd >= 0)
		(void)close(fd);
	return fd < 0;
}

static long
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* The byte, and the descriptors, as one message. */
static void
send_byte(int socket, char byte, const int *fds, size_t n)
{
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(4 * sizeof(int))] = {0};
	struct iovec v = {&byte, 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};

	if (n > 0) {
		struct cmsghdr *h = (struct cmsghdr *)room;

		m.msg_control = room;
		m.msg_controllen = CMSG_SPACE(n * sizeof(int));
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(h), fds, n * sizeof(int));
	}
	assert_int_equal(sendmsg(socket, &m, 0), 1);
}

static int
memory(off_t size, int seals)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, size), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

/* What shm_accept() answers to such an offer. */
static char
answer_to(const int *offered, size_t n)
{
	int fds[2];
	struct channel *c;
	char answer = 0;

	pair(fds);
	send_byte(fds[0], 'm', offered, n);
	assert_non_null(c = channel_from_fd(fds[1]));
	assert_non_null(c = shm_accept(c, PATIENCE));
	assert_int_equal(read(fds[0], &answer, 1), 1);
	if (answer == 'y')
		assert_true(is_shared(c));
	channel_close(c);
	(void)close(fds[0]);
	return answer;
}

static void
test_only_sound_memory_is_accepted(void **state)
{
	const off_t size = sizeof(struct shm_memory);
	int good = memory(size, SEALS), unsealed = memory(size, 0),
	    shrinks = memory(size, F_SEAL_GROW | F_SEAL_SEAL), small = memory(size - 1, SEALS),
	    large = memory(size + 1, SEALS), constant = memory(size, SEALS | F_SEAL_WRITE);
	char name[] = "/tmp/caas-shm-XXXXXX";
	int file = mkstemp(name), pipes[2];

	(void)state;
	assert_int_equal(ftruncate(file, size), 0);
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(answer_to(&good, 1), 'y');
	assert_int_equal(answer_to(NULL, 0), 'n');
	assert_int_equal(answer_to(&unsealed, 1), 'n');
	assert_int_equal(answer_to(&shrinks, 1), 'n');
	assert_int_equal(answer_to(&small, 1), 'n');
	assert_int_equal(answer_to(&large, 1), 'n');
	assert_int_equal(answer_to(&constant, 1), 'n');
	assert_int_equal(answer_to(&file, 1), 'n');
	assert_int_equal(answer_to(&pipes[0], 1), 'n');
	(void)unlink(name);
	for (int fd = good; fd <= pipes[1]; fd++)
		(void)close(fd);
}

static int
open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	(void)closedir(d);
	return n;
}

static void
test_further_descriptors_are_not_kept(void **state)
{
	int good = memory(sizeof(struct shm_memory), SEALS), four[4] = {good, good, good, good};
	int before = open_files();

	(void)state;
	for (size_t n = 1; n <= 4; n++) {
		assert_int_equal(answer_to(four, n), 'y');
		assert_int_equal(open_files(), before);
	}
	(void)close(good);
}

/* As vsmd makes it, or as a kernel does by itself that is told to (vm.memfd_noexec). */
static void
test_memory_may_have_further_seals(void **state)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING | 0x0008U);

	(void)state;
	if (fd < 0)
		skip(); /* Linux 6.3 */
	assert_int_equal(ftruncate(fd, sizeof(struct shm_memory)), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, SEALS), 0);
	assert_int_not_equal(fcntl(fd, F_GET_SEALS), SEALS);
	assert_int_equal(answer_to(&fd, 1), 'y');
	(void)close(fd);
}

static void
test_something_else_than_an_offer(void **state)
{
	int fds[2];

	(void)state;
	pair(fds);
	send_byte(fds[0], 'x', NULL, 0);
	assert_null(shm_accept(channel_from_fd(fds[1]), PATIENCE));
	(void)close(fds[0]);
	pair(fds);
	(void)close(fds[0]);
	assert_null(shm_accept(channel_from_fd(fds[1]), PATIENCE));
	pair(fds);
	assert_null(shm_accept(channel_from_fd(fds[1]), 10));
	(void)close(fds[0]);
}

static void
test_answers_to_an_offer(void **state)
{
	static const char answers[] = "nxY";
	struct channel *c;
	int fds[2];

	(void)state;
	for (const char *a = answers; *a != '\0'; a++) {
		pair(fds);
		assert_int_equal(write(fds[0], a, 1), 1);
		c = shm_offer(channel_from_fd(fds[1]), PATIENCE);
		if (*a == 'n') {
			assert_non_null(c);
			assert_int_equal(channel_write(c, "s", 1, PATIENCE), 1);
			assert_false(is_shared(c));
		} else {
			assert_null(c);
		}
		(void)close(fds[0]);
	}
	pair(fds);
	assert_null(shm_offer(channel_from_fd(fds[1]), 10));
	(void)close(fds[0]);
}

static void *
accept_thread(void *arg)
{
	return shm_accept(arg, PATIENCE);
}

/* Bytes alone pass, as through caas-agent. */
static void *
relay_thread(void *arg)
{
	int *fds = arg;
	char byte;

	if (read(fds[0], &byte, 1) != 1 || write(fds[1], &byte, 1) != 1 ||
	    read(fds[1], &byte, 1) != 1 || write(fds[0], &byte, 1) != 1)
		return arg;
	return NULL;
}

static void
test_a_relay_loses_the_descriptor(void **state)
{
	int left[2], right[2], middle[2];
	struct channel *a, *b;
	pthread_t accepting, relaying;
	void *failed, *accepted;

	(void)state;
	pair(left);
	pair(right);
	middle[0] = left[1];
	middle[1] = right[0];
	assert_int_equal(pthread_create(&relaying, NULL, relay_thread, middle), 0);
	assert_int_equal(pthread_create(&accepting, NULL, accept_thread,
			     channel_from_fd(right[1])), 0);
	a = shm_offer(channel_from_fd(left[0]), PATIENCE);
	(void)pthread_join(accepting, &accepted);
	(void)pthread_join(relaying, &failed);
	b = accepted;
	assert_null(failed);
	assert_non_null(a);
	assert_non_null(b);
	assert_false(is_shared(a));
	assert_false(is_shared(b));
	(void)close(left[1]);
	(void)close(right[0]);
}

struct ends {
	struct shm_memory *m;
	struct channel *server, *client; /* of the two, the server offered */
};

/* Each its own mapping, as in two processes, and m one more for the test. */
static int
setup(void **state)
{
	struct ends *e = calloc(1, sizeof(*e));
	struct shm_memory *map[3];
	int fds[2], fd = memory(sizeof(*e->m), SEALS);

	pair(fds);
	for (int i = 0; i < 3; i++) {
		map[i] = mmap(NULL, sizeof(*e->m), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		assert_true(map[i] != MAP_FAILED);
	}
	(void)close(fd);
	e->m = map[2];
	assert_non_null(e->server = shm_channel(fds[0], map[0], true));
	assert_non_null(e->client = shm_channel(fds[1], map[1], false));
	*state = e;
	return 0;
}

static int
teardown(void **state)
{
	struct ends *e = *state;

	channel_close(e->server);
	channel_close(e->client);
	(void)munmap(e->m, sizeof(*e->m));
	free(e);
	return 0;
}

static void
test_corrupt_indices_end_the_channel(void **state)
{
	struct ends *e = *state;
	char byte;

	atomic_store(&e->m->ring[0].produced.index, RING_SIZE + 1);
	assert_int_equal(channel_read(e->server, &byte, 1, PATIENCE), -1);
	assert_int_equal(errno, ECONNRESET);
	/* For good, and the peer is told. */
	atomic_store(&e->m->ring[0].produced.index, 0);
	assert_int_equal(channel_read(e->server, &byte, 1, PATIENCE), -1);
	assert_int_equal(channel_write(e->server, "x", 1, PATIENCE), -1);
	assert_int_equal(errno, ECONNRESET);
	assert_int_equal(channel_read(e->client, &byte, 1, PATIENCE), 0);
}

static void
test_corrupt_room_ends_the_channel(void **state)
{
	struct ends *e = *state;

	atomic_store(&e->m->ring[1].consumed.index, 1);
	assert_int_equal(channel_write(e->server, "x", 1, PATIENCE), -1);
	assert_int_equal(errno, ECONNRESET);
}

/* `x' when the reader slept, and was said to be awake: nobody wakes it; `b' when it had begun to
 * wait for the bell. */
static void *
write_soon(void *arg)
{
	struct ends *e = arg;
	_Atomic uint32_t *sleep = &e->m->ring[0].produced.sleep;
	uint32_t seen;

	do {
		(void)usleep(1000);
		seen = RING_FUTEX;
	} while (!atomic_compare_exchange_strong(sleep, &seen, RING_AWAKE) && seen != RING_BELL);
	(void)channel_write(e->client, seen == RING_BELL ? "b" : "x", 1, PATIENCE);
	return NULL;
}

static void
test_a_lie_about_sleep_delays_no_longer_than_a_nap(void **state)
{
	struct ends *e = *state;
	char byte = 0;

	/* On a machine that has no time the lie may come too late. */
	for (int i = 0; i < 100 && byte != 'x'; i++) {
		long began = now_ms();
		pthread_t t;

		assert_int_equal(pthread_create(&t, NULL, write_soon, e), 0);
		assert_int_equal(channel_read(e->server, &byte, 1, PATIENCE), 1);
		assert_true(now_ms() - began < PATIENCE / 2);
		(void)pthread_join(t, NULL);
	}
	assert_int_equal(byte, 'x');
}

/* The words of three threads of the client's: one who leads, two in berths. */
static void
lie_down(struct ends *e, _Atomic uint32_t *words[3])
{
	words[0] = channel_berth(e->client, BERTH_COMMON);
	words[1] = channel_berth(e->client, 1);
	words[2] = channel_berth(e->client, 2);
	for (int i = 0; i < 3; i++)
		ring_drowse(words[i], RING_FUTEX);
}

static void
test_bytes_wake_those_they_are_for(void **state)
{
	static const struct {
		uint64_t address;
		enum ring_sleep after[3];
	} cases[] = {
	    {0x2, {RING_FUTEX, RING_AWAKE, RING_FUTEX}},
	    {0x6, {RING_FUTEX, RING_AWAKE, RING_AWAKE}},
	    /* One of them is awake, and might be who leads. */
	    {0xa, {RING_AWAKE, RING_AWAKE, RING_FUTEX}},
	    {0x8, {RING_AWAKE, RING_FUTEX, RING_FUTEX}},
	    {0, {RING_AWAKE, RING_FUTEX, RING_FUTEX}},
	    /* A berth that there is none. */
	    {UINT64_C(1) << RING_BERTHS, {RING_AWAKE, RING_FUTEX, RING_FUTEX}},
	    {UINT64_C(1) << 63, {RING_AWAKE, RING_FUTEX, RING_FUTEX}},
	};
	struct ends *e = *state;
	_Atomic uint32_t *words[3];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		lie_down(e, words);
		channel_address(e->server, cases[i].address);
		assert_int_equal(channel_write(e->server, "x", 1, PATIENCE), 1);
		for (int k = 0; k < 3; k++)
			assert_int_equal(atomic_load(words[k]), cases[i].after[k]);
	}
	/* What the guest wrote there rings no bell, and wakes nobody else. */
	lie_down(e, words);
	atomic_store(words[1], RING_BELL);
	channel_address(e->server, 0x2);
	assert_int_equal(channel_write(e->server, "x", 1, PATIENCE), 1);
	assert_int_equal(atomic_load(words[0]), RING_FUTEX);
	assert_int_equal(recv(channel_poll_fd(e->client), words, 1, MSG_DONTWAIT), -1);
}

static void
test_the_end_is_noticed_without_a_read(void **state)
{
	struct ends *e = *state;
	char got[2] = "";

	channel_notice(e->client);
	assert_false(channel_pending(e->client));
	assert_int_equal(channel_write(e->server, "x", 1, PATIENCE), 1);
	channel_notice(e->client);
	assert_int_equal(channel_read(e->client, got, 1, 0), 1);
	assert_string_equal(got, "x");
	assert_int_equal(send(channel_poll_fd(e->server), "b", 1, 0), 1);
	channel_notice(e->client);
	assert_int_equal(recv(channel_poll_fd(e->client), got, 1, MSG_DONTWAIT), 1);
	assert_false(channel_pending(e->client));
	channel_shutdown(e->server);
	channel_notice(e->client);
	assert_true(channel_pending(e->client));
	assert_int_equal(channel_read(e->client, got, 1, 0), 0);
	/* One's own end too. */
	channel_shutdown(e->server);
	channel_notice(e->server);
	assert_true(channel_pending(e->server));
}

static void *
write_late(void *arg)
{
	struct ends *e = arg;

	(void)usleep(3 * SHM_NAP * 1000);
	(void)channel_write(e->client, "late", 4, PATIENCE);
	return NULL;
}

static void
test_a_bell_wakes_who_slept_for_long(void **state)
{
	static const int deadlines[] = {-1, PATIENCE};
	struct ends *e = *state;
	char got[5] = "";

	for (int i = 0; i < 2; i++) {
		pthread_t t;

		assert_int_equal(pthread_create(&t, NULL, write_late, e), 0);
		assert_int_equal(channel_read(e->server, got, 4, deadlines[i]), 4);
		assert_string_equal(got, "late");
		(void)pthread_join(t, NULL);
		/* It was for this only. */
		assert_int_equal(channel_read(e->server, got, 4, 0), -1);
		assert_int_equal(errno, ETIMEDOUT);
	}
}

/* More bells than a socket holds are as good as one. */
static void
test_bells_without_number(void **state)
{
	struct ends *e = *state;
	char byte;

	for (int i = 0; i < 10000; i++) {
		atomic_store(&e->m->ring[0].produced.sleep, RING_BELL);
		assert_int_equal(channel_write(e->client, "x", 1, PATIENCE), 1);
		assert_int_equal(channel_read(e->server, &byte, 1, PATIENCE), 1);
	}
	assert_int_equal(channel_read(e->server, &byte, 1, 10), -1);
	assert_int_equal(errno, ETIMEDOUT);
}

static pid_t
fork_client(struct ends *e, void (*life)(struct channel *))
{
	pid_t pid = fork();

	if (pid != 0) {
		channel_drop(e->client);
		e->client = NULL;
		return pid;
	}
	channel_drop(e->server);
	life(e->client);
	_exit(0);
}

static void
killed_soon(struct channel *c)
{
	(void)c;
	(void)usleep(10000);
	(void)raise(SIGKILL);
}

static void
test_a_killed_peer_is_noticed(void **state)
{
	struct ends *e = *state;
	pid_t pid = fork_client(e, killed_soon);
	long began = now_ms();
	char byte;

	assert_int_equal(channel_read(e->server, &byte, 1, -1), 0);
	assert_true(now_ms() - began < PATIENCE / 2);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(channel_write(e->server, "x", 1, PATIENCE), -1);
	assert_int_equal(errno, ECONNRESET);
}

static void
test_a_killed_peer_is_noticed_by_a_writer(void **state)
{
	struct ends *e = *state;
	pid_t pid = fork_client(e, killed_soon);
	static char bytes[2 * RING_SIZE];
	struct iovec v = {bytes, sizeof(bytes)};

	assert_int_equal(channel_writev(e->server, &v, 1, -1), -1);
	assert_int_equal(errno, ECONNRESET);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void
test_what_was_taken_is_known(void **state)
{
	struct ends *e = *state;
	uint64_t first, second;
	char got[3], byte;

	assert_int_equal(channel_write(e->client, "one", 3, PATIENCE), 3);
	first = channel_position(e->client);
	assert_int_equal(channel_write(e->client, "two", 3, PATIENCE), 3);
	second = channel_position(e->client);
	assert_int_equal(channel_read(e->server, got, 3, PATIENCE), 3);
	assert_int_equal(channel_read(e->server, got, 2, PATIENCE), 2);
	/* As long as it may read on, it may have. */
	assert_true(channel_taken(e->client, second));
	channel_shutdown(e->server);
	assert_int_equal(channel_read(e->server, got, 1, PATIENCE), -1);
	assert_int_equal(channel_read(e->client, &byte, 1, PATIENCE), 0);
	assert_true(channel_taken(e->client, first));
	assert_false(channel_taken(e->client, second));
	/* Also when this side is down. */
	channel_shutdown(e->client);
	assert_true(channel_taken(e->client, first));
	assert_false(channel_taken(e->client, second));
}

/* It may be silent for long, and read on when nobody waits any more. */
static void
test_a_silent_peer_may_have_taken_all(void **state)
{
	struct ends *e = *state;
	uint64_t end;
	char byte;

	assert_int_equal(channel_write(e->client, "x", 1, PATIENCE), 1);
	end = channel_position(e->client);
	assert_int_equal(channel_read(e->client, &byte, 1, 2 * SHM_NAP), -1);
	assert_int_equal(errno, ETIMEDOUT);
	channel_shutdown(e->client);
	assert_int_equal(channel_read(e->client, &byte, 1, PATIENCE), -1);
	assert_true(channel_taken(e->client, end));
}

/* More than fits a number of 32 bits, after what was read long ago. */
static void
test_what_was_taken_is_not_forgotten(void **state)
{
	static char bytes[RING_SIZE];
	struct ends *e = *state;
	uint64_t first;
	char byte;

	assert_int_equal(channel_write(e->client, "x", 1, PATIENCE), 1);
	first = channel_position(e->client);
	assert_int_equal(channel_read(e->server, &byte, 1, PATIENCE), 1);
	for (uint64_t n = 0; n <= (UINT64_C(1) << 31) + RING_SIZE; n += RING_SIZE) {
		assert_int_equal(channel_write(e->client, bytes, RING_SIZE, PATIENCE), RING_SIZE);
		assert_int_equal(channel_read(e->server, bytes, RING_SIZE, PATIENCE), RING_SIZE);
	}
	channel_shutdown(e->server);
	assert_int_equal(channel_read(e->client, &byte, 1, PATIENCE), 0);
	assert_true(channel_taken(e->client, first));
	assert_true(channel_taken(e->client, channel_position(e->client)));
}

static void *
flood(void *arg)
{
	struct ends *e = arg;
	char bells[512] = "";

	while (send(channel_poll_fd(e->client), bells, sizeof(bells), MSG_NOSIGNAL) > 0)
		continue;
	return NULL;
}

static void
test_bells_do_not_outlast_a_deadline(void **state)
{
	struct ends *e = *state;
	long began = now_ms();
	pthread_t t;
	char byte;

	assert_int_equal(pthread_create(&t, NULL, flood, e), 0);
	assert_int_equal(channel_read(e->server, &byte, 1, 3 * SHM_NAP), -1);
	assert_int_equal(errno, ETIMEDOUT);
	assert_true(now_ms() - began < PATIENCE / 2);
	channel_shutdown(e->server);
	(void)pthread_join(t, NULL);
}

static void
on_alarm(int sig)
{
	(void)sig;
}

/* Signals without end do not keep it from looking at the socket. */
static void
test_signals_hide_no_end(void **state)
{
	const struct itimerval often = {{0, 10000}, {0, 10000}}, never = {{0, 0}, {0, 0}};
	const struct sigaction act = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
	struct ends *e = *state;
	struct sigaction was;
	char byte;

	assert_int_equal(sigaction(SIGALRM, &act, &was), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
	/* As of one that has died: nobody is woken. */
	(void)shutdown(channel_poll_fd(e->client), SHUT_RDWR);
	assert_int_equal(channel_read(e->server, &byte, 1, PATIENCE), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
	(void)sigaction(SIGALRM, &was, NULL);
}

/* Each has finished, and reads on. */
static void
test_two_halves_closed(void **state)
{
	struct ends *e = *state;
	char byte;

	assert_int_equal(channel_write(e->client, "x", 1, PATIENCE), 1);
	assert_int_equal(channel_finish(e->client), 0);
	assert_int_equal(channel_finish(e->server), 0);
	assert_int_equal(channel_read(e->client, &byte, 1, PATIENCE), 0);
	assert_true(channel_taken(e->client, 1));
	assert_int_equal(channel_read(e->server, &byte, 1, PATIENCE), 1);
	assert_int_equal(channel_read(e->server, &byte, 1, PATIENCE), 0);
}

/* The one whose own writing has ended still reads all that comes. */
static void
test_bells_after_the_own_end(void **state)
{
	struct ends *e = *state;
	char byte;

	assert_int_equal(channel_finish(e->server), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(channel_write(e->client, "x", 1, PATIENCE), 1);
		atomic_store(&e->m->ring[0].consumed.sleep, RING_BELL);
		assert_int_equal(channel_read(e->server, &byte, 1, PATIENCE), 1);
	}
	assert_int_equal(channel_read(e->server, &byte, 1, 2 * SHM_NAP), -1);
	assert_int_equal(errno, ETIMEDOUT);
}

/* As by a program that becomes a daemon: nothing is written that the peer might read. */
static void
test_the_descriptor_was_closed_meanwhile(void **state)
{
	struct ends *e = *state;
	char byte;

	atomic_store(&e->m->ring[0].produced.sleep, RING_BELL);
	(void)close(channel_poll_fd(e->client));
	assert_int_equal(channel_write(e->client, "x", 1, PATIENCE), -1);
	assert_int_equal(errno, ECONNRESET);
	assert_int_equal(channel_read(e->server, &byte, 1, PATIENCE), 0);
	channel_forget(e->client);
	e->client = NULL;
}

static void
test_nothing_is_written_to_the_deaf(void **state)
{
	struct ends *e = *state;

	channel_shutdown(e->server);
	assert_int_equal(channel_write(e->client, "x", 1, PATIENCE), -1);
	assert_int_equal(errno, ECONNRESET);
	assert_int_equal(channel_position(e->client), 0);
}

static void
test_forgotten_is_not_closed(void **state)
{
	struct ends *e = *state;
	int fd = channel_poll_fd(e->client);

	channel_forget(e->client);
	e->client = NULL;
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	(void)close(fd);
}

#define with_ends(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_only_sound_memory_is_accepted),
	    cmocka_unit_test(test_further_descriptors_are_not_kept),
	    cmocka_unit_test(test_memory_may_have_further_seals),
	    cmocka_unit_test(test_something_else_than_an_offer),
	    cmocka_unit_test(test_answers_to_an_offer),
	    cmocka_unit_test(test_a_relay_loses_the_descriptor),
	    with_ends(test_corrupt_indices_end_the_channel),
	    with_ends(test_corrupt_room_ends_the_channel),
	    with_ends(test_a_lie_about_sleep_delays_no_longer_than_a_nap),
	    with_ends(test_bytes_wake_those_they_are_for),
	    with_ends(test_the_end_is_noticed_without_a_read),
	    with_ends(test_a_bell_wakes_who_slept_for_long),
	    with_ends(test_bells_without_number),
	    with_ends(test_a_killed_peer_is_noticed),
	    with_ends(test_a_killed_peer_is_noticed_by_a_writer),
	    with_ends(test_what_was_taken_is_known),
	    with_ends(test_a_silent_peer_may_have_taken_all),
	    with_ends(test_what_was_taken_is_not_forgotten),
	    with_ends(test_bells_do_not_outlast_a_deadline),
	    with_ends(test_signals_hide_no_end),
	    with_ends(test_two_halves_closed),
	    with_ends(test_bells_after_the_own_end),
	    with_ends(test_the_descriptor_was_closed_meanwhile),
	    with_ends(test_nothing_is_written_to_the_deaf),
	    with_ends(test_forgotten_is_not_closed),
	};

	return cmocka_run_group_tests_name("shm", tests, NULL, NULL);
}
