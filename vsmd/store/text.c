/* text.c - see text.h */
#include "vsmd/store/text.h"

#include <string.h>

#include "common/log.h"

json_t *
text_json(const char *s)
{
	char quoted[2048];
	json_t *v = json_string(s);

	return v != NULL ? v
			 : json_string(log_quote(quoted, sizeof(quoted), s, strlen(s)));
}
