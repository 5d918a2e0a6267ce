/* check.c - roles: make the keys that all use; is what was acknowledged there, and no
 * more? */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/soak/data.h"
#include "tests/soak/find.h"
#include "tests/soak/keys.h"
#include "tests/soak/ledger.h"

void
make_step(struct job *j)
{
	for (int k = 0; k < KEY_KINDS; k++) {
		char p[NAME_MOST], s[NAME_MOST];
		struct pair pair;

		snprintf(p, sizeof(p), "%s.p", keys_labels[k]);
		snprintf(s, sizeof(s), "%s.s", keys_labels[k]);
		ledger_begin(j, p, keys_labels[k]);
		ledger_begin(j, s, keys_labels[k]);
		keys_make(j, (enum key_kind)k, 2048, keys_labels[k], keys_labels[k], true,
		    &pair);
		ledger_done(j, p, keys_labels[k]);
		ledger_done(j, s, keys_labels[k]);
		keys_use(j, &pair);
		keys_free(&pair);
	}
}

static void
judge(struct job *j, CK_OBJECT_HANDLE h, CK_OBJECT_CLASS class, const struct entry *e)
{
	struct pair p;

	switch (class) {
	case CKO_DATA:
		data_judge(j, h, e->origin);
		break;
	case CKO_SECRET_KEY:
		aes_judge(j, h, e->origin);
		break;
	case CKO_PRIVATE_KEY:
		/* Its other half may have been destroyed, and no more. */
		if (find_all(j, CKO_PUBLIC_KEY, find_text(CKA_LABEL, e->label), &h, 1) ==
		    0)
			break;
		keys_find(j, e->label, &p);
		keys_use(j, &p);
		keys_free(&p);
		break;
	default:
		break;
	}
}

static void
look(struct job *j, CK_OBJECT_HANDLE h, struct ledger *l)
{
	char origin[NAME_MOST], label[NAME_MOST];
	CK_OBJECT_CLASS class = 0;
	CK_ATTRIBUTE t = {CKA_CLASS, &class, sizeof(class)};
	struct entry *e;

	MUST(j, C_GetAttributeValue, j->session, h, &t, 1);
	find_value(j, h, class == CKO_DATA ? CKA_APPLICATION : CKA_ID, origin);
	find_value(j, h, CKA_LABEL, label);
	e = ledger_find(l, origin);
	if (e == NULL || e->seen ||
	    (strcmp(label, e->label) != 0 && strcmp(label, e->pending) != 0))
		fail(j, "%s (%s) is on the token%s: destroyed before, or never made",
		    origin, label, e != NULL && e->seen ? " twice" : "");
	e->seen = true;
	judge(j, h, class, e);
}

void
check_step(struct job *j)
{
	CK_OBJECT_HANDLE *all;
	CK_ULONG n;
	struct ledger l;
	unsigned pending = 0;

	ledger_read_all(j, &l);
	all = find_everything(j, &n);
	for (CK_ULONG i = 0; i < n; i++)
		look(j, all[i], &l);
	for (size_t i = 0; i < l.count; i++) {
		const struct entry *e = &l.entries[i];

		pending += e->pending[0] != '\0';
		if (!e->seen && strcmp(e->label, LEDGER_GONE) != 0 &&
		    strcmp(e->pending, LEDGER_GONE) != 0)
			fail(j, "LOST: %s (%s) was acknowledged and is gone", e->origin,
			    e->label);
	}
	printf("%s: %lu objects, as acknowledged (%u changes were under way when an "
	       "application "
	       "was killed)\n",
	    soak.token, n, pending);
	free(all);
	ledger_free(&l);
}
