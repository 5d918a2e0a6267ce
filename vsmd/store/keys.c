/* keys.c - see keys.h */
#include "vsmd/store/keys.h"

#include <errno.h>

#include "common/secmem.h"

struct store_keys *
keys_derive(const uint8_t master[CRYPT_KEY])
{
	struct store_keys *k = sec_alloc(sizeof(*k));

	if (k == NULL)
		return NULL;
	if (!crypt_derive(master, NULL, 0, "caas store log", k->log) ||
	    !crypt_derive(master, NULL, 0, "caas store head", k->head) ||
	    !crypt_derive(master, NULL, 0, "caas store audit", k->audit) ||
	    !crypt_derive(master, NULL, 0, "caas store ticket", k->ticket) ||
	    !crypt_derive(master, NULL, 0, "caas store keep", k->keep) ||
	    !crypt_derive(master, NULL, 0, "caas store backup", k->backup) ||
	    !crypt_derive(master, NULL, 0, "caas store anchor", k->anchor)) {
		sec_free(k);
		errno = EIO;
		return NULL;
	}
	return k;
}

void
keys_free(struct store_keys *k)
{
	sec_free(k);
}
