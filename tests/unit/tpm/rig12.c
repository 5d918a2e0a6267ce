/* rig12.c - see rig12.h */
#include "rig12.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRIES 1000 /* of 10 ms each */

const char *
rig12_missing(void)
{
	if (geteuid() != 0)
		return "tcsd must be started by root";
	if (getpwnam("tss") == NULL || access("/usr/sbin/tcsd", X_OK) != 0)
		return "package trousers is not installed";
	if (access("/usr/sbin/tpm_takeownership", X_OK) != 0)
		return "package tpm-tools is not installed";
	if (access("/usr/bin/swtpm_setup", X_OK) != 0)
		return "package swtpm-tools is not installed";
	return NULL;
}

static struct sockaddr_in
loopback(unsigned port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return sa;
}

static unsigned
free_port(void)
{
	struct sockaddr_in sa = loopback(0);
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	close(fd);
	return ntohs(sa.sin_port);
}

/* /proc tells who listens without taking swtpm's one connection. */
static void
wait_listen(unsigned port)
{
	char line[256], want[32];
	FILE *f;

	snprintf(want, sizeof(want), "0100007F:%04X 00000000:0000 0A", port);
	for (int i = 0; i < TRIES; i++) {
		int found = 0;

		assert_non_null(f = fopen("/proc/net/tcp", "r"));
		while (fgets(line, sizeof(line), f) != NULL)
			found |= strstr(line, want) != NULL;
		fclose(f);
		if (found)
			return;
		usleep(10000);
	}
	fail_msg("nothing listens on port %u", port);
}

static pid_t
run(const struct rig12 *r, const char *const argv[])
{
	char log[128], port[16];
	pid_t pid = fork();
	int fd;

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(log, sizeof(log), "%s/log", r->dir);
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	dup2(fd, 1);
	dup2(fd, 2);
	snprintf(port, sizeof(port), "%u", r->tpm_port);
	setenv("TCSD_TCP_DEVICE_HOSTNAME", "127.0.0.1", 1);
	setenv("TCSD_TCP_DEVICE_PORT", port, 1);
	snprintf(port, sizeof(port), "%u", r->tcsd_port);
	setenv("TSS_TCSD_PORT", port, 1);
	execvp(argv[0], (char *const *)(uintptr_t)argv);
	_exit(127);
}

static void
run_ok(const struct rig12 *r, const char *const argv[])
{
	int status;

	assert_int_equal(waitpid(run(r, argv), &status, 0) > 0, 1);
	if (status != 0)
		fail_msg("%s failed: see the log in %s", argv[0], r->dir);
}

void
rig12_start_tcsd(struct rig12 *r)
{
	char conf[128];
	const char *argv[] = {"/usr/sbin/tcsd", "-e", "-f", "-c", conf, NULL};

	snprintf(conf, sizeof(conf), "%s/tcsd.conf", r->dir);
	r->tcsd = run(r, argv);
	wait_listen(r->tcsd_port);
}

static void
write_conf(const struct rig12 *r)
{
	const struct passwd *tss = getpwnam("tss");
	char conf[128], ps[128], text[256];

	snprintf(conf, sizeof(conf), "%s/tcsd.conf", r->dir);
	snprintf(ps, sizeof(ps), "%s/ps", r->dir);
	snprintf(text, sizeof(text), "port = %u\nsystem_ps_file = %s/system.data\n",
	    r->tcsd_port, ps);
	rig_write(conf, text, strlen(text));
	assert_int_equal(chown(conf, 0, tss->pw_gid), 0); /* it insists on this */
	assert_int_equal(chmod(conf, 0640), 0);
	assert_int_equal(mkdir(ps, 0700), 0);
	assert_int_equal(chown(ps, tss->pw_uid, tss->pw_gid), 0);
}

void
rig12_start(struct rig12 *r, int owned)
{
	char uri[128], state[128], data[128], ctrl[128];
	const char *setup[] = {"swtpm_setup", "--tpm-state", uri, "--createek", NULL};
	const char *swtpm[] = {"swtpm", "socket", "--tpmstate", state, "--server", data, "--ctrl",
	    ctrl, "--flags", "not-need-init,startup-clear", NULL};
	const char *own[] = {"tpm_takeownership", "-y", "-z", NULL};

	memset(r, 0, sizeof(*r));
	rig_mkdir(r->dir);
	r->tpm_port = free_port();
	r->tcsd_port = free_port();
	snprintf(state, sizeof(state), "%s/tpm", r->dir);
	assert_int_equal(mkdir(state, 0700), 0);
	snprintf(uri, sizeof(uri), "dir://%s/tpm", r->dir);
	snprintf(state, sizeof(state), "dir=%s/tpm,mode=0600", r->dir);
	snprintf(data, sizeof(data), "type=tcp,port=%u,bindaddr=127.0.0.1", r->tpm_port);
	snprintf(ctrl, sizeof(ctrl), "type=unixio,path=%s/ctrl,mode=0600", r->dir);
	run_ok(r, setup);
	r->swtpm = run(r, swtpm);
	wait_listen(r->tpm_port);
	write_conf(r);
	rig12_start_tcsd(r);
	if (owned)
		run_ok(r, own);
	snprintf(r->address, sizeof(r->address), "tpm1.2:127.0.0.1:%u", r->tcsd_port);
}

void
rig12_stop_tcsd(struct rig12 *r)
{
	if (r->tcsd <= 0)
		return;
	kill(r->tcsd, SIGKILL); /* it would wait for its clients */
	waitpid(r->tcsd, NULL, 0);
	r->tcsd = 0;
}

void
rig12_locality(const struct rig12 *r, uint8_t locality)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	uint8_t m[5] = {0, 0, 0, 5, locality}, answer[4] = {1};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/ctrl", r->dir);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(write(fd, m, sizeof(m)), sizeof(m));
	assert_int_equal(read(fd, answer, sizeof(answer)), sizeof(answer));
	assert_memory_equal(answer, "\0\0\0\0", 4);
	close(fd);
}

void
rig12_free(struct rig12 *r)
{
	rig12_stop_tcsd(r);
	if (r->swtpm > 0) {
		kill(r->swtpm, SIGTERM);
		waitpid(r->swtpm, NULL, 0);
	}
	rig_rmdir(r->dir);
}
