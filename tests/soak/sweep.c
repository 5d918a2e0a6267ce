/* sweep.c - role: away with all but what `make' made, when nobody is at work */
#include <stdlib.h>
#include <string.h>

#include "tests/soak/find.h"
#include "tests/soak/keys.h"
#include "tests/soak/ledger.h"

static bool
stays(const char *label)
{
	for (int k = 0; k < KEY_KINDS; k++)
		if (strcmp(label, keys_labels[k]) == 0)
			return true;
	return false;
}

void
sweep_step(struct job *j)
{
	CK_OBJECT_HANDLE *all;
	char label[NAME_MOST];
	CK_ULONG n;

	all = find_everything(j, &n);
	for (CK_ULONG i = 0; i < n; i++) {
		find_value(j, all[i], CKA_LABEL, label);
		if (!stays(label))
			MUST(j, C_DestroyObject, j->session, all[i]);
	}
	free(all);
	ledger_forget(j, "make");
}
