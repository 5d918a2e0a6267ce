/* adminproc.c - one process per administrator's connection. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/ipc.h"
#include "common/log.h"
#include "vsmd/admin/admin.h"
#include "vchan-transport/stream.h"
#include "vsmd/msg.h"
#include "vsmd/supervisor/super.h"

#define KIND_ADMIN 1

static void
run(const struct super *s, const char *status, int channel, int store, const uint8_t *hello,
    const struct grant *grant)
{
	struct admin_config config = {
	    .grant = *grant, .channel = channel, .store = store, .status = status};

	memcpy(config.instance, s->instance, sizeof(config.instance));
	if (!hello_ask_read(hello, &config.hello))
		_exit(1);
	_exit(admin_main(&config));
}

static int
tell_store(struct super *s, const struct grant *grant, int fd)
{
	struct buf b;
	int rc;

	buf_init(&b, IPC_MAX);
	buf_put_u8(&b, M_S_ATTACH);
	buf_put_u32(&b, 0);
	buf_put_u8(&b, KIND_ADMIN);
	grant_write(&b, grant);
	rc = store_send(s, &b, &fd, 1);
	buf_free(&b);
	return rc;
}

static int
start(struct super *s, int channel, const uint8_t *hello, const struct grant *grant)
{
	int pair[2], keep[2];
	char *status;
	pid_t *bigger, pid;

	bigger = reallocarray(s->admins, s->nadmins + 1, sizeof(*bigger));
	if (bigger == NULL)
		return -1;
	s->admins = bigger;
	if ((status = status_json(s)) == NULL || ipc_pair(pair) < 0) {
		free(status);
		return -1;
	}
	stream_refuse_fds(pair[0]);
	keep[0] = channel;
	keep[1] = pair[1];
	if (tell_store(s, grant, pair[0]) < 0)
		pid = -1;
	else if ((pid = child_fork(s, "vsmd-admin", keep, 2)) == 0)
		run(s, status, channel, pair[1], hello, grant);
	free(status);
	close(pair[0]);
	close(pair[1]);
	if (pid < 0)
		return -1;
	s->admins[s->nadmins++] = pid;
	if (log_may(grant->principal))
		log_info("administrator connected principal=%s peer=\"%s\" pid=%d",
		    grant->principal, grant->peer, (int)pid);
	return 0;
}

void
admin_start(struct super *s, struct channel *channel, const uint8_t *hello,
    const struct grant *grant)
{
	int fd;

	if (s->nadmins >= ADMINS_MAX) {
		if (log_may(grant->principal))
			log_warn("too many administrators at once");
		greet_refuse(s, channel, HELLO_BUSY);
		return;
	}
	if ((fd = channel_take_fd(channel)) < 0) {
		log_error("this transport's channels cannot be handed over: %s",
		    strerror(errno));
		greet_refuse(s, channel, HELLO_FAILED);
		return;
	}
	if (start(s, fd, hello, grant) < 0) {
		log_error("cannot serve an administrator: %s", strerror(errno));
		if ((channel = channel_from_fd(fd)) != NULL)
			greet_refuse(s, channel, HELLO_FAILED);
		else
			close(fd);
		return;
	}
	close(fd);
}

bool
admin_exited(struct super *s, pid_t pid, int status)
{
	for (size_t i = 0; i < s->nadmins; i++) {
		if (s->admins[i] != pid)
			continue;
		if (WIFSIGNALED(status) && s->phase < PHASE_DRAIN)
			log_error(
			    "an administrator's process was killed by signal %d (%s)",
			    WTERMSIG(status), strsignal(WTERMSIG(status)));
		s->admins[i] = s->admins[--s->nadmins];
		return true;
	}
	return false;
}

void
admin_kill_all(struct super *s)
{
	for (size_t i = 0; i < s->nadmins; i++)
		(void)kill(s->admins[i], SIGKILL);
}
