/*
 * ask.h - where the numbers of a page come from: the supervisor and the store, asked.
 *
 * Errors: false after a line on the log; the process ends then.
 */
#ifndef CAAS_VSMD_METRICS_ASK_H
#define CAAS_VSMD_METRICS_ASK_H

#include "vsmd/metrics/page.h"

/* All of them; release with ask_free(). */
bool ask_all(int supervisor, int store, struct page *ret);
void ask_free(struct page *p);

/* M_P_ANSWER after its first byte into p; *ret_slot (slots[nslots - 1]) is new when true is in
 * *ret_found.  False: malformed. */
bool ask_read_answer(struct buf *b, struct page *p, bool *ret_found);

#endif
