/*
 * fuzz_pair_conf.c - a pair's description: refused with a reason, or whole.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "xen-hooks/domtd/description.h"

static unsigned complaints;

static void
report(void *arg, const char *line)
{
	(void)arg;
	if (line[0] == '\0')
		abort();
	complaints++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct description *d;

	complaints = 0;
	d = description_parse("f", "web", (const char *)data, len, report, NULL);
	if ((d == NULL) != (complaints > 0))
		abort();
	if (d == NULL)
		return 0;
	for (int h = 0; h < HALVES; h++) {
		const struct domain_plan *p = &d->half[h];

		if (p->kernel == NULL || p->kernel[0] != '/' || p->memory == 0 || p->vcpus == 0 ||
		    p->name == NULL || strlen(p->name) >= DOMAIN_NAME ||
		    p->ndisks > DOMAIN_DISKS || p->nvifs > DOMAIN_VIFS)
			abort();
	}
	description_free(d);
	return 0;
}
