/*
 * admin_ask.h - what an administrator may ask, and the answers (M_A_* of vsmd/msg.h).
 *
 * The request is checked by the table that the admin process uses too
 * (vsmd/admin/check.h): that process may have been taken over.  Results:
 * docs/protocol.md.
 */
#ifndef CAAS_STORE_ADMIN_ASK_H
#define CAAS_STORE_ADMIN_ASK_H

#include <jansson.h>

#include "vsmd/admin/check.h"
#include "vsmd/store/state.h"

/* Serve a->request.  False when it is malformed: the pipe is to be closed. */
bool admin_ask(struct store *s, struct attach *a);
/* The pipe goes: end what it began. */
void admin_ask_gone(struct store *s, const struct attach *a);
/* Go on with a verification of the audit log.  True while there is more to read. */
bool admin_ask_verify(struct store *s);
/* vsmd-tpm has answered (`readable`), or may have taken too long. */
void admin_tpm_tick(struct store *s, bool readable);
/* The processes of a slot that is being deleted are gone: remove it from the store,
 * answer who asked.  False when it stays. */
bool admin_ask_delete(struct store *s, struct slot *slot);

/* Answer with a JSON result, whose reference is taken, and bytes beside it. */
void admin_good(struct attach *a, json_t *result, const void *blob, size_t len);
/* Answer with a sentence that says what is wrong and what to do. */
void admin_bad(struct attach *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* The calls that are not in admin_ask.c. */
struct admin_secret {
	const uint8_t *passphrase, *so_pin;
	size_t passphrase_len, so_pin_len;
};
void admin_backup_begin(struct store *s, struct attach *a, const struct admin_request *r);
void admin_backup_read(struct store *s, struct attach *a, const struct admin_request *r);
void admin_backup_end(struct store *s, struct attach *a, const struct admin_request *r);
void admin_restore_begin(
    struct store *s, struct attach *a, const struct admin_request *r);
void admin_restore_write(
    struct store *s, struct attach *a, const struct admin_request *r);
void admin_restore_finish(
    struct store *s, struct attach *a, const struct admin_request *r);
void admin_accept_rollback(
    struct store *s, struct attach *a, const struct admin_request *r);
void admin_tpm_reseal(struct store *s, struct attach *a, const struct admin_request *r);
void admin_tpm_predict(struct store *s, struct attach *a, const struct admin_request *r);

/* The slot of the one token with this label or serial; NULL after answering why not. */
struct slot *admin_token(
    struct store *s, struct attach *a, const struct admin_request *r);
/* The passphrase and the SO PIN of a request. */
struct admin_secret admin_secrets(const struct admin_request *r);

#endif
