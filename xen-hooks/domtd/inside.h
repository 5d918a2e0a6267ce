/* inside.h - what operate.c and make.c have in common. */
#ifndef CAAS_DOMTD_INSIDE_H
#define CAAS_DOMTD_INSIDE_H

#include "xen-hooks/domtd/operate.h"

/* o->error; returns -1. */
int operate_fail(struct operation *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same with the reason of the last call of o->xen. */
int operate_xen_failed(struct operation *o, const char *what);
void operate_say(struct operation *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int operate_destroy_domain(struct operation *o, enum half h, uint32_t domid);

#endif
