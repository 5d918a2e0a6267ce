/*
 * main.c - caas-hostile; see hostile.h
 *
 *	caas-hostile SOCKET SEED GUESTS FRAMES SLOT:PIN[:SO_PIN:LABEL]...
 *
 * Ends once FRAMES mutated frames were sent, and says how many of what.
 */
#include "hostile.h"

#include <err.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MOST_GUESTS 64

struct count count;
const char *address;

uint64_t
chance_next(struct chance *c)
{
	c->x ^= c->x << 13;
	c->x ^= c->x >> 7;
	c->x ^= c->x << 17;
	return c->x * 0x2545f4914f6cdd1du;
}

uint32_t
below(struct chance *c, uint32_t n)
{
	return n == 0 ? 0 : (uint32_t)((chance_next(c) >> 32) % n);
}

bool
one_in(struct chance *c, uint32_t n)
{
	return below(c, n) == 0;
}

void
fill(struct chance *c, void *p, size_t len)
{
	uint8_t *at = p;

	while (len > 0) {
		uint64_t v = chance_next(c);
		size_t n = len < sizeof(v) ? len : sizeof(v);

		memcpy(at, &v, n);
		at += n;
		len -= n;
	}
}

int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void
fail(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fprintf(stderr, "FAIL ");
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(1);
}

static unsigned long
number(const char *text, unsigned long most)
{
	char *end;
	unsigned long v = strtoul(text, &end, 0);

	if (*end != '\0' || v > most)
		errx(2, "%s: not a number up to %lu", text, most);
	return v;
}

/* SLOT:PIN[:SO_PIN:LABEL] */
static void
read_target(struct target *t, char *text)
{
	t->slot = (uint32_t)number(strsep(&text, ":"), UINT32_MAX);
	t->pin = strsep(&text, ":");
	t->so_pin = strsep(&text, ":");
	t->label = strsep(&text, ":");
	if (t->pin == NULL || (t->so_pin != NULL && t->label == NULL))
		errx(2, "a token is SLOT:PIN[:SO_PIN:LABEL]");
	pthread_mutex_init(&t->lock, NULL);
}

/* Every call that a worker serves has been answered; which never with CKR_OK? */
static void
tell(void)
{
	size_t n;
	const struct call *calls = call_table(&n);
	unsigned served = 0, answered = 0, ok = 0;

	for (size_t i = 0; i < n; i++) {
		uint32_t k = calls[i].number;

		if (calls[i].where != WHERE_SLOT && calls[i].where != WHERE_SESSION)
			continue;
		served++;
		answered += count.answered[k] > 0;
		ok += count.ok[k] > 0;
		if (count.answered[k] == 0)
			printf("never answered: %s, sent %lu\n", calls[i].name, count.sent[k]);
		else if (count.ok[k] == 0)
			printf("never CKR_OK: %s, answered %lu\n", calls[i].name,
			    count.answered[k]);
	}
	printf("calls=%u answered=%u ok=%u\n", served, answered, ok);
	printf("frames=%lu mutated=%lu channels=%lu ended=%lu unasked=%lu hellos=%lu attacks=%lu "
	       "refused=%lu\n",
	    count.frames, count.mutated, count.channels, count.ended, count.unasked, count.hellos,
	    count.attacks, count.refused);
}

int
main(int argc, char *argv[])
{
	static struct guest guests[MOST_GUESTS];
	static struct target targets[MOST_TARGETS];
	unsigned long nguests, goal, seed;

	if (argc < 6 || argc - 5 > MOST_TARGETS)
		errx(2, "usage: caas-hostile SOCKET SEED GUESTS FRAMES SLOT:PIN[:SO_PIN:LABEL]...");
	signal(SIGPIPE, SIG_IGN);
	address = argv[1];
	seed = number(argv[2], UINT32_MAX);
	nguests = number(argv[3], MOST_GUESTS);
	goal = number(argv[4], 1000000000);
	for (int i = 5; i < argc; i++)
		read_target(&targets[i - 5], argv[i]);
	for (unsigned long i = 0; i < nguests; i++) {
		guests[i].chance.x = (seed << 8 | i) * 0x9e3779b97f4a7c15u | 1;
		guests[i].targets = targets;
		guests[i].ntargets = (size_t)argc - 5;
		guests[i].goal = goal;
		if (pthread_create(&guests[i].thread, NULL, guest_main, &guests[i]) != 0)
			errx(2, "no thread");
	}
	for (unsigned long i = 0; i < nguests; i++)
		pthread_join(guests[i].thread, NULL);
	tell();
	return 0;
}
