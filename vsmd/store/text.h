/* text.h - a string of unknown origin as a JSON string. */
#ifndef CAAS_STORE_TEXT_H
#define CAAS_STORE_TEXT_H

#include <jansson.h>

/* What is not UTF-8 gets \xNN for each odd byte.  NULL when out of memory. */
json_t *text_json(const char *s);

#endif
