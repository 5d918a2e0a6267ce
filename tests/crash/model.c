/* model.c - see model.h */
#include "model.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/ipc.h"
#include "vsmd/msg.h"

struct model_ticket model_tickets[MODEL_TICKETS];

struct model_token *
model_find(struct model *m, const char *label)
{
	for (size_t i = 0; i < MODEL_TOKENS; i++)
		if (m->tokens[i].there && strcmp(m->tokens[i].label, label) == 0)
			return &m->tokens[i];
	fprintf(stderr, "crash: the model has no token %s\n", label);
	exit(1);
}

struct model_file *
model_file(struct model_token *t, const char *name)
{
	for (size_t i = 0; i < t->nfiles; i++)
		if (strcmp(t->files[i].name, name) == 0)
			return &t->files[i];
	return NULL;
}

void
model_put(struct model_token *t, const char *name, unsigned version, size_t size)
{
	struct model_file *f = model_file(t, name);

	if (f == NULL && t->nfiles < MODEL_FILES)
		f = &t->files[t->nfiles++];
	if (f == NULL) {
		fprintf(stderr, "crash: too many files in the model\n");
		exit(1);
	}
	memset(f, 0, sizeof(*f));
	snprintf(f->name, sizeof(f->name), "%s", name);
	f->version = version;
	f->size = size;
}

void
model_remove(struct model_token *t, const char *name)
{
	struct model_file *f = model_file(t, name);

	if (f != NULL)
		*f = t->files[--t->nfiles];
}

void
model_committed(struct model *m)
{
	for (size_t k = 0; k < MODEL_TICKETS; k++)
		for (size_t i = 0; m->loose & 1u << k && i < MODEL_TOKENS; i++)
			if (m->tokens[i].there && m->tokens[i].slot == model_tickets[k].slot)
				m->tokens[i].revoked |= 1u << k;
	m->loose = 0;
}

void
model_bytes(const struct model_file *f, uint8_t *out)
{
	uint32_t x = f->version * 2654435761u + (uint32_t)strlen(f->name);

	for (const char *p = f->name; *p != '\0'; p++)
		x = x * 31 + (uint8_t)*p;
	for (size_t i = 0; i < f->size; i++) {
		x = x * 1664525u + 1013904223u;
		out[i] = (uint8_t)(x >> 24);
	}
}

void
model_once(unsigned name, uint8_t out[16])
{
	memset(out, 'n', 16);
	out[0] = (uint8_t)name;
}

static void __attribute__((format(printf, 2, 3))) add(char *text, const char *fmt, ...)
{
	size_t n = strlen(text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text + n, MODEL_TEXT - n, fmt, ap);
	va_end(ap);
}

static uint64_t
hash(const uint8_t *p, size_t n)
{
	uint64_t h = 14695981039346656037u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * 1099511628211u;
	return h;
}

struct line {
	char text[80];
};

static int
compare(const void *a, const void *b)
{
	return strcmp(((const struct line *)a)->text, ((const struct line *)b)->text);
}

static void
describe(struct line *l, const char *name, const uint8_t *data, size_t size)
{
	snprintf(l->text, sizeof(l->text), "%.24s:%zu:%08x", name, size,
	    (unsigned)hash(data, size));
}

static void
add_files(char *text, struct line *lines, size_t n)
{
	qsort(lines, n, sizeof(*lines), compare);
	for (size_t i = 0; i < n; i++)
		add(text, " %s", lines[i].text);
	add(text, "\n");
}

static void
write_files(const struct model_token *t, char *text)
{
	struct line lines[MODEL_FILES];

	for (size_t i = 0; i < t->nfiles; i++) {
		uint8_t *data = malloc(t->files[i].size + 1);

		if (data == NULL)
			abort();
		model_bytes(&t->files[i], data);
		describe(&lines[i], t->files[i].name, data, t->files[i].size);
		free(data);
	}
	add_files(text, lines, t->nfiles);
}

/* Whether tickets of before open on a token of history_one_more() depends on whether it is
 * still the same store: a first start that was interrupted begins again. */
static bool
has_tickets(const char *label)
{
	return strcmp(label, "after") != 0;
}

static void
write_token(const struct model *m, const struct model_token *t, bool revoked, char *text)
{
	unsigned gone = t->revoked | (revoked ? m->loose : 0);

	add(text, "slot %" PRIu32 " %s %s", t->slot, t->label, t->serial);
	if (m->rolled_back || t->rolled_back) {
		add(text, " rolled-back\n");
		return;
	}
	if (t->user_pin > 0)
		add(text, " pin=user-%u", t->user_pin);
	add(text, " wrong=%u,%u tickets=", t->wrong[0], t->wrong[1]);
	for (size_t k = 0; k < MODEL_TICKETS; k++)
		if (model_tickets[k].data.len > 0 && model_tickets[k].slot == t->slot &&
		    has_tickets(t->label))
			add(text, "%c",
			    model_tickets[k].epoch == t->epoch && !(gone & 1u << k) ? '+' : '-');
	add(text, " named=%x:", t->named);
	write_files(t, text);
}

void
model_write(const struct model *m, bool revoked, char out[MODEL_TEXT])
{
	out[0] = '\0';
	if (m->rolled_back)
		add(out, "rolled back\n");
	for (uint32_t slot = 0; slot < 64; slot++)
		for (size_t i = 0; i < MODEL_TOKENS; i++)
			if (m->tokens[i].there && m->tokens[i].slot == slot)
				write_token(m, &m->tokens[i], revoked, out);
}

bool
model_is(struct model *m, const char *text)
{
	char mine[MODEL_TEXT];

	model_write(m, true, mine);
	if (strcmp(mine, text) == 0) {
		model_committed(m);
		return true;
	}
	model_write(m, false, mine);
	if (strcmp(mine, text) != 0)
		return false;
	m->loose = 0;
	return true;
}

/* A store looked at. */

static void
look_at_files(int dir, char *text)
{
	struct line lines[64];
	DIR *d = dir >= 0 ? fdopendir(dir) : NULL;
	struct dirent *e;
	size_t n = 0;

	while (d != NULL && n < 64 && (e = readdir(d)) != NULL) {
		const char *dot = strrchr(e->d_name, '.');
		struct stat st;
		uint8_t *data;
		int fd;

		if (e->d_name[0] == '.' || strcmp(e->d_name, "generation") == 0 ||
		    (dot != NULL && strcmp(dot, ".lock") == 0))
			continue;
		fd = openat(dirfd(d), e->d_name, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || fstat(fd, &st) != 0 ||
		    (data = malloc((size_t)st.st_size + 1)) == NULL)
			abort();
		if (read(fd, data, (size_t)st.st_size) != st.st_size)
			abort();
		describe(&lines[n++], e->d_name, data, (size_t)st.st_size);
		free(data);
		close(fd);
	}
	if (d != NULL)
		closedir(d);
	add_files(text, lines, n);
}

/* The token's directory is the only one of its slot, and has the serial for a name. */
static void
look_at_directory(const struct vsm_slot *slot, const char *serial, char *text)
{
	char path[600];
	struct dirent *e;
	DIR *d = opendir(slot->directory);

	while (d != NULL && (e = readdir(d)) != NULL)
		if (e->d_name[0] != '.' && strcmp(e->d_name, serial) != 0)
			add(text, " stranger=%s", e->d_name);
	if (d != NULL)
		closedir(d);
	snprintf(path, sizeof(path), "%s/%s", slot->directory, serial);
	look_at_files(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), text);
}

static unsigned
wrong_of(CK_FLAGS flags, CK_FLAGS low, CK_FLAGS final, CK_FLAGS locked)
{
	return flags & locked ? 3 : flags & final ? 2 : flags & low ? 1 : 0;
}

static void
look_at_tickets(struct vsm *v, int fd, const struct vsm_slot *slot, char *text)
{
	struct buf b;

	buf_init(&b, IPC_MAX);
	add(text, " tickets=");
	for (size_t k = 0; k < MODEL_TICKETS; k++) {
		if (model_tickets[k].data.len == 0 || model_tickets[k].slot != slot->number ||
		    !has_tickets(slot->label))
			continue;
		buf_reset(&b);
		buf_put_u8(&b, M_W_TICKET_OPEN);
		buf_put_bytes(&b, model_tickets[k].data.data, model_tickets[k].data.len);
		add(text, "%c", vsm_ask(v, fd, &b) == CKR_OK ? '+' : '-');
	}
	buf_free(&b);
}

static void
look_at_names(struct vsm *v, int fd, char *text)
{
	unsigned named = 0;
	struct buf b;

	buf_init(&b, IPC_MAX);
	for (unsigned k = 0; k < MODEL_NAMES; k++) {
		uint8_t name[16];

		model_once(k, name);
		buf_reset(&b);
		buf_put_u8(&b, M_W_ONCE);
		buf_put_raw(&b, name, sizeof(name));
		if (vsm_ask(v, fd, &b) == CKR_OK && buf_get_u8(&b) > 0)
			named |= 1u << k;
	}
	add(text, " named=%x:", named);
	buf_free(&b);
}

static void
look_at_pins(struct vsm *v, int fd, char *text)
{
	CK_FLAGS flags = 0;
	const uint8_t *pin;
	size_t len = 0;
	struct buf b;

	buf_init(&b, IPC_MAX);
	buf_put_u8(&b, M_W_CHANNEL_PIN);
	if (vsm_ask(v, fd, &b) == CKR_OK && (pin = buf_get_bytes(&b, &len)) != NULL)
		add(text, " pin=%.*s", (int)len, (const char *)pin);
	buf_reset(&b);
	buf_put_u8(&b, M_W_TOKEN_FLAGS);
	if (vsm_ask(v, fd, &b) == CKR_OK)
		flags = buf_get_u64(&b);
	add(text, " wrong=%u,%u",
	    wrong_of(flags, CKF_SO_PIN_COUNT_LOW, CKF_SO_PIN_FINAL_TRY, CKF_SO_PIN_LOCKED),
	    wrong_of(flags, CKF_USER_PIN_COUNT_LOW, CKF_USER_PIN_FINAL_TRY,
		CKF_USER_PIN_LOCKED));
	buf_free(&b);
}

static void
look_at_token(struct vsm *v, const json_t *o, char *text)
{
	uint32_t number = (uint32_t)json_integer_value(json_object_get(o, "slot"));
	const char *serial = json_string_value(json_object_get(o, "serial"));
	const char *state = json_string_value(json_object_get(o, "state"));
	const struct vsm_slot *slot = vsm_slot(v, number);
	int fd;

	add(text, "slot %" PRIu32 " %s %s", number,
	    json_string_value(json_object_get(o, "label")), serial);
	if (strcmp(state, "served") != 0) {
		add(text, " %s%s\n", state, slot != NULL ? " but shown" : "");
		return;
	}
	if (slot == NULL || !slot->initialized) {
		add(text, " not shown\n");
		return;
	}
	fd = vsm_attach(v, number, false);
	look_at_pins(v, fd, text);
	look_at_tickets(v, fd, slot, text);
	look_at_names(v, fd, text);
	look_at_directory(slot, serial, text);
	if (fd >= 0)
		close(fd);
}

bool
model_look(struct vsm *v, char out[MODEL_TEXT])
{
	char text[4096];
	json_t *list;

	out[0] = '\0';
	if (vsm_admin(v, "token-list", "{}", NULL, text) != CKR_OK ||
	    (list = json_loads(text, 0, NULL)) == NULL)
		return false;
	if (v->rolled_back)
		add(out, "rolled back\n");
	for (uint32_t slot = 0; slot < 64; slot++)
		for (size_t i = 0; i < json_array_size(list); i++) {
			const json_t *o = json_array_get(list, i);

			if (json_integer_value(json_object_get(o, "slot")) == slot)
				look_at_token(v, o, out);
		}
	json_decref(list);
	if (!v->rolled_back && vsm_blank(v) == NULL)
		add(out, "no blank slot\n");
	return v->pid > 0;
}
