/*
 * fake_service.h - DomT's TPM service as domtd speaks with it, in a thread of the test: it
 * remembers the world that it was told last.
 */
#ifndef CAAS_TESTS_FAKE_SERVICE_H
#define CAAS_TESTS_FAKE_SERVICE_H

#include <pthread.h>
#include <stdatomic.h>

#include "xen-hooks/tpmd/control.h"

enum fake_manner { FAKE_HEARS, FAKE_REFUSES, FAKE_BABBLES, FAKE_LONG, FAKE_LEAVES };

struct fake_service {
	char dir[32], address[64];
	int listener;
	pthread_t thread;
	atomic_uint asked;    /* the worlds that it was sent */
	pthread_mutex_t lock; /* of what follows */
	enum fake_manner manner;
	char text[CONTROL_TEXT]; /* of its answers */
	uint32_t kept;		 /* rows of what is to be forgotten */
	struct control_world heard;
	unsigned times; /* that it was told a world */
};

/* It listens at its address, a socket in a directory of its own. */
void fake_service_start(struct fake_service *s);
void fake_service_stop(struct fake_service *s);
/* So often it was told a world by now. */
unsigned fake_service_times(struct fake_service *s);
/* Pairs in the last one. */
size_t fake_service_pairs(struct fake_service *s);

#endif
