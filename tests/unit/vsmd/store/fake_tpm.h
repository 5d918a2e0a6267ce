/*
 * fake_tpm.h - a TPM that is none, in the place of caas_tpm.
 *
 * The file that the address names ("fake:PATH") holds two bytes: the state that a secret
 * is sealed to, and which TPM this is.  A blob is state, TPM, bytes secret, str ref, in
 * clear.
 */
#ifndef STORE_TEST_FAKE_TPM_H
#define STORE_TEST_FAKE_TPM_H

#include "tpm/tpm.h"

#endif
