/* fuzz_objfile.c - SoftHSM2's object files: a restored backup brings any bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vsmd/worker/objfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every byte of it is there. */
static void
touch(const struct objfile_bytes *b)
{
	volatile uint8_t sum = 0;

	for (size_t i = 0; i < b->len; i++)
		sum = (uint8_t)(sum + b->p[i]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t key[OBJFILE_KEY] = {0};
	struct objfile o;
	uint8_t *out;
	size_t n;

	if (!objfile_read(data, size, &o))
		return 0;
	touch(&o.label);
	touch(&o.id);
	if (o.user_pin.p != NULL)
		(void)objfile_token_key(&o.user_pin, "123456", 6, key);
	if (o.label.p != NULL && (out = malloc(o.label.len + 1)) != NULL) {
		(void)objfile_decrypt(key, &o.label, out, &n);
		free(out);
	}
	return 0;
}
