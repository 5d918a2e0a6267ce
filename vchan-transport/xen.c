/* xen.c - see xen.h */
#include "vchan-transport/xen.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>

struct xen xen;

/* From evtchn_close on they are of libraries that libxenvchan brings with it. */
static const struct {
	const char *name;
	size_t at;
} functions[] = {
    {"libxenvchan_server_init", offsetof(struct xen, server_init)},
    {"libxenvchan_client_init", offsetof(struct xen, client_init)},
    {"libxenvchan_close", offsetof(struct xen, close)},
    {"libxenvchan_is_open", offsetof(struct xen, is_open)},
    {"libxenvchan_fd_for_select", offsetof(struct xen, fd_for_select)},
    {"libxenvchan_wait", offsetof(struct xen, wait)},
    {"libxenvchan_data_ready", offsetof(struct xen, data_ready)},
    {"libxenvchan_buffer_space", offsetof(struct xen, buffer_space)},
    {"libxenvchan_read", offsetof(struct xen, read)},
    {"libxenvchan_write", offsetof(struct xen, write)},
    {"xenevtchn_close", offsetof(struct xen, evtchn_close)},
    {"xengntshr_close", offsetof(struct xen, gntshr_close)},
    {"xengnttab_close", offsetof(struct xen, gnttab_close)},
    {"xs_open", offsetof(struct xen, xs_open)},
    {"xs_close", offsetof(struct xen, xs_close)},
    {"xs_read", offsetof(struct xen, xs_read)},
    {"xs_write", offsetof(struct xen, xs_write)},
    {"xs_watch", offsetof(struct xen, xs_watch)},
    {"xs_fileno", offsetof(struct xen, xs_fileno)},
    {"xs_check_watch", offsetof(struct xen, xs_check_watch)},
};

static const char *problem;

static void
load(void)
{
	void *library = dlopen(CAAS_XENVCHAN, RTLD_NOW | RTLD_LOCAL), *f;

	if (library == NULL) {
		problem = "a vchan address needs Xen's " CAAS_XENVCHAN
			  ", which cannot be loaded: is it installed?";
		return;
	}
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		if ((f = dlsym(library, functions[i].name)) == NULL) {
			problem = "Xen's " CAAS_XENVCHAN " is not the one that this was "
				  "built for: a function is missing";
			return;
		}
		memcpy((char *)&xen + functions[i].at, &f, sizeof(f));
	}
	/* xs_close() cancels a thread, for which the C library would load this then, and abort
	 * where a process has closed the door on it. */
	(void)dlopen("libgcc_s.so.1", RTLD_NOW);
}

bool
xen_load(const char **ret_why)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, load);
	*ret_why = problem;
	return problem == NULL;
}
