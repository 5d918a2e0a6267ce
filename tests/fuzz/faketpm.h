/*
 * faketpm.h - a TPM that answers whatever the input says, in the place of the libraries that
 * speak to one: ESYS (faketpm2.c) and libtspi (faketpm12.c).
 *
 * What these libraries promise is kept: a size that fits its buffer, a count that fits its
 * list, memory that is as long as they say.  A byte of the input chooses for each answer
 * between what a sound TPM says and what the input does.  When the input is used up, all of
 * it is zeroes, and every call succeeds.
 */
#ifndef FUZZ_FAKETPM_H
#define FUZZ_FAKETPM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* faketpm.c */
void faketpm_begin(const uint8_t *data, size_t size);
uint8_t faketpm_byte(void);
uint32_t faketpm_number(void);
/* At most max. */
size_t faketpm_size(size_t max);
void faketpm_fill(void *out, size_t len);
/* malloc()ed, filled; of exactly that length, so that who reads beyond it is found out. */
void *faketpm_bytes(size_t len);
/* Does the TPM say what it should? */
bool faketpm_honest(void);
/* A return code: mostly 0. */
uint32_t faketpm_code(void);

/* Forget what was made and sealed. */
void faketpm2_begin(void);
void faketpm12_begin(void);
/* Give back what libtspi has given out and never takes back; and nothing else may be left. */
void faketpm12_end(void);

#endif
