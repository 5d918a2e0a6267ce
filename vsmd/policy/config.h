/*
 * config.h - vsmd.conf(5): settings and policy, read once, checked whole.
 *
 * An INI file (inih).  Sections: [vsmd], [principal NAME], [grant PRINCIPAL TOKEN],
 * [key PRINCIPAL TOKEN NAME].  An unknown section, key or value is an error that names
 * file and line; a file with an error is never half applied.
 *
 * Threads: a config is constant once loaded.
 */
#ifndef CAAS_VSMD_CONFIG_H
#define CAAS_VSMD_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/hello.h"
#include "tpm/tpm.h"
#include "vchan-transport/transport.h"
#include "vsmd/policy/grant.h"

#define CONFIG_MAX_LISTEN 8

struct config; /* principals and rules inside; settings by the accessors below */

struct config_settings {
	char *listen[CONFIG_MAX_LISTEN]; /* transport addresses */
	size_t nlisten;
	unsigned socket_mode;
	bool socket_mode_set;            /* and not the default */
	char *state, *runtime;           /* directories */
	char *softhsm;                   /* libsofthsm2.so */
	char *tpm;                       /* "embedded", or an address for tpm_open() */
	struct tpm_policy tpm_policy;
	char *approvals;
	bool anchor;                     /* the TPM says which state was the last */
	unsigned anchor_budget;          /* writes of it a day, 0: any number */
	unsigned audit_rotate;           /* KiB of a file of the audit log, 0: any number */
	unsigned audit_keep;             /* files of it, 0: all */
	unsigned pin_tries;              /* 0: no lock-out */
	unsigned max_applications, max_sessions, threads;
	unsigned max_per_principal;      /* applications of one principal */
	unsigned max_objects;            /* of one token */
	unsigned max_memory;             /* MiB of one application */
	char *metrics;                   /* address of the page (vsmd/metrics), or NULL */
	char *user;                      /* drop to this user when started as root, or NULL */
	int log_level;
	bool shared_memory;              /* with guests on a unix socket */
	bool sandbox;
};

/* Load and check.  NULL after every error was reported through `report` (a line each,
 * "file:line: what is wrong, what would be right"). */
struct config *config_load(const char *file, void (*report)(void *, const char *), void *arg);
/* The same from memory; `name` stands in messages.  For the fuzzer and tests. */
struct config *config_parse(const char *name, const char *text, size_t len,
    void (*report)(void *, const char *), void *arg);
void config_free(struct config *c);
const struct config_settings *config_settings(const struct config *c);

/*
 * `hint` is what an agent says of who stands behind the peer (protocol/hello.h); without one the
 * peer stands for itself.  With it each of these says yes where it would without, or no.
 */

/* The principal of a peer, or NULL when the policy knows none (refuse it). */
const char *config_principal(
    const struct config *c, const struct peer *peer, const struct hello_hint *hint);
/* The principal has the role admin. */
bool config_is_admin(
    const struct config *c, const char *principal, const struct hello_hint *hint);
/*
 * What the principal may do with a token of this label; for the slot without a token
 * the label is NULL, and CLASS_INIT decides.  False: the slot is not visible to it.  `ret`
 * may be NULL, and its member peer is left empty.
 */
bool config_grant(const struct config *c, const char *principal, const char *token_label,
    const struct hello_hint *hint, struct grant *ret);

#endif
