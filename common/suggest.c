/* suggest.c - "did you mean": the nearest of a few words. */
#include <string.h>

#include "common/conf.h"

#define WORD_MAX 48

static size_t
least(size_t a, size_t b, size_t c)
{
	if (b < a)
		a = b;
	return c < a ? c : a;
}

/* Levenshtein's distance, one row at a time. */
static size_t
distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b), row[WORD_MAX + 1];

	if (la > WORD_MAX || lb > WORD_MAX)
		return WORD_MAX;
	for (size_t j = 0; j <= lb; j++)
		row[j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t corner = row[0];

		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t up = row[j];

			row[j] = least(
			    up + 1, row[j - 1] + 1, corner + (a[i - 1] != b[j - 1]));
			corner = up;
		}
	}
	return row[lb];
}

const char *
suggest(const char *word, const char *const *candidates, size_t n)
{
	const char *best = NULL;
	/* Edits that still count as a slip. */
	size_t least_so_far = strlen(word) < 5 ? 2 : 3;

	for (size_t i = 0; i < n; i++) {
		size_t d = distance(word, candidates[i]);

		if (d < least_so_far && d < strlen(candidates[i]) && d < strlen(word)) {
			least_so_far = d;
			best = candidates[i];
		}
	}
	return best;
}
