/*
 * plant.h - objects' files that SoftHSM2 is shown in its token's directory, and that are
 * nowhere: what press.h has got, given back.  SoftHSM2 reads them when it lists the
 * directory next, and drops them when it does so after the end.
 *
 * Threads: any; one plants at a time.
 */
#ifndef CAAS_VSMD_WORKER_PLANT_H
#define CAAS_VSMD_WORKER_PLANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define PLANT_NAME 16

/* Show n files; the bytes are the caller's until plant_end().  false: no memory. */
struct planted {
	const uint8_t *data;
	size_t len;
};
bool plant_begin(const struct planted *files, size_t n);
void plant_end(void);
/* Which of them has that name; n: none has. */
size_t plant_find(const uint8_t name[PLANT_NAME]);

/* For view.c: how many there are; the name of one; its bytes as a stream. */
size_t plant_count(void);
bool plant_has(const uint8_t name[PLANT_NAME]);
bool plant_name(size_t i, uint8_t ret[PLANT_NAME]);
FILE *plant_open(const uint8_t name[PLANT_NAME]);

#endif
