/* chance.c - choices that a seed makes again; see soak.h */
#include <string.h>
#include <time.h>

#include "tests/soak/soak.h"

static uint64_t
mix(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x * 0x2545f4914f6cdd1du;
}

uint64_t
chance_next(struct job *j)
{
	return mix(&j->rng);
}

unsigned
chance_below(struct job *j, unsigned n)
{
	return n == 0 ? 0 : (unsigned)((chance_next(j) >> 32) % n);
}

bool
chance_of(struct job *j, unsigned percent)
{
	return chance_below(j, 100) < percent;
}

static void
fill(uint64_t *x, CK_BYTE *dst, size_t len)
{
	while (len > 0) {
		uint64_t v = mix(x);
		size_t n = len < sizeof(v) ? len : sizeof(v);

		memcpy(dst, &v, n);
		dst += n;
		len -= n;
	}
}

void
chance_fill(struct job *j, CK_BYTE *dst, size_t len)
{
	fill(&j->rng, dst, len);
}

void
chance_named(const char *name, CK_BYTE *dst, size_t len)
{
	uint64_t x = 0xcbf29ce484222325u;

	for (; *name != '\0'; name++)
		x = (x ^ (unsigned char)*name) * 0x100000001b3u;
	x |= 1;
	fill(&x, dst, len);
}

void
pause_ms(unsigned ms)
{
	struct timespec ts = {ms / 1000, (long)(ms % 1000) * 1000000};

	nanosleep(&ts, NULL);
}
