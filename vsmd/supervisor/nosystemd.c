/*
 * nosystemd.c - what vsmd calls of libsystemd, without it (CAAS_SYSTEMD=OFF): the crypto domain's
 * image has no systemd, and libsystemd would bring six more libraries.
 *
 * $NOTIFY_SOCKET is a path; sockets are not passed, and there is no watchdog.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

int
sd_notify(int unset_environment, const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd, rc;

	(void)unset_environment;
	if (path == NULL)
		return 0;
	if (path[0] != '/' || strlen(path) >= sizeof(sa.sun_path))
		return -EINVAL;
	memcpy(sa.sun_path, path, strlen(path) + 1);
	if ((fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) < 0)
		return -errno;
	rc = sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&sa, sizeof(sa)) < 0
	    ? -errno : 1;
	(void)close(fd);
	return rc;
}

int
sd_notifyf(int unset_environment, const char *format, ...)
{
	char *state;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vasprintf(&state, format, ap);
	va_end(ap);
	if (n < 0)
		return -ENOMEM;
	n = sd_notify(unset_environment, state);
	free(state);
	return n;
}

int
sd_listen_fds(int unset_environment)
{
	(void)unset_environment;
	return 0;
}

int
sd_watchdog_enabled(int unset_environment, uint64_t *usec)
{
	(void)unset_environment;
	(void)usec;
	return 0;
}
