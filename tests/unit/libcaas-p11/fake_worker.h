/* fake_worker.h - the worker half of fake.c: SoftHSM2 behind the protocol. */
#ifndef CAAS_TEST_FAKE_WORKER_H
#define CAAS_TEST_FAKE_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "fake.h"

struct channel;

/* Serve the channel until it ends. */
void worker_serve(struct fake *f, struct channel *c, uint32_t slot, uint32_t max_frame);
/* Make the token of FAKE_SLOT. */
bool worker_make_token(void);

#endif
