/* seed.c - see seed.h */
#include "vsmd/store/seed.h"

#include <openssl/rand.h>

void
seed_mix(const uint8_t seed[SEED_LEN])
{
	/* Beside what libcrypto takes from the kernel at the same moment. */
	RAND_add(seed, SEED_LEN, 0);
}
