/* objects.c - role: objects on the token made, found, read, renamed, destroyed */
#include <stdio.h>
#include <string.h>

#include "tests/soak/data.h"
#include "tests/soak/find.h"
#include "tests/soak/ledger.h"

#define MINE 6 /* of a thread, at most */

struct mine {
	bool used, key;
	char origin[NAME_MOST], label[NAME_MOST];
	CK_OBJECT_HANDLE h;
};

static CK_ATTRIBUTE
by_origin(bool key, const char *origin)
{
	return find_text(key ? CKA_ID : CKA_APPLICATION, origin);
}

static CK_OBJECT_CLASS
class_of(bool key)
{
	return key ? CKO_SECRET_KEY : CKO_DATA;
}

static void
destroy(struct job *j, const char *origin, CK_OBJECT_HANDLE h)
{
	ledger_begin(j, origin, LEDGER_GONE);
	MUST(j, C_DestroyObject, j->session, h);
	ledger_done(j, origin, LEDGER_GONE);
}

/*
 * What the life before left.  Something that was under way when it was killed may still
 * be under way: it stays as it is.
 */
void
objects_prepare(struct job *j)
{
	struct ledger l;

	ledger_read_own(j, &l);
	for (size_t i = 0; i < l.count; i++) {
		const struct entry *e = &l.entries[i];
		bool key = e->origin[0] == 'k';
		CK_OBJECT_HANDLE h;

		if (e->pending[0] != '\0' || strcmp(e->label, LEDGER_GONE) == 0)
			continue;
		h = find_one(j, class_of(key), by_origin(key, e->origin));
		if (h != find_one(j, class_of(key), find_text(CKA_LABEL, e->label)))
			fail(j, "%s is not called %s", e->origin, e->label);
		if (key)
			aes_judge(j, h, e->origin);
		else
			data_judge(j, h, e->origin);
		destroy(j, e->origin, h);
	}
	ledger_free(&l);
}

static void
make(struct job *j, struct mine *m)
{
	m->key = chance_of(j, 40);
	snprintf(m->origin, sizeof(m->origin), "%c%s.%u.%u.%lu", m->key ? 'k' : 'd',
	    soak.name, soak.life, j->number, j->step);
	memcpy(m->label, m->origin, sizeof(m->label));
	ledger_begin(j, m->origin, m->label);
	m->h =
	    m->key ? aes_make(j, m->origin, m->label) : data_make(j, m->origin, m->label);
	ledger_done(j, m->origin, m->label);
	m->used = true;
}

static void
rename_it(struct job *j, struct mine *m)
{
	char label[NAME_MOST];
	CK_ATTRIBUTE t;
	CK_OBJECT_HANDLE h;

	snprintf(label, sizeof(label), "%.40s/%u", m->origin, chance_below(j, 10000));
	t = find_text(CKA_LABEL, label);
	if (strcmp(label, m->label) == 0)
		return;
	ledger_begin(j, m->origin, label);
	MUST(j, C_SetAttributeValue, j->session, m->h, &t, 1);
	ledger_done(j, m->origin, label);
	if (find_all(j, class_of(m->key), find_text(CKA_LABEL, m->label), &h, 1) != 0)
		fail(j, "%s is still called so", m->label);
	snprintf(m->label, sizeof(m->label), "%s", label);
}

static void
look(struct job *j, const struct mine *m)
{
	if (find_one(j, class_of(m->key), by_origin(m->key, m->origin)) != m->h ||
	    find_one(j, class_of(m->key), find_text(CKA_LABEL, m->label)) != m->h)
		fail(j, "%s has another handle", m->origin);
	if (m->key)
		aes_judge(j, m->h, m->origin);
	else
		data_judge(j, m->h, m->origin);
}

static void
drop(struct job *j, struct mine *m)
{
	CK_BYTE value[1];
	CK_ATTRIBUTE t = {CKA_LABEL, value, sizeof(value)};
	CK_OBJECT_HANDLE h;

	destroy(j, m->origin, m->h);
	m->used = false;
	REFUSED(
	    j, CKR_OBJECT_HANDLE_INVALID, C_GetAttributeValue, j->session, m->h, &t, 1);
	if (find_all(j, class_of(m->key), by_origin(m->key, m->origin), &h, 1) != 0)
		fail(j, "%s was destroyed and is there", m->origin);
}

void
objects_step(struct job *j)
{
	static _Thread_local struct mine mine[MINE];
	struct mine *m = &mine[chance_below(j, MINE)];

	if (!m->used)
		make(j, m);
	else if (chance_of(j, 50))
		look(j, m);
	else if (chance_of(j, 40))
		rename_it(j, m);
	else
		drop(j, m);
	if (chance_of(j, 5)) {
		app_close(j);
		app_open(j);
	}
	pause_ms(chance_below(j, 20));
}
