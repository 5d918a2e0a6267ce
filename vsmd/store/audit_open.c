/* audit_open.c - the end of the audit log against what the store says; see audit.h */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/secmem.h"
#include "vsmd/store/audit.h"
#include "vsmd/store/file.h"
#include "vsmd/store/vault.h"

#define HEAD_KEY "audit/head"

/* What the store says of the last record at the last commit. */
static void
sealed_head(struct audit *a, const struct map *map)
{
	const uint8_t *p, *hash;
	struct buf b;
	size_t len;

	if ((p = map_get(map, HEAD_KEY, &len)) == NULL)
		return;
	buf_view(&b, p, len);
	a->seq = buf_get_u64(&b);
	a->size = buf_get_u64(&b);
	if ((hash = buf_get_raw(&b, CRYPT_HASH)) != NULL)
		memcpy(a->last, hash, CRYPT_HASH);
}

/* The line that ends (with its newline) at `end` is the one the store knows. */
static bool
ends_as_sealed(const struct audit *a, uint64_t size)
{
	char space[AUDIT_LINE_MAX];
	uint64_t from = a->size > sizeof(space) ? a->size - sizeof(space) : 0;
	size_t n = (size_t)(a->size - from), start;
	struct audit_line line;

	if (a->size == 0)
		return true;
	if (size < a->size || file_read_at(a->fd, space, n, (off_t)from) != (ssize_t)n ||
	    space[n - 1] != '\n')
		return false;
	for (start = n - 1; start > 0 && space[start - 1] != '\n'; start--)
		;
	return audit_parse(a->keys, space + start, n - 1 - start, &line) == NULL &&
	       line.seq == a->seq && sec_equal(line.hash, a->last, CRYPT_HASH);
}

/* Take the records behind the last commit's, as far as they are whole. */
static void
follow(struct audit *a)
{
	char space[AUDIT_LINE_MAX], *nl;
	struct audit_line line;
	ssize_t n;

	while ((n = file_read_at(a->fd, space, sizeof(space), (off_t)a->size)) > 0 &&
	       (nl = memchr(space, '\n', (size_t)n)) != NULL) {
		size_t len = (size_t)(nl - space);

		if (audit_parse(a->keys, space, len, &line) != NULL ||
		    line.seq != a->seq + 1 || !sec_equal(line.prev, a->last, CRYPT_HASH))
			return;
		a->seq = line.seq;
		a->size += len + 1;
		memcpy(a->last, line.hash, CRYPT_HASH);
	}
}

static int
note(struct audit *a, const char *event, const char *detail)
{
	struct audit_event e = {.principal = "",
	    .peer = "",
	    .slot = -1,
	    .token = "",
	    .event = event,
	    .detail = detail};

	log_warn("audit: %s: %s", event, detail);
	return audit_append(a, &e);
}

static int
judge(struct audit *a)
{
	char detail[160], last;
	struct stat st;
	uint64_t size;

	if (fstat(a->fd, &st) != 0)
		return -1;
	size = (uint64_t)st.st_size;
	if (!ends_as_sealed(a, size)) {
		snprintf(detail, sizeof(detail),
		    "record %" PRIu64
		    " is not where the store knows it: records before this "
		    "one were lost or altered",
		    a->seq);
		/* Nothing is overwritten: whoever looks into it finds all there is. */
		a->size = size;
		if (size > 0 && file_read_at(a->fd, &last, 1, (off_t)size - 1) == 1 &&
		    last != '\n') {
			if (file_write_at(a->fd, "\n", 1, (off_t)size) != 0)
				return -1;
			a->size++;
		}
		return note(a, "audit-damaged", detail);
	}
	follow(a);
	if (a->size == size)
		return 0;
	if (ftruncate(a->fd, (off_t)a->size) != 0)
		return -1;
	snprintf(detail, sizeof(detail),
	    "%" PRIu64 " bytes behind record %" PRIu64 " were no whole record, cut off",
	    size - a->size, a->seq);
	return note(a, "audit-repaired", detail);
}

int
audit_open(
    struct audit *a, int state, const struct store_keys *keys, const struct map *map)
{
	memset(a, 0, sizeof(*a));
	a->keys = keys;
	a->fd = -1;
	buf_init(&a->tail, AUDIT_TAIL_MAX);
	if (mkdirat(state, VAULT_AUDIT, 0700) == 0)
		(void)fsync(state);
	a->dir =
	    openat(state, VAULT_AUDIT, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (a->dir >= 0)
		a->fd = openat(a->dir, AUDIT_FILE,
		    O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	sealed_head(a, map);
	if (a->fd < 0 || fsync(a->dir) != 0 || judge(a) != 0) {
		log_error(VAULT_AUDIT "/" AUDIT_FILE ": %s: it must be a writable file",
		    strerror(errno));
		audit_close(a);
		return -1;
	}
	return 0;
}
