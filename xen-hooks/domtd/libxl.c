/* libxl.c - xen.h by libxl: domains.  store.c has XenStore. */
#include <libxl.h>
#include <libxl_utils.h>
#include <libxlutil.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xenstore.h>
#include <xentoollog.h>

#include "common/log.h"
#include "xen-hooks/domtd/store.h"
#include "xen-hooks/domtd/xen.h"

#define SAVE_STREAM 2 /* the version that libxl_domain_suspend() writes */

struct real {
	struct xentoollog_logger logger; /* first: libxl calls with this */
	struct xen xen;
	libxl_ctx *ctx;
	struct store store;
	char why[256];
};

__attribute__((format(printf, 5, 0))) static void
on_message(struct xentoollog_logger *l, xentoollog_level level, int err, const char *context,
    const char *format, va_list ap)
{
	struct real *x = (struct real *)l;
	char text[192];
	const char *why = err >= 0 ? strerror(err) : "";

	(void)context;
	if (level < XTL_WARN)
		return;
	vsnprintf(text, sizeof(text), format, ap);
	if (level < XTL_ERROR) {
		log_warn("libxl: %s", text);
		return;
	}
	snprintf(x->why, sizeof(x->why), "%s%s%.48s", text, err >= 0 ? ": " : "", why);
	log_error("libxl: %s", x->why);
}

static void
on_destroy(struct xentoollog_logger *l)
{
	(void)l;
}

/* libxl's last error line says more than its code; where it said none, the code. */
static int
judge(struct real *x, int rc)
{
	if (rc < 0 && x->why[0] == '\0')
		snprintf(x->why, sizeof(x->why), "libxl gives error %d", rc);
	return rc < 0 ? -1 : 0;
}

static int
op_domains(void *arg, struct xen_domain **ret, size_t *ret_n)
{
	struct real *x = arg;
	struct xen_domain *all;
	libxl_dominfo *list;
	int n = 0;

	x->why[0] = '\0';
	*ret = NULL;
	*ret_n = 0;
	if ((list = libxl_list_domain(x->ctx, &n)) == NULL)
		return judge(x, -1);
	all = calloc((size_t)n + 1, sizeof(*all));
	for (int i = 0; all != NULL && i < n; i++) {
		struct xen_domain *d = &all[*ret_n];
		bool suspend = list[i].shutdown_reason == LIBXL_SHUTDOWN_REASON_SUSPEND;
		char *name;

		if (list[i].domid == 0)
			continue;
		d->domid = list[i].domid;
		memcpy(d->uuid, libxl_uuid_bytearray_const(&list[i].uuid), DOMAIN_UUID);
		d->dying = list[i].dying;
		d->ended = list[i].shutdown && !suspend;
		d->rebooted =
		    d->ended && list[i].shutdown_reason == LIBXL_SHUTDOWN_REASON_REBOOT;
		d->suspended = list[i].shutdown && suspend;
		name = libxl_domid_to_name(x->ctx, d->domid);
		if (name != NULL && strlen(name) < sizeof(d->name))
			memcpy(d->name, name, strlen(name) + 1);
		free(name);
		++*ret_n;
	}
	libxl_dominfo_list_free(list, n);
	*ret = all;
	return all != NULL ? 0 : judge(x, -1);
}

static int
plan_disks(struct real *x, const struct domain_plan *plan, libxl_domain_config *c)
{
	XLU_Config *words = xlu_cfg_init(stderr, "disk");
	int rc = words != NULL ? 0 : -1;

	if (plan->ndisks > 0)
		c->disks = calloc(plan->ndisks, sizeof(*c->disks));
	for (size_t i = 0; rc == 0 && i < plan->ndisks; i++) {
		const char *spec = plan->disks[i];

		if (c->disks == NULL) {
			rc = -1;
			break;
		}
		libxl_device_disk_init(&c->disks[i]);
		c->num_disks++;
		rc = xlu_disk_parse(words, 1, &spec, &c->disks[i]) != 0 ? -1 : 0;
		if (rc < 0)
			snprintf(x->why, sizeof(x->why),
			    "disk = %s is not as xl-disk-configuration(5) has it", spec);
	}
	if (words != NULL)
		xlu_cfg_destroy(words);
	return rc;
}

static bool
vif_word(libxl_device_nic *nic, char *word)
{
	char *value = strchr(word, '=');

	if (value == NULL)
		return false;
	*value++ = '\0';
	if (strcmp(word, "mac") == 0) {
		uint8_t *m = nic->mac;
		int n = 0;

		return sscanf(value, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &m[0], &m[1],
			   &m[2], &m[3], &m[4], &m[5], &n) == 6 &&
		       value[n] == '\0';
	}
	if (strcmp(word, "bridge") == 0)
		nic->bridge = strdup(value);
	else if (strcmp(word, "script") == 0)
		nic->script = strdup(value);
	else
		nic->backend_domname = strdup(value);
	return true;
}

static int
plan_vifs(struct real *x, const struct domain_plan *plan, libxl_domain_config *c)
{
	if (plan->nvifs > 0 && (c->nics = calloc(plan->nvifs, sizeof(*c->nics))) == NULL)
		return -1;
	for (size_t i = 0; i < plan->nvifs; i++) {
		char *words = strdup(plan->vifs[i]), *rest = words, *word;
		bool ok = words != NULL;

		libxl_device_nic_init(&c->nics[i]);
		c->num_nics++;
		while (ok && (word = strsep(&rest, ",")) != NULL)
			ok = word[0] == '\0' || vif_word(&c->nics[i], word);
		free(words);
		if (ok)
			continue;
		snprintf(x->why, sizeof(x->why), "vif = %s: no such address", plan->vifs[i]);
		return -1;
	}
	return 0;
}

static char *
copy(const char *s)
{
	return s != NULL ? strdup(s) : NULL;
}

static int
plan_config(struct real *x, const struct xen_plan *p, libxl_domain_config *c)
{
	const struct domain_plan *plan = p->plan;
	libxl_domain_create_info *ci = &c->c_info;
	libxl_domain_build_info *bi = &c->b_info;

	ci->type = plan->type == DOMAIN_PV ? LIBXL_DOMAIN_TYPE_PV : LIBXL_DOMAIN_TYPE_PVH;
	ci->name = copy(plan->name);
	memcpy(libxl_uuid_bytearray(&ci->uuid), p->uuid, DOMAIN_UUID);
	libxl_domain_build_info_init_type(bi, ci->type);
	bi->max_memkb = bi->target_memkb = (uint64_t)plan->memory * 1024;
	bi->max_vcpus = (int)plan->vcpus;
	if (libxl_cpu_bitmap_alloc(x->ctx, &bi->avail_vcpus, (int)plan->vcpus) < 0)
		return -1;
	libxl_bitmap_set_any(&bi->avail_vcpus);
	if (plan->type == DOMAIN_PVH)
		bi->shadow_memkb =
		    libxl_get_required_shadow_memory(bi->max_memkb, plan->vcpus);
	bi->kernel = copy(p->kernel != NULL ? p->kernel : plan->kernel);
	bi->ramdisk = copy(p->kernel != NULL ? p->ramdisk : plan->ramdisk);
	bi->cmdline = copy(plan->cmdline);
	/* As xl has it: the one while it is built, the other from then on. */
	if (plan->init_seclabel != NULL) {
		ci->ssid_label = copy(plan->init_seclabel);
		bi->exec_ssid_label = copy(plan->seclabel);
	} else {
		ci->ssid_label = copy(plan->seclabel);
	}
	return plan_disks(x, plan, c) < 0 || plan_vifs(x, plan, c) < 0 ? -1 : 0;
}

static int
op_build(void *arg, const struct xen_plan *p, uint32_t *ret_domid)
{
	struct real *x = arg;
	libxl_domain_restore_params params;
	libxl_domain_config c;
	uint32_t domid = 0;
	int rc;

	x->why[0] = '\0';
	libxl_domain_config_init(&c);
	rc = plan_config(x, p, &c);
	if (rc == 0 && p->restore_fd < 0) {
		rc = libxl_domain_create_new(x->ctx, &c, &domid, NULL, NULL);
	} else if (rc == 0) {
		libxl_domain_restore_params_init(&params);
		params.stream_version = SAVE_STREAM;
		rc = libxl_domain_create_restore(
		    x->ctx, &c, &domid, p->restore_fd, -1, &params, NULL, NULL);
		libxl_domain_restore_params_dispose(&params);
	}
	libxl_domain_config_dispose(&c);
	*ret_domid = domid;
	return judge(x, rc);
}

static int
op_unpause(void *arg, uint32_t domid)
{
	struct real *x = arg;

	x->why[0] = '\0';
	return judge(x, libxl_domain_unpause(x->ctx, domid, NULL));
}

static int
op_destroy(void *arg, uint32_t domid)
{
	struct real *x = arg;
	int rc;

	x->why[0] = '\0';
	rc = libxl_domain_destroy(x->ctx, domid, NULL);
	/* Somebody else was faster. */
	return rc == ERROR_DOMAIN_NOTFOUND ? 0 : judge(x, rc);
}

static int
op_save(void *arg, uint32_t domid, int fd)
{
	struct real *x = arg;

	x->why[0] = '\0';
	return judge(x, libxl_domain_suspend(x->ctx, domid, fd, 0, NULL));
}

static int
op_resume(void *arg, uint32_t domid)
{
	struct real *x = arg;

	x->why[0] = '\0';
	return judge(x, libxl_domain_resume(x->ctx, domid, 1, NULL));
}

static int
op_xsm(void *arg, enum xen_xsm *ret)
{
	struct real *x = arg;
	int rc = libxl_flask_getenforce(x->ctx);

	*ret = rc < 0 ? XSM_NONE : rc == 0 ? XSM_PERMISSIVE : XSM_ENFORCING;
	return 0;
}

static uint32_t
op_self(void *arg)
{
	struct real *x = arg;

	return x->store.self;
}

/* XenStore's failures are errno's. */
static int
judge_store(struct real *x, int rc)
{
	if (rc < 0)
		snprintf(x->why, sizeof(x->why), "XenStore: %s", strerror(errno));
	return rc;
}

static int
op_tell(void *arg, const struct xen_domain *d, enum told what, uint32_t other)
{
	struct real *x = arg;

	return judge_store(x, store_tell(&x->store, d->domid, d->uuid, what, other));
}

static int
op_untell(void *arg, const struct xen_domain *d, enum told what)
{
	struct real *x = arg;

	return judge_store(x, store_untell(&x->store, d->domid, d->uuid, what));
}

static int
op_told(void *arg, uint32_t domid, enum told what, int64_t *ret_other)
{
	struct real *x = arg;

	return judge_store(x, store_told(&x->store, domid, what, ret_other));
}

static int
op_serving(void *arg, uint32_t domc, uint32_t domu, bool *ret)
{
	struct real *x = arg;

	return judge_store(x, store_serving(&x->store, domc, domu, ret));
}

static int
op_channels(void *arg, uint32_t domid, bool *ret)
{
	struct real *x = arg;

	return judge_store(x, store_channels(&x->store, domid, ret));
}

static int
op_record_put(void *arg, const char *pair, const char *text)
{
	struct real *x = arg;

	return judge_store(x, store_record_put(&x->store, pair, text));
}

static int
op_record_remove(void *arg, const char *pair)
{
	struct real *x = arg;

	return judge_store(x, store_record_remove(&x->store, pair));
}

static char *
op_record_get(void *arg, const char *pair, bool *ret_none)
{
	struct real *x = arg;
	char *text = store_record_get(&x->store, pair);

	*ret_none = text == NULL && errno == ENOENT;
	(void)judge_store(x, text != NULL ? 0 : -1);
	return text;
}

static int
op_record_list(void *arg, char ***ret, size_t *ret_n)
{
	struct real *x = arg;

	return judge_store(x, store_record_list(&x->store, ret, ret_n));
}

static void
op_pause(void *arg, int ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	(void)arg;
	(void)nanosleep(&t, NULL);
}

static const char *
op_why(void *arg)
{
	struct real *x = arg;

	return x->why;
}

static const struct xen_ops ops = {op_domains, op_build, op_unpause, op_destroy, op_save,
    op_resume, op_xsm, op_self, op_tell, op_untell, op_told, op_serving,
    op_channels, op_record_put, op_record_remove, op_record_get, op_record_list, op_pause, op_why};

struct xen *
xen_open(void)
{
	struct real *x = calloc(1, sizeof(*x));

	if (x == NULL) {
		log_error("out of memory");
		return NULL;
	}
	x->logger.vmessage = on_message;
	x->logger.destroy = on_destroy;
	x->xen = (struct xen){.ops = &ops, .x = x};
	if (store_open(&x->store) < 0)
		log_error("XenStore cannot be reached: %s: is this dom0, and xenstored running?",
		    strerror(errno));
	else if (libxl_ctx_alloc(&x->ctx, LIBXL_VERSION, 0, &x->logger) != 0)
		log_error("libxl cannot be used: is this dom0, of the Xen that it is for?");
	else
		return &x->xen;
	xen_close(&x->xen);
	return NULL;
}

void
xen_close(struct xen *xen)
{
	struct real *x = xen != NULL ? xen->x : NULL;

	if (x == NULL)
		return;
	libxl_ctx_free(x->ctx);
	store_close(&x->store);
	free(x);
}
