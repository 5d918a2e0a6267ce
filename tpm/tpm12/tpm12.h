/*
 * tpm12.h - inside of the TPM 1.2 back end (TrouSerS' libtspi, through tcsd).
 *
 * Sealed under the SRK with the well-known secret; bound to PCR values and the locality
 * at release.  There is no policy to sign: a blob holds a sealing for each state that may
 * open it, the present one first.  Everything is SHA-1: for old machines only.
 *
 * libtspi keeps unwiped copies of what it sealed, and speaks to tcsd in clear: tcsd must
 * be on this host's loopback.  It writes to a socket whose other end may be gone, so
 * opening a TPM 1.2 makes the process ignore SIGPIPE unless it handles it.
 *
 * Errors: a TSS_RESULT for the caller to explain by tpm12_fail(), or a tpm_result when
 * explained.  Threads: one.
 */
#ifndef CAAS_TPM_TPM12_H
#define CAAS_TPM_TPM12_H

#include <trousers/tss.h>

#include "tpm/backend.h"

#define PCR12_LEN     20 /* SHA-1 */
#define TPM12_ENTRIES 8	 /* sealings in one blob */

struct tpm12 {
	char host[128], port[8];
	TSS_HCONTEXT context; /* 0: not connected */
	TSS_HTPM tpm;
	TSS_HKEY srk; /* 0: not loaded */
};

/* One state that may open the blob.  `sealed` lies in the blob. */
struct tpm12_entry {
	uint32_t pcrs;	  /* mask */
	uint8_t locality; /* mask at release, 0: any */
	uint8_t values[TPM_MAX_PCRS][PCR12_LEN];
	const uint8_t *sealed;
	size_t sealed_len;
};

struct tpm12_blob {
	struct tpm12_entry entries[TPM12_ENTRIES];
	size_t n;
};

/* rc.c */
/* The error within its layer if it is the TPM's own, 0 for others. */
TSS_RESULT tpm12_code(TSS_RESULT rc);
bool tpm12_wrong_state(TSS_RESULT rc);
/* Repeat while the TPM asks for that: true after a pause, for about 5 s (*waited, ms). */
bool tpm12_again(unsigned *waited, TSS_RESULT rc);
#define TPM12_TRY(rc, call)                        \
	do {                                       \
		unsigned waited_ = 0;              \
		do                                 \
			(rc) = (call);             \
		while (tpm12_again(&waited_, (rc))); \
	} while (0)
enum tpm_result tpm12_fail(struct tpm *t, TSS_RESULT rc, const char *what);

/* connect.c */
enum tpm_result tpm12_connect(struct tpm *t);
void tpm12_disconnect(struct tpm12 *s);
/* Give an object the well-known secret. */
TSS_RESULT tpm12_well_known(struct tpm12 *s, TSS_HOBJECT object);

/* pcr.c */
enum tpm_result tpm12_pcr_read(struct tpm *t, uint32_t mask, uint8_t (*values)[PCR12_LEN]);
enum tpm_result tpm12_extend(struct tpm *t, unsigned pcr, const void *data, size_t len);
enum tpm_result tpm12_pcr_digest(struct tpm *t, const struct tpm_policy *p, uint8_t out[32],
    size_t *ret_len);

/* blob.c */
void tpm12_blob_write(const struct tpm12_blob *blob, struct buf *b);
/* -1: not one, or damaged.  Borrows from data. */
int tpm12_blob_read(const void *data, size_t len, struct tpm12_blob *ret);

/* seal.c */
enum tpm_result tpm12_seal(struct tpm *t, const struct tpm_policy *p, const void *secret,
    size_t len, struct buf *b);
enum tpm_result tpm12_predict(struct tpm *t, const struct tpm_policy *p, const void *secret,
    size_t len, const uint8_t *values, struct buf *b);
enum tpm_result tpm12_unseal(struct tpm *t, const void *blob, size_t blob_len,
    const char *approvals, void *secret, size_t size, size_t *ret_len, int *ret_updated);

/* anchor.c */
enum tpm_result tpm12_anchor_define(struct tpm *t, const struct tpm_anchor *a,
    const uint8_t origin[TPM_ANCHOR_LEN]);
enum tpm_result tpm12_anchor_read(
    struct tpm *t, const struct tpm_anchor *a, struct tpm_anchor_value *ret);
enum tpm_result tpm12_anchor_extend(struct tpm *t, const struct tpm_anchor *a,
    const uint8_t digest[TPM_ANCHOR_LEN]);
enum tpm_result tpm12_anchor_count(struct tpm *t, const struct tpm_anchor *a);
uint32_t tpm12_anchor_index(const struct tpm_anchor *a);

#endif
