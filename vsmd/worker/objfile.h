/*
 * objfile.h - SoftHSM2's object files, read by us.
 *
 * Only to guess which files may hold what a C_FindObjectsInit asks for (index.h): SoftHSM2
 * itself judges, so what is misread here costs time and shows nothing.  A file that makes
 * no sense is refused.
 *
 *	u64 generation, then attributes: u64 type, u64 kind, value; big-endian
 *	kind 1 bool, one byte; 2 number, u64; 3 bytes, u64 length and as many;
 *	4 attributes, u64 length and as many bytes; 5 mechanisms, u64 count and as many u64
 *
 * The bytes of a private object are IV and AES-256-CBC under the token's key.  That is
 * in token.object: 8 bytes salt, IV, and "RJR" and the key under a key made of the PIN.
 *
 * Threads: any.
 */
#ifndef CAAS_VSMD_WORKER_OBJFILE_H
#define CAAS_VSMD_WORKER_OBJFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OBJFILE_KEY 32

struct objfile_bytes {
	const uint8_t *p; /* in the file's bytes; NULL: no such attribute */
	size_t len;
};

struct objfile {
	uint64_t class; /* CK_UNAVAILABLE_INFORMATION when there is none */
	bool private;
	bool session; /* it says that it is none of the token's */
	struct objfile_bytes label, id, user_pin;
};

bool objfile_read(const void *raw, size_t len, struct objfile *ret);
/* The token's key from what token.object says of the user PIN. */
bool objfile_token_key(const struct objfile_bytes *blob, const void *pin, size_t len,
    uint8_t key[OBJFILE_KEY]);
/* `out` has room for in->len bytes. */
bool objfile_decrypt(const uint8_t key[OBJFILE_KEY], const struct objfile_bytes *in,
    uint8_t *out, size_t *ret_len);

#endif
