/* seed_draw.c - see seed.h */
#include "vsmd/store/seed.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/secmem.h"

#define POOL "/dev/urandom"

/* What is written there is mixed in, and counted for nothing. */
static void
give_to_kernel(const uint8_t seed[SEED_LEN])
{
	int fd = open(POOL, O_WRONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0 || write(fd, seed, SEED_LEN) != SEED_LEN)
		log_warn(POOL ": the TPM's random bytes were not taken: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
}

bool
seed_draw(struct tpm *t, uint8_t ret[SEED_LEN])
{
	uint8_t drawn[3][SEED_LEN];
	bool ok = tpm_random(t, drawn, sizeof(drawn)) == TPM_OK;

	if (ok) {
		give_to_kernel(drawn[0]);
		seed_mix(drawn[1]);
		memcpy(ret, drawn[2], SEED_LEN);
		log_debug("random bytes of the TPM were mixed in");
	} else {
		log_warn("no random bytes from the TPM: keys come from the kernel's generator alone: %s",
		    tpm_error(t));
	}
	sec_wipe(drawn, sizeof(drawn));
	return ok;
}
