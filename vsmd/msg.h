/*
 * msg.h - what our processes say to each other over ipc pipes (common/ipc.h).
 *
 * Each message starts with a u8 from enum msg; the body follows, written and read with
 * buf.  str is buf_put_str(), bytes is buf_put_bytes().  A message that does not parse
 * ends the pipe: the process on it is treated as taken over.
 *
 *   supervisor ── store        one pipe (M_S*, M_T*)
 *   supervisor ── nursery      one pipe per slot (M_N*)
 *   worker     ── store        one pipe per worker (M_W*), made by the supervisor, which
 *                              tells the store first what the worker may ask for
 *   admin      ── store        one pipe per admin connection (M_A*), made likewise
 *   vchan      ── supervisor   one pipe per address (M_V*)
 *   metrics    ── supervisor   one pipe (M_P*), and one to the store (M_A*, status alone)
 */
#ifndef CAAS_VSMD_MSG_H
#define CAAS_VSMD_MSG_H

enum msg {
	/* supervisor to store */
	M_S_ATTACH = 1, /* u32 slot, u8 kind (0 worker, 1 admin), grant; fd: store's end */
	M_S_DISCARDED,  /* u32 slot: nursery and workers are gone, rebuild its directory */
	M_S_STOP,       /* finish what is being committed, then exit 0 */

	/* store to supervisor */
	M_T_SLOTS = 16, /* u64 epoch, u32 n, n * {u32 slot, u8 M_SLOT_* flags, str label,
	                 * str serial, str directory}: at start (it is then ready) and after
	                 * each change */
	M_T_DISCARD,    /* u32 slot, str why: kill its nursery and workers, then DISCARDED */
	M_T_STATUS,     /* str: a line for sd_notify STATUS= */
	M_T_TPM_FAILED, /* the embedded TPM is in failure mode: start it anew */
	M_T_SEED,       /* 32 bytes of the TPM's generator, before the first SLOTS: to be mixed
	                 * into the supervisor's (vsmd/store/seed.h) */

	/* supervisor to nursery */
	M_N_ATTACH = 32, /* 64 bytes hello, grant; fds: guest channel, worker's store pipe */

	/* nursery to supervisor */
	M_N_READY = 48, /* SoftHSM2 is loaded and sees its token */
	M_N_STARTED,    /* u32 pid of the worker */
	M_N_EXITED,     /* u32 pid, u32 wait status */
	M_N_FAILED,     /* str why: no worker could be made for this channel */

	/*
	 * worker to store, answered in order, one at a time.  Every answer is
	 * { u8 M_W_ANSWER, u64 CK_RV, ... }.  `event` stands for an audit record:
	 *    str name (C_Login, policy-refusal, ...), str detail, u64 CK_RV
	 */
	M_W_COMMIT = 64,  /* u8 nevents, events, u8 has_token, [str label, str serial]: all
	                   * changes to the directory so far become durable, then the answer
	                   * { u64 epoch }.  has_token after C_InitToken: label without its
	                   * trailing blanks, serial from C_GetTokenInfo; a breach where the
	                   * grant has no CLASS_INIT.  CKR_DEVICE_MEMORY (disk
	                   * full) or CKR_DEVICE_ERROR: not durable, the token is discarded.  A
	                   * writer that died half way is seen by the mark in the gate file
	                   * (vsmd/worker/gate.h, offset 76): then it is discarded too */
	M_W_AUDIT,        /* event: append; the answer comes once it is written (not synced) */
	M_W_LOGIN_MAY,    /* u8 user type: CKR_OK or CKR_PIN_LOCKED */
	M_W_LOGIN_DONE,   /* u8 user type, u8 success, bytes pin, event: counts a failure
	                   * durably before the answer; on success { bytes ticket } */
	M_W_CHANNEL_PIN,  /* the user PIN, for GRANT_CHANNEL_LOGIN: { bytes pin } */
	M_W_TICKET_OPEN,  /* bytes ticket: { u8 user type, bytes pin }, or
	                   * CKR_USER_NOT_LOGGED_IN when it is not of this principal, token
	                   * and login epoch */
	M_W_PIN_CHANGED,  /* u8 user type, bytes pin: after C_InitToken (SO), C_InitPIN,
	                   * C_SetPIN; made durable with the COMMIT that follows */
	M_W_LOGGED_OUT,   /* u8 user type: tickets of this application are void */
	M_W_TOKEN_FLAGS,  /* { u64 CKF_*_PIN_* flags to OR into CK_TOKEN_INFO.flags } */
	M_W_ONCE,         /* 16 bytes name of a request (FRAME_ONCE): { u8 n, n * 16 bytes
	                   * identity } of what it has made, as far as that is committed */
	M_W_KEEP,         /* bytes pass, empty for a new one: { bytes pass, 32 bytes key } of
	                   * session objects, or CKR_USER_NOT_LOGGED_IN when it is not of
	                   * this principal, token and login epoch */
	M_W_ANSWER = 127,

	/* vchan to supervisor.  The other domain's number is in the address that it was told. */
	M_V_READY = 96, /* it listens */
	M_V_CHANNEL,    /* somebody connected; fd: a stream socket to be served in its place */

	/* metrics to supervisor, one question at a time; it asks the store for `status` as an
	 * administrator does */
	M_P_ASK = 112,    /* u32 slot */
	M_P_ANSWER,       /* u8 n, n * u64 (numbers of metrics.def, source SUPERVISOR), u8 0, or 1
	                   * and the first slot with that number or a higher one: u32 slot, str
	                   * label, u32 applications, u64 sessions, counters (vsmd/metrics) */

	/* admin to store: vsmd/admin/admin.def has the calls; the body is str JSON both ways */
	M_A_ASK = 128,    /* str call, str JSON arguments, bytes secret (empty, or itself
	                   * bytes passphrase, bytes so_pin), bytes blob (data for the
	                   * calls that have BLOB there, else empty) */
	M_A_ANSWER        /* u8 ok, str JSON result or error text, bytes blob part */
};

/* Exit statuses of a worker, in M_N_EXITED, beside 0 and 1. */
#define M_WORKER_BREACH 2  /* the guest broke the protocol */
#define M_WORKER_GAVE_UP 3 /* the token library ended the process */

/* Flags in M_T_SLOTS. */
#define M_SLOT_INITIALIZED 0x01
#define M_SLOT_DISCARDING 0x02 /* between M_T_DISCARD and M_S_DISCARDED */
#define M_SLOT_ALL (M_SLOT_INITIALIZED | M_SLOT_DISCARDING)

#endif
