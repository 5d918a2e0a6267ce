/* image.c - see image.h */
#include "xen-hooks/domtd/image.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/hex.h"

#define PIECE 65536
#define SHA256 32

static int
write_all(int fd, const uint8_t *p, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* All of `from` into `to`, and its digest. */
static int
copy(int from, int to, uint8_t digest[SHA256])
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	uint8_t piece[PIECE];
	ssize_t n = -1;

	if (md == NULL || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1) {
		errno = ENOMEM;
	} else {
		while ((n = read(from, piece, sizeof(piece))) > 0 ||
		       (n < 0 && errno == EINTR))
			if (n > 0 && (EVP_DigestUpdate(md, piece, (size_t)n) != 1 ||
					 write_all(to, piece, (size_t)n) < 0))
				break;
		if (n == 0 && EVP_DigestFinal_ex(md, digest, NULL) != 1)
			n = -1;
	}
	EVP_MD_CTX_free(md);
	return n == 0 ? 0 : -1;
}

static int
take(const char *path, const char *name, uint8_t digest[SHA256], int *ret, char ret_path[32])
{
	int from = open(path, O_RDONLY | O_CLOEXEC), rc = -1;

	*ret = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (from >= 0 && *ret >= 0 && copy(from, *ret, digest) == 0 &&
	    fcntl(*ret, F_ADD_SEALS,
		F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == 0)
		rc = 0;
	snprintf(ret_path, 32, "/proc/self/fd/%d", *ret);
	if (from >= 0)
		close(from);
	return rc;
}

int
image_open(const struct domain_plan *plan, struct image *ret, char *why, size_t size)
{
	const char *cmdline = plan->cmdline != NULL ? plan->cmdline : "", *path = plan->kernel;
	uint8_t all[3 * SHA256], digest[SHA256];
	int rc;

	memset(ret, 0, sizeof(*ret));
	ret->kernel = ret->ramdisk = -1;
	rc = take(plan->kernel, "kernel", all, &ret->kernel, ret->kernel_path);
	if (rc == 0 && plan->ramdisk != NULL) {
		path = plan->ramdisk;
		rc = take(path, "ramdisk", all + SHA256, &ret->ramdisk, ret->ramdisk_path);
	}
	if (rc < 0) {
		snprintf(why, size, "%s: %s", path, strerror(errno));
		return -1;
	}
	if ((plan->ramdisk == NULL &&
		EVP_Digest("", 0, all + SHA256, NULL, EVP_sha256(), NULL) != 1) ||
	    EVP_Digest(cmdline, strlen(cmdline), all + (size_t)2 * SHA256, NULL, EVP_sha256(),
		NULL) != 1 ||
	    EVP_Digest(all, sizeof(all), digest, NULL, EVP_sha256(), NULL) != 1) {
		snprintf(why, size, "libcrypto has no SHA-256: is it installed whole?");
		return -1;
	}
	hex_put(ret->digest, digest, sizeof(digest));
	return 0;
}

void
image_close(struct image *image)
{
	if (image->kernel >= 0)
		close(image->kernel);
	if (image->ramdisk >= 0)
		close(image->ramdisk);
}
