/*
 * template.h - an empty file system, as the blocks of it that are not zero.
 *
 * A template is records of TEMPLATE_RECORD bytes: the number of a block, four bytes, the lowest
 * first, and the block.  Numbers ascend, and the first is 0, the superblock's.  mke2fs(8) has
 * made it when the image was built (blocks.c), so that there is neither mke2fs nor anything that
 * knows how an ext4 is laid out in the image.
 */
#ifndef CAAS_DOMC_TEMPLATE_H
#define CAAS_DOMC_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEMPLATE_BLOCK	4096
#define TEMPLATE_RECORD (4 + TEMPLATE_BLOCK)
#define TEMPLATE_MAX	64 /* blocks */

struct template {
	uint8_t *bytes; /* `n' records */
	size_t n;
};

/* 0, or -1 with errno EINVAL when the bytes are none. */
int template_parse(struct template *t, uint8_t *bytes, size_t len);
/* The same from a file; the bytes are allocated. */
int template_read(struct template *t, const char *path);
void template_free(struct template *t);
/* The block, or NULL where it is zero. */
const uint8_t *template_block(const struct template *t, uint64_t number);
/* The i-th record's. */
uint32_t template_number(const struct template *t, size_t i);
const uint8_t *template_at(const struct template *t, size_t i);
/* Bytes that are zero, all of them. */
bool template_zero(const uint8_t *bytes, size_t len);

#endif
