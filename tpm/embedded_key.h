/*
 * embedded_key.h - the key that an embedded swtpm's state is encrypted with.
 *
 * `state.key` in the state's directory, 64 hexadecimal digits.  It is named
 * `state.key.new` until the swtpm has answered once, so that:
 *
 *	state.key	the state must be there too; it is never made again
 *	state.key.new	a first start that was not finished: go on with it
 *	neither		a first start, if there is no state
 *
 * Errors: -1 after a line on the log.
 */
#ifndef CAAS_TPM_EMBEDDED_KEY_H
#define CAAS_TPM_EMBEDDED_KEY_H

/* Open the key for reading (close-on-exec), made when this is a first start. */
int embedded_key_open(const char *dir);
/* The swtpm works: from now on its state must be there. */
int embedded_key_settle(const char *dir);

#endif
