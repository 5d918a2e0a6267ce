/*
 * contract.h - what every transport must do, tested on each alike.
 *
 * A test gets two ends of one channel, or opens more itself by the addresses.  Both ends
 * live in this process, the peer's side in threads; or the clients live elsewhere (apart.h), and
 * a test need not know.
 */
#ifndef TESTS_CONTRACT_H
#define TESTS_CONTRACT_H

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "vchan-transport/transport.h"

#define PATIENCE 180000 /* ms, for what must happen: an emulated hypervisor is slow */
#define A_WHILE 30      /* ms, for what must not */

extern const char *listen_address, *connect_address, *absent_address;
extern bool has_streams;    /* half-close, an address in use: all but vchan */
extern bool has_descriptor; /* to pass on: unix and vsock */
extern bool shares_memory;  /* a unix socket's channels, once both sides have agreed */

struct ends {
	struct listener *listener;
	struct channel *client, *server;
	struct peer peer;
};

/* cmocka's fixture: one connected pair, *state a struct ends. */
int open_ends(void **state);
int close_ends(void **state);
/* One more connection to the listener. */
void connect_ends(struct listener *l, struct channel **ret_client,
    struct channel **ret_server, struct peer *ret_peer);
/* As transport_connect(), in the connecting half; shares: and then shm_accept(). */
struct channel *connect_client(const char *address, int deadline, bool shares);
/* As a loop uses it: poll, unless told that it need not.  False: it was in vain. */
bool can_do(struct channel *c, bool read, bool write);
/* A child of whoever has them drops both ends, and closes the listener (or NULL). */
void child_drops(struct ends *e, struct listener *l);
void write_all(struct channel *c, const void *p, size_t len);
/* A byte one way and one back. */
void assert_works(struct channel *a, struct channel *b);
void start(pthread_t *t, void *(*fn)(void *), void *arg);
int open_files(void);

#define with_ends(f) cmocka_unit_test_setup_teardown(f, open_ends, close_ends)

int contract_connecting(void);
int contract_bytes(void);
int contract_waiting(void);
int contract_ending(void);

#endif
