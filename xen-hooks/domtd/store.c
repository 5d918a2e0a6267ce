/* store.c - see store.h */
#include "xen-hooks/domtd/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xenstore.h>

#include "common/hex.h"

#define RECORDS "/caas/pair"
#define CHANNEL "data/caas" /* of DomC's vchan, below its own path */
#define AGENT "data/caas-agent"
#define SERVICE "/local/domain/%u/data/domt" /* where DomT says how far its service is */
#define TOKEN_SERVICE "domt"
#define TRIES 16	    /* of a transaction that others disturb */
#define PATH 256

static const char *const told_names[] = {[TOLD_PEER] = "peer", [TOLD_TPM] = "tpm"};

int
store_open(struct store *s)
{
	char *domid;
	unsigned len;

	memset(s, 0, sizeof(*s));
	if ((s->xs = xs_open(0)) == NULL)
		return -1;
	if ((domid = xs_read(s->xs, XBT_NULL, "domid", &len)) == NULL)
		return -1;
	s->self = (unsigned)strtoul(domid, NULL, 10);
	free(domid);
	return 0;
}

void
store_close(struct store *s)
{
	xs_close(s->xs);
	s->xs = NULL;
}

/* The entry and the one that it is in: ours, for `reader` to read, or for nobody. */
static bool
put(struct store *s, xs_transaction_t t, const char *dir, const char *name, const char *text,
    int64_t reader)
{
	struct xs_permissions perms[2] = {{.id = s->self, .perms = XS_PERM_NONE},
	    {.id = (unsigned)reader, .perms = XS_PERM_READ}};
	unsigned n = reader >= 0 ? 2 : 1;
	char path[PATH];

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return false;
	}
	return xs_mkdir(s->xs, t, dir) && xs_set_permissions(s->xs, t, dir, perms, n) &&
	       xs_write(s->xs, t, path, text, (unsigned)strlen(text)) &&
	       xs_set_permissions(s->xs, t, path, perms, n);
}

/* Ends it; true when that is that, and *ret is the result.  False: again. */
static bool
end(struct store *s, xs_transaction_t t, bool good, int *ret)
{
	int saved = errno;

	*ret = good ? 0 : -1;
	if (xs_transaction_end(s->xs, t, !good)) {
		errno = saved;
		return true;
	}
	if (!good)
		errno = saved;
	*ret = -1;
	return errno != EAGAIN;
}

/* The domain that libxl has made with this UUID is still the one of this domid. */
static bool
same_domain(struct store *s, xs_transaction_t t, uint32_t domid, const uint8_t uuid[DOMAIN_UUID])
{
	char path[PATH], want[PATH], id[HEX_UUID], *vm;
	unsigned len;
	bool same;

	hex_uuid(id, uuid);
	snprintf(want, sizeof(want), "/vm/%s", id);
	snprintf(path, sizeof(path), "/local/domain/%u/vm", domid);
	vm = xs_read(s->xs, t, path, &len);
	same = vm != NULL && strcasecmp(vm, want) == 0;
	free(vm);
	if (!same)
		errno = ENOENT;
	return same;
}

static void
told_path(char path[PATH], uint32_t domid, enum told what)
{
	snprintf(path, PATH, "/local/domain/%u/caas/%s", domid, told_names[what]);
}

int
store_tell(struct store *s, uint32_t domid, const uint8_t uuid[DOMAIN_UUID], enum told what,
    uint32_t other)
{
	char dir[PATH], text[16];
	int rc = -1;

	snprintf(dir, sizeof(dir), "/local/domain/%u/caas", domid);
	snprintf(text, sizeof(text), "%u", other);
	for (int i = 0; i < TRIES; i++) {
		xs_transaction_t t = xs_transaction_start(s->xs);

		if (t == XBT_NULL)
			return -1;
		if (end(s, t,
			same_domain(s, t, domid, uuid) &&
			    put(s, t, dir, told_names[what], text, (int64_t)domid),
			&rc))
			break;
	}
	return rc;
}

int
store_untell(struct store *s, uint32_t domid, const uint8_t uuid[DOMAIN_UUID], enum told what)
{
	char path[PATH];
	int rc = -1;

	told_path(path, domid, what);
	for (int i = 0; i < TRIES; i++) {
		xs_transaction_t t = xs_transaction_start(s->xs);

		if (t == XBT_NULL)
			return -1;
		if (end(s, t,
			same_domain(s, t, domid, uuid) &&
			    (xs_rm(s->xs, t, path) || errno == ENOENT),
			&rc))
			break;
	}
	return rc;
}

int
store_told(struct store *s, uint32_t domid, enum told what, int64_t *ret_other)
{
	char path[PATH], *text, *after;
	unsigned len;

	*ret_other = -1;
	told_path(path, domid, what);
	text = xs_read(s->xs, XBT_NULL, path, &len);
	if (text == NULL)
		return errno == ENOENT ? 0 : -1;
	*ret_other = (int64_t)strtoul(text, &after, 10);
	if (after == text || *after != '\0')
		*ret_other = -1;
	free(text);
	return 0;
}

/* 1 when DomC has this entry, and has given it to domu to read; 0, or -1. */
static int
offered(struct store *s, uint32_t domc, uint32_t domu, const char *name)
{
	struct xs_permissions *perms;
	char path[PATH];
	unsigned n = 0;
	bool ok;

	snprintf(path, sizeof(path), "/local/domain/%u/" CHANNEL "/%s", domc, name);
	perms = xs_get_permissions(s->xs, XBT_NULL, path, &n);
	if (perms == NULL)
		return errno == ENOENT ? 0 : -1;
	ok = false;
	for (unsigned i = 1; i < n && perms[0].id == domc; i++)
		ok |= perms[i].id == domu && (perms[i].perms & XS_PERM_READ) != 0;
	free(perms);
	return ok;
}

int
store_serving(struct store *s, uint32_t domc, uint32_t domu, bool *ret)
{
	int rc = offered(s, domc, domu, "ring-ref");

	if (rc > 0)
		rc = offered(s, domc, domu, "event-channel");
	*ret = rc > 0;
	return rc < 0 ? -1 : 0;
}

/* Nobody there has none; and who lies has his own kernel suffer for it. */
int
store_channels(struct store *s, uint32_t domid, bool *ret)
{
	char path[PATH], *text;
	unsigned len;

	snprintf(path, sizeof(path), "/local/domain/%u/" AGENT, domid);
	text = xs_read(s->xs, XBT_NULL, path, &len);
	*ret = text != NULL && strcmp(text, "none") != 0;
	free(text);
	return text != NULL || errno == ENOENT ? 0 : -1;
}

int
store_record_put(struct store *s, const char *pair, const char *text)
{
	int rc = -1;

	for (int i = 0; i < TRIES; i++) {
		xs_transaction_t t = xs_transaction_start(s->xs);

		if (t == XBT_NULL)
			return -1;
		if (end(s, t, put(s, t, RECORDS, pair, text, -1), &rc))
			break;
	}
	return rc;
}

int
store_record_remove(struct store *s, const char *pair)
{
	char path[PATH];

	snprintf(path, sizeof(path), RECORDS "/%s", pair);
	return xs_rm(s->xs, XBT_NULL, path) || errno == ENOENT ? 0 : -1;
}

char *
store_record_get(struct store *s, const char *pair)
{
	char path[PATH];
	unsigned len;

	snprintf(path, sizeof(path), RECORDS "/%s", pair);
	return xs_read(s->xs, XBT_NULL, path, &len);
}

int
store_record_list(struct store *s, char ***ret, size_t *ret_n)
{
	unsigned n = 0;
	/* One allocation, names and all. */
	char **names = xs_directory(s->xs, XBT_NULL, RECORDS, &n);
	size_t i;

	*ret = NULL;
	*ret_n = 0;
	if (names == NULL)
		return errno == ENOENT ? 0 : -1;
	*ret = calloc((size_t)n + 1, sizeof(**ret));
	for (i = 0; *ret != NULL && i < n; i++)
		if (((*ret)[i] = strdup(names[i])) == NULL)
			break;
	free(names);
	if (*ret != NULL && i == n) {
		*ret_n = n;
		return 0;
	}
	while (*ret != NULL && i > 0)
		free((*ret)[--i]);
	free(*ret);
	*ret = NULL;
	errno = ENOMEM;
	return -1;
}

struct xs_handle *
store_watch(int *ret_fd)
{
	struct xs_handle *xs = xs_open(0);

	if (xs != NULL && xs_watch(xs, "@releaseDomain", "gone")) {
		*ret_fd = xs_fileno(xs);
		return xs;
	}
	xs_close(xs);
	return NULL;
}

bool
store_follow(struct xs_handle *xs, int64_t *followed, int64_t domid)
{
	char path[PATH];

	if (*followed == domid)
		return true;
	if (*followed >= 0) {
		snprintf(path, sizeof(path), SERVICE, (unsigned)*followed);
		(void)xs_unwatch(xs, path, TOKEN_SERVICE);
	}
	*followed = domid;
	if (domid < 0)
		return true;
	snprintf(path, sizeof(path), SERVICE, (unsigned)domid);
	return xs_watch(xs, path, TOKEN_SERVICE);
}

bool
store_watched(struct xs_handle *xs, bool *ret_service)
{
	bool any = false;
	char **event;

	while ((event = xs_check_watch(xs)) != NULL) {
		*ret_service |= strcmp(event[XS_WATCH_TOKEN], TOKEN_SERVICE) == 0;
		free(event);
		any = true;
	}
	return any;
}
