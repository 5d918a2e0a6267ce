/*
 * planted.h - secrets that a test plants, to look for them afterwards (canary.sh).
 *
 * They lie in a file, each byte masked, and so in the memory of whoever uses them: in clear
 * only where planted_bare() puts one, for as long as the caller needs it.
 *
 *	NAME secret|public HEX          a line of the file
 *
 * Failures end the program.
 */
#ifndef CAAS_TEST_PLANTED_H
#define CAAS_TEST_PLANTED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define PLANTED_MOST 64
#define PLANTED_LEN 512 /* bytes of one */

struct planted {
	char name[24];
	bool secret;
	uint8_t masked[PLANTED_LEN];
	size_t len;
};

/* All of a file; *ret_n is how many. */
const struct planted *planted_read(const char *file, size_t *ret_n);
/* By name, of the file that was read. */
const struct planted *planted_find(const char *name);
/* In clear, into len bytes, to be wiped by the caller. */
void planted_bare(const struct planted *p, uint8_t *dst);
/* Are these its bytes? */
bool planted_is(const struct planted *p, const uint8_t *bytes, size_t len);
void planted_write(FILE *f, const char *name, bool secret, const uint8_t *bytes, size_t len);

#endif
