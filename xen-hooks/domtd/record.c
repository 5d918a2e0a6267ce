/* record.c - see record.h */
#include "xen-hooks/domtd/record.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hex.h"
#include "common/log.h"

#define VERSION 1

static const char *const phases[PHASES] = {"none", "making", "up", "saving", "saved", "rebooting"};
static const char *const halves[HALVES] = {"domc", "domu"};

const char *
phase_name(enum phase phase)
{
	return phases[phase];
}

static json_t *
half_write(const struct record *r, enum half h)
{
	char uuid[HEX_UUID];

	hex_uuid(uuid, r->uuid[h]);
	return json_pack("{s:s, s:s, s:b, s:b}", "uuid", uuid, "name", r->name[h], "keep",
	    r->keep[h], "fresh", r->fresh[h]);
}

int
record_put(const struct xen *xen, const struct record *r)
{
	json_t *j = json_pack("{s:i, s:s, s:s, s:b, s:b, s:s, s:i, s:i, s:i, s:o, s:o}", "version",
	    VERSION, "phase", phases[r->phase], "before", phases[r->before], "keep_on_save",
	    r->keep_on_save, "restart", r->restart, "digest", r->digest, "memory", (int)r->memory, "vcpus",
	    (int)r->vcpus, "type", (int)r->type, halves[DOMC], half_write(r, DOMC),
	    halves[DOMU], half_write(r, DOMU));
	char *text = j != NULL ? json_dumps(j, JSON_COMPACT) : NULL;
	int rc = text != NULL ? XEN(record_put, xen, r->pair, text) : -1;

	free(text);
	json_decref(j);
	return rc;
}

static bool
phase_read(const char *word, enum phase *ret)
{
	for (int i = 0; i < PHASES; i++)
		if (strcmp(phases[i], word) == 0) {
			*ret = (enum phase)i;
			return true;
		}
	return false;
}

static bool
half_read(json_t *j, enum half h, struct record *r)
{
	const char *uuid, *name;
	int keep, fresh;

	if (json_unpack(json_object_get(j, halves[h]), "{s:s, s:s, s:b, s:b}", "uuid", &uuid,
		"name", &name, "keep", &keep, "fresh", &fresh) < 0 ||
	    !hex_uuid_get(uuid, r->uuid[h]) || strlen(name) >= DOMAIN_NAME)
		return false;
	snprintf(r->name[h], DOMAIN_NAME, "%s", name);
	r->keep[h] = keep;
	r->fresh[h] = fresh;
	return true;
}

static bool
text_read(const char *text, struct record *r)
{
	json_t *j = strlen(text) <= RECORD_MAX ? json_loads(text, 0, NULL) : NULL;
	const char *phase, *before, *digest;
	int version, keep_on_save, restart, memory, vcpus, type;
	bool ok;

	ok = j != NULL &&
	     json_unpack(j, "{s:i, s:s, s:s, s:b, s:b, s:s, s:i, s:i, s:i}", "version", &version,
		 "phase", &phase, "before", &before, "keep_on_save", &keep_on_save, "restart", &restart, "digest",
		 &digest, "memory", &memory, "vcpus", &vcpus, "type", &type) == 0 &&
	     version == VERSION && memory > 0 && vcpus > 0 && type >= DOMAIN_PV &&
	     type <= DOMAIN_PVH && phase_read(phase, &r->phase) &&
	     phase_read(before, &r->before) && strlen(digest) < DIGEST_HEX &&
	     half_read(j, DOMC, r) && half_read(j, DOMU, r);
	if (ok) {
		r->keep_on_save = keep_on_save;
		r->restart = restart;
		r->memory = (uint32_t)memory;
		r->vcpus = (uint32_t)vcpus;
		r->type = (enum domain_type)type;
		snprintf(r->digest, sizeof(r->digest), "%s", digest);
	}
	json_decref(j);
	return ok;
}

int
record_get(const struct xen *xen, const char *pair, struct record *ret)
{
	bool none = false, ok;
	char *text = XEN(record_get, xen, pair, &none);

	memset(ret, 0, sizeof(*ret));
	if (text == NULL)
		return none ? 0 : -1;
	ok = text_read(text, ret);
	snprintf(ret->pair, sizeof(ret->pair), "%s", pair);
	free(text);
	if (!ok)
		log_error("pair %s: its record in XenStore is not as this domtd writes it: was it "
			  "another version's?",
		    pair);
	return ok;
}
