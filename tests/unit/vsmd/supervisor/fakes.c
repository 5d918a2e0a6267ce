/* fakes.c - see fakes.h */
#include "fakes.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/ipc.h"
#include "common/log.h"
#include "protocol/hello.h"
#include "tpm/embedded.h"
#include "vsmd/admin/admin.h"
#include "vsmd/metrics/ask.h"
#include "vsmd/metrics/metrics.h"
#include "vsmd/msg.h"
#include "vsmd/nursery/nursery.h"
#include "vsmd/store/seed.h"
#include "vsmd/store/store.h"
#include "vsmd/vchan/vchan.h"

static volatile sig_atomic_t got_discard, got_change, got_bad;

static void
on_signal(int sig)
{
	got_discard |= sig == SIGUSR1;
	got_change |= sig == SIGUSR2;
	got_bad |= sig == SIGWINCH;
}

static bool
wanted(const char *state, const char *file)
{
	char path[640];

	snprintf(path, sizeof(path), "%s/%s", state, file);
	return access(path, F_OK) == 0;
}

static void
put_slot(struct buf *b, const char *memory, uint32_t slot, const char *label)
{
	char dir[512];

	snprintf(dir, sizeof(dir), "%s/slots/%u", memory, slot);
	buf_put_u32(b, slot);
	buf_put_u8(b, label != NULL);
	buf_put_str(b, label);
	buf_put_str(b, label != NULL ? "0123456789abcdef" : "");
	buf_put_str(b, dir);
}

static void
send_slots(int fd, const char *memory, bool changed)
{
	static uint64_t epoch = 40;
	struct buf b;

	buf_init(&b, IPC_MAX);
	buf_put_u8(&b, M_T_SLOTS);
	buf_put_u64(&b, ++epoch);
	buf_put_u32(&b, 3);
	put_slot(&b, memory, FAKE_SLOT, "tok");
	put_slot(&b, memory, FAKE_OTHER, "other");
	put_slot(&b, memory, FAKE_EMPTY, changed ? "new" : NULL);
	if (ipc_send(fd, &b, NULL, 0) < 0)
		_exit(3);
	buf_free(&b);
}

static void
send_seed(int fd, size_t len)
{
	static const uint8_t seed[SEED_LEN];
	struct buf b;

	buf_init(&b, IPC_MAX);
	buf_put_u8(&b, M_T_SEED);
	buf_put_raw(&b, seed, len);
	(void)ipc_send(fd, &b, NULL, 0);
	buf_free(&b);
}

static void
send_text(int fd, uint8_t type, int slot, const char *text)
{
	struct buf b;

	buf_init(&b, IPC_MAX);
	buf_put_u8(&b, type);
	if (slot >= 0)
		buf_put_u32(&b, (uint32_t)slot);
	buf_put_str(&b, text);
	(void)ipc_send(fd, &b, NULL, 0);
	buf_free(&b);
}

/* One message from the supervisor; false when the store is to end. */
static bool
store_message(int fd, const struct store_config *config, bool changed)
{
	int fds[IPC_MAX_FDS];
	size_t nfds = 0;
	struct buf b;
	bool go_on = true;

	buf_init(&b, IPC_MAX);
	if (ipc_recv(fd, &b, fds, &nfds) < 0)
		_exit(0);
	switch (buf_get_u8(&b)) {
	case M_S_ATTACH:
		if (nfds != 1)
			_exit(4);
		break; /* the descriptor stays open, as the real one's would */
	case M_S_DISCARDED:
		log_info("fake: discarded slot=%u", buf_get_u32(&b));
		send_slots(fd, config->memory, changed);
		break;
	default:
		go_on = false;
	}
	buf_free(&b);
	return go_on;
}

int
store_main(int fd, const struct store_config *config)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	bool changed = false;

	signal(SIGUSR1, on_signal);
	signal(SIGUSR2, on_signal);
	signal(SIGWINCH, on_signal);
	if (wanted(config->state, FAKE_STORE_FAILS))
		return 1;
	log_info("fake: store tpm=%s memory=%s", config->tpm, config->memory);
	send_seed(fd, wanted(config->state, FAKE_STORE_SEED) ? SEED_LEN - 1 : SEED_LEN);
	send_slots(fd, config->memory, false);
	send_text(fd, M_T_STATUS, -1, "fake status");
	for (;;) {
		int n = poll(&p, 1, 20);

		if (got_discard) {
			got_discard = 0;
			send_text(fd, M_T_DISCARD, FAKE_SLOT, "fake commit failed");
		}
		if (got_change) {
			got_change = 0;
			changed = true;
			send_slots(fd, config->memory, true);
		}
		if (got_bad) {
			got_bad = 0;
			send_text(fd, 99, -1, "?");
		}
		if (n > 0 && !store_message(fd, config, changed))
			return 0;
	}
}

static void
worker(int channel, const uint8_t *hello)
{
	struct hello_ask ask;
	struct hello_answer a = {.version = HELLO_VERSION,
	    .max_frame = (uint32_t)getppid(),
	    .silence = (uint32_t)getpid()};
	uint8_t bytes[HELLO_LEN];
	char c;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!hello_ask_read(hello, &ask))
		_exit(5);
	hello_answer_write(bytes, &a);
	if (write(channel, bytes, sizeof(bytes)) != sizeof(bytes))
		_exit(6);
	for (;;) {
		struct pollfd p = {.fd = channel, .events = POLLIN};

		(void)poll(&p, 1, -1);
		if (read(channel, &c, 1) != 1)
			_exit(0);
		if (c == 'S') {
			signal(SIGSYS, SIG_DFL); /* cmocka catches it */
			raise(SIGSYS);
		}
		if (c == 'K')
			kill(getppid(), SIGKILL);
		if (write(channel, &c, 1) != 1)
			_exit(7);
	}
}

static void
nursery_tell(int fd, uint8_t type, uint32_t a, bool two, uint32_t b2)
{
	struct buf b;

	buf_init(&b, 64);
	buf_put_u8(&b, type);
	if (type != M_N_READY)
		buf_put_u32(&b, a);
	if (two)
		buf_put_u32(&b, b2);
	(void)ipc_send(fd, &b, NULL, 0);
	buf_free(&b);
}

static void
nursery_attach(int fd, struct buf *b, const int *fds, size_t nfds)
{
	static struct grant grant;
	const uint8_t *hello;
	pid_t pid;

	if (buf_get_u8(b) != M_N_ATTACH || nfds != 2 ||
	    (hello = buf_get_raw(b, HELLO_LEN)) == NULL || !grant_read(b, &grant) ||
	    !buf_end(b))
		_exit(8);
	if ((pid = fork()) == 0) {
		close(fd);
		worker(fds[0], hello);
	}
	close(fds[0]);
	close(fds[1]);
	nursery_tell(fd, M_N_STARTED, (uint32_t)pid, false, 0);
}

int
nursery_main(int fd, const struct nursery_config *config)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char state[512], *end;
	int fds[IPC_MAX_FDS], status;
	size_t nfds;
	struct buf b;
	pid_t pid;

	/* The test's softhsm setting is STATE/library. */
	snprintf(state, sizeof(state), "%s", config->library);
	if ((end = strrchr(state, '/')) != NULL)
		*end = '\0';
	if (wanted(state, FAKE_NURSERY_FAILS))
		return 1;
	while (wanted(state, FAKE_NURSERY_HANGS))
		pause();
	log_info("fake: nursery slot=%u gate=%s threads=%u", config->slot, config->gate,
	    config->threads);
	nursery_tell(fd, M_N_READY, 0, false, 0);
	buf_init(&b, IPC_MAX);
	for (;;) {
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
			nursery_tell(
			    fd, M_N_EXITED, (uint32_t)pid, true, (uint32_t)status);
		if (poll(&p, 1, 20) <= 0)
			continue;
		if (ipc_recv(fd, &b, fds, &nfds) < 0)
			return 0;
		nursery_attach(fd, &b, fds, nfds);
	}
}

int
admin_main(const struct admin_config *config)
{
	struct hello_answer a = {.version = HELLO_VERSION};
	uint8_t bytes[HELLO_LEN];

	hello_answer_write(bytes, &a);
	if (!(config->grant.flags & GRANT_ADMIN) ||
	    write(config->channel, bytes, sizeof(bytes)) != sizeof(bytes) ||
	    write(config->channel, config->status, strlen(config->status)) < 0)
		return 1;
	return 0;
}

/* Asks once for all slots, and lives until the supervisor is gone. */
int
metrics_main(const struct metrics_config *config)
{
	struct pollfd p = {.fd = config->supervisor, .events = 0};
	struct page page = {0};
	uint32_t from = 0;
	bool found = true;
	struct buf b;

	buf_init(&b, IPC_MAX);
	while (found) {
		buf_reset(&b);
		buf_put_u8(&b, M_P_ASK);
		buf_put_u32(&b, from);
		if (ipc_send(config->supervisor, &b, NULL, 0) != 0 ||
		    ipc_recv(config->supervisor, &b, NULL, NULL) != 0 ||
		    buf_get_u8(&b) != M_P_ANSWER || !ask_read_answer(&b, &page, &found))
			return 1;
		if (found) {
			const struct page_slot *slot = &page.slots[page.nslots - 1];

			log_info("fake: metrics slot=%u token=%s applications=%u", slot->slot,
			    slot->label, slot->applications);
			from = slot->slot + 1;
		}
	}
	log_info("fake: metrics pid=%d address=%s failures=%llu", (int)getpid(),
	    config->address,
	    (unsigned long long)page.value[NUMBER_SUPERVISOR_STORE_FAILURES]);
	ask_free(&page);
	buf_free(&b);
	(void)poll(&p, 1, -1);
	return 0;
}

static void
vchan_tell(int fd, uint8_t type, const int *fds, size_t n)
{
	struct buf b;

	buf_init(&b, 16);
	buf_put_u8(&b, type);
	(void)ipc_send(fd, &b, fds, n);
	buf_free(&b);
}

/* One guest, which asks for the slots; then nothing, until the supervisor is gone. */
int
vchan_main(const struct vchan_config *config)
{
	struct hello_ask ask = {.version = HELLO_VERSION, .purpose = HELLO_SLOTS,
	    .max_frame = 1 << 20, .silence = 30000};
	struct pollfd p = {.fd = config->supervisor, .events = 0};
	struct hello_answer a = {.status = 99};
	uint8_t bytes[HELLO_LEN];
	int pair[2];

	if (strstr(config->address, FAKE_VCHAN_FAILS) != NULL)
		return 1;
	vchan_tell(config->supervisor, M_V_READY, NULL, 0);
	if (strstr(config->address, FAKE_VCHAN_BREACH) != NULL)
		vchan_tell(config->supervisor, M_V_CHANNEL, NULL, 0);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		return 1;
	vchan_tell(config->supervisor, M_V_CHANNEL, pair, 1);
	close(pair[0]);
	hello_ask_write(bytes, &ask);
	if (write(pair[1], bytes, sizeof(bytes)) != sizeof(bytes) ||
	    recv(pair[1], bytes, sizeof(bytes), MSG_WAITALL) != sizeof(bytes) ||
	    !hello_answer_read(bytes, &a))
		return 1;
	log_info("fake: vchan pid=%d status=%u slots=%u", (int)getpid(), a.status, a.count);
	(void)poll(&p, 1, -1);
	return 0;
}

int
embedded_start(struct embedded_tpm *t, const char *dir, const char *rundir)
{
	(void)rundir;
	if (dir[0] != '/' || (t->pid = fork()) < 0)
		return -1;
	if (t->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		signal(SIGTERM, SIG_DFL);
		for (;;)
			pause();
	}
	snprintf(t->address, sizeof(t->address), "fake:%d", (int)t->pid);
	log_info("fake: tpm pid=%d", (int)t->pid);
	return 0;
}

void
embedded_stop(struct embedded_tpm *t)
{
	if (t->pid > 0 && waitpid(t->pid, NULL, WNOHANG) == 0) {
		kill(
		    t->pid, SIGKILL); /* it may not have got as far as to catch another */
		(void)waitpid(t->pid, NULL, 0);
		log_info("fake: tpm stopped");
	}
	t->pid = 0;
}
