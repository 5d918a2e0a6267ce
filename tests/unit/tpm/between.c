/* between.c - see between.h */
#include "between.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define MESSAGE 8192

struct message {
	uint8_t bytes[MESSAGE];
	size_t len;
};

static struct message last, kept;

static uint32_t
u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int
socket_at(const char *dir, const char *name, bool listening)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/%s", dir, name);
	if (fd < 0 ||
	    (listening ? bind(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0 || listen(fd, 8) != 0
		       : connect(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0))
		_exit(3);
	return fd;
}

/* A whole command or answer: its length is in bytes 2 to 5. */
static bool
receive(int fd, struct message *m)
{
	size_t want = 10;

	m->len = 0;
	while (m->len < want) {
		ssize_t n = read(fd, m->bytes + m->len, want - m->len);

		if (n <= 0)
			return false;
		m->len += (size_t)n;
		if (m->len == 10)
			want = u32(m->bytes + 2);
		if (want < 10 || want > MESSAGE)
			_exit(4);
	}
	return true;
}

static void
ask_tpm(const char *tpm, const struct message *command, struct message *answer)
{
	int fd = socket_at(tpm, "s", false);

	if (write(fd, command->bytes, command->len) != (ssize_t)command->len ||
	    !receive(fd, answer))
		_exit(5);
	close(fd);
}

static void
turn(const char *tpm, struct between_orders *o, struct message *command,
    struct message *answer)
{
	static const uint8_t failed[10] = {0x80, 0x01, 0, 0, 0, 10, 0, 0, 0x01, 0x01};
	uint32_t code = u32(command->bytes + 6);

	if (o->deliver) {
		ask_tpm(tpm, &kept, answer);
		o->result = u32(answer->bytes + 6);
		o->deliver = 0;
	}
	if (code == o->replay && last.len > 0) {
		*answer = last;
		o->replayed++;
	} else if (code == o->hold) {
		kept = *command;
		o->hold = 0;
		o->held++;
		memcpy(answer->bytes, failed, sizeof(failed));
		answer->len = sizeof(failed);
	} else {
		ask_tpm(tpm, command, answer);
		if (code == 0x14e) /* NV_Read */
			last = *answer;
	}
}

/* The control channel, as it is. */
static void
control(const char *tpm, int fd)
{
	int to = socket_at(tpm, "s.ctrl", false);
	struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.fd = to, .events = POLLIN}};
	uint8_t bytes[256];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (poll(p, 2, -1) > 0)
		for (int i = 0; i < 2; i++)
			if (p[i].revents != 0) {
				ssize_t n = read(p[i].fd, bytes, sizeof(bytes));

				if (n <= 0 || write(p[!i].fd, bytes, (size_t)n) != n)
					_exit(0);
			}
}

static void
serve(const char *tpm, int data, int ctrl, struct between_orders *o)
{
	struct pollfd p[2] = {{.fd = data, .events = POLLIN}, {.fd = ctrl, .events = POLLIN}};
	static struct message command, answer;

	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int fd;

		if (poll(p, 2, -1) < 0)
			continue;
		if (p[1].revents != 0 && (fd = accept(ctrl, NULL, NULL)) >= 0) {
			if (fork() == 0)
				control(tpm, fd);
			close(fd);
		}
		if (p[0].revents != 0 && (fd = accept(data, NULL, NULL)) >= 0) {
			while (receive(fd, &command)) {
				turn(tpm, o, &command, &answer);
				if (write(fd, answer.bytes, answer.len) < 0)
					break;
			}
			close(fd);
		}
	}
}

void
between_start(struct between *b, const struct rig *r)
{
	int data, ctrl;

	rig_mkdir(b->dir);
	snprintf(b->address, sizeof(b->address), "tpm2:swtpm:path=%s/s", b->dir);
	b->orders = mmap(NULL, sizeof(*b->orders), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(b->orders != MAP_FAILED);
	data = socket_at(b->dir, "s", true);
	ctrl = socket_at(b->dir, "s.ctrl", true);
	b->pid = fork();
	assert_true(b->pid >= 0);
	if (b->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve(r->dir, data, ctrl, b->orders);
	}
	close(data);
	close(ctrl);
}

void
between_free(struct between *b)
{
	kill(b->pid, SIGKILL);
	assert_int_equal(waitpid(b->pid, NULL, 0), b->pid);
	munmap(b->orders, sizeof(*b->orders));
	rig_rmdir(b->dir);
}
