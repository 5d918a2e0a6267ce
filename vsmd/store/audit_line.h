/*
 * audit_line.h - one line of the audit log: a JSON object, compact, keys sorted.
 *
 *	detail event mac peer prev principal rv seq slot time token
 *
 * seq counts from 1; prev is the SHA-256 of the line before, without its newline (hex;
 * zeros for the first).  Two kinds of record have more:
 *
 * a beginning  epoch, and in next the public key of that epoch.  The first record of a
 *log is one; later ones say that the keys were lost. a seal       the epoch that it ends,
 *in next the public key of the epoch after it, and in sig the Ed25519 signature, under
 *the key of the epoch that it ends, of AUDIT_SIGN_LABEL and the line without sig.
 *
 * mac is HMAC-SHA256 of the line without mac and sig, under the secret of its epoch (of a
 * beginning: the epoch that it begins).  Nobody can check it once the epoch has ended;
 *then the seal speaks for all that is before it in the chain.
 *
 * What is read here comes from a hostile disk.  Threads: any.
 */
#ifndef CAAS_STORE_AUDIT_LINE_H
#define CAAS_STORE_AUDIT_LINE_H

#include <jansson.h>

#include "vsmd/store/crypt.h"

#define AUDIT_LINE_MAX 8192
#define AUDIT_SIGN_LABEL "caas audit seal\n"
#define AUDIT_TIME 32

/* A place in the chain: the last record, and the key that the next seal is signed by. */
struct audit_at {
	uint64_t seq;
	uint8_t hash[CRYPT_HASH];
	uint64_t epoch; /* 0: no key was named yet */
	uint8_t key[CRYPT_PUBLIC];
};

enum audit_kind { AUDIT_RECORD, AUDIT_BEGINNING, AUDIT_SEAL };

struct audit_line {
	enum audit_kind kind;
	uint64_t seq;
	uint8_t prev[CRYPT_HASH], hash[CRYPT_HASH]; /* hash: of this line */
	uint64_t epoch;				    /* not of an AUDIT_RECORD */
	uint8_t next[CRYPT_PUBLIC];
	char time[AUDIT_TIME];
};

/* Take a line (without its newline) apart.  NULL, or what is wrong with it. */
const char *audit_line_parse(const char *line, size_t len, struct audit_line *ret);
/* Its number alone, of a line that may be anything; 0: none is found. */
uint64_t audit_line_seq(const char *line, size_t len);
/* Of a line that audit_line_parse() took. */
bool audit_line_mac_fits(const uint8_t mac[CRYPT_KEY], const char *line, size_t len);
bool audit_line_sig_fits(
    const uint8_t public[CRYPT_PUBLIC], const char *line, size_t len);
/* The place behind that line. */
void audit_at_step(struct audit_at *at, const struct audit_line *line);

/* Write a line: o has all members but mac and sig, and gets them; sig with `sign`, the
 * private key.  malloc'd, or NULL. */
char *audit_line_make(
    json_t *o, const uint8_t mac[CRYPT_KEY], const uint8_t sign[CRYPT_KEY]);

#endif
