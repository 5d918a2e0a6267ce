/* audit_line.c - see audit_line.h */
#include "vsmd/store/audit_line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hex.h"
#include "common/secmem.h"

#define MAC_MEMBER ",\"mac\":\""
#define SIG_MEMBER ",\"sig\":\""
#define SEQ_MEMBER ",\"seq\":"
#define LABEL_LEN (sizeof(AUDIT_SIGN_LABEL) - 1)

static char *
dump(const json_t *o)
{
	return json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
}

/* Where a member begins, with the comma before it.  No string can hold these bytes: its
 * quotes have a backslash before them. */
static const char *
member(const char *line, size_t len, const char *name)
{
	return memmem(line, len, name, strlen(name));
}

/* The line without the member that has `digits` digits: two pieces. */
static bool
without(const char *line, size_t len, const char *name, size_t digits, struct part out[2])
{
	const char *at = member(line, len, name);
	size_t head = at != NULL ? (size_t)(at - line) : 0,
	       skip = strlen(name) + digits + 1;

	if (at == NULL || len - head < skip || line[head + skip - 1] != '"')
		return false;
	out[0] = (struct part){line, head};
	out[1] = (struct part){line + head + skip, len - head - skip};
	return true;
}

static bool
digits_of(const char *line, size_t len, const char *name, uint8_t *out, size_t n)
{
	const char *at = member(line, len, name);
	char hex[2 * CRYPT_SIGNATURE + 1];
	size_t skip = strlen(name);

	if (at == NULL || 2 * n >= sizeof(hex) ||
	    (size_t)(line + len - at) < skip + 2 * n)
		return false;
	memcpy(hex, at + skip, 2 * n);
	hex[2 * n] = '\0';
	return hex_get(hex, out, n);
}

static bool
get_string(const json_t *o, const char *name, const char **ret)
{
	*ret = json_string_value(json_object_get(o, name));
	return *ret != NULL;
}

static bool
get_hex(const json_t *o, const char *name, uint8_t *out, size_t len)
{
	const char *hex;

	return get_string(o, name, &hex) && hex_get(hex, out, len);
}

static bool
get_number(const json_t *o, const char *name, uint64_t *ret)
{
	const json_t *v = json_object_get(o, name);

	*ret = (uint64_t)json_integer_value(v);
	return json_is_integer(v) && json_integer_value(v) > 0;
}

/* All members that a record of its kind has, and no others. */
static bool
members(const json_t *o, struct audit_line *ret)
{
	static const char *const texts[] = {
	    "detail", "event", "peer", "principal", "rv", "token"};
	size_t n = 11 + 2 * (ret->kind != AUDIT_RECORD) + (ret->kind == AUDIT_SEAL);
	const json_t *slot = json_object_get(o, "slot");
	uint8_t sig[CRYPT_SIGNATURE], mac[CRYPT_HASH];
	const char *text;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (!get_string(o, texts[i], &text))
			return false;
	if (!get_string(o, "time", &text) || strlen(text) >= sizeof(ret->time))
		return false;
	snprintf(ret->time, sizeof(ret->time), "%s", text);
	return json_object_size(o) == n &&
	       (json_is_null(slot) || json_is_integer(slot)) &&
	       get_number(o, "seq", &ret->seq) &&
	       get_hex(o, "prev", ret->prev, sizeof(ret->prev)) &&
	       get_hex(o, "mac", mac, sizeof(mac)) &&
	       (ret->kind == AUDIT_RECORD ||
		   (get_number(o, "epoch", &ret->epoch) &&
		       get_hex(o, "next", ret->next, sizeof(ret->next)))) &&
	       (ret->kind != AUDIT_SEAL || get_hex(o, "sig", sig, sizeof(sig)));
}

const char *
audit_line_parse(const char *line, size_t len, struct audit_line *ret)
{
	json_t *o = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	struct part all = {line, len};
	const char *wrong = NULL;
	char *again = NULL;

	memset(ret, 0, sizeof(*ret));
	if (!json_is_object(o)) {
		wrong = "it is no record";
	} else if ((again = dump(o)) == NULL || strlen(again) != len ||
		   memcmp(again, line, len) != 0) {
		wrong = "it is not written as a record is";
	} else {
		ret->kind = json_object_get(o, "sig") != NULL	 ? AUDIT_SEAL
			    : json_object_get(o, "next") != NULL ? AUDIT_BEGINNING
								 : AUDIT_RECORD;
		if (!members(o, ret) || !crypt_hash(&all, 1, ret->hash))
			wrong = "its members are not those of a record";
	}
	json_decref(o);
	free(again);
	return wrong;
}

uint64_t
audit_line_seq(const char *line, size_t len)
{
	const char *at = member(line, len, SEQ_MEMBER), *end = line + len;
	uint64_t n = 0;

	if (at == NULL)
		return 0;
	for (at += strlen(SEQ_MEMBER); at < end && *at >= '0' && *at <= '9'; at++) {
		uint64_t digit = (uint64_t)(*at - '0');

		if (n > ((uint64_t)INT64_MAX - digit) / 10)
			return 0;
		n = n * 10 + digit;
	}
	return at < end && (*at == ',' || *at == '}') ? n : 0;
}

bool
audit_line_mac_fits(const uint8_t mac[CRYPT_KEY], const char *line, size_t len)
{
	uint8_t found[CRYPT_HASH], want[CRYPT_HASH];
	struct part cut[2], p[3];

	if (!digits_of(line, len, MAC_MEMBER, found, sizeof(found)) ||
	    !without(line, len, MAC_MEMBER, 2 * CRYPT_HASH, cut))
		return false;
	p[0] = cut[0];
	if (without(cut[1].data, cut[1].len, SIG_MEMBER, 2 * CRYPT_SIGNATURE, &p[1]))
		return crypt_mac(mac, p, 3, want) && sec_equal(found, want, CRYPT_HASH);
	return crypt_mac(mac, cut, 2, want) && sec_equal(found, want, CRYPT_HASH);
}

bool
audit_line_sig_fits(const uint8_t public[CRYPT_PUBLIC], const char *line, size_t len)
{
	uint8_t sig[CRYPT_SIGNATURE];
	char text[LABEL_LEN + AUDIT_LINE_MAX];
	struct part cut[2];

	if (len > AUDIT_LINE_MAX || !digits_of(line, len, SIG_MEMBER, sig, sizeof(sig)) ||
	    !without(line, len, SIG_MEMBER, 2 * CRYPT_SIGNATURE, cut))
		return false;
	memcpy(text, AUDIT_SIGN_LABEL, LABEL_LEN);
	memcpy(text + LABEL_LEN, cut[0].data, cut[0].len);
	memcpy(text + LABEL_LEN + cut[0].len, cut[1].data, cut[1].len);
	return crypt_verify(public, text, LABEL_LEN + cut[0].len + cut[1].len, sig);
}

void
audit_at_step(struct audit_at *at, const struct audit_line *line)
{
	at->seq = line->seq;
	memcpy(at->hash, line->hash, CRYPT_HASH);
	if (line->kind == AUDIT_RECORD)
		return;
	at->epoch = line->epoch + (line->kind == AUDIT_SEAL);
	memcpy(at->key, line->next, CRYPT_PUBLIC);
}

static bool
put_hex(json_t *o, const char *name, const uint8_t *p, size_t len)
{
	char hex[2 * CRYPT_SIGNATURE + 1];

	return json_object_set_new(o, name, json_string(hex_put(hex, p, len))) == 0;
}

static bool
put_mac(json_t *o, const uint8_t key[CRYPT_KEY])
{
	char *line = dump(o);
	struct part all = {line, line != NULL ? strlen(line) : 0};
	uint8_t mac[CRYPT_HASH];
	bool ok = line != NULL && crypt_mac(key, &all, 1, mac) &&
		  put_hex(o, "mac", mac, sizeof(mac));

	free(line);
	return ok;
}

static bool
put_sig(json_t *o, const uint8_t key[CRYPT_KEY])
{
	char *line = dump(o), text[LABEL_LEN + AUDIT_LINE_MAX];
	size_t len = line != NULL ? strlen(line) : 0;
	uint8_t sig[CRYPT_SIGNATURE];
	bool ok = len > 0 && len <= AUDIT_LINE_MAX;

	if (ok) {
		memcpy(text, AUDIT_SIGN_LABEL, LABEL_LEN);
		memcpy(text + LABEL_LEN, line, len);
		ok = crypt_sign(key, text, LABEL_LEN + len, sig) &&
		     put_hex(o, "sig", sig, sizeof(sig));
	}
	free(line);
	return ok;
}

char *
audit_line_make(json_t *o, const uint8_t mac[CRYPT_KEY], const uint8_t sign[CRYPT_KEY])
{
	if (!put_mac(o, mac) || (sign != NULL && !put_sig(o, sign)))
		return NULL;
	return dump(o);
}
