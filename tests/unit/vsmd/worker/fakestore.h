/* fakestore.h - a thread that answers a worker's questions as vsmd/msg.h says. */
#ifndef CAAS_TEST_FAKESTORE_H
#define CAAS_TEST_FAKESTORE_H

#include "rig.h"

/* Serve `pipe` until its other end is closed. */
pthread_t fake_store_start(struct fake_store *s, const char *gate, int pipe);

#endif
