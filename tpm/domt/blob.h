/*
 * blob.h - what of a key that DomT sealed is in the clear: which DomT.
 *
 *	u32 magic, u16 version, raw identity[32], then what only that DomT opens
 *
 * The head is authenticated with the rest (xen-hooks/tpmd/seal.h).
 */
#ifndef CAAS_TPM_DOMT_BLOB_H
#define CAAS_TPM_DOMT_BLOB_H

#include "tpm/domt/session.h"

#define DOMT_BLOB_MAGIC	  0x42544d44 /* "DMTB" */
#define DOMT_BLOB_VERSION 1
#define DOMT_BLOB_HEAD	  (4 + 2 + DOMT_IDENTITY)

#endif
