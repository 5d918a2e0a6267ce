/* secret.c - see secret.h */
#include "caas/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/secmem.h"

/* Up to the first newline and no further: standard input may hold the next secret. */
static int
read_line(int fd, struct secret *s)
{
	char c;
	ssize_t n;

	for (;;) {
		n = read(fd, &c, 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || c == '\n')
			break;
		if (s->len == SECRET_MAX) {
			errno = EMSGSIZE;
			return -1;
		}
		s->text[s->len++] = c;
	}
	if (s->len > 0 && s->text[s->len - 1] == '\r')
		s->len--;
	s->text[s->len] = '\0';
	sec_wipe(&c, sizeof(c));
	return n < 0 ? -1 : 0;
}

static int
from_file(const char *file, const char *what, struct secret *s)
{
	int fd = STDIN_FILENO, rc;

	if (strcmp(file, "-") != 0) {
		fd = open(file, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return cmd_fail("cannot read the %s from %s: %s", what, file,
			    strerror(errno));
	}
	rc = read_line(fd, s);
	if (rc < 0)
		cmd_fail("cannot read the %s from %s: %s", what, file, strerror(errno));
	if (fd != STDIN_FILENO)
		close(fd);
	return rc < 0 ? CMD_FAILED : CMD_OK;
}

static int
from_person(const char *what, bool twice, struct secret *s)
{
	char *again;
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY), n, m;

	if (fd < 0)
		return cmd_fail(
		    "no terminal to ask for the %s: %s", what, strerror(errno));
	n = tty_read_secret(fd, what, s->text, SECRET_MAX + 1);
	if (n >= 0 && twice) {
		again = sec_alloc(SECRET_MAX + 1);
		m = again == NULL
			? -1
			: tty_read_secret(fd, "the same again", again, SECRET_MAX + 1);
		if (m != n || !sec_equal(again, s->text, (size_t)n))
			n = -1;
		sec_free(again);
	}
	close(fd);
	if (n < 0)
		return cmd_fail("no %s given, or two different ones: try again", what);
	s->len = (size_t)n;
	return CMD_OK;
}

int
secret_get(const struct args *a, enum option_id value, enum option_id file,
    const char *what, bool twice, struct secret *ret)
{
	const char *given = a->value[value], *path = a->value[file];
	int rc;

	*ret = (struct secret){0};
	if (given != NULL && path != NULL)
		return cmd_usage("--%s and --%s exclude each other",
		    option_table[value].name, option_table[file].name);
	if (given == NULL && path == NULL && !isatty(STDIN_FILENO))
		return cmd_usage("%s: no %s: give --%s FILE or --%s %s", a->command->name,
		    what, option_table[file].name, option_table[value].name,
		    option_table[value].arg);
	if (given != NULL && strlen(given) > SECRET_MAX)
		return cmd_usage("the %s is too long", what);
	ret->text = sec_alloc(SECRET_MAX + 1);
	if (ret->text == NULL)
		return cmd_fail("no memory for the %s: free some", what);
	if (given != NULL) {
		ret->len = strlen(given);
		memcpy(ret->text, given, ret->len);
		rc = CMD_OK;
	} else {
		rc = path != NULL ? from_file(path, what, ret)
				  : from_person(what, twice, ret);
	}
	if (rc == CMD_OK && ret->len == 0)
		rc = cmd_fail("the %s is empty", what);
	if (rc != CMD_OK)
		secret_free(ret);
	return rc;
}

void
secret_free(struct secret *s)
{
	sec_free(s->text);
	*s = (struct secret){0};
}
