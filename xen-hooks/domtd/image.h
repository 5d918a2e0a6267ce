/*
 * image.h - the image of a DomC: copied once, so that what is built is what was measured.
 *
 * The digest is SHA-256 over SHA-256(kernel), SHA-256(ramdisk) and SHA-256(command line), as
 * bytes, one after the other; of no ramdisk and no command line that of nothing.  So
 *
 *	for f in kernel ramdisk cmdline; do sha256sum <$f | cut -c1-64 | xxd -r -p; done | sha256sum
 *
 * says the same, with the command line in a file without a newline.
 *
 * The copies are memory of this process, sealed: nobody changes them between the two.
 */
#ifndef CAAS_DOMTD_IMAGE_H
#define CAAS_DOMTD_IMAGE_H

#include "xen-hooks/domtd/description.h"
#include "xen-hooks/domtd/record.h"

struct image {
	int kernel, ramdisk; /* -1: none */
	char kernel_path[32], ramdisk_path[32]; /* by which this process opens them */
	char digest[DIGEST_HEX];
};

/* 0; or -1, and `why` says what it was.  image_close() it always. */
int image_open(const struct domain_plan *plan, struct image *ret, char *why, size_t size);
void image_close(struct image *image);

#endif
