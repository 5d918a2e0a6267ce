/*
 * iomem.c - caas-xen-iomem DOMID FRAME COUNT allow|deny: Xen lets the domain map these frames
 * of device memory (FRAME in hex), or no longer.  For dom0.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xenctrl.h>

int
main(int argc, char **argv)
{
	xc_interface *xc;

	if (argc != 5) {
		fputs("usage: caas-xen-iomem DOMID FRAME COUNT allow|deny\n", stderr);
		return 2;
	}
	if ((xc = xc_interface_open(NULL, NULL, 0)) == NULL) {
		perror("xc_interface_open");
		return 3;
	}
	if (xc_domain_iomem_permission(xc, (uint32_t)strtoul(argv[1], NULL, 10),
		strtoul(argv[2], NULL, 16), strtoul(argv[3], NULL, 10),
		strcmp(argv[4], "allow") == 0) == 0) {
		puts("done");
		return 0;
	}
	printf("refused: %s\n", strerror(errno));
	return 1;
}
