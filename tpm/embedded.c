/* embedded.c - see embedded.h */
#include "tpm/embedded.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "tpm/embedded_command.h"
#include "tpm/embedded_key.h"

#define PROCESS	   "vsmd-swtpm"
#define PREFIX	   "tpm2:swtpm:path="
#define SOCKET	   "tpm.sock"
#define LOCK_WAIT  2000 /* ms that a predecessor's swtpm has to die */
#define START_WAIT 10000
#define STOP_WAIT  3000
#define SUN_MAX	   sizeof(((struct sockaddr_un *)0)->sun_path)
#define FIRST_FD   3 /* of the descriptors handed over */

/* Handed to swtpm, at FIRST_FD in this order.  The lock only stays open with it. */
enum { FD_DATA, FD_CTRL, FD_KEY, FD_LOCK, NFDS };

static void
pause_ms(int ms)
{
	struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	nanosleep(&ts, NULL);
}

static int
make_dir(const char *dir)
{
	struct stat st;

	if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
		log_error("embedded TPM: cannot make %s: %s", dir, strerror(errno));
		return -1;
	}
	/* Root may have been given a directory of the user that it drops to. */
	if (stat(dir, &st) != 0 || !S_ISDIR(st.st_mode) ||
	    (st.st_uid != geteuid() && geteuid() != 0)) {
		log_error("embedded TPM: %s is not a directory of this user: choose another",
		    dir);
		return -1;
	}
	return 0;
}

static const char *
find_swtpm(char *dst, size_t size)
{
	static const char *const dirs[] = {"/usr/bin", "/usr/local/bin", "/bin"};

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		snprintf(dst, size, "%s/swtpm", dirs[i]);
		if (access(dst, X_OK) == 0)
			return dst;
	}
	log_error("embedded TPM: swtpm is not installed: apt-get install swtpm, or configure "
	    "the machine's own TPM (tpm = tpm2:device:/dev/tpmrm0)");
	return NULL;
}

/* swtpm under our name: ps and top show the name of the file that was executed. */
static int
make_link(const char *rundir, char *path, size_t size)
{
	char program[64], tmp[PATH_MAX];

	if (find_swtpm(program, sizeof(program)) == NULL)
		return -1;
	snprintf(path, size, "%s/" PROCESS, rundir);
	snprintf(tmp, sizeof(tmp), "%s/." PROCESS ".new", rundir);
	(void)unlink(tmp);
	if (symlink(program, tmp) == 0 && rename(tmp, path) == 0)
		return 0;
	log_error("embedded TPM: cannot make %s: %s", path, strerror(errno));
	return -1;
}

/* The lock is also held by the swtpm: after a crash it goes when that has gone. */
static int
take_lock(const char *dir)
{
	char path[PATH_MAX];
	int fd, waited = 0;

	snprintf(path, sizeof(path), "%s/owner.lock", dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		log_error("embedded TPM: %s: %s", path, strerror(errno));
		return -1;
	}
	while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno != EWOULDBLOCK || waited >= LOCK_WAIT) {
			log_error("embedded TPM: %s is in use by another vsmd: stop it, or "
			    "choose another directory", dir);
			close(fd);
			return -1;
		}
		pause_ms(50);
		waited += 50;
	}
	return fd;
}

/* Listening before swtpm runs: whoever connects now waits for it. */
static int
listen_on(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd, r;
	mode_t old;

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	(void)unlink(path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	old = umask(0177);
	r = bind(fd, (struct sockaddr *)&sa, sizeof(sa));
	umask(old);
	if (r == 0 && listen(fd, 8) == 0)
		return fd;
	log_error("embedded TPM: cannot listen on %s: %s", path, strerror(errno));
	close(fd);
	return -1;
}

/*
 * In the child: only async-signal-safe calls.  The descriptors go to FIRST_FD and up,
 * by way of numbers above all of those, and the rest is closed.
 */
static void
become_swtpm(pid_t parent, const char *program, char *const argv[], const int fds[NFDS])
{
	static char *const env[] = {(char *)(uintptr_t)"PATH=/usr/bin:/bin", NULL};
	sigset_t none;
	int high[NFDS], null;

	if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != parent)
		_exit(1);
	(void)setsid(); /* a terminal's Ctrl-C is for vsmd, which stops us in order */
	sigemptyset(&none);
	signal(SIGTERM, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int i = 0; i < NFDS; i++)
		if ((high[i] = fcntl(fds[i], F_DUPFD, FIRST_FD + NFDS)) < 0)
			_exit(1);
	null = open("/dev/null", O_RDWR);
	if (null < 0)
		_exit(1);
	for (int i = 0; i < FIRST_FD; i++)
		(void)dup2(null, i);
	for (int i = 0; i < NFDS; i++)
		(void)dup2(high[i], FIRST_FD + i);
	if (close_range(FIRST_FD + NFDS, ~0U, 0) != 0)
		_exit(1);
	execve(program, argv, env);
	_exit(127);
}

static pid_t
spawn(const char *dir, const char *rundir, const int fds[NFDS])
{
	char program[PATH_MAX], state[PATH_MAX + 32], log[PATH_MAX + 64];
	char data[32], ctrl[32], key[64];
	const char *argv[] = {PROCESS, "socket", "--tpm2", "--tpmstate", state, "--server", data,
	    "--ctrl", ctrl, "--flags", "not-need-init,startup-clear", "--locality",
	    "reject-locality-4", "--key", key, "--log", log, NULL};
	pid_t parent = getpid(), pid;

	if (make_link(rundir, program, sizeof(program)) < 0)
		return -1;
	snprintf(state, sizeof(state), "dir=%s,mode=0600", dir);
	snprintf(data, sizeof(data), "type=unixio,fd=%d", FIRST_FD + FD_DATA);
	snprintf(ctrl, sizeof(ctrl), "type=unixio,fd=%d", FIRST_FD + FD_CTRL);
	snprintf(key, sizeof(key), "fd=%d,format=hex,mode=aes-256-cbc", FIRST_FD + FD_KEY);
	snprintf(log, sizeof(log), "file=%s/swtpm.log,level=1,truncate", dir);
	pid = fork();
	if (pid == 0)
		become_swtpm(parent, program, (char *const *)(uintptr_t)argv, fds);
	if (pid < 0)
		log_error("embedded TPM: cannot fork: %s", strerror(errno));
	return pid;
}

/* Collect it if it ends within `ms`; true when it is gone (also: collected by others). */
static bool
gone(pid_t pid, int ms)
{
	for (;; ms -= 10) {
		pid_t r = waitpid(pid, NULL, WNOHANG);

		if (r == pid || (r < 0 && errno == ECHILD))
			return true;
		if (ms <= 0)
			return false;
		pause_ms(10);
	}
}

static int
wait_ready(pid_t pid, const char *dir, const char *socket_path)
{
	uint32_t rc;

	if (embedded_command(socket_path, EMBEDDED_GET_TEST_RESULT, pid, START_WAIT, &rc) == 0 &&
	    rc == 0)
		return 0;
	if (gone(pid, 100))
		log_error("embedded TPM: swtpm ended at once, see %s/swtpm.log; most likely its "
		    "state in %s is damaged: restore the directory from a copy (it is never "
		    "made anew: what is sealed would be lost)", dir, dir);
	else
		log_error("embedded TPM: swtpm does not answer, see %s/swtpm.log", dir);
	return -1;
}

static void
close_all(int fds[NFDS], int keep)
{
	for (int i = 0; i < NFDS; i++)
		if (i != keep && fds[i] >= 0)
			close(fds[i]);
}

static void
kill_and_collect(pid_t pid)
{
	if (gone(pid, 0))
		return;
	(void)kill(pid, SIGTERM);
	if (gone(pid, STOP_WAIT))
		return;
	(void)kill(pid, SIGKILL);
	(void)gone(pid, STOP_WAIT);
}

int
embedded_start(struct embedded_tpm *t, const char *dir, const char *rundir)
{
	char path[SUN_MAX], ctrl[SUN_MAX + 8];
	int fds[NFDS] = {-1, -1, -1, -1};

	memset(t, 0, sizeof(*t));
	t->lock = -1;
	if (strchr(dir, ',') != NULL || strchr(rundir, ',') != NULL) {
		log_error("embedded TPM: swtpm takes no directory with a comma: choose another");
		return -1;
	}
	if (make_dir(dir) < 0 || make_dir(rundir) < 0)
		return -1;
	(void)chmod(dir, 0700); /* made by others, perhaps */
	if (strlen(rundir) + strlen("/" SOCKET ".ctrl") >= SUN_MAX) {
		log_error("embedded TPM: the path %s/" SOCKET ".ctrl is longer than the %zu "
		    "bytes a socket may have: choose a shorter runtime directory", rundir,
		    SUN_MAX - 1);
		return -1;
	}
	snprintf(path, sizeof(path), "%s/" SOCKET, rundir);
	snprintf(ctrl, sizeof(ctrl), "%s.ctrl", path); /* the name that the TCTI expects */
	if ((fds[FD_LOCK] = take_lock(dir)) < 0 || (fds[FD_KEY] = embedded_key_open(dir)) < 0 ||
	    (fds[FD_CTRL] = listen_on(ctrl)) < 0 || (fds[FD_DATA] = listen_on(path)) < 0 ||
	    (t->pid = spawn(dir, rundir, fds)) <= 0) {
		close_all(fds, -1);
		t->pid = 0;
		return -1;
	}
	close_all(fds, FD_LOCK);
	if (wait_ready(t->pid, dir, path) < 0 || embedded_key_settle(dir) < 0) {
		kill_and_collect(t->pid);
		close(fds[FD_LOCK]);
		t->pid = 0;
		return -1;
	}
	t->lock = fds[FD_LOCK];
	snprintf(t->address, sizeof(t->address), PREFIX "%s", path);
	log_warn("embedded TPM: a local swtpm (process %d) protects against nothing but "
	    "mistakes: who can read %s can open what is sealed", (int)t->pid, dir);
	return 0;
}

void
embedded_stop(struct embedded_tpm *t)
{
	uint32_t rc;

	if (t->pid > 0) {
		if (!gone(t->pid, 0)) {
			/* SIGTERM alone would look like a crash to the TPM. */
			(void)embedded_command(t->address + strlen(PREFIX), EMBEDDED_SHUTDOWN,
			    t->pid, STOP_WAIT, &rc);
			kill_and_collect(t->pid);
		}
		log_info("embedded TPM: stopped");
	}
	if (t->pid > 0 && t->lock >= 0)
		close(t->lock);
	t->pid = 0;
	t->lock = -1;
}
