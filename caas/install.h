/*
 * install.h - where our other programs are: in the build tree beside us, or installed.
 *
 * Memory: paths are copied into `ret` (PATH_MAX bytes).  Threads: none.
 */
#ifndef CAAS_INSTALL_H
#define CAAS_INSTALL_H

#include <limits.h>
#include <stdbool.h>

/* The executable vsmd.  False when there is none. */
bool install_vsmd(char ret[PATH_MAX]);
/* libcaas-p11.so; $CAAS_P11_MODULE goes before all. */
bool install_module(char ret[PATH_MAX]);

#endif
