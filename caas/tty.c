/* tty.c - talk to a person; see secret.h */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "caas/secret.h"
#include "common/secmem.h"

static void
put(int fd, const char *s)
{
	if (write(fd, s, strlen(s)) < 0) {
		/* The person sees nothing, and will interrupt. */
	}
}

/* One key at a time; signals do not come from the keyboard meanwhile, so that the
 * terminal is never left without echo.  -1: interrupted, ended, or too long. */
static int
read_keys(int fd, const struct termios *t, char *line, size_t size)
{
	size_t len = 0;
	char c;
	int rc = -1;

	for (;;) {
		ssize_t n = read(fd, &c, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || c == (char)t->c_cc[VINTR] || c == (char)t->c_cc[VQUIT])
			break;
		if (c == '\n' || c == '\r') {
			rc = (int)len;
			break;
		}
		if (c == (char)t->c_cc[VERASE])
			len -= len > 0;
		else if (c == (char)t->c_cc[VKILL])
			len = 0;
		else if (c == (char)t->c_cc[VEOF] || len + 1 >= size)
			break;
		else
			line[len++] = c;
	}
	line[len] = '\0';
	sec_wipe(&c, sizeof(c));
	return rc;
}

int
tty_read_secret(int fd, const char *prompt, char *line, size_t size)
{
	struct termios old, quiet;
	int n;

	if (tcgetattr(fd, &old) < 0)
		return -1;
	quiet = old;
	quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG);
	quiet.c_cc[VMIN] = 1;
	quiet.c_cc[VTIME] = 0;
	if (tcsetattr(fd, TCSAFLUSH, &quiet) < 0)
		return -1;
	put(fd, prompt);
	put(fd, ": ");
	n = read_keys(fd, &old, line, size);
	tcsetattr(fd, TCSAFLUSH, &old);
	put(fd, "\n");
	return n;
}

bool
tty_confirm(const char *question)
{
	char c = '\0', first = '\0';
	int fd;

	if (!isatty(STDIN_FILENO))
		return false;
	fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return false;
	put(fd, question);
	put(fd, " [y/N] ");
	while (read(fd, &c, 1) == 1 && c != '\n')
		if (first == '\0')
			first = c;
	close(fd);
	return first == 'y' || first == 'Y';
}
