/*
 * client.h - the asking half of vsmd/admin/: one connection, one request at a time.
 *
 * Errors: NULL or -1 after the reason was said through cmd_fail().  Threads: none.
 */
#ifndef CAAS_CLIENT_H
#define CAAS_CLIENT_H

#include <jansson.h>
#include <stdint.h>

#include "caas/cmd.h"
#include "caas/secret.h"
#include "common/buf.h"

#define CLIENT_SILENCE 30000 /* ms */

struct client;

/* The vsmd that --address, the environment, or the module's configuration name. */
const char *client_address(const struct args *a);
struct client *client_open(const char *address, int silence);
/* client_open() by --address and --timeout. */
struct client *client_of(const struct args *a);
void client_close(struct client *c);

struct client_request {
	const char *call;
	json_t *args;                    /* released by client_ask(); NULL for {} */
	const struct secret *passphrase; /* or NULL */
	const struct secret *so_pin;     /* or NULL */
	const void *blob;
	size_t blob_len;
};

/* Ask; the result's JSON (a new reference, always an object), or NULL.  `blob`, when not
 * NULL, is reset and filled with the bytes that came along. */
json_t *client_ask(struct client *c, const struct client_request *r, struct buf *blob);

/* Does a vsmd serve there?  1 yes, 0 nobody listens or it is not ready, -1 it refuses us.
 * Says nothing.  `deadline` in ms. */
int client_probe(const char *address, int deadline);

#endif
