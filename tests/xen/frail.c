/*
 * frail.c - caas-xen-frail ARGUMENT...: a vsmd that dies when dom0 says so.
 *
 * tests/xen/whole/image.sh lays it over /usr/sbin/vsmd in the crypto domain's image, and
 * the image's own beside it, as vsmd.image.  This program becomes that one, with its
 * arguments, pid and descriptors; a child of it, which stays root, kills it when dom0 has
 * written a word into `order' of this domain's directory in XenStore that begins with
 * "kill" and was not there before.  The image that is shipped has neither this nor
 * anything like it.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <xenstore.h>

#define VSMD "/usr/sbin/vsmd.image"

static char *
order(struct xs_handle *xs)
{
	unsigned int len;

	return xs_read(xs, XBT_NULL, "order", &len);
}

/* Returns once vsmd is to die. */
static int
wait_kill(struct xs_handle *xs)
{
	char *before = order(xs), *now = NULL, **event;
	unsigned int n;

	do {
		free(now);
		if ((event = xs_read_watch(xs, &n)) == NULL)
			return -1;
		free(event);
		now = order(xs);
	} while (now == NULL || strncmp(now, "kill", 4) != 0 ||
		 (before != NULL && strcmp(now, before) == 0));
	free(now);
	free(before);
	return 0;
}

/* The child: never returns, and does not outlive vsmd. */
static void
lie_in_wait(pid_t vsmd)
{
	struct xs_handle *xs;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != vsmd)
		_exit(1);
	if ((xs = xs_open(0)) == NULL || !xs_watch(xs, "order", "") ||
	    wait_kill(xs) < 0) {
		fprintf(stderr, "frail: XenStore: %s\n", strerror(errno));
		_exit(1);
	}
	fputs("frail: dom0 wants vsmd dead\n", stderr);
	(void)kill(vsmd, SIGKILL);
	_exit(0);
}

int
main(int argc, char **argv)
{
	pid_t self = getpid();

	(void)argc;
	if (fork() == 0)
		lie_in_wait(self);
	execv(VSMD, argv);
	fprintf(stderr, "frail: " VSMD ": %s\n", strerror(errno));
	return 127;
}
