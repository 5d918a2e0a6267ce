/*
 * tpm.c - caas-xen-tpm: a TPM, driven from a domain in ways that tests want.
 *
 *	seal ADDRESS LOCALITY FILE	a secret, bound to the locality alone; the blob in hex
 *	unseal ADDRESS FILE		says `unsealed', or why not; exits 1 then
 *	raw WHERE HEX			a command; says `code=' and its code in hex.  WHERE is a
 *			device of the kernel's, or a page, PATH:0xADDRESS
 *	hold PAGE FILE			maps the page, says `mapped', waits for the file, and
 *			then asks the TPM for random bytes by it, `code='
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/hex.h"
#include "tpm/tis/page.h"
#include "tpm/tpm.h"

#define PATIENCE 60000

static const char secret[32] = "what only that locality may have";

static int
usage(void)
{
	fputs("usage: caas-xen-tpm seal|unseal|raw|hold ... (see tpm.c)\n", stderr);
	return 2;
}

static int
fail(struct tpm *t, enum tpm_result r)
{
	printf("failed: %s\n", t != NULL ? tpm_error(t) : tpm_result_text(r));
	return 1;
}

static int
do_seal(const char *address, int locality, const char *file)
{
	const struct tpm_policy p = {.locality = locality};
	struct tpm *t = NULL;
	struct buf b;
	enum tpm_result r = tpm_open(address, &t);
	FILE *f;

	buf_init(&b, TPM_BLOB_MAX);
	if (r == TPM_OK)
		r = tpm_seal(t, &p, secret, sizeof(secret), &b);
	if (r != TPM_OK)
		return fail(t, r);
	printf("sealed: %s\n", tpm_describe(t));
	tpm_close(t);
	if ((f = fopen(file, "w")) == NULL)
		return 1;
	for (size_t i = 0; i < b.len; i++)
		fprintf(f, "%02x", b.data[i]);
	return fclose(f) == 0 ? 0 : 1;
}

/* Up to what is no digit. */
static size_t
from_hex(const char *s, uint8_t *out, size_t size)
{
	static char digits[2 * TPM_BLOB_MAX + 1];
	size_t n = strspn(s, "0123456789abcdef") / 2;

	if (n > size || n > TPM_BLOB_MAX)
		return 0;
	snprintf(digits, 2 * n + 1, "%s", s);
	return hex_get(digits, out, n) ? n : 0;
}

static int
do_unseal(const char *address, const char *file)
{
	static char text[2 * TPM_BLOB_MAX + 1];
	static uint8_t blob[TPM_BLOB_MAX];
	uint8_t out[TPM_KEY_MAX];
	FILE *f = fopen(file, "r");
	struct tpm *t = NULL;
	enum tpm_result r;
	size_t len = f != NULL ? fread(text, 1, sizeof(text) - 1, f) : 0, n;
	int updated;

	if (f != NULL)
		fclose(f);
	len = from_hex(text, blob, sizeof(blob));
	if ((r = tpm_open(address, &t)) == TPM_OK)
		r = tpm_unseal(t, blob, len, NULL, out, sizeof(out), &n, &updated);
	if (r != TPM_OK)
		return fail(t, r);
	tpm_close(t);
	if (n != sizeof(secret) || memcmp(out, secret, n) != 0)
		return fail(NULL, TPM_FAILED);
	puts("unsealed");
	return 0;
}

static int
say_code(const uint8_t *rsp, size_t len)
{
	if (len < TIS_HEADER)
		return 1;
	printf("code=%02x%02x%02x%02x\n", rsp[6], rsp[7], rsp[8], rsp[9]);
	return 0;
}

static int
by_page(struct tis_page *page, const uint8_t *cmd, size_t len)
{
	uint8_t rsp[TIS_MAX];
	enum tis_result r;
	struct tis t;
	size_t n;

	tis_init(&t, &tis_page_ops, page);
	r = tis_exchange(&t, cmd, len, PATIENCE, rsp, sizeof(rsp), &n);
	if (r == TIS_OK)
		return say_code(rsp, n);
	printf("failed: %s\n", tis_text(r));
	return 1;
}

static int
open_page(const char *where, struct tis_page *page)
{
	char why[TIS_PAGE_WHY];

	if (tis_page_open(where, page, why) == 0)
		return 0;
	printf("failed: %s\n", why);
	return -1;
}

static int
do_raw(const char *where, const char *hex)
{
	uint8_t cmd[256], rsp[TIS_MAX];
	size_t len = from_hex(hex, cmd, sizeof(cmd));
	struct tis_page page;
	ssize_t n;
	int fd;

	if (strchr(where, ':') != NULL)
		return open_page(where, &page) < 0 ? 1 : by_page(&page, cmd, len);
	if ((fd = open(where, O_RDWR | O_CLOEXEC)) < 0 ||
	    write(fd, cmd, len) != (ssize_t)len || (n = read(fd, rsp, sizeof(rsp))) < 0) {
		perror(where);
		return 1;
	}
	return say_code(rsp, (size_t)n);
}

static int
do_hold(const char *where, const char *file)
{
	static const uint8_t random2[] = {0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x7b, 0, 8};
	static const uint8_t random12[] = {0, 0xc1, 0, 0, 0, 14, 0, 0, 0, 0x46, 0, 0, 0, 8};
	struct tis_page page;

	if (open_page(where, &page) < 0)
		return 1;
	puts("mapped");
	fflush(stdout);
	while (access(file, F_OK) != 0)
		usleep(200000);
	/* One of them is the TPM's; the other is refused by its tag. */
	return by_page(&page, random2, sizeof(random2)) |
	    by_page(&page, random12, sizeof(random12));
}

int
main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "seal") == 0 && argc == 5)
		return do_seal(argv[2], argv[3][0] - '0', argv[4]);
	if (strcmp(what, "unseal") == 0 && argc == 4)
		return do_unseal(argv[2], argv[3]);
	if (strcmp(what, "raw") == 0 && argc == 4)
		return do_raw(argv[2], argv[3]);
	if (strcmp(what, "hold") == 0 && argc == 4)
		return do_hold(argv[2], argv[3]);
	return usage();
}
