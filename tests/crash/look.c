/* look.c - see look.h */
#include "look.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN 3 /* failures that are told in full */

uint64_t
look_last_record(const uint8_t *data, size_t len)
{
	static const char seq[] = "\"seq\":";
	const uint8_t *p = data, *nl, *found;
	uint64_t last = 0, n;

	for (; (nl = memchr(p, '\n', len - (size_t)(p - data))) != NULL; p = nl + 1, last = n) {
		found = memmem(p, (size_t)(nl - p), seq, strlen(seq));
		if (*p != '{' || found == NULL)
			break;
		n = strtoull((const char *)found + strlen(seq), NULL, 10);
		if (last > 0 && n != last + 1)
			break;
	}
	return last;
}

static void
look_at_audit(struct vsm *v, struct found *f)
{
	static struct disk_tree tree;
	char text[4096];

	disk_read(&tree, v->state, NULL);
	for (size_t i = 0; i < tree.n; i++) {
		const struct disk_file *file = &tree.files[i];
		uint64_t last = look_last_record(file->data, file->len);

		if (strncmp(file->name, "audit/audit.log.", 16) != 0)
			continue;
		if (last > f->records)
			f->records = last;
		f->damaged |= memmem(file->data, file->len, "audit-damaged", 13) != NULL;
	}
	f->verified = v->rolled_back ||
		      (vsm_admin(v, "audit-verify", "{}", NULL, text) == CKR_OK &&
			  strstr(text, "\"ok\":true") != NULL);
}

void
look(struct vsm *v, bool anchor, struct found *f)
{
	memset(f, 0, sizeof(*f));
	f->opened = vsm_start(v, anchor) && model_look(v, f->text);
	if (f->opened)
		look_at_audit(v, f);
}

const char *
look_judge(const struct found *f, struct expect *e, uint64_t records)
{
	size_t kept = 0;

	if (!f->opened)
		return "it does not open";
	for (size_t i = 0; i < e->n; i++)
		if (model_is(&e->models[i], f->text)) {
			if (kept != i)
				e->models[kept] = e->models[i];
			kept++;
		}
	if (kept == 0)
		return "it does not hold what was acknowledged";
	e->n = kept;
	if (f->damaged)
		return "its audit log counts as damaged";
	if (!f->verified)
		return "its audit log does not verify";
	if (f->records < records)
		return "audit records that were durable are gone";
	return NULL;
}

const char *
look_further(struct vsm *v, struct expect *e, bool kill, struct found *f)
{
	const char *wrong;

	memset(f, 0, sizeof(*f));
	if (history_one_more(v, e) != CKR_OK)
		return "it takes no further operation";
	if (kill)
		vsm_kill(v);
	else if (!vsm_stop(v))
		return "it does not stop in order";
	look(v, e->anchor, f);
	wrong = look_judge(f, e, 0);
	vsm_kill(v);
	return wrong == NULL ? NULL : "after one more operation, opened again, something is wrong";
}

void
look_bad(struct tally *t, const struct vsm *v, const char *where, const char *what,
    const struct found *f, const struct expect *e)
{
	char text[MODEL_TEXT];

	t->bad++;
	if (t->silent || t->shown++ >= SHOWN)
		return;
	printf("# %s: %s\n#   found:\n%s", where, what, f != NULL ? f->text : "");
	for (size_t i = 0; i < e->n; i++) {
		model_write(&e->models[i], false, text);
		printf("#   or expected:\n%s", text);
	}
	printf("#   the store's log:\n");
	vsm_show_log(v);
	fflush(stdout);
}
