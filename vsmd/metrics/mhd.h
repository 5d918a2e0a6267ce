/*
 * mhd.h - libmicrohttpd, loaded by the one process that needs it.
 *
 * vsmd is one program: a library that it were linked with, and all that it brings (GnuTLS
 * among it), would lie in every process, those that hold keys too.
 *
 * Threads: load before there are any.
 */
#ifndef CAAS_VSMD_METRICS_MHD_H
#define CAAS_VSMD_METRICS_MHD_H

#include <microhttpd.h>

#define MHD_FUNCTIONS(F)                                                                  \
	F(start_daemon)                                                                   \
	F(stop_daemon)                                                                    \
	F(run)                                                                            \
	F(get_timeout)                                                                    \
	F(get_daemon_info)                                                                \
	F(create_response_from_buffer)                                                    \
	F(add_response_header)                                                            \
	F(queue_response)                                                                 \
	F(destroy_response)

struct mhd {
#define MHD_FUNCTION(name) __typeof__(MHD_##name) *name;
	MHD_FUNCTIONS(MHD_FUNCTION)
#undef MHD_FUNCTION
};

/* NULL after logging. */
const struct mhd *mhd_load(void);

#endif
