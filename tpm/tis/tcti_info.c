/*
 * tcti_info.c - libtss2-tcti-caas-tis.so: the TCTI for programs that load one by its name,
 * e.g. tpm2_getrandom -T caas-tis:/dev/mem:0xfed42000.
 */
#include "tpm/tis/tcti_tis.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT const TSS2_TCTI_INFO *Tss2_Tcti_Info(void);

const TSS2_TCTI_INFO *
Tss2_Tcti_Info(void)
{
	static const TSS2_TCTI_INFO info = {
	    .version = 2,
	    .name = "caas-tis",
	    .description = "A TPM 2.0 behind a page of its registers",
	    .config_help = "PATH:0xADDRESS, default " TIS_PAGE_DEFAULT,
	    .init = tcti_tis_init,
	};

	return &info;
}
