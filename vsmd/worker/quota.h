/*
 * quota.h - how often a principal may use a key or a mechanism: token buckets in shared
 * memory.
 *
 * The buckets lie in the gate file, so that all applications of a principal draw from
 * the same one.  A bucket is a time: when it would be full again.
 *
 * No two keys share a bucket, and each principal has buckets of its own: what one uses makes
 * nobody else's quota smaller or larger.  A bucket that is full again says nothing, and is given
 * to who needs one.  Who has QUOTA_BUCKETS that are not, and needs another, is refused as if it
 * were empty.
 *
 * Threads and processes: any, without locks.  Where one takes a bucket over that has been full,
 * in the same moment in which its key is used again, that key may be used once more than its
 * quota says.
 */
#ifndef CAAS_VSMD_QUOTA_H
#define CAAS_VSMD_QUOTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gate_file;

#define QUOTA_PRINCIPALS 64 /* of one token; more of them share their room, not their buckets */
#define QUOTA_BUCKETS 4095  /* of each */

/*
 * Take one from the bucket `key` of `principal` (both of quota_key()), which fills with `rate` a
 * second up to `burst` (0 counts as 1).  False: it is empty.  rate 0: no quota.
 */
bool quota_take(
    struct gate_file *f, uint64_t principal, uint64_t key, uint32_t rate, uint32_t burst);
/* The same at a time of the caller's, in ns: for tests. */
bool quota_take_at(struct gate_file *f, uint64_t principal, uint64_t key, uint32_t rate,
    uint32_t burst, uint64_t now);
/* Give one back: what it was taken for was refused by another bucket. */
void quota_give(struct gate_file *f, uint64_t principal, uint64_t key, uint32_t rate);
/*
 * The bucket was empty.  How many refusals, with this one, are to be told of now: once in a
 * second for each bucket, whoever asks; 0: nothing.
 */
uint32_t quota_refused(struct gate_file *f, uint64_t principal, uint64_t key);
uint32_t quota_refused_at(
    struct gate_file *f, uint64_t principal, uint64_t key, uint64_t now);
/* A key from what identifies the bucket; chain calls for several parts. */
uint64_t quota_key(uint64_t key, const void *p, size_t len);

#endif
