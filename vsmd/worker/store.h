/*
 * store.h - a worker's questions to the store (vsmd/msg.h, M_W_*).
 *
 * One question at a time per worker; the thread that asks must not hold the gate, since
 * the store passes it to read what changed.  A pipe that breaks or answers nonsense ends
 * the worker: CKR_DEVICE_REMOVED then.
 *
 * Threads: any.  Secrets are wiped from every buffer before it is released.
 */
#ifndef CAAS_VSMD_WORKER_STORE_H
#define CAAS_VSMD_WORKER_STORE_H

#include <pthread.h>
#include <stdint.h>

#include "common/buf.h"
#include "protocol/frame.h"
#include "protocol/kept.h"
#include "protocol/pkcs11.h"
#include "vsmd/worker/gate.h"

struct worker;
struct event;

#define STORE_KEEP_KEY 32

struct store {
	pthread_mutex_t lock;
	int fd;
};

/* What C_InitToken made, for a commit. */
struct store_token {
	char label[33];
	char serial[17];
};

void store_init(struct store *s, int fd);
/*
 * From now on a store that is silent for as long as the guest bears it from us (ms; ten
 * seconds at the least) counts as broken: beats would let the guest wait for ever.
 */
void store_patience(struct store *s, uint32_t silence);
/* `event` and `token` may be NULL. *ret_epoch is set on CKR_OK. */
CK_RV store_commit(struct worker *w, const struct event *event,
    const struct store_token *token, uint64_t *ret_epoch);
/* What the request of that name has made, as far as it is committed; ret->n is 0: nothing
 * known. */
CK_RV store_once(struct worker *w, const uint8_t once[FRAME_ONCE_LEN], struct gate_made *ret);
CK_RV store_audit(struct worker *w, const struct event *event);
CK_RV store_login_may(struct worker *w, uint8_t user);
/* `ticket` has room for *ret_len bytes, and may be NULL. */
CK_RV store_login_done(struct worker *w, uint8_t user, bool success, const void *pin,
    size_t pin_len, const struct event *event, uint8_t *ticket, size_t *ret_len);
/* pin: room for WORKER_PIN_MAX bytes. */
CK_RV store_channel_pin(struct worker *w, uint8_t *pin, size_t *ret_len);
CK_RV store_ticket_open(struct worker *w, const void *ticket, size_t len, uint8_t *ret_user,
    uint8_t *pin, size_t *ret_len);
CK_RV store_pin_changed(struct worker *w, uint8_t user, const void *pin, size_t len);
CK_RV store_logged_out(struct worker *w, uint8_t user);
/* The key that is in the pass; or, with len 0, a new one, and *ret_len bytes of pass, for
 * which there is room for KEPT_MAX_PASS. */
CK_RV store_keep(struct worker *w, const void *pass, size_t len, uint8_t *ret_pass,
    size_t *ret_len, uint8_t key[STORE_KEEP_KEY]);
/* CKF_*_PIN_* flags to show. */
CK_RV store_token_flags(struct worker *w, CK_FLAGS *ret);

#endif
