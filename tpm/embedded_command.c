/* embedded_command.c - see embedded_command.h */
#include "tpm/embedded_command.h"

#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SLICE	   50 /* ms between two looks at the process */
#define ANSWER_MIN 10 /* tag, size, return code */
#define ANSWER_MAX 64

static int
connect_to(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || strlen(path) >= sizeof(sa.sun_path))
		goto fail;
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
		return fd;
fail:
	if (fd >= 0)
		close(fd);
	return -1;
}

static bool
ended(pid_t pid)
{
	siginfo_t si = {0};

	/* WNOWAIT: who started it collects it. */
	if (pid == 0)
		return false;
	return waitid(P_PID, (id_t)pid, &si, WEXITED | WNOHANG | WNOWAIT) != 0 ||
	    si.si_pid == pid;
}

static int
wait_answer(int fd, pid_t pid, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	for (; ms > 0; ms -= SLICE) {
		if (poll(&p, 1, SLICE) > 0)
			return 0;
		if (ended(pid))
			return -1;
	}
	return -1;
}

int
embedded_command(const char *path, uint32_t command, pid_t pid, int ms, uint32_t *ret_rc)
{
	/* TPM_ST_NO_SESSIONS, size, command, startup type CLEAR (0). */
	uint8_t m[12] = {0x80, 0x01, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0}, answer[ANSWER_MAX];
	size_t len = command == EMBEDDED_SHUTDOWN ? 12 : 10;
	int fd = connect_to(path), r = -1;

	if (fd < 0)
		return -1;
	m[5] = (uint8_t)len;
	for (int i = 0; i < 4; i++)
		m[6 + i] = (uint8_t)(command >> (24 - 8 * i));
	/* swtpm answers in one write. */
	if (send(fd, m, len, MSG_NOSIGNAL) == (ssize_t)len && wait_answer(fd, pid, ms) == 0 &&
	    recv(fd, answer, sizeof(answer), 0) >= ANSWER_MIN) {
		*ret_rc = (uint32_t)answer[6] << 24 | (uint32_t)answer[7] << 16 |
		    (uint32_t)answer[8] << 8 | answer[9];
		r = 0;
	}
	close(fd);
	return r;
}
