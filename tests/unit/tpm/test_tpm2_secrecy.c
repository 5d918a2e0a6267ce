/* test_tpm2_secrecy.c - where the sealed secret must not be seen: on the way to the TPM, and in
 * memory that was given back */
#include "tpm2_group.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/secmem.h"
#include "tpm/digest.h"

static bool
found_in(const char *file, const void *needle, size_t n)
{
	static char text[1 << 20];
	size_t len = rig_read(file, text, sizeof(text));

	assert_true(len > 1000); /* the trace is there */
	return memmem(text, len, needle, n) != NULL;
}

static void
test_secret_is_not_on_the_bus(void **state)
{
	char address[200], trace[128];
	struct tpm_policy p = with_authority();
	uint8_t d[32];
	struct tpm *t;
	struct buf b;

	(void)state;
	snprintf(trace, sizeof(trace), "%s/trace", tpm_a.dir);
	snprintf(address, sizeof(address), "tpm2:pcap:swtpm:path=%s/s", tpm_a.dir);
	setenv("TCTI_PCAP_FILE", trace, 1);
	t = must_open(address);
	must_seal(t, &p, &b);
	expect(t, &b, TPM_OK);
	/* The trace does see what goes in clear. */
	assert_int_equal(tpm_extend(t, 13, "vsmd 2", 6), TPM_OK);
	tpm_close(t);
	unsetenv("TCTI_PCAP_FILE");
	tpm_sha256("vsmd 2", 6, d);
	assert_true(found_in(trace, d, sizeof(d)));
	assert_false(found_in(trace, secret, 16));
	assert_false(found_in(trace, secret + 16, 16));
	buf_free(&b);
}

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED
#endif
#endif

/* Copies of `needle` in writable memory, the mapping of the stack not counted. */
static int
copies_in_heap(const void *needle, size_t n)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[512];
	int copies = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		unsigned long from, to;
		char mode[5];

		if (sscanf(line, "%lx-%lx %4s", &from, &to, mode) != 3 || mode[0] != 'r' ||
		    mode[1] != 'w' || strstr(line, "[stack]") != NULL)
			continue;
		for (const char *p = (const char *)from;
		     (p = memmem(p, to - (unsigned long)p, needle, n)) != NULL; p++)
			copies++;
	}
	fclose(f);
	return copies;
}

static void
test_no_copy_stays_in_memory(void **state)
{
	struct tpm_policy p = with_authority();
	struct tpm *t;
	uint8_t *key, *out;
	struct buf b;
	size_t len;
	int updated;

	(void)state;
#ifdef SANITIZED
	print_message("SKIPPED: the sanitizer keeps what was freed\n");
	skip();
#endif
	t = must_open(tpm_a.address);
	key = sec_alloc(SECRET_LEN);
	out = sec_alloc(TPM_KEY_MAX);
	/* `secret` itself is in memory that is not writable. */
	assert_int_equal(copies_in_heap(secret, SECRET_LEN), 0);
	memcpy(key, secret, SECRET_LEN);
	assert_int_equal(copies_in_heap(secret, SECRET_LEN), 1);
	buf_init(&b, TPM_BLOB_MAX);
	assert_int_equal(tpm_seal(t, &p, key, SECRET_LEN, &b), TPM_OK);
	sec_free(key);
	assert_int_equal(copies_in_heap(secret, SECRET_LEN), 0);
	assert_int_equal(tpm_unseal(t, b.data, b.len, NULL, out, TPM_KEY_MAX, &len, &updated),
	    TPM_OK);
	assert_int_equal(copies_in_heap(secret, SECRET_LEN), 1);
	sec_free(out);
	tpm_close(t);
	assert_int_equal(copies_in_heap(secret, SECRET_LEN), 0);
	buf_free(&b);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, tpm2_setup, tpm2_teardown)
	const struct CMUnitTest tests[] = {
	    T(test_secret_is_not_on_the_bus),
	    T(test_no_copy_stays_in_memory),
	};

	return cmocka_run_group_tests(tests, tpm2_group_setup, tpm2_group_teardown);
}
