/*
 * session.h - a channel between DomC and DomT that nobody else reads or answers on.
 *
 * The hypervisor vouches for which domain is at the other end of a vchan, but who says which
 * domain is DomT is dom0.  So DomT has an identity, an X25519 key that it derives from what only
 * its TPM opens, and a sealed blob names it: once a key was sealed, DomC speaks to that DomT and
 * to no other, as with a TPM whose storage key is pinned.  The first sealing of a new store takes
 * whoever answers.  Who DomC is is not proven here: DomT knows it by the domid.
 *
 *	DomC   u32 length, u32 magic, u16 version, raw e[32]
 *	DomT   u32 length, u16 version, raw identity[32], raw f[32]
 *	both   u32 length, sealed message
 *
 * e and f are fresh keys of each session.  The keys of the two directions are HKDF-SHA-256 of
 * X25519(e, identity) | X25519(e, f), with both messages above as what they are bound to.  A
 * message is AES-256-GCM under the direction's key, its nonce the count of messages in that
 * direction, which is not sent, and its length as additional data.  A message that does not open
 * ends the session; nothing was accepted of it.  (The pattern is Noise's NK.)
 *
 * This is bytes in, bytes out: sending and receiving is the caller's.  Secrets are in secmem.
 *
 * Threads: a session belongs to one at a time.  Fork: the child must not use it.
 */
#ifndef CAAS_TPM_DOMT_SESSION_H
#define CAAS_TPM_DOMT_SESSION_H

#include <stdbool.h>

#include "common/buf.h"
#include "tpm/domt/message.h"

#define DOMT_IDENTITY 32
#define DOMT_VERSION  1
#define DOMT_TAG      16
/* Bytes of the longest frame without its u32 of length. */
#define DOMT_FRAME_MAX (DOMT_MESSAGE_MAX + DOMT_TAG)

struct domt_session;

/* The public half of an identity.  False: no memory, or OpenSSL failed. */
bool domt_identity(const uint8_t secret[DOMT_IDENTITY], uint8_t ret[DOMT_IDENTITY]);

/* DomC: a new session, and the first frame (with its length) appended to `out`.  NULL when there
 * is no memory or no randomness. */
struct domt_session *domt_session_ask(struct buf *out);
/* DomC: DomT's first frame (without the length).  `pinned` is the identity that it must have, or
 * NULL for whoever it is; ret_identity is who it is.  TPM_FOREIGN: it is another one. TPM_FAILED:
 * it does not parse. */
enum tpm_result domt_session_begin(struct domt_session *s, struct buf *in,
    const uint8_t pinned[DOMT_IDENTITY], uint8_t ret_identity[DOMT_IDENTITY]);

/* DomT: DomC's first frame (without the length); its own is appended to `out` with the length.
 * NULL: it does not parse, another version, or no memory. */
struct domt_session *domt_session_accept(
    const uint8_t identity_secret[DOMT_IDENTITY], struct buf *in, struct buf *out);

/* Seal one message: u32 length and the sealed bytes are appended to `out`. */
bool domt_session_seal(struct domt_session *s, const void *message, size_t len, struct buf *out);
/* Open one frame (without the length): the message is appended to `out`.  False: end the
 * channel. */
bool domt_session_open(struct domt_session *s, const void *frame, size_t len, struct buf *out);

void domt_session_free(struct domt_session *s); /* may be NULL; wiped */

#endif
