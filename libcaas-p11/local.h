/*
 * local.h - the calls that the module answers alone.
 *
 * One function for each LOCAL row of calls.def, with the C parameters as struct args.
 */
#ifndef CAAS_P11_LOCAL_H
#define CAAS_P11_LOCAL_H

#include "protocol/args.h"

CK_RV local_C_Initialize(const struct arg *args);
CK_RV local_C_Finalize(const struct arg *args);
CK_RV local_C_GetInfo(const struct arg *args);
CK_RV local_C_GetFunctionList(const struct arg *args);
CK_RV local_C_GetSlotList(const struct arg *args);
CK_RV local_C_WaitForSlotEvent(const struct arg *args);
CK_RV local_C_GetInterfaceList(const struct arg *args);
CK_RV local_C_GetInterface(const struct arg *args);

#endif
