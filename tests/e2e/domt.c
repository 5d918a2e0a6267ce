/*
 * domt.c - caas-e2e-domt: the builder and the crypto domains of tests/e2e/tpmd.sh.
 *
 *	caas-e2e-domt world ADDRESS [PAIR DOMID IMAGE]...
 *	        tell domt-tpmd the world; IMAGE is the byte that its image's digest is made of
 *	caas-e2e-domt forget ADDRESS NAME [PAIR DOMID IMAGE]...
 *	        the same, and NAME is to be forgotten; says how many rows were
 *	caas-e2e-domt ask ADDRESS
 *	        ask as a crypto domain, what standard input says; an answer is a line, "ok ..." or
 *	        the result's number and why
 *
 *	seal FILE REF [AUTHORITY]   a secret made of REF      unseal FILE [APPROVALS]
 *	image                       random LENGTH             pin FILE
 *	define PLACE                read PLACE                count PLACE
 *	extend PLACE NUMBER         extends PLACE TIMES       the latter says each that is done
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hex.h"
#include "common/log.h"
#include "tpm/tpm.h"
#include "vchan-transport/transport.h"
#include "xen-hooks/tpmd/control.h"

#define WAIT 30000 /* ms */

static int
world(const char *address, const char *forget, int argc, char **argv)
{
	static struct control_pair pairs[CONTROL_PAIRS];
	struct control_world w = {.pairs = pairs};
	struct channel *c = transport_connect(address, WAIT);
	struct control_answer a;
	struct buf b;
	uint8_t head[4];
	struct iovec iov;
	uint32_t len;

	if (c == NULL)
		log_fatal("%s", transport_strerror(address, errno));
	snprintf(w.forget, sizeof(w.forget), "%s", forget);
	for (int i = 0; i + 2 < argc; i += 3) {
		struct control_pair *p = &pairs[w.n++];

		snprintf(p->pair, sizeof(p->pair), "%s", argv[i]);
		p->domid = (uint32_t)strtoul(argv[i + 1], NULL, 10);
		memset(p->uuid, (int)p->domid, sizeof(p->uuid));
		memset(p->digest, (int)strtoul(argv[i + 2], NULL, 10), sizeof(p->digest));
	}
	buf_init(&b, CONTROL_MAX);
	buf_put_u32(&b, 0);
	control_world_write(&b, &w);
	buf_set_u32(&b, 0, (uint32_t)(b.len - 4));
	iov = (struct iovec){b.data, b.len};
	if (channel_writev(c, &iov, 1, WAIT) < 0 || channel_read_all(c, head, 4, WAIT) < 0)
		log_fatal("no answer");
	buf_free(&b);
	buf_view(&b, head, 4);
	len = buf_get_u32(&b);
	buf_init(&b, CONTROL_MAX);
	if (channel_read_all(c, buf_reserve(&b, len), len, WAIT) < 0 ||
	    !control_answer_read(&b, &a))
		log_fatal("a malformed answer");
	if (a.ok && forget[0] != '\0')
		printf("ok forgotten=%u rows=%u\n", a.forgotten, a.rows);
	else
		printf("%s %s\n", a.ok ? "ok" : "refused", a.text);
	buf_free(&b);
	channel_close(c);
	return a.ok ? 0 : 1;
}

static size_t
load(const char *file, uint8_t *data, size_t size)
{
	FILE *f = fopen(file, "re");
	size_t n = f != NULL ? fread(data, 1, size, f) : 0;

	if (f != NULL)
		fclose(f);
	return n;
}

static void
secret_of(const char *ref, uint8_t secret[32])
{
	memset(secret, 0, 32);
	for (size_t i = 0; i < 32 && ref[i] != '\0'; i++)
		secret[i] = (uint8_t)ref[i];
}

static enum tpm_result
seal(struct tpm *t, const char *file, const char *ref, const char *authority)
{
	struct tpm_policy p = {.locality = -1, .ref = ref, .authority = authority};
	uint8_t secret[32];
	enum tpm_result r;
	struct buf b;
	FILE *f;

	secret_of(ref, secret);
	buf_init(&b, TPM_BLOB_MAX);
	if ((r = tpm_seal(t, &p, secret, sizeof(secret), &b)) == TPM_OK) {
		if ((f = fopen(file, "we")) == NULL || fwrite(b.data, 1, b.len, f) != b.len ||
		    fclose(f) != 0)
			log_fatal("%s: %s", file, strerror(errno));
		printf("ok %zu\n", b.len);
	}
	buf_free(&b);
	return r;
}

static enum tpm_result
unseal(struct tpm *t, const char *file, const char *approvals)
{
	static uint8_t blob[TPM_BLOB_MAX + 1];
	char hex[2 * TPM_KEY_MAX + 1];
	uint8_t secret[TPM_KEY_MAX];
	size_t n = load(file, blob, sizeof(blob)), len;
	enum tpm_result r;
	int updated;

	r = tpm_unseal(t, blob, n, approvals, secret, sizeof(secret), &len, &updated);
	if (r == TPM_OK)
		printf("ok updated=%d secret=%s\n", updated, hex_put(hex, secret, len));
	return r;
}

static enum tpm_result
pin(struct tpm *t, const char *file)
{
	static uint8_t blob[TPM_BLOB_MAX + 1];
	enum tpm_result r = tpm_pin(t, blob, load(file, blob, sizeof(blob)));

	if (r == TPM_OK)
		puts("ok");
	return r;
}

static enum tpm_result
random_(struct tpm *t, size_t len)
{
	uint8_t data[1024];
	char hex[2 * sizeof(data) + 1];
	enum tpm_result r = tpm_random(t, data, len < sizeof(data) ? len : sizeof(data));

	if (r == TPM_OK)
		printf("ok %s\n", hex_put(hex, data, len < sizeof(data) ? len : sizeof(data)));
	return r;
}

static enum tpm_result
image(struct tpm *t)
{
	const struct tpm_policy p = {.locality = -1};
	char hex[65];
	uint8_t d[32];
	size_t len;
	enum tpm_result r = tpm_pcr_digest(t, &p, d, &len);

	if (r == TPM_OK)
		printf("ok %s\n", hex_put(hex, d, len));
	return r;
}

static enum tpm_result
anchor(struct tpm *t, const char *what, const char *place, const char *number)
{
	struct tpm_anchor a = {.place = (uint32_t)strtoul(place, NULL, 10)};
	struct tpm_anchor_value v;
	uint8_t digest[32] = {0};
	unsigned long n = number != NULL ? strtoul(number, NULL, 10) : 0;
	char hex[65];
	enum tpm_result r;

	memset(a.secret, 7, sizeof(a.secret));
	if (strcmp(what, "define") == 0) {
		r = tpm_anchor_define(t, &a, digest);
	} else if (strcmp(what, "read") == 0) {
		if ((r = tpm_anchor_read(t, &a, &v)) == TPM_OK)
			printf("ok %s %llu\n", hex_put(hex, v.value, sizeof(v.value)),
			    (unsigned long long)v.count);
		return r;
	} else if (strcmp(what, "count") == 0) {
		r = tpm_anchor_count(t, &a);
	} else if (strcmp(what, "extend") == 0) {
		memcpy(digest, &n, sizeof(n));
		r = tpm_anchor_extend(t, &a, digest);
	} else {
		r = TPM_OK;
		for (unsigned long i = 1; r == TPM_OK && i <= n; i++) {
			memcpy(digest, &i, sizeof(i));
			r = tpm_anchor_extend(t, &a, digest);
			if (r == TPM_OK)
				printf("done %lu\n", i);
		}
	}
	if (r == TPM_OK)
		puts("ok");
	return r;
}

static enum tpm_result
command(struct tpm *t, char *line)
{
	char *rest = NULL, *word[4];

	for (int i = 0; i < 4; i++)
		word[i] = strtok_r(i == 0 ? line : NULL, " \n", &rest);
	if (word[0] == NULL)
		log_fatal("an empty command");
	if (strcmp(word[0], "image") == 0)
		return image(t);
	if (word[1] == NULL)
		log_fatal("%s: of what?", word[0]);
	if (strcmp(word[0], "seal") == 0)
		return seal(t, word[1], word[2], word[3]);
	if (strcmp(word[0], "unseal") == 0)
		return unseal(t, word[1], word[2]);
	if (strcmp(word[0], "pin") == 0)
		return pin(t, word[1]);
	if (strcmp(word[0], "random") == 0)
		return random_(t, strtoul(word[1], NULL, 10));
	return anchor(t, word[0], word[1], word[2]);
}

static int
ask(const char *address)
{
	char line[1024], full[256];
	struct tpm *t;
	int rc = 0;

	snprintf(full, sizeof(full), "domt:%s", address);
	if (tpm_open(full, &t) != TPM_OK)
		return 1;
	while (fgets(line, sizeof(line), stdin) != NULL) {
		enum tpm_result r = command(t, line);

		if (r != TPM_OK) {
			printf("%d %s\n", (int)r, tpm_error(t));
			rc = 1;
		}
		fflush(stdout);
	}
	tpm_close(t);
	return rc;
}

int
main(int argc, char **argv)
{
	log_name("caas-e2e-domt");
	if (argc >= 3 && strcmp(argv[1], "world") == 0)
		return world(argv[2], "", argc - 3, argv + 3);
	if (argc >= 4 && strcmp(argv[1], "forget") == 0)
		return world(argv[2], argv[3], argc - 4, argv + 4);
	if (argc == 3 && strcmp(argv[1], "ask") == 0)
		return ask(argv[2]);
	fputs("usage: caas-e2e-domt world ADDRESS [PAIR DOMID IMAGE]... |\n"
	      "       forget ADDRESS NAME [PAIR DOMID IMAGE]... | ask ADDRESS\n",
	    stderr);
	return 2;
}
