/* settings.c - the keys of [vsmd]. */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "vsmd/metrics/address.h"
#include "vsmd/policy/policy.h"

#define STATE "/var/lib/caas"
#define RUNTIME "/run/caas"
#define ANCHOR_BUDGET 200 /* a day: 500,000 writes in seven years */
#define DOMT "domt:"
#define PCR_DEFAULT 13 /* static, and used by nothing else on a usual host */

void
settings_default(struct config_settings *s)
{
	s->socket_mode = 0666;
	s->anchor = true;
	s->audit_rotate = 16384;
	s->pin_tries = 10;
	s->max_applications = 1000;
	s->max_per_principal = 250;
	s->max_sessions = 4096;
	s->max_objects = 100000;
	s->max_memory = 1024;
	s->threads = 64;
	s->shared_memory = true;
	s->log_level = LOG_INFO_;
	s->tpm_policy.locality = -1;
}

static void
keep(struct parse *p, char **ret, const char *value)
{
	char *copy = strdup(value);

	if (copy == NULL) {
		parse_error(p, "out of memory");
		return;
	}
	free(*ret);
	*ret = copy;
}

static void
take_listen(struct parse *p, const char *item)
{
	struct config_settings *s = &p->config->settings;
	const char *why = "";

	if (!transport_address_ok(item, &why))
		parse_error(p, "listen: `%s': %s", item, why);
	else if (s->nlisten == CONFIG_MAX_LISTEN)
		parse_error(p, "listen: more than %d addresses", CONFIG_MAX_LISTEN);
	else
		keep(p, &s->listen[s->nlisten++], item);
}

void
set_listen(struct parse *p, const char *value)
{
	/* By commas alone: a socket's path may hold blanks. */
	value_list(p, value, ",", take_listen);
}

void
set_socket_mode(struct parse *p, const char *value)
{
	char *end;
	unsigned long mode = strtoul(value, &end, 8);

	if (strspn(value, "01234567") != strlen(value) || *end != '\0' || mode > 0777)
		parse_error(p, "socket-mode: `%s' is not an octal mode as 0666", value);
	else
		p->config->settings.socket_mode = (unsigned)mode;
	p->config->settings.socket_mode_set = true;
}

void
set_state(struct parse *p, const char *value)
{
	(void)value_path(p, value, &p->config->settings.state);
}

void
set_runtime(struct parse *p, const char *value)
{
	(void)value_path(p, value, &p->config->settings.runtime);
}

void
set_metrics(struct parse *p, const char *value)
{
	struct sockaddr_storage sa;
	const char *why = "";
	socklen_t len;

	if (strcmp(value, "none") == 0)
		return;
	if (!metrics_address(value, &sa, &len, &why))
		parse_error(p, "metrics: `%s': %s", value, why);
	else
		keep(p, &p->config->settings.metrics, value);
}

void
set_softhsm(struct parse *p, const char *value)
{
	(void)value_path(p, value, &p->config->settings.softhsm);
}

/* DomT, by an address or as this domain is told. */
static bool
is_domt(const char *tpm)
{
	return tpm != NULL && strncmp(tpm, DOMT, strlen(DOMT)) == 0;
}

static void
set_domt(struct parse *p, const char *value)
{
	const char *where = value + strlen(DOMT), *why = "";

	/* What coupled stands for is a vchan. */
	if (!transport_address_ok(strcmp(where, "coupled") == 0 ? "vchan:coupled:x" : where, &why))
		parse_error(p, "tpm: `%s': %s", value, why);
	else
		keep(p, &p->config->settings.tpm, value);
}

void
set_tpm(struct parse *p, const char *value)
{
	const char *port;

	if (is_domt(value))
		set_domt(p, value);
	else if (strcmp(value, "embedded") == 0 ||
	    (strncmp(value, "tpm2:", 5) == 0 && value[5] != '\0') ||
	    (strncmp(value, "tpm1.2:", 7) == 0 &&
		(port = strrchr(value + 7, ':')) != NULL && port > value + 7 &&
		port[1] != '\0'))
		keep(p, &p->config->settings.tpm, value);
	else
		parse_error(p,
		    "tpm: `%s' is not embedded, tpm2:TCTI (tpm2:device:/dev/tpmrm0), "
		    "tpm1.2:HOST:PORT, domt:coupled or domt:ADDRESS",
		    value);
}

static void
take_pcr(struct parse *p, const char *item)
{
	struct tpm_policy *t = &p->config->settings.tpm_policy;
	unsigned long pcr;
	size_t at;

	if (!value_number(p, item, 0, TPM_MAX_PCRS - 1, &pcr))
		return;
	for (at = 0; at < t->npcrs && t->pcrs[at] < pcr; at++)
		;
	if (at < t->npcrs && t->pcrs[at] == pcr)
		return;
	memmove(t->pcrs + at + 1, t->pcrs + at, t->npcrs - at);
	t->pcrs[at] = (uint8_t)pcr;
	t->npcrs++;
}

void
set_pcrs(struct parse *p, const char *value)
{
	p->pcrs_given = true;
	if (strcmp(value, "none") != 0)
		value_list(p, value, ", \t", take_pcr);
}

void
set_locality(struct parse *p, const char *value)
{
	unsigned long n;

	if (strcmp(value, "any") == 0)
		p->config->settings.tpm_policy.locality = -1;
	else if (value_number(p, value, 0, 4, &n))
		p->config->settings.tpm_policy.locality = (int)n;
}

void
set_authority(struct parse *p, const char *value)
{
	char *path = (char *)(uintptr_t)p->config->settings.tpm_policy.authority;

	(void)value_path(p, value, &path);
	p->config->settings.tpm_policy.authority = path;
}

void
set_approvals(struct parse *p, const char *value)
{
	(void)value_path(p, value, &p->config->settings.approvals);
}

static void
set_unsigned(struct parse *p, const char *value, unsigned long min, unsigned long max,
    unsigned *ret)
{
	unsigned long n;

	if (value_number(p, value, min, max, &n))
		*ret = (unsigned)n;
}

void
set_anchor(struct parse *p, const char *value)
{
	static const char *const words[] = {"on", "off"};
	size_t i;

	if (value_choice(p, value, words, 2, &i))
		p->config->settings.anchor = i == 0;
}

void
set_anchor_budget(struct parse *p, const char *value)
{
	p->anchor_budget_given = true;
	if (strcmp(value, "none") == 0)
		p->config->settings.anchor_budget = 0;
	else
		set_unsigned(p, value, 1, 1000000, &p->config->settings.anchor_budget);
}

void
set_audit_rotate(struct parse *p, const char *value)
{
	unsigned *kib = &p->config->settings.audit_rotate;
	size_t n = strspn(value, "0123456789");
	char digits[16];

	if (strcmp(value, "never") == 0) {
		*kib = 0;
		return;
	}
	if (n == 0 || n >= sizeof(digits) ||
	    (strcmp(value + n, "K") != 0 && strcmp(value + n, "M") != 0)) {
		parse_error(p, "%s: `%s' is no size: 64K, 16M, or never", p->conf.key, value);
		return;
	}
	memcpy(digits, value, n);
	digits[n] = '\0';
	if (value[n] == 'K') {
		set_unsigned(p, digits, 16, 1048576, kib);
	} else {
		set_unsigned(p, digits, 1, 1024, kib);
		*kib *= 1024;
	}
}

void
set_audit_keep(struct parse *p, const char *value)
{
	if (strcmp(value, "all") == 0)
		p->config->settings.audit_keep = 0;
	else
		set_unsigned(p, value, 2, 1000000, &p->config->settings.audit_keep);
}

void
set_pin_tries(struct parse *p, const char *value)
{
	p->pin_tries_given = true;
	set_unsigned(p, value, 0, 1000, &p->config->settings.pin_tries);
}

void
set_max_applications(struct parse *p, const char *value)
{
	set_unsigned(p, value, 1, 100000, &p->config->settings.max_applications);
}

void
set_max_per_principal(struct parse *p, const char *value)
{
	p->max_per_given = true;
	set_unsigned(p, value, 1, 100000, &p->config->settings.max_per_principal);
}

void
set_max_sessions(struct parse *p, const char *value)
{
	set_unsigned(p, value, 1, 65536, &p->config->settings.max_sessions);
}

void
set_max_objects(struct parse *p, const char *value)
{
	set_unsigned(p, value, 1, 200000, &p->config->settings.max_objects);
}

void
set_max_memory(struct parse *p, const char *value)
{
	set_unsigned(p, value, 64, 1048576, &p->config->settings.max_memory);
}

void
set_threads(struct parse *p, const char *value)
{
	set_unsigned(p, value, 1, 1024, &p->config->settings.threads);
}

void
set_user(struct parse *p, const char *value)
{
	if (getpwnam(value) == NULL)
		parse_error(p, "user: there is no user `%s' on this machine", value);
	else
		keep(p, &p->config->settings.user, value);
}

void
set_log_level(struct parse *p, const char *value)
{
	static const char *const words[] = {"error", "warning", "info", "debug"};
	size_t i;

	if (value_choice(p, value, words, 4, &i))
		p->config->settings.log_level = log_level_parse(words[i]);
}

void
set_shared_memory(struct parse *p, const char *value)
{
	(void)value_yes(p, value, &p->config->settings.shared_memory);
}

void
set_sandbox(struct parse *p, const char *value)
{
	(void)value_yes(p, value, &p->config->settings.sandbox);
}

static void
default_path(struct parse *p, char **ret, const char *directory, const char *rest)
{
	if (*ret == NULL && asprintf(ret, "%s%s", directory, rest) < 0) {
		*ret = NULL;
		parse_error(p, "out of memory");
	}
}

/* The state is closed to all others, who must reach the sockets in the runtime. */
static void
check_places(struct parse *p)
{
	const struct config_settings *s = &p->config->settings;
	size_t len;

	if (s->state == NULL || s->runtime == NULL)
		return;
	len = strlen(s->state);
	if (strncmp(s->runtime, s->state, len) == 0 &&
	    (s->runtime[len] == '\0' || s->runtime[len] == '/'))
		parse_error(p,
		    "runtime: `%s' is the state directory or in it, which nobody else can "
		    "pass: choose another",
		    s->runtime);
}

/* What DomT binds a key to is not to be chosen: the pair, and the image of this domain. */
static void
check_domt(struct parse *p)
{
	const struct tpm_policy *t = &p->config->settings.tpm_policy;

	if (t->npcrs > 0)
		parse_error(p, "pcrs: with tpm = domt: the key is sealed to the image of this domain "
			       "and to no PCRs: leave them out");
	if (t->locality >= 0)
		parse_error(p, "locality: with tpm = domt: it is DomT that speaks to the TPM: leave it "
			       "out");
}

void
settings_finish(struct parse *p)
{
	struct config_settings *s = &p->config->settings;

	p->conf.line = p->config->vsmd_line;
	default_path(p, &s->state, STATE, "");
	default_path(p, &s->runtime, RUNTIME, "");
	default_path(p, &s->softhsm, CAAS_SOFTHSM2, "");
	default_path(p, &s->tpm, "embedded", "");
	if (s->state != NULL)
		default_path(p, &s->approvals, s->state, "/approvals");
	if (s->nlisten == 0 && s->runtime != NULL) {
		default_path(p, &s->listen[0], s->runtime, "/vsmd.sock");
		if (s->listen[0] != NULL) {
			char *address = NULL;

			default_path(p, &address, "unix:", s->listen[0]);
			free(s->listen[0]);
			s->listen[0] = address;
			s->nlisten = address != NULL;
		}
	}
	if (is_domt(s->tpm))
		check_domt(p);
	else if (!p->pcrs_given && s->tpm != NULL && strcmp(s->tpm, "embedded") != 0) {
		s->tpm_policy.pcrs[0] = PCR_DEFAULT;
		s->tpm_policy.npcrs = 1;
	}
	if (!p->anchor_budget_given && s->tpm != NULL && strcmp(s->tpm, "embedded") != 0)
		s->anchor_budget = ANCHOR_BUDGET;
	if (s->tpm_policy.authority != NULL && s->tpm_policy.npcrs == 0 && !is_domt(s->tpm))
		parse_error(p, "authority: it approves values of PCRs, and the key is sealed "
			       "to none: give pcrs");
	check_places(p);
	if (s->sandbox && !p->pin_tries_given)
		s->pin_tries = 0;
	if (!p->max_per_given && s->max_per_principal > s->max_applications)
		s->max_per_principal = s->max_applications;
	if (s->max_per_principal > s->max_applications)
		parse_error(p,
		    "max-per-principal = %u is more than max-applications = %u",
		    s->max_per_principal, s->max_applications);
	for (size_t i = 0; i < p->config->ngrants; i++)
		if (s->pin_tries > 0 && !p->config->grants[i].lockout_given)
			p->config->grants[i].flags |= GRANT_PIN_LOCKOUT;
}

void
settings_free(struct config_settings *s)
{
	for (size_t i = 0; i < CONFIG_MAX_LISTEN; i++)
		free(s->listen[i]);
	free(s->state);
	free(s->runtime);
	free(s->softhsm);
	free(s->tpm);
	free((char *)(uintptr_t)s->tpm_policy.authority);
	free(s->approvals);
	free(s->metrics);
	free(s->user);
}
