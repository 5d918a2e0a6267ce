/*
 * vsm.h - a store process, with the harness as its supervisor, workers and administrators.
 *
 * It is the whole store_main(), vsmd-tpm and all, started as vsmd starts it.  It may end at
 * any moment: whoever asked it then has no answer, which is VSM_GONE.
 */
#ifndef CRASH_VSM_H
#define CRASH_VSM_H

#include <sys/types.h>

#include "common/buf.h"
#include "protocol/pkcs11.h"
#include "vsmd/store/store.h"

#define VSM_KILLED 9 /* exit status at a point where it was to end */
#define VSM_GONE ((CK_RV)CKR_VENDOR_DEFINED) /* no answer: the store has ended */
#define VSM_SLOTS 16
#define VSM_TRIES 3 /* wrong PINs until one is locked: flags tell each from the next */

struct vsm_slot {
	uint32_t number;
	bool initialized;
	char label[64], serial[64], directory[256];
};

struct vsm {
	char work[200], state[256], memory[256], nv[256], tpm[300], log[256];
	struct store_config config;
	pid_t pid; /* 0: none runs */
	int fd;
	struct vsm_slot slots[VSM_SLOTS];
	uint32_t nslots;
	bool rolled_back; /* it said so */
	uint32_t more_slot; /* where actions_init_after() made a token */
};

/* Its directories, below /dev/shm; `tpm` NULL: over a fake TPM.  False: there is no tmpfs. */
bool vsm_init(struct vsm *v, const char *tpm);
void vsm_free(struct vsm *v);
/* Start it, and wait until it says which slots there are.  False: it ended instead. */
bool vsm_start(struct vsm *v, bool anchor);
/* M_S_STOP.  False: it had ended before. */
bool vsm_stop(struct vsm *v);
void vsm_kill(struct vsm *v);
/* The last lines of its log, for who wants to know why. */
void vsm_show_log(const struct vsm *v);

/* The next commits write a new log first, in all stores that are started from now on. */
void vsm_compact(bool now);
bool vsm_compact_now(void);

struct vsm_slot *vsm_slot(struct vsm *v, uint32_t number);
/* The slot without a token; NULL: there is none. */
struct vsm_slot *vsm_blank(struct vsm *v);

/* A pipe to it, of a worker (with channel login and lockout) or an administrator; -1: gone. */
int vsm_attach(struct vsm *v, uint32_t slot, bool admin);
bool vsm_send(struct vsm *v, int fd, const struct buf *b);
/* The answer's CK_RV; `in` stands behind it.  What the supervisor has to do is done meanwhile. */
CK_RV vsm_await(struct vsm *v, int fd, struct buf *in);
CK_RV vsm_ask(struct vsm *v, int fd, struct buf *b);

/* What follows an answer is done: slots are discarded (the first question finds the supervisor
 * told, the second the directory made anew). */
void vsm_settle(struct vsm *v);

/* M_W_COMMIT with one event, sent; label NULL: no token was made. */
bool vsm_send_commit(struct vsm *v, int fd, const char *label, const char *serial);
CK_RV vsm_commit(struct vsm *v, int fd, const char *label, const char *serial);
CK_RV vsm_pin_changed(struct vsm *v, int fd, CK_USER_TYPE user, const char *pin);
/* M_W_LOGIN_DONE; the ticket, when there is one, is appended to `ticket` (may be NULL). */
CK_RV vsm_login(
    struct vsm *v, int fd, CK_USER_TYPE user, bool success, struct buf *ticket);
CK_RV vsm_logout(struct vsm *v, int fd);
CK_RV vsm_audit(struct vsm *v, int fd, const char *event);

/* An administrator's call: CKR_OK and the JSON, or CKR_GENERAL_ERROR and the sentence, in
 * text; VSM_GONE. */
CK_RV vsm_admin(struct vsm *v, const char *call, const char *args, const char *so_pin,
    char text[4096]);
/* The same on an administrator's pipe, for calls that belong together. */
CK_RV vsm_admin_on(struct vsm *v, int fd, const char *call, const char *args,
    const char *so_pin, const struct buf *blob, char text[4096], struct buf *ret_blob);

#endif
