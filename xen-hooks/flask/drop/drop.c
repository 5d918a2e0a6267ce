/* drop.c - see drop.h */
#include "xen-hooks/flask/drop/drop.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <xenctrl.h>

#include "common/log.h"

#define DOM0 0
/* The TPM's interface: a page for each locality, from 0xfed40000 on; 0 is the driver's.
 */
#define TPM_LOCALITY_1 0xfed41UL
#define TPM_LOCALITIES 4

static bool
enforcing(xc_interface *xen)
{
	int mode = xc_flask_getenforce(xen);

	if (mode < 0)
		log_error(
		    "Xen has no FLASK, or does not use it (%s): boot an XSM hypervisor "
		    "with flask=enforcing and a policy",
		    strerror(errno));
	else if (mode == 0)
		log_error(
		    "FLASK is permissive, it denies nothing: boot with flask=enforcing");
	return mode > 0;
}

static bool
own_label(xc_interface *xen, uint32_t *ret_sid)
{
	xc_domaininfo_t info;

	if (xc_domain_getinfolist(xen, DOM0, 1, &info) != 1 || info.domain != DOM0) {
		log_error(
		    "dom0's label cannot be asked for: is this dom0, and the policy "
		    "CaaS's?");
		return false;
	}
	*ret_sid = info.ssidref;
	return true;
}

static bool
relabel(xc_interface *xen, const char *label, bool tpm)
{
	char context[256];
	uint32_t sid, own;

	/* libxenctrl takes one that it might write to. */
	if (snprintf(context, sizeof(context), "%s", label) >= (int)sizeof(context)) {
		log_error("the label is too long");
		return false;
	}
	if (xc_flask_context_to_sid(xen, context, (uint32_t)strlen(context), &sid) < 0) {
		log_error("the policy knows no label %s (%s): was CaaS's loaded at boot?",
		    label, strerror(errno));
		return false;
	}
	if (!own_label(xen, &own))
		return false;
	if (own == sid) {
		log_info("dom0 is %s already", label);
		return true;
	}
	if (tpm && xc_domain_iomem_permission(
		       xen, DOM0, TPM_LOCALITY_1, TPM_LOCALITIES, 0) < 0) {
		log_error(
		    "the TPM's localities 1 to 4 cannot be taken from dom0 (%s): it has "
		    "not been relabelled",
		    strerror(errno));
		return false;
	}
	if (xc_flask_relabel_domain(xen, DOMID_SELF, sid) < 0) {
		log_error(
		    "dom0 cannot become %s (%s): the policy must let its present label "
		    "become this one",
		    label, strerror(errno));
		return false;
	}
	if (!own_label(xen, &own))
		return false;
	if (own != sid) {
		log_error(
		    "dom0 was relabelled, and is not %s: do not trust this hypervisor",
		    label);
		return false;
	}
	log_info("dom0 is %s until the next boot%s", label,
	    tpm ? ", without the TPM's localities 1 to 4" : "");
	return true;
}

bool
drop(const char *label, bool tpm)
{
	xc_interface *xen = xc_interface_open(NULL, NULL, 0);
	bool done;

	if (xen == NULL) {
		log_error("Xen cannot be reached (%s): this is for root of dom0",
		    strerror(errno));
		return false;
	}
	done = enforcing(xen) && relabel(xen, label, tpm);
	(void)xc_interface_close(xen);
	return done;
}
