/* service.c - the one service; see domc.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "xen-hooks/domc/domc.h"

#define NOTIFY	   DOMC_RUN "/notify"
#define FAILURES   5	 /* in a row, then it is given up */
#define STABLE	   60000 /* ms after which a start counts as a success */
#define AGAIN	   500	 /* ms until the next start */
#define STOP_LIMIT 45000 /* ms that vsmd has to end: its own limits add up to less */
#define FILES	   16384

int64_t
service_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int
service_init(struct service *s, uid_t uid, gid_t gid)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX, .sun_path = NOTIFY};
	const int on = 1;

	memset(s, 0, sizeof(*s));
	s->notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->notify >= 0 &&
	    setsockopt(s->notify, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0 &&
	    bind(s->notify, (struct sockaddr *)&sa, sizeof(sa)) == 0 &&
	    chown(NOTIFY, uid, gid) == 0 && chmod(NOTIFY, 0600) == 0)
		return 0;
	log_error(NOTIFY ": %s", strerror(errno));
	return -1;
}

/* In the child.  Its log is the console; nothing comes in by standard input. */
static void
become_service(void)
{
	char *const argv[] = {(char *)(uintptr_t)image.service, (char *)(uintptr_t)"-c",
	    (char *)(uintptr_t)image.conf, NULL};
	static char *const env[] = {(char *)(uintptr_t)"PATH=/usr/sbin:/usr/bin",
	    (char *)(uintptr_t)"NOTIFY_SOCKET=" NOTIFY, NULL};
	const struct rlimit files = {FILES, FILES};
	sigset_t none;
	int null = open("/dev/null", O_RDONLY);

	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)setrlimit(RLIMIT_NOFILE, &files);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || close_range(3, ~0U, 0) < 0 || setsid() < 0)
		_exit(126);
	execve(image.program, argv, env);
	_exit(127);
}

int
service_start(struct service *s)
{
	pid_t pid = fork();

	if (pid == 0)
		become_service();
	if (pid < 0) {
		log_error("cannot start %s: %s", image.service, strerror(errno));
		return -1;
	}
	s->pid = pid;
	s->ready = s->stopping = false;
	s->since = service_now();
	return 0;
}

void
service_stop(struct service *s)
{
	if (s->pid == 0 || s->stopping)
		return;
	s->stopping = true;
	s->since = service_now();
	(void)kill(s->pid, SIGTERM);
}

bool
service_ended(struct service *s, int status)
{
	int64_t now = service_now();
	bool told = s->stopping;

	s->pid = 0;
	s->ready = s->stopping = false;
	s->again = now;
	if (told)
		return true;
	if (WIFSIGNALED(status))
		log_error("%s was killed by signal %d", image.service, WTERMSIG(status));
	else
		log_error("%s ended with status %d", image.service, WEXITSTATUS(status));
	s->failures = now - s->since > STABLE ? 1 : s->failures + 1;
	s->again = now + AGAIN;
	return s->failures < FAILURES;
}

/* The pid that the kernel says has sent it, or 0. */
static pid_t
sender(struct msghdr *m)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	struct ucred who;

	if (c == NULL || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS)
		return 0;
	memcpy(&who, CMSG_DATA(c), sizeof(who));
	return who.pid;
}

bool
service_notified(struct service *s)
{
	char text[256], control[CMSG_SPACE(sizeof(struct ucred))];
	struct iovec iov = {.iov_base = text, .iov_len = sizeof(text) - 1};
	bool was = s->ready;
	ssize_t n;

	for (;;) {
		struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
		    .msg_controllen = sizeof(control)};

		if ((n = recvmsg(s->notify, &m, MSG_CMSG_CLOEXEC)) < 0)
			return s->ready && !was;
		text[n] = '\0';
		if (s->pid != 0 && sender(&m) == s->pid && strncmp(text, "READY=1", 7) == 0)
			s->ready = true;
	}
}

int
service_tick(struct service *s)
{
	int64_t left;

	if (s->pid == 0)
		left = s->again - service_now();
	else if (s->stopping)
		left = s->since + STOP_LIMIT - service_now();
	else
		return -1;
	if (left > 0)
		return (int)left;
	if (s->pid != 0) {
		log_error("%s does not end: killing it", image.service);
		(void)kill(s->pid, SIGKILL);
		return 1000;
	}
	return 0;
}
