/*
 * fuzz_control.c - what domtd tells domt-tpmd, from anybody: refused, or a world in which no pair
 * and no domain stands twice, nor one that is to be forgotten once, and that is the same when it is
 * written again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "xen-hooks/tpmd/control.h"

static void
world(const uint8_t *data, size_t len)
{
	struct control_world w;
	struct buf in, out;

	buf_view(&in, data, len);
	if (!control_world_read(&in, &w)) {
		if (w.pairs != NULL || w.n != 0)
			abort();
		return;
	}
	for (size_t i = 0; i < w.n; i++)
		for (size_t j = 0; j < i; j++)
			if (w.pairs[i].domid == w.pairs[j].domid ||
			    strcmp(w.pairs[i].pair, w.pairs[j].pair) == 0)
				abort();
	for (size_t i = 0; i < w.n; i++)
		if (strcmp(w.pairs[i].pair, w.forget) == 0)
			abort();
	buf_init(&out, CONTROL_MAX);
	control_world_write(&out, &w);
	if (!buf_ok(&out) || out.len != len || memcmp(out.data, data, len) != 0)
		abort();
	buf_free(&out);
	control_world_free(&w);
}

static void
answer(const uint8_t *data, size_t len)
{
	struct control_answer a;
	struct buf in, out;

	buf_view(&in, data, len);
	if (!control_answer_read(&in, &a))
		return;
	buf_init(&out, CONTROL_MAX);
	control_answer_write(&out, &a);
	if (!buf_ok(&out) || out.len != len || memcmp(out.data, data, len) != 0)
		abort();
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	world(data, len);
	answer(data, len);
	return 0;
}
