/* lookup.c - see lookup.h */
#include "vsmd/worker/lookup.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/secmem.h"
#include "vsmd/worker/index.h"
#include "vsmd/worker/objfile.h"
#include "vsmd/worker/serve.h"
#include "vsmd/worker/view.h"

#define FILE_MAX ((off_t)1 << 20) /* as much as the store takes */
#define SOME 1024 /* objects with the same label or id; with more it is no use */

struct secret {
	uint8_t token[OBJFILE_KEY]; /* decrypts attributes */
	uint8_t hash[OBJFILE_KEY];  /* for the index, made of it */
};

/* A file's bytes, and room for a value of it in clear. */
struct bytes {
	uint8_t *p, *clear;
	size_t len, size;
};

struct names {
	uint8_t (*p)[VIEW_NAME];
	size_t n, room;
};

void
lookup_init(struct lookup *l)
{
	memset(l, 0, sizeof(*l));
	pthread_mutex_init(&l->lock, NULL);
}

static struct index *
index_of(const struct worker *w)
{
	return w->config->index;
}

static void
free_bytes(struct bytes *b)
{
	free(b->p);
	if (b->clear != NULL)
		sec_wipe(b->clear, b->size);
	free(b->clear);
	*b = (struct bytes){0};
}

static bool
make_room(struct bytes *b, size_t size)
{
	if (size <= b->size)
		return true;
	free_bytes(b);
	size += 4096;
	b->p = malloc(size);
	b->clear = malloc(size);
	if (b->p == NULL || b->clear == NULL) {
		free_bytes(b);
		return false;
	}
	b->size = size;
	return true;
}

static bool
read_file(const char *path, struct bytes *b)
{
	struct stat st;
	int fd = view_open(path);
	ssize_t n = -1;

	if (fd < 0)
		return false;
	if (fstat(fd, &st) == 0 && st.st_size <= FILE_MAX &&
	    make_room(b, (size_t)st.st_size))
		n = read(fd, b->p, (size_t)st.st_size);
	close(fd);
	b->len = n > 0 ? (size_t)n : 0;
	return n > 0 && n == st.st_size;
}

static uint64_t
hash(const struct secret *s, enum index_by by, const void *p, size_t len)
{
	static const uint8_t open_[OBJFILE_KEY] = "caas index of public objects";
	uint8_t head = (uint8_t)by, buf[1 + 256], md[EVP_MAX_MD_SIZE];
	unsigned n = sizeof(md);
	uint64_t h = 0;

	/* What is empty is no use, and what is long is told apart by its start. */
	if (len == 0)
		return 0;
	buf[0] = head;
	if (len > sizeof(buf) - 1)
		len = sizeof(buf) - 1;
	memcpy(buf + 1, p, len);
	if (HMAC(EVP_sha256(), s ? s->hash : open_, OBJFILE_KEY, buf, 1 + len, md, &n) !=
	    NULL)
		memcpy(&h, md, sizeof(h));
	sec_wipe(buf, sizeof(buf));
	return h != 0 ? h : 1;
}

void
lookup_logout(struct worker *w)
{
	struct lookup *l = &w->lookup;

	pthread_mutex_lock(&l->lock);
	sec_free(l->secret);
	l->secret = NULL;
	l->blind = false;
	pthread_mutex_unlock(&l->lock);
}

static bool
make_secret(struct secret *s, const struct bytes *token, const void *pin, size_t len)
{
	static const char label[] = "caas index";
	unsigned n = sizeof(s->hash);
	struct objfile o;

	return objfile_read(token->p, token->len, &o) && o.user_pin.p != NULL &&
	       objfile_token_key(&o.user_pin, pin, len, s->token) &&
	       HMAC(EVP_sha256(), s->token, sizeof(s->token), (const uint8_t *)label,
		   sizeof(label) - 1, s->hash, &n) != NULL;
}

void
lookup_login(struct request *r, const void *pin, size_t len)
{
	struct lookup *l = &r->w->lookup;
	char path[VIEW_PATH + 16], directory[VIEW_PATH];
	struct bytes token = {0};
	struct secret *s;
	bool ok = false;

	if (view_is_whole() || serve_enter(r, GATE_SHARED) != CKR_OK)
		return;
	if (view_directory(r->w->config->nursery->directory, directory)) {
		snprintf(path, sizeof(path), "%s/token.object", directory);
		ok = read_file(path, &token);
	}
	serve_leave(r);
	s = ok ? sec_alloc(sizeof(*s)) : NULL;
	if (s == NULL || !make_secret(s, &token, pin, len)) {
		log_warn(
		    "the token's objects cannot be indexed: all of them will be read");
		sec_free(s);
		s = NULL;
	}
	free_bytes(&token);
	pthread_mutex_lock(&l->lock);
	sec_free(l->secret);
	l->secret = s;
	l->blind = s == NULL;
	pthread_mutex_unlock(&l->lock);
}

/* The hash of one of its values.  false: it cannot be read. */
static bool
hash_value(const struct secret *s, const struct objfile *o, enum index_by by,
    const struct objfile_bytes *v, uint8_t *clear, uint64_t *ret)
{
	size_t len = 0;

	*ret = 0;
	if (v->len == 0)
		return true;
	if (!o->private) {
		*ret = hash(NULL, by, v->p, v->len);
		return true;
	}
	if (!objfile_decrypt(s->token, v, clear, &len))
		return false;
	*ret = hash(s, by, clear, len);
	return true;
}

/* An identity is a hash already. */
static uint64_t
hash_in(const uint8_t id[MSG_ID_LEN])
{
	uint64_t h;

	memcpy(&h, id, sizeof(h));
	return h != 0 ? h : 1;
}

static uint64_t
identity_hash(const uint8_t name[VIEW_NAME])
{
	uint8_t id[MSG_ID_LEN];

	object_identity(name, id);
	return hash_in(id);
}

/* What there is in an object's file; with the lock of the secret, which may be NULL. */
static void
describe(const struct secret *s, const struct bytes *file, struct index_object *ret)
{
	struct objfile o;

	ret->flags = INDEX_UNKNOWN;
	if (!objfile_read(file->p, file->len, &o))
		return;
	ret->class = (uint32_t)o.class;
	if (o.private && s == NULL)
		ret->flags = INDEX_SEALED;
	else if (hash_value(s, &o, INDEX_LABEL, &o.label, file->clear,
		     &ret->hash[INDEX_LABEL]) &&
		 hash_value(s, &o, INDEX_ID, &o.id, file->clear, &ret->hash[INDEX_ID]))
		ret->flags = 0;
}

/* Enter an object, or remove it where it has gone.  false: it has no room. */
static bool
enter(struct index *x, const struct secret *s, const char *directory,
    const uint8_t name[VIEW_NAME], struct bytes *file)
{
	struct index_object o = {.flags = INDEX_UNKNOWN};
	char path[VIEW_PATH];

	view_path(path, directory, name);
	memcpy(o.name, name, VIEW_NAME);
	o.hash[INDEX_IDENTITY] = identity_hash(name);
	if (read_file(path, file)) {
		describe(s, file, &o);
	} else if (access(path, F_OK) != 0) {
		index_remove(x, name);
		return true;
	}
	return index_put(x, &o);
}

void
lookup_changed(struct worker *w)
{
	uint8_t names[VIEW_TOUCHED][VIEW_NAME];
	struct index *x = index_of(w);
	size_t n = view_touched(names);
	char directory[VIEW_PATH];
	struct bytes file = {0};
	bool ok = n <= VIEW_TOUCHED;

	if (n == 0 || x == NULL || !index_complete(x))
		return;
	ok = ok && view_directory(w->config->nursery->directory, directory);
	pthread_mutex_lock(&w->lookup.lock);
	for (size_t i = 0; ok && i < n; i++)
		ok = enter(x, w->lookup.secret, directory, names[i], &file);
	pthread_mutex_unlock(&w->lookup.lock);
	free_bytes(&file);
	if (!ok)
		index_clear(x);
}

/* All objects.  false: there can be no index of them. */
static bool
enter_all(struct index *x, const struct secret *s, const char *directory)
{
	DIR *d = view_list(directory);
	struct bytes file = {0};
	uint8_t name[VIEW_NAME];
	bool ok = d != NULL, odd = false;

	index_clear(x);
	while (ok && view_next(d, name, &odd))
		ok = !odd && enter(x, s, directory, name, &file);
	if (d != NULL)
		closedir(d);
	free_bytes(&file);
	if (!ok || odd)
		return false;
	index_set_complete(x);
	return true;
}

/* Those that whoever filled it could not read. */
static bool
open_sealed(struct index *x, const struct secret *s, const char *directory)
{
	uint8_t(*names)[VIEW_NAME] = calloc(INDEX_MAX, VIEW_NAME);
	struct bytes file = {0};
	bool ok = names != NULL;
	size_t n;

	n = ok ? index_by_flag(x, INDEX_SEALED, names, INDEX_MAX) : 0;
	for (size_t i = 0; ok && i < n; i++)
		ok = enter(x, s, directory, names[i], &file);
	free(names);
	free_bytes(&file);
	return ok;
}

static bool
is_filled(const struct index *x, const struct secret *s)
{
	return index_complete(x) && (s == NULL || index_sealed(x) == 0);
}

/* With the lock of the secret. */
static bool
fill(struct request *r, struct index *x, const struct secret *s)
{
	char directory[VIEW_PATH];
	bool ok;

	if (is_filled(x, s))
		return true;
	if (!view_directory(r->w->config->nursery->directory, directory))
		return false;
	pool_promote(r->w, r->seat);
	gate_index_lock(&r->gate);
	ok = index_complete(x) || enter_all(x, s, directory);
	if (ok && !is_filled(x, s))
		ok = open_sealed(x, s, directory);
	gate_index_unlock(&r->gate);
	return ok;
}

static bool
room_for(struct names *c, size_t more)
{
	void *p;

	if (c->room - c->n >= more)
		return true;
	if ((p = realloc(c->p, (c->n + more) * VIEW_NAME)) == NULL)
		return false;
	c->p = p;
	c->room = c->n + more;
	return true;
}

/* Those with this hash, of the public and of the private objects. */
static bool
add_by(struct names *c, const struct index *x, const struct secret *s, enum index_by by,
    const void *p, size_t len)
{
	const struct secret *keys[] = {NULL, s};

	for (size_t i = 0; i < (s != NULL ? 2 : 1); i++) {
		size_t n;

		if (!room_for(c, SOME))
			return false;
		n = index_by_hash(x, by, hash(keys[i], by, p, len), c->p + c->n, SOME);
		if (n > SOME)
			return false;
		c->n += n;
	}
	return true;
}

/* Those of which nothing is known may be anything. */
static bool
add_unknown(struct names *c, const struct index *x)
{
	size_t n;

	if (!room_for(c, SOME))
		return false;
	n = index_by_flag(x, INDEX_UNKNOWN, c->p + c->n, SOME);
	c->n += n;
	return n <= SOME;
}

static const CK_ATTRIBUTE *
wanted(const CK_ATTRIBUTE *t, CK_ULONG n, CK_ATTRIBUTE_TYPE type)
{
	for (CK_ULONG i = 0; i < n; i++)
		if (t[i].type == type && t[i].pValue != NULL && t[i].ulValueLen > 0)
			return &t[i];
	return NULL;
}

static bool
class_in(const CK_ATTRIBUTE *t, CK_ULONG n, uint32_t *ret)
{
	const CK_ATTRIBUTE *a = wanted(t, n, CKA_CLASS);
	CK_OBJECT_CLASS class;

	if (a == NULL || a->ulValueLen != sizeof(class))
		return false;
	memcpy(&class, a->pValue, sizeof(class));
	*ret = (uint32_t) class;
	return true;
}

/* Of those that were chosen, the others are no use: SoftHSM2 looks at all that it sees.
 */
static void
keep_class(struct names *c, const struct index *x, uint32_t class)
{
	struct index_object o;
	size_t kept = 0;

	for (size_t i = 0; i < c->n; i++)
		if (index_get(x, c->p[i], &o) && o.class == class)
			memmove(c->p[kept++], c->p[i], VIEW_NAME);
	c->n = kept;
}

static bool
add_class(struct names *c, const struct index *x, uint32_t class)
{
	if (!room_for(c, INDEX_MAX))
		return false;
	c->n += index_by_class(x, class, c->p + c->n, INDEX_MAX);
	return true;
}

/* false: the index cannot tell. */
static bool
choose(struct names *c, const struct index *x, const struct secret *s,
    const CK_ATTRIBUTE *t, CK_ULONG n)
{
	static const struct {
		CK_ATTRIBUTE_TYPE type;
		enum index_by by;
	} keys[] = {{CKA_ID, INDEX_ID}, {CKA_LABEL, INDEX_LABEL}};
	const CK_ATTRIBUTE *a;
	uint32_t class = 0;
	bool has_class;
	size_t i;

	if (t == NULL)
		return false;
	has_class = class_in(t, n, &class);
	for (i = 0; i < 2; i++) {
		c->n = 0;
		if ((a = wanted(t, n, keys[i].type)) != NULL &&
		    add_by(c, x, s, keys[i].by, a->pValue, a->ulValueLen))
			break;
	}
	if (i == 2) {
		c->n = 0;
		if (!has_class || !add_class(c, x, class))
			return false;
	} else if (has_class) {
		keep_class(c, x, class);
	}
	return add_unknown(c, x);
}

void
lookup_prepare(struct request *r, const CK_ATTRIBUTE *t, CK_ULONG n)
{
	struct lookup *l = &r->w->lookup;
	struct index *x = index_of(r->w);
	struct names c = {0};
	bool ok;

	if (view_is_whole())
		return;
	pthread_mutex_lock(&l->lock);
	ok = x != NULL && !l->blind && fill(r, x, l->secret) &&
	     choose(&c, x, l->secret, t, n);
	pthread_mutex_unlock(&l->lock);
	if (!ok || !view_add((const uint8_t(*)[VIEW_NAME])c.p, c.n))
		view_whole();
	free(c.p);
}

static bool
add_identity(struct names *c, const struct index *x, const uint8_t id[MSG_ID_LEN])
{
	size_t n;

	if (id[MSG_ID_FLAGS] & MSG_ID_SESSION)
		return true;
	if (!room_for(c, SOME))
		return false;
	n = index_by_hash(x, INDEX_IDENTITY, hash_in(id), c->p + c->n, SOME);
	c->n += n;
	return n <= SOME;
}

void
lookup_identities(struct request *r, const uint8_t (*ids)[MSG_ID_LEN], size_t n)
{
	struct lookup *l = &r->w->lookup;
	struct index *x = index_of(r->w);
	struct names c = {0};
	bool ok;

	if (view_is_whole())
		return;
	pthread_mutex_lock(&l->lock);
	ok = x != NULL && !l->blind && fill(r, x, l->secret);
	for (size_t i = 0; ok && i < n; i++)
		ok = add_identity(&c, x, ids[i]);
	pthread_mutex_unlock(&l->lock);
	if (!ok || !view_add((const uint8_t(*)[VIEW_NAME])c.p, c.n))
		view_whole();
	free(c.p);
}
