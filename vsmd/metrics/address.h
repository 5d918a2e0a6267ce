/*
 * address.h - where the page of metrics is served: a unix socket, or loopback.
 *
 *	unix:/absolute/path	tcp:127.0.0.1:PORT	tcp:[::1]:PORT
 *
 * Any other address of this machine would show the page to the network: it is none.
 *
 * Threads: any.
 */
#ifndef CAAS_VSMD_METRICS_ADDRESS_H
#define CAAS_VSMD_METRICS_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

/* False, and *ret_why says what is wrong. */
bool metrics_address(const char *text, struct sockaddr_storage *ret, socklen_t *ret_len,
    const char **ret_why);

#endif
