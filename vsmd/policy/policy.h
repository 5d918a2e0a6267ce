/*
 * policy.h - the inside of a config, and of the parser that makes it.
 *
 * Threads: a parse belongs to one thread; a config is constant once it is made.
 */
#ifndef CAAS_VSMD_POLICY_POLICY_H
#define CAAS_VSMD_POLICY_POLICY_H

#include "common/conf.h"
#include "vsmd/policy/config.h"

#define POLICY_MAX_PRINCIPALS 1024
#define POLICY_MAX_GRANTS 8192
#define POLICY_MAX_IDS 4096 /* of one principal */
#define POLICY_AGENT_UIDS 32 /* of one list */
#define POLICY_LABEL 33	    /* a token's label and its NUL */
#define POLICY_KINDS 3	    /* of peers: enum peer_kind */

enum section {
	SECTION_NONE,
	SECTION_VSMD,
	SECTION_PRINCIPAL,
	SECTION_GRANT,
	SECTION_KEY
};

/* Users of a guest, by number, of whom its agent tells. */
struct agent_uids {
	uint32_t uid[POLICY_AGENT_UIDS];
	uint16_t n; /* 0: whoever it is */
};

struct principal {
	char name[GRANT_NAME];
	uint32_t *ids[POLICY_KINDS];
	size_t nids[POLICY_KINDS];
	bool any[POLICY_KINDS]; /* "*" */
	bool admin;
	struct agent_uids users, admins;
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
	struct agent_uids users;
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

/* Begins with the conf: what is called with that has this. */
struct parse {
	struct conf conf;
	struct config *config;
	enum section section;
	uint64_t seen; /* keys of this section, by row of keys.def */
	bool pcrs_given, pin_tries_given, anchor_budget_given;
	bool max_per_given;
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

/* common/conf.h's, of a parse.  Each reports what is wrong, and what would be right. */
#define parse_error(p, ...) conf_error(&(p)->conf, __VA_ARGS__)
#define parse_error_at(p, line, ...) conf_error_at(&(p)->conf, line, __VA_ARGS__)
#define value_number(p, value, min, max, ret) conf_number(&(p)->conf, value, min, max, ret)
#define value_yes(p, value, ret) conf_yes(&(p)->conf, value, ret)
#define value_choice(p, value, choices, n, ret) conf_choice(&(p)->conf, value, choices, n, ret)
#define value_path(p, value, ret) conf_path(&(p)->conf, value, ret)
/* values.c */
/* Call `take` for each item between separators; an empty list is an error. */
void value_list(struct parse *p, const char *value, const char *separators,
    void (*take)(struct parse *, const char *item));
void value_mechanism(
    struct parse *p, const char *item, CK_MECHANISM_TYPE *mechs, uint16_t *n);

/* The functions of keys.def. */
#define KEY(section, name, times, set) void set(struct parse *p, const char *value);
#include "vsmd/policy/keys.def"
#undef KEY

#endif
