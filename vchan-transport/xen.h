/*
 * xen.h - libxenvchan, loaded when the first vchan: address is met.
 *
 * The guest module lives in other people's processes, few of which are on Xen: they shall
 * not have Xen's libraries in them, nor need them installed.
 *
 * Threads: any may call xen_load(); `xen` is constant once it returned true, and nobody
 * looks at it before.  The library stays loaded until the process ends.
 */
#ifndef CAAS_TRANSPORT_XEN_H
#define CAAS_TRANSPORT_XEN_H

#include <stdbool.h>

#include <libxenvchan.h>
#include <xengnttab.h>
#include <xenstore.h>

struct xen {
	typeof(libxenvchan_server_init) *server_init;
	typeof(libxenvchan_client_init) *client_init;
	typeof(libxenvchan_close) *close;
	typeof(libxenvchan_is_open) *is_open;
	typeof(libxenvchan_fd_for_select) *fd_for_select;
	typeof(libxenvchan_wait) *wait;
	typeof(libxenvchan_data_ready) *data_ready;
	typeof(libxenvchan_buffer_space) *buffer_space;
	typeof(libxenvchan_read) *read;
	typeof(libxenvchan_write) *write;
	typeof(xenevtchn_close) *evtchn_close;
	typeof(xengntshr_close) *gntshr_close;
	typeof(xengnttab_close) *gnttab_close;
	typeof(xs_open) *xs_open;
	typeof(xs_close) *xs_close;
	typeof(xs_read) *xs_read;
	typeof(xs_write) *xs_write;
	typeof(xs_watch) *xs_watch;
	typeof(xs_fileno) *xs_fileno;
	typeof(xs_check_watch) *xs_check_watch;
};

extern struct xen xen;

/* False: *ret_why (a constant) says what is missing. */
bool xen_load(const char **ret_why);

#endif
