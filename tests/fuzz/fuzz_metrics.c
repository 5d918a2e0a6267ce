/*
 * fuzz_metrics.c - what vsmd-metrics is answered: u8 selects the supervisor's or the store's
 * answer.  Whatever is taken makes a page, of whole lines and printable bytes.
 */
#include <stdlib.h>

#include "common/log.h"
#include "vsmd/metrics/ask.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
write_page(const struct page *p)
{
	struct buf out;

	buf_init(&out, PAGE_MAX);
	page_write(&out, p);
	if (!buf_ok(&out) || (out.len > 0 && out.data[out.len - 1] != '\n'))
		abort();
	for (size_t i = 0; i < out.len; i++)
		if (out.data[i] != '\n' && (out.data[i] < 0x20 || out.data[i] >= 0x7f))
			abort();
	buf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct page p = {0};
	struct buf in;
	bool found;

	if (size == 0)
		return 0;
	if (data[0] == 0) {
		buf_view(&in, data + 1, size - 1);
		if (ask_read_answer(&in, &p, &found))
			write_page(&p);
	} else if (page_status(&p, (const char *)data + 1, size - 1)) {
		write_page(&p);
	}
	ask_free(&p);
	return 0;
}
