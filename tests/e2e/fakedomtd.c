/*
 * fakedomtd.c - domtd, with a hypervisor that is a file: $CAAS_FAKE_XEN, made when absent.
 *
 *	caas-e2e-domtd OPTIONS		as domtd(8)'s
 *	caas-e2e-domtd gone DOMAIN	has that domain destroyed by somebody else
 *	caas-e2e-domtd new DOMAIN	has it made by somebody else
 *
 * domtd is told of that by a look, not by a watch: SIGHUP makes it look.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/xen-hooks/fake_xen.h"
#include "xen-hooks/domtd/store.h"

int domtd_main(int argc, char **argv);

static struct xen ours;
static int watch[2] = {-1, -1};

static struct fake_xen *
attach(void)
{
	static struct fake_xen *f;
	const char *file = getenv("CAAS_FAKE_XEN");
	int fd;
	struct stat st;

	if (f != NULL)
		return f;
	fd = file != NULL ? open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
	if (fd < 0 || fstat(fd, &st) < 0 || ftruncate(fd, sizeof(*f)) < 0)
		return NULL;
	f = mmap(NULL, sizeof(*f), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (f == MAP_FAILED)
		exit(3);
	if (st.st_size == 0)
		fake_init(f);
	fake_attach(f, &ours);
	return f;
}

struct xen *
xen_open(void)
{
	return attach() != NULL ? &ours : NULL;
}

void
xen_close(struct xen *xen)
{
	(void)xen;
}

static void
on_hangup(int sig)
{
	(void)sig;
	if (write(watch[1], "x", 1) < 0)
		_exit(3);
}

struct xs_handle *
store_watch(int *ret_fd)
{
	struct sigaction sa = {.sa_handler = on_hangup, .sa_flags = SA_RESTART};

	if (pipe2(watch, O_CLOEXEC | O_NONBLOCK) < 0 || sigaction(SIGHUP, &sa, NULL) < 0)
		return NULL;
	*ret_fd = watch[0];
	return (struct xs_handle *)&watch;
}

bool
store_follow(struct xs_handle *xs, int64_t *followed, int64_t domid)
{
	(void)xs;
	*followed = domid;
	return true;
}

bool
store_watched(struct xs_handle *xs, bool *ret_service)
{
	char bytes[8];

	(void)xs;
	(void)ret_service;
	return read(watch[0], bytes, sizeof(bytes)) > 0;
}

int
main(int argc, char **argv)
{
	struct fake_xen *f;

	if (argc != 3 || (strcmp(argv[1], "gone") != 0 && strcmp(argv[1], "new") != 0))
		return domtd_main(argc, argv);
	f = attach();
	if (f == NULL || (fake_domain(f, argv[2]) == NULL) != (argv[1][0] == 'n'))
		return 1;
	if (argv[1][0] == 'n')
		(void)fake_add(f, argv[2], (uint8_t)f->next_domid);
	else
		fake_destroy(f, argv[2]);
	return 0;
}
