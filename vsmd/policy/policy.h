/*
 * policy.h - the inside of a config, and of the parser that makes it.
 *
 * Threads: a parse belongs to one thread; a config is constant once it is made.
 */
#ifndef CAAS_VSMD_POLICY_POLICY_H
#define CAAS_VSMD_POLICY_POLICY_H

#include "vsmd/policy/config.h"

#define POLICY_MAX_PRINCIPALS 1024
#define POLICY_MAX_GRANTS 8192
#define POLICY_MAX_IDS 4096 /* of one principal */
#define POLICY_LABEL 33	    /* a token's label and its NUL */
#define POLICY_KINDS 3	    /* of peers: enum peer_kind */

enum section {
	SECTION_NONE,
	SECTION_VSMD,
	SECTION_PRINCIPAL,
	SECTION_GRANT,
	SECTION_KEY
};

struct principal {
	char name[GRANT_NAME];
	uint32_t *ids[POLICY_KINDS];
	size_t nids[POLICY_KINDS];
	bool any[POLICY_KINDS]; /* "*" */
	bool admin;
	unsigned line;
};

/* [grant]: a struct grant without the rules, which would weigh 80 KiB. */
struct token_grant {
	char principal[GRANT_NAME];
	char token[GRANT_NAME]; /* label or pattern */
	uint32_t flags, classes;
	bool limit_mechs, allow_given, lockout_given;
	CK_MECHANISM_TYPE mechs[GRANT_MAX_MECHS];
	uint16_t nmechs;
	uint32_t rate, burst;
	struct grant_quota quotas[GRANT_MAX_QUOTAS];
	uint16_t nquotas;
	unsigned line;
};

/* [key] */
struct key_rule {
	char principal[GRANT_NAME];
	char token[GRANT_NAME];
	char name[GRANT_NAME];
	struct grant_rule rule;
	unsigned line;
};

struct config {
	struct config_settings settings;
	struct principal *principals;
	struct token_grant *grants;
	struct key_rule *rules;
	size_t nprincipals, ngrants, nrules;
	unsigned vsmd_line; /* of [vsmd], 0 when absent */
};

struct parse {
	struct config *config;
	const char *name; /* of the file */
	unsigned line;
	void (*report)(void *, const char *);
	void *arg;
	unsigned errors;

	enum section section;
	bool skip;	 /* the section's header was wrong: ignore its keys */
	const char *key; /* being set */
	uint64_t seen;	 /* keys of this section, by row of keys.def */
	bool pcrs_given, pin_tries_given, anchor_budget_given;
	bool max_per_given;

	/* config.c: the text, and what the reader found at this line */
	const char *text;
	size_t left;
	bool expect; /* a "key = value" line was handed to inih and not come back */
};

/* sections.c: "[...]" as it stands in the line, and the checks at the end. */
void section_begin(struct parse *p, const char *header, size_t len);
void section_finish(struct parse *p);
/* The one that the present section is about. */
struct principal *section_principal(struct parse *p);
struct token_grant *section_grant(struct parse *p);
struct key_rule *section_rule(struct parse *p);

/* settings.c */
void settings_default(struct config_settings *s);
void settings_finish(struct parse *p);
void settings_free(struct config_settings *s);

/* values.c.  Each reports what is wrong, and what would be right. */
void parse_error(struct parse *p, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* The same for line `line`. */
void parse_error_at(struct parse *p, unsigned line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
bool value_number(struct parse *p, const char *value, unsigned long min,
    unsigned long max, unsigned long *ret);
bool value_yes(struct parse *p, const char *value, bool *ret);
bool value_choice(struct parse *p, const char *value, const char *const *choices,
    size_t n, size_t *ret);
bool value_path(struct parse *p, const char *value, char **ret);
/* Call `take` for each item between separators; an empty list is an error. */
void value_list(struct parse *p, const char *value, const char *separators,
    void (*take)(struct parse *, const char *item));
void value_mechanism(
    struct parse *p, const char *item, CK_MECHANISM_TYPE *mechs, uint16_t *n);

/* suggest.c: the candidate nearest to `word`, or NULL when none is near. */
const char *suggest(const char *word, const char *const *candidates, size_t n);

/* The functions of keys.def. */
#define KEY(section, name, times, set) void set(struct parse *p, const char *value);
#include "vsmd/policy/keys.def"
#undef KEY

#endif
