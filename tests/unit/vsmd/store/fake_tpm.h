/*
 * fake_tpm.h - a TPM that is none, in the place of caas_tpm.
 *
 * What it seals is bound to one byte of state, which is the content of the file that the
 * address names ("fake:PATH").  Its blobs hold the secret in clear.
 */
#ifndef STORE_TEST_FAKE_TPM_H
#define STORE_TEST_FAKE_TPM_H

#include "tpm/tpm.h"

#endif
