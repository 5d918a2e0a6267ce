/*
 * page.h - numbers as a page in the text format of Prometheus (0.0.4).
 *
 * What is shown is in metrics.def.  A family without a value is left out.  Series are as
 * many as there are slots and classes of calls, and no more: no name of a peer or an object is
 * in a label.
 *
 * Threads: any.  No process, no socket: tests and the fuzzer use it alone.
 */
#ifndef CAAS_VSMD_METRICS_PAGE_H
#define CAAS_VSMD_METRICS_PAGE_H

#include "common/buf.h"
#include "vsmd/metrics/counters.h"

#define PAGE_MAX ((size_t)64 << 20)
#define PAGE_LABEL 64 /* a token's label and its NUL */
#define PAGE_SLOTS 1024

enum number {
#define METRIC(source, id, type, name, labels, help) NUMBER_##source##_##id,
#include "vsmd/metrics/metrics.def"
#undef METRIC
	NUMBER_END
};
/* Those of the supervisor are the first. */
#define NUMBERS_SUPERVISOR NUMBER_STORE_TOKENS

struct page_slot {
	uint32_t slot;
	char label[PAGE_LABEL]; /* any bytes */
	uint32_t applications;
	uint64_t sessions;
	struct counters_sum sum;
};

struct page {
	bool has[NUMBER_END]; /* of those without labels */
	uint64_t value[NUMBER_END];
	struct page_slot *slots;
	size_t nslots;
};

/* The store's status (JSON) into the numbers of the source STORE.  False: it is none. */
bool page_status(struct page *p, const char *json, size_t len);
/* The page into b, a buf with the bound PAGE_MAX; buf_ok() tells. */
void page_write(struct buf *b, const struct page *p);

#endif
