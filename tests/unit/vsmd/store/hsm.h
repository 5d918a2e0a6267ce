/*
 * hsm.h - SoftHSM2 itself on a slot's directory, each time in a process of its own.
 */
#ifndef STORE_TEST_HSM_H
#define STORE_TEST_HSM_H

#include <stdbool.h>

/* Every function fails the test when SoftHSM2 does.  `directory` is directories.tokendir.
 */

/* C_InitToken and C_InitPIN on the free slot; the serial (17 bytes) is returned. */
void hsm_init(const char *directory, const char *label, const char *so_pin,
    const char *pin, char serial[17]);
/* C_InitToken again on the token that is there. */
void hsm_init_again(const char *directory, const char *label, const char *so_pin);
/* Make `n` data objects on the token. */
void hsm_create(const char *directory, const char *pin, unsigned n);
/* Destroy one of them. */
void hsm_destroy(const char *directory, const char *pin);
/* Set an attribute of one of them. */
void hsm_set(const char *directory, const char *pin);
void hsm_set_pin(const char *directory, const char *old, const char *new);
/* How many objects a user sees; -1 when the login fails. */
int hsm_count(const char *directory, const char *pin);

#endif
