/*
 * blocks.c - a program of the build: a file system on standard input becomes a template
 * (template.h) on standard output.
 */
#include <stdint.h>
#include <stdio.h>

#include "xen-hooks/domc/template.h"

int
main(void)
{
	uint8_t block[TEMPLATE_BLOCK], number[4];
	uint32_t at = 0;
	size_t n, blocks = 0;

	for (; (n = fread(block, 1, sizeof(block), stdin)) == sizeof(block); at++) {
		if (template_zero(block, sizeof(block)))
			continue;
		for (int i = 0; i < 4; i++)
			number[i] = (uint8_t)(at >> 8 * i);
		if (fwrite(number, 1, sizeof(number), stdout) != sizeof(number) ||
		    fwrite(block, 1, sizeof(block), stdout) != sizeof(block))
			break;
		blocks++;
	}
	if (n == 0 && !ferror(stdin) && fflush(stdout) == 0 && blocks > 0 &&
	    blocks <= TEMPLATE_MAX)
		return 0;
	fprintf(stderr, "blocks: no file system of whole blocks, %d of them not zero at most\n",
	    TEMPLATE_MAX);
	return 1;
}
