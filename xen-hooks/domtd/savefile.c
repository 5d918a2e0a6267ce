/* savefile.c - see savefile.h */
#include "xen-hooks/domtd/savefile.h"

#include <string.h>

#include "common/buf.h"

#define MAGIC "CAASDOMU"
#define VERSION 1

void
savefile_write(uint8_t dst[SAVEFILE_LEN], const struct savefile *s)
{
	struct buf b;

	buf_init(&b, SAVEFILE_LEN);
	buf_put_raw(&b, MAGIC, strlen(MAGIC));
	buf_put_u32(&b, VERSION);
	buf_put_str(&b, s->pair);
	buf_put_str(&b, s->name);
	buf_put_raw(&b, s->uuid, sizeof(s->uuid));
	buf_put_u32(&b, s->memory);
	buf_put_u32(&b, s->vcpus);
	buf_put_u8(&b, (uint8_t)s->type);
	memset(dst, 0, SAVEFILE_LEN);
	if (buf_ok(&b))
		memcpy(dst, b.data, b.len);
	buf_free(&b);
}

bool
savefile_read(const uint8_t src[SAVEFILE_LEN], struct savefile *ret)
{
	const uint8_t *magic, *uuid;
	struct buf b;
	uint32_t version;
	uint8_t type;

	memset(ret, 0, sizeof(*ret));
	buf_view(&b, src, SAVEFILE_LEN);
	magic = buf_get_raw(&b, strlen(MAGIC));
	version = buf_get_u32(&b);
	if (magic == NULL || memcmp(magic, MAGIC, strlen(MAGIC)) != 0 || version != VERSION)
		return false;
	buf_get_str(&b, ret->pair, sizeof(ret->pair));
	buf_get_str(&b, ret->name, sizeof(ret->name));
	uuid = buf_get_raw(&b, DOMAIN_UUID);
	ret->memory = buf_get_u32(&b);
	ret->vcpus = buf_get_u32(&b);
	type = buf_get_u8(&b);
	if (!buf_ok(&b) || type > DOMAIN_PVH || !pair_name_ok(ret->pair))
		return false;
	memcpy(ret->uuid, uuid, DOMAIN_UUID);
	ret->type = (enum domain_type)type;
	while (buf_left(&b) > 0)
		if (buf_get_u8(&b) != 0)
			return false;
	return true;
}
