/* check.c - see check.h */
#include "vsmd/admin/check.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "tpm/tpm.h"

#define PASSPHRASE ADMIN_PASSPHRASE
#define SO_PIN ADMIN_SO_PIN
#define BLOB ADMIN_BLOB
#define NOTHING                                                                          \
	{                                                                                \
		NULL, 0                                                                  \
	}
#define STRING(arg) {#arg, ADMIN_STRING}
#define NUMBER(arg) {#arg, ADMIN_NUMBER}
#define PCRS(arg) {#arg, ADMIN_PCRS}
#define ADMIN(name, flags, ...) {name, flags, {__VA_ARGS__}},

static const struct admin_call table[] = {
#include "vsmd/admin/admin.def"
};

const struct admin_call *
admin_call_by_name(const char *name)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (strcmp(table[i].name, name) == 0)
			return &table[i];
	return NULL;
}

static bool
string_ok(const json_t *v)
{
	return json_is_string(v) && json_string_length(v) >= 1 &&
	    json_string_length(v) <= ADMIN_MAX_STRING;
}

static bool
pcr_index_ok(const char *s)
{
	size_t len = strlen(s);

	if (len < 1 || len > 2 || !isdigit((unsigned char)s[0]) ||
	    (len == 2 && (s[0] == '0' || !isdigit((unsigned char)s[1]))))
		return false;
	return strtoul(s, NULL, 10) < TPM_MAX_PCRS;
}

/* Values have the size of a digest: SHA-1 or SHA-256. */
static bool
pcr_value_ok(const json_t *v)
{
	const char *s = json_string_value(v);
	size_t len = json_string_length(v);

	return s != NULL && (len == 40 || len == 64) &&
	    strspn(s, "0123456789abcdefABCDEF") == len;
}

static bool
pcrs_ok(json_t *v)
{
	const char *key;
	json_t *value;

	if (!json_is_object(v) || json_object_size(v) == 0)
		return false;
	json_object_foreach(v, key, value)
		if (!pcr_index_ok(key) || !pcr_value_ok(value))
			return false;
	return true;
}

static bool
value_ok(enum admin_type type, json_t *v)
{
	switch (type) {
	case ADMIN_STRING:
		return string_ok(v);
	case ADMIN_NUMBER:
		return json_is_integer(v) && json_integer_value(v) >= 0;
	case ADMIN_PCRS:
		return pcrs_ok(v);
	}
	return false;
}

static const char *
type_name(enum admin_type type)
{
	switch (type) {
	case ADMIN_STRING:
		return "a string of 1 to 255 bytes";
	case ADMIN_NUMBER:
		return "a whole number that is not negative";
	case ADMIN_PCRS:
		return "an object of PCR indices with hexadecimal digests";
	}
	return "?";
}

static bool
args_ok(const struct admin_call *call, json_t *args, char *why, size_t size)
{
	size_t n = 0;

	for (; n < ADMIN_MAX_ARGS && call->args[n].name != NULL; n++) {
		json_t *v = json_object_get(args, call->args[n].name);

		if (v == NULL || !value_ok(call->args[n].type, v)) {
			snprintf(why, size, "%s: argument %s must be %s", call->name,
			    call->args[n].name, type_name(call->args[n].type));
			return false;
		}
	}
	if (json_object_size(args) != n) {
		snprintf(why, size, "%s: an argument that this vsmd does not know",
		    call->name);
		return false;
	}
	return true;
}

static enum admin_verdict
secret_check(const struct admin_request *r, char *why, size_t size)
{
	struct buf b;
	size_t passphrase = 0, so_pin = 0;

	if (r->secret_len > 0) {
		buf_view(&b, r->secret, r->secret_len);
		buf_get_bytes(&b, &passphrase);
		buf_get_bytes(&b, &so_pin);
		if (!buf_end(&b))
			return ADMIN_BREACH;
	}
	if (passphrase > ADMIN_MAX_PASSPHRASE || so_pin > ADMIN_MAX_PIN) {
		snprintf(why, size, "%s: the %s is too long", r->call->name,
		    so_pin > ADMIN_MAX_PIN ? "SO PIN" : "passphrase");
		return ADMIN_REFUSED;
	}
	if ((passphrase > 0 && !(r->call->flags & ADMIN_PASSPHRASE)) ||
	    (so_pin > 0 && !(r->call->flags & ADMIN_SO_PIN))) {
		snprintf(why, size, "%s: takes no %s", r->call->name,
		    so_pin > 0 ? "SO PIN" : "passphrase");
		return ADMIN_REFUSED;
	}
	if (so_pin == 0 && (r->call->flags & ADMIN_SO_PIN)) {
		snprintf(why, size, "%s: needs the SO PIN", r->call->name);
		return ADMIN_REFUSED;
	}
	return ADMIN_GOOD;
}

static enum admin_verdict
blob_check(const struct admin_request *r, char *why, size_t size)
{
	if (r->blob_len > ADMIN_MAX_BLOB)
		return ADMIN_BREACH;
	if ((r->blob_len > 0) != ((r->call->flags & ADMIN_BLOB) != 0)) {
		snprintf(why, size, "%s: %s", r->call->name,
		    r->blob_len > 0 ? "takes no data" : "needs data");
		return ADMIN_REFUSED;
	}
	return ADMIN_GOOD;
}

enum admin_verdict
admin_check(struct buf *in, struct admin_request *ret, char *why, size_t size)
{
	char name[64], quoted[128];
	const uint8_t *text;
	size_t text_len = 0;
	enum admin_verdict v;

	*ret = (struct admin_request){0};
	buf_get_str(in, name, sizeof(name));
	text = buf_get_bytes(in, &text_len);
	ret->secret = buf_get_bytes(in, &ret->secret_len);
	ret->blob = buf_get_bytes(in, &ret->blob_len);
	if (!buf_end(in) || text_len > ADMIN_MAX_JSON)
		return ADMIN_BREACH;

	ret->call = admin_call_by_name(name);
	if (ret->call == NULL) {
		snprintf(why, size, "no such call: %s",
		    log_quote(quoted, sizeof(quoted), name, strlen(name)));
		return ADMIN_REFUSED;
	}
	ret->args = json_loadb((const char *)text, text_len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(ret->args)) {
		snprintf(why, size, "%s: the arguments are not a JSON object", name);
		return ADMIN_REFUSED;
	}
	if (!args_ok(ret->call, ret->args, why, size))
		return ADMIN_REFUSED;
	v = secret_check(ret, why, size);
	return v != ADMIN_GOOD ? v : blob_check(ret, why, size);
}

void
admin_request_free(struct admin_request *r)
{
	json_decref(r->args);
	r->args = NULL;
}
