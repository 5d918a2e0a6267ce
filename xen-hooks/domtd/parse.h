/* parse.h - the inside of description.c and values.c: a description that is being read. */
#ifndef CAAS_DOMTD_PARSE_H
#define CAAS_DOMTD_PARSE_H

#include "common/conf.h"
#include "xen-hooks/domtd/description.h"

enum section { SECTION_NONE, SECTION_PAIR, SECTION_DOMC, SECTION_DOMU };

/* Begins with the conf: what is called with that has this. */
struct parse {
	struct conf conf;
	struct description *d;
	enum section section;
	unsigned pair_line;
	uint32_t seen; /* keys of this section, by row of keys.def */
};

/* The half that the section is about. */
struct domain_plan *parse_plan(struct parse *p);
/* A copy into *ret, freed before; false after reporting. */
bool parse_copy(struct parse *p, const char *value, char **ret);

/* The functions of keys.def (values.c). */
#define KEY(section, name, times, set) void set(struct parse *p, const char *value);
#include "xen-hooks/domtd/keys.def"
#undef KEY

#endif
