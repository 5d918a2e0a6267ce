/*
 * caas-xen-map - in dom0: tries to map a page of another domain, as a debugger would.
 *
 *	caas-xen-map DOMID
 *
 * It is the page that Xen shares with that domain: one that is the domain's, and whose
 *frame dom0 is told whatever the kind of guest.  Exits 0 when it was mapped and read, 1
 *when it was denied, 2 when nothing could be tried.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xenctrl.h>
#include <xenforeignmemory.h>

static int
frame_of(uint32_t domid, xen_pfn_t *ret_frame)
{
	xc_interface *xen = xc_interface_open(NULL, NULL, 0);
	xc_domaininfo_t info;
	int found;

	if (xen == NULL)
		return -1;
	found = xc_domain_getinfolist(xen, domid, 1, &info);
	(void)xc_interface_close(xen);
	if (found != 1 || info.domain != domid)
		return -1;
	*ret_frame = info.shared_info_frame;
	return 0;
}

int
main(int argc, char **argv)
{
	xenforeignmemory_handle *h;
	xen_pfn_t frame = 0;
	uint32_t domid;
	int err = 0, denied;
	unsigned int sum = 0;
	unsigned char *p;

	if (argc != 2) {
		(void)fputs("usage: caas-xen-map DOMID\n", stderr);
		return 2;
	}
	domid = (uint32_t)strtoul(argv[1], NULL, 10);
	if (frame_of(domid, &frame) < 0) {
		(void)fprintf(stderr, "domain %u is not there\n", domid);
		return 2;
	}
	if ((h = xenforeignmemory_open(NULL, 0)) == NULL) {
		perror("xenforeignmemory_open");
		return 2;
	}
	p = xenforeignmemory_map(h, domid, PROT_READ, 1, &frame, &err);
	denied = p == NULL || err != 0;
	if (denied)
		(void)printf("denied domain=%u frame=%#lx: %s\n", domid,
		    (unsigned long)frame, strerror(err != 0 ? -err : errno));
	else
		for (size_t i = 0; i < 4096; i++)
			sum = sum * 31 + p[i];
	if (!denied)
		(void)printf("mapped domain=%u frame=%#lx sum=%08x\n", domid,
		    (unsigned long)frame, sum);
	if (p != NULL)
		(void)xenforeignmemory_unmap(h, p, 1);
	(void)xenforeignmemory_close(h);
	return denied;
}
