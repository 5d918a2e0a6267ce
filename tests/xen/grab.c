/*
 * caas-xen-grab - tries to get at another domain's pages and events by their numbers.
 *
 *	caas-xen-grab DOMID
 *
 * Prints `pages=N events=N': how many of the first grants of that domain this one can map, and
 * to how many of its event channels it can bind.  For a domain that is granted nothing, none.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <xenevtchn.h>
#include <xengnttab.h>

#define GRANTS 2048 /* a domain gives the low numbers first */
#define EVENTS 512

static int
map_all(uint32_t domid)
{
	xengnttab_handle *h = xengnttab_open(NULL, 0);
	int n = 0;

	if (h == NULL)
		return -1;
	for (uint32_t ref = 0; ref < GRANTS; ref++) {
		void *p = xengnttab_map_grant_ref(h, domid, ref, PROT_READ);

		if (p == NULL)
			continue;
		n++;
		(void)xengnttab_unmap(h, p, 1);
	}
	(void)xengnttab_close(h);
	return n;
}

static int
bind_all(uint32_t domid)
{
	xenevtchn_handle *h = xenevtchn_open(NULL, 0);
	int n = 0;

	if (h == NULL)
		return -1;
	for (evtchn_port_t port = 1; port < EVENTS; port++) {
		xenevtchn_port_or_error_t own = xenevtchn_bind_interdomain(h, domid, port);

		if (own < 0)
			continue;
		n++;
		(void)xenevtchn_unbind(h, (evtchn_port_t)own);
	}
	(void)xenevtchn_close(h);
	return n;
}

int
main(int argc, char **argv)
{
	uint32_t domid;

	if (argc != 2) {
		fprintf(stderr, "usage: caas-xen-grab DOMID\n");
		return 2;
	}
	domid = (uint32_t)strtoul(argv[1], NULL, 10);
	printf("pages=%d events=%d\n", map_all(domid), bind_all(domid));
	return 0;
}
