/* wear.c - see wear.h */
#include "vsmd/store/wear.h"

#define DAY 86400000.0 /* ms */

static double
most(const struct wear *w)
{
	double tenth = w->per_day / 10.0;

	return tenth < 1 ? 1 : tenth;
}

static double
left_at(const struct wear *w, int64_t now)
{
	double left = w->left + (double)(now - w->at) * w->per_day / DAY;

	return left < most(w) ? left : most(w);
}

void
wear_init(struct wear *w, unsigned per_day, int64_t now)
{
	*w = (struct wear){.per_day = per_day, .at = now};
	w->left = most(w);
}

void
wear_spend(struct wear *w, uint64_t writes, int64_t now)
{
	double left;

	if (w->per_day == 0)
		return;
	left = left_at(w, now) - (double)writes;
	/* A burst delays what may wait by a day at most. */
	w->left = left < -(double)w->per_day ? -(double)w->per_day : left;
	w->at = now;
}

int64_t
wear_wait(const struct wear *w, int64_t now)
{
	double left = w->per_day != 0 ? left_at(w, now) : 1;

	return left >= 1 ? 0 : (int64_t)((1 - left) * DAY / w->per_day) + 1;
}

unsigned
wear_left(const struct wear *w, int64_t now)
{
	double left = w->per_day != 0 ? left_at(w, now) : 0;

	return left > 0 ? (unsigned)left : 0;
}
