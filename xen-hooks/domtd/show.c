/* show.c - see show.h */
#include "xen-hooks/domtd/show.h"

#include "common/hex.h"

const char *
show_unprotected(const struct world *w)
{
	if (w->xsm == XSM_NONE)
		return w->in_dom0
			   ? "this hypervisor has no XSM, and domtd runs in dom0: dom0 can read and "
			     "change the memory of every DomC and DomU, so keys are not protected "
			     "from dom0"
			   : "this hypervisor has no XSM: dom0 can read and change the memory of "
			     "every DomC and DomU, so keys are not protected from dom0";
	if (w->xsm == XSM_PERMISSIVE)
		return "XSM only logs what it would refuse: dom0 can read and change the memory "
		       "of every DomC and DomU, so keys are not protected from dom0";
	return w->in_dom0 ? "domtd runs in dom0: it has the memory of a DomC while it builds it, "
			    "and whether dom0 has it later is for XSM's policy to say"
			  : NULL;
}

static const char *
pair_state(const struct pair *p)
{
	if (p->record.phase != PHASE_UP)
		return phase_name(p->record.phase);
	if (p->live[DOMC] && p->live[DOMU])
		return "up";
	return p->live[DOMC] ? "domu gone" : p->live[DOMU] ? "domc gone" : "gone";
}

static json_t *
show_half(const struct pair *p, enum half h)
{
	const char *state = p->live[h] ? "there" : p->there[h] ? "ended" : "gone";
	char uuid[HEX_UUID];
	json_t *j;

	hex_uuid(uuid, p->record.uuid[h]);
	if (h == DOMU && p->record.phase == PHASE_SAVED)
		state = "saved";
	j = json_pack("{s:s, s:s, s:s}", "name", p->record.name[h], "uuid", uuid, "state", state);
	json_object_set_new(
	    j, "domid", p->there[h] ? json_integer(p->domain[h].domid) : json_null());
	if (h == DOMC)
		json_object_set_new(j, "sha256",
		    p->there[h] && p->record.digest[0] != '\0' ? json_string(p->record.digest)
							       : json_null());
	return j;
}

json_t *
show_pair(const struct pair *p)
{
	return json_pack("{s:s, s:s, s:o, s:o}", "pair", p->record.pair, "state", pair_state(p),
	    "domc", show_half(p, DOMC), "domu", show_half(p, DOMU));
}
