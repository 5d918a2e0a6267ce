/* info.c - FRAME_INFO: what the slot's calls say, told at once (protocol/info.h) */
#include "protocol/info.h"

#include "vsmd/worker/serve.h"

/* One of the calls: the slot, and the two arguments behind it. */
static CK_RV
ask(struct request *r, uint32_t number, CK_SLOT_ID slot, struct arg a, struct arg b)
{
	r->args[0] = (struct arg){.len = slot};
	r->args[1] = a;
	r->args[2] = b;
	return serve_step(r, number);
}

static CK_RV
list_mechs(struct request *r, CK_SLOT_ID slot, struct info *info)
{
	const struct arg none = {0};
	CK_MECHANISM_TYPE *types;
	CK_ULONG n = 0;
	CK_RV rv;

	rv = ask(r, CALL_C_GetMechanismList, slot, (struct arg){.plen = &n}, none);
	if (rv == CKR_OK && n > INFO_MECHS)
		rv = CKR_DEVICE_MEMORY;
	if (rv != CKR_OK)
		return rv;
	types = arena_array(&r->arena, n, sizeof(*types));
	info->mechs = arena_array(&r->arena, n, sizeof(*info->mechs));
	if (types == NULL || info->mechs == NULL)
		return CKR_HOST_MEMORY;
	rv = ask(r, CALL_C_GetMechanismList, slot, (struct arg){.ptr = types, .plen = &n}, none);
	for (CK_ULONG i = 0; rv == CKR_OK && i < n; i++) {
		struct info_mech *m = &info->mechs[info->count++];

		m->type = types[i];
		rv = ask(r, CALL_C_GetMechanismInfo, slot, (struct arg){.len = m->type},
		    (struct arg){.ptr = &m->info});
	}
	return rv;
}

void
serve_info(struct request *r)
{
	struct info info = {.epoch = r->reply.epoch};
	const struct call *call = r->call;
	const struct arg none = {0};
	CK_SLOT_ID slot = r->args[0].len;

	info.rv = ask(r, CALL_C_GetSlotInfo, slot, (struct arg){.ptr = &info.slot}, none);
	if (info.rv == CKR_OK)
		info.rv = ask(r, CALL_C_GetTokenInfo, slot, (struct arg){.ptr = &info.token}, none);
	if (info.rv == CKR_OK)
		info.rv = list_mechs(r, slot, &info);
	r->call = call;
	info_write(&r->out, &info);
}
