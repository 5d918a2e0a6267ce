/* harness.h - a supervisor of its own for a test: started, asked, looked at, stopped. */
#ifndef CAAS_TESTS_SUPERVISOR_HARNESS_H
#define CAAS_TESTS_SUPERVISOR_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

#include "fakes.h"
#include "protocol/hello.h"
#include "vchan-transport/transport.h"

struct vsmd {
	char dir[64];
	char conf[96], sock[96], state[96], log[96], address[128];
	pid_t pid; /* 0: not running */
	int notify;
	int held; /* a socket that is passed to it, as the service manager does; -1: none */
};

/* cmocka fixtures: *state is a struct vsmd that is not started yet. */
int vsmd_setup(void **state);
int vsmd_teardown(void **state);
/* Write the configuration: [vsmd] with what a test needs, then `settings` still in that
 * section, then `policy`; NULL for one principal of everybody with all rights. */
void vsmd_config(struct vsmd *v, const char *settings, const char *policy);
/* Fork it and wait until it listens (with `wait`). */
void vsmd_start(struct vsmd *v, bool wait);
/* SIGTERM and wait; the exit status. */
int vsmd_stop(struct vsmd *v);
int vsmd_wait(struct vsmd *v);
/* Wait until the log holds the text (fails after 20 s), from offset `from` on; returns
 * the offset behind it. */
size_t vsmd_log(struct vsmd *v, size_t from, const char *text);
bool vsmd_logged(struct vsmd *v, const char *text);
/* A file for the fakes in the state directory. */
void vsmd_mark(struct vsmd *v, const char *file, bool there);
/* Send a hello; NULL when the connection is refused.  *ret holds the answer; the status
 * is 99 when the peer closed without one. */
struct channel *vsmd_hello(
    struct vsmd *v, enum hello_purpose purpose, uint32_t slot, struct hello_answer *ret);
/* The number `key` of the supervisor's status. */
long vsmd_status(struct vsmd *v, const char *key);
/* Wait until the number is `value`. */
void vsmd_until(struct vsmd *v, const char *key, long value);
bool process_alive(pid_t pid);
void until_dead(pid_t pid);

#endif
