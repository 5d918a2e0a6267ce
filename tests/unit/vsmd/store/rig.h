/*
 * rig.h - a store process, with the test as its supervisor, workers and administrators.
 *
 * The process is the whole store_main(), confined as in life, over a fake TPM.  Functions
 * fail the test themselves when the store does not keep to vsmd/msg.h.
 */
#ifndef STORE_TEST_RIG_H
#define STORE_TEST_RIG_H

#include <sys/types.h>

#include "protocol/pkcs11.h"
#include "vsmd/policy/grant.h"
#include "vsmd/store/store.h"

#define RIG_SLOTS 16

struct rig_slot {
	uint32_t number;
	bool initialized, discarding;
	char label[64], serial[64], directory[256];
};

struct rig {
	char *state, *memory;
	char tpm[300];
	struct store_config config;
	pid_t pid;
	int fd; /* the supervisor's end */
	struct rig_slot slots[RIG_SLOTS];
	uint32_t nslots;
	uint64_t epoch;
	bool on_tmpfs;
	bool seeded; /* it has sent M_T_SEED before its slots */
};

/* Directories and configuration; no process yet. */
void rig_init(struct rig *r);
void rig_free(struct rig *r);
/* Start the store and wait for its slots.  False when it ended instead (then rig_status()
 * has been 1). */
bool rig_start(struct rig *r);
/* M_S_STOP, and wait: the exit status. */
int rig_stop(struct rig *r);
/* kill -9. */
void rig_kill(struct rig *r);

/* Wait for M_T_SLOTS; M_T_DISCARD of *ret_discard (may be NULL: then none may come). */
void rig_slots(struct rig *r);
/* Wait for M_T_DISCARD and say M_S_DISCARDED; then wait for the slots. */
uint32_t rig_discard(struct rig *r);
struct rig_slot *rig_slot(struct rig *r, uint32_t number);
/* The token's directory in memory: the only one in its slot. */
void rig_token_path(const struct rig_slot *slot, char path[512]);

/* A pipe to the store; the test's end.  flags: GRANT_*.  All classes of calls are allowed;
 * and: those alone. */
int rig_attach(
    struct rig *r, uint32_t slot, bool admin, const char *principal, uint32_t flags);
int rig_attach_classes(struct rig *r, uint32_t slot, const char *principal, uint32_t classes);
/* Send and receive; `in` is reset, and read up to what follows type and CK_RV. */
CK_RV rig_ask(int fd, const struct buf *out, struct buf *in);
/* M_W_COMMIT with an event; label NULL: no token was made. */
CK_RV rig_commit(int fd, const char *label, const char *serial, uint64_t *ret_epoch);
/* M_W_* with a type byte and nothing in the answer. */
CK_RV rig_simple(int fd, uint8_t msg, uint8_t type);
/* M_W_LOGIN_DONE; the ticket (may be NULL) is malloc'd. */
CK_RV rig_login_done(int fd, uint8_t type, bool success, const char *pin,
    uint8_t **ticket, size_t *ticket_len);
CK_RV rig_ticket_open(int fd, const uint8_t *ticket, size_t len, char pin[64]);
CK_RV rig_pin_changed(int fd, uint8_t type, const char *pin);
CK_RV rig_channel_pin(int fd, char pin[64]);
CK_FLAGS rig_token_flags(int fd);

/* An administrator's call: true and the JSON, or false and the sentence, in text. */
bool rig_admin(int fd, const char *call, const char *args, const char *passphrase,
    const char *so_pin, const void *blob, size_t blob_len, char *text, size_t size,
    struct buf *ret_blob);

#endif
