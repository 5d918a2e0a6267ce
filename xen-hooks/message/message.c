/* message.c - see message.h */
#include "xen-hooks/message/message.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

static const char *const words[REQUEST_KINDS] = {
    "create", "list", "destroy", "save", "restore", "forget"};
static const char *const members[REPLY_KINDS] = {
    "progress", "note", "pairs", "service", "done", "error"};

const char *
request_word(enum request_kind kind)
{
	return words[kind];
}

bool
request_has_file(enum request_kind kind)
{
	return kind == REQUEST_SAVE || kind == REQUEST_RESTORE;
}

bool
pair_name_ok(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len >= PAIR_NAME || !isalnum((unsigned char)name[0]))
		return false;
	for (; *name != '\0'; name++)
		if (!isalnum((unsigned char)*name) && strchr("._-", *name) == NULL)
			return false;
	return true;
}

static void
put_json(struct buf *b, json_t *j, size_t max)
{
	char *text = j != NULL ? json_dumps(j, JSON_COMPACT) : NULL;

	buf_reset(b);
	if (text == NULL || strlen(text) > max)
		buf_fail(b);
	else
		buf_put_raw(b, text, strlen(text));
	free(text);
	json_decref(j);
}

void
request_write(struct buf *b, const struct request *r)
{
	json_t *j = json_pack("{s:i, s:s}", "version", MESSAGE_VERSION, "do", words[r->kind]);

	if (r->pair[0] != '\0')
		json_object_set_new(j, "pair", json_string(r->pair));
	if (r->by[0] != '\0')
		json_object_set_new(j, "by", json_string(r->by));
	put_json(b, j, MESSAGE_REQUEST_MAX);
}

static json_t *
get_json(const struct buf *b, size_t max)
{
	json_t *j;

	if (!buf_ok(b) || b->len == 0 || b->len > max)
		return NULL;
	j = json_loadb((const char *)b->data, b->len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(j)) {
		json_decref(j);
		return NULL;
	}
	return j;
}

/* A string of printable ASCII that fits; "" where the member is absent. */
static bool
get_text(const json_t *j, const char *member, char *dst, size_t size)
{
	const json_t *v = json_object_get(j, member);
	const char *s = json_string_value(v);
	size_t len = json_string_length(v);

	dst[0] = '\0';
	if (v == NULL)
		return true;
	if (s == NULL || len >= size)
		return false;
	for (size_t i = 0; i < len; i++)
		if (s[i] < ' ' || s[i] > '~')
			return false;
	memcpy(dst, s, len + 1);
	return true;
}

static bool
read_members(const json_t *j, struct request *ret)
{
	const json_t *version = json_object_get(j, "version");
	char word[16];
	size_t kind = 0, known = 2;

	if (!json_is_integer(version) || json_integer_value(version) != MESSAGE_VERSION ||
	    !get_text(j, "do", word, sizeof(word)) ||
	    !get_text(j, "pair", ret->pair, sizeof(ret->pair)) ||
	    !get_text(j, "by", ret->by, sizeof(ret->by)))
		return false;
	while (kind < REQUEST_KINDS && strcmp(words[kind], word) != 0)
		kind++;
	if (kind == REQUEST_KINDS)
		return false;
	ret->kind = (enum request_kind)kind;
	known += json_object_get(j, "pair") != NULL;
	known += json_object_get(j, "by") != NULL;
	return json_object_size(j) == known &&
	       (kind == REQUEST_LIST ? json_object_get(j, "pair") == NULL
				     : pair_name_ok(ret->pair));
}

bool
request_read(const struct buf *b, struct request *ret)
{
	json_t *j = get_json(b, MESSAGE_REQUEST_MAX);
	bool ok;

	memset(ret, 0, sizeof(*ret));
	ok = j != NULL && read_members(j, ret);
	json_decref(j);
	return ok;
}

void
reply_write(struct buf *b, enum reply_kind kind, const char *text)
{
	char clean[MESSAGE_TEXT];

	log_quote(clean, sizeof(clean), text, strlen(text));
	put_json(b, json_pack("{s:s}", members[kind], clean), MESSAGE_MAX);
}

void
reply_pairs(struct buf *b, const json_t *pairs)
{
	put_json(b, json_pack("{s:O}", members[REPLY_PAIRS], pairs), MESSAGE_MAX);
}

bool
reply_last(enum reply_kind kind)
{
	return kind == REPLY_DONE || kind == REPLY_ERROR;
}

static bool
value_ok(enum reply_kind kind, const json_t *v)
{
	size_t i;
	json_t *one;

	if (kind != REPLY_PAIRS)
		return json_is_string(v) && json_string_length(v) < MESSAGE_TEXT;
	if (!json_is_array(v))
		return false;
	json_array_foreach (v, i, one)
		if (!json_is_object(one))
			return false;
	return true;
}

bool
reply_read(const struct buf *b, enum reply_kind *ret_kind, json_t **ret_value)
{
	json_t *j = get_json(b, MESSAGE_MAX);
	bool ok = false;

	*ret_value = NULL;
	for (int kind = 0; j != NULL && json_object_size(j) == 1 && kind < REPLY_KINDS; kind++) {
		json_t *v = json_object_get(j, members[kind]);

		if (v == NULL || !value_ok((enum reply_kind)kind, v))
			continue;
		*ret_kind = (enum reply_kind)kind;
		*ret_value = json_incref(v);
		ok = true;
	}
	json_decref(j);
	return ok;
}
