/* sample.c - see sample.h */
#include "sample.h"

#include <stdlib.h>
#include <string.h>

#include "protocol/attrs.h"

void
sample_init(struct sample *s, uint64_t seed)
{
	memset(s, 0, sizeof(*s));
	s->seed = seed * 2654435761u + 1;
}

void
sample_free(struct sample *s)
{
	while (s->nowned > 0)
		free(s->owned[--s->nowned]);
}

uint64_t
sample_below(struct sample *s, uint64_t n)
{
	s->seed = s->seed * 6364136223846793005u + 1442695040888963407u;
	return n > 0 ? (s->seed >> 33) % n : 0;
}

void *
sample_bytes(struct sample *s, size_t len)
{
	uint8_t *p = malloc(len > 0 ? len : 1);

	if (p == NULL || s->nowned == SAMPLE_MAX)
		abort();
	s->owned[s->nowned++] = p;
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)sample_below(s, 256);
	return p;
}

static void
value(struct sample *s, CK_ATTRIBUTE *t, bool query, unsigned depth)
{
	static const CK_ATTRIBUTE_TYPE types[] = {CKA_LABEL, CKA_VALUE, CKA_CLASS,
	    CKA_ALLOWED_MECHANISMS, CKA_WRAP_TEMPLATE, CKA_UNWRAP_TEMPLATE};
	CK_ULONG n;

	t->type = types[sample_below(s, depth > 1 ? 4 : 6)];
	if (sample_below(s, 4) == 0) {
		t->pValue = NULL;
		t->ulValueLen = sample_below(s, 2) * 8;
		return;
	}
	if (!attr_nested(t->type)) {
		t->ulValueLen = sample_below(s, 40);
		t->pValue = sample_bytes(s, t->ulValueLen);
		return;
	}
	n = sample_below(s, 4);
	t->ulValueLen = n * sizeof(*t) + sample_below(s, 2);
	t->pValue = sample_bytes(s, t->ulValueLen);
	for (CK_ULONG i = 0; i < n; i++)
		value(s, (CK_ATTRIBUTE *)t->pValue + i, query, depth + 1);
}

static void template(struct sample *s, struct arg *arg, bool query)
{
	CK_ATTRIBUTE *t;

	arg->len = sample_below(s, 6);
	arg->ptr = t = sample_bytes(s, arg->len * sizeof(*t));
	for (CK_ULONG i = 0; i < arg->len; i++)
		value(s, &t[i], query, 1);
}

static void
mechanism(struct sample *s, struct arg *arg)
{
	CK_MECHANISM *m = sample_bytes(s, sizeof(*m));

	arg->ptr = m;
	switch (sample_below(s, 4)) {
	case 0: {
		CK_RSA_PKCS_OAEP_PARAMS *p = sample_bytes(s, sizeof(*p));

		m->mechanism = CKM_RSA_PKCS_OAEP;
		m->pParameter = p;
		m->ulParameterLen = sizeof(*p);
		p->ulSourceDataLen = sample_below(s, 20);
		p->pSourceData =
		    sample_below(s, 2) ? sample_bytes(s, p->ulSourceDataLen) : NULL;
		break;
	}
	case 1: {
		CK_GCM_PARAMS_V3 *p = sample_bytes(s, sizeof(*p));

		m->mechanism = CKM_AES_GCM;
		m->pParameter = p;
		m->ulParameterLen = sizeof(*p);
		p->ulIvLen = 12;
		p->pIv = sample_bytes(s, p->ulIvLen);
		p->ulAADLen = sample_below(s, 20);
		p->pAAD = sample_bytes(s, p->ulAADLen);
		break;
	}
	case 2:
		m->mechanism = CKM_AES_CBC;
		m->ulParameterLen = 16;
		m->pParameter = sample_bytes(s, 16);
		break;
	default:
		m->mechanism = CKM_RSA_PKCS;
		m->ulParameterLen = 0;
		m->pParameter = NULL;
		break;
	}
}

/* The room beside the buffer, in items of `each` bytes. */
static void
sized(struct sample *s, struct arg *arg, CK_ULONG *len, size_t each)
{
	*len = sample_below(s, 50);
	arg->ptr = sample_bytes(s, *len * each);
	arg->plen = len;
}

static void
argument(struct sample *s, enum arg_kind kind, struct arg *arg, CK_ULONG *len)
{
	switch (kind) {
	case ARG_BYTES:
	case ARG_PIN:
	case ARG_OUT_FILL:
		arg->len = sample_below(s, 100);
		arg->ptr = sample_bytes(s, arg->len);
		break;
	case ARG_LABEL:
		arg->ptr = sample_bytes(s, 32);
		break;
	case ARG_BBOOL:
		arg->len = sample_below(s, 2);
		break;
	case ARG_MECH:
		mechanism(s, arg);
		break;
	case ARG_ATTRS:
	case ARG_ATTRS_QUERY:
		template(s, arg, kind == ARG_ATTRS_QUERY);
		break;
	case ARG_OUT_BYTES:
		sized(s, arg, len, 1);
		break;
	case ARG_OUT_MECHANISMS:
		sized(s, arg, len, sizeof(CK_MECHANISM_TYPE));
		break;
	case ARG_OUT_OBJECTS:
		sized(s, arg, len, sizeof(CK_OBJECT_HANDLE));
		arg->len = *len;
		break;
	case ARG_OUT_ULONG:
	case ARG_OUT_SESSION:
	case ARG_OUT_OBJECT:
		arg->ptr = sample_bytes(s, sizeof(CK_ULONG));
		break;
	case ARG_OUT_SLOT_INFO:
		arg->ptr = sample_bytes(s, sizeof(CK_SLOT_INFO));
		break;
	case ARG_OUT_TOKEN_INFO:
		arg->ptr = sample_bytes(s, sizeof(CK_TOKEN_INFO));
		break;
	case ARG_OUT_MECH_INFO:
		arg->ptr = sample_bytes(s, sizeof(CK_MECHANISM_INFO));
		break;
	case ARG_OUT_SESSION_INFO:
		arg->ptr = sample_bytes(s, sizeof(CK_SESSION_INFO));
		break;
	default:
		arg->len = sample_below(s, 1000);
		break;
	}
}

void
sample_full_args(struct sample *s, const struct call *call)
{
	memset(s->args, 0, sizeof(s->args));
	for (size_t i = 0; i < call_nargs(call); i++)
		argument(s, call->args[i], &s->args[i], &s->lens[i]);
}

void
sample_args(struct sample *s, const struct call *call)
{
	sample_full_args(s, call);
	for (size_t i = 0; i < call_nargs(call); i++) {
		struct arg *arg = &s->args[i];

		if (sample_below(s, 3) == 0) {
			arg->ptr = NULL;
			/* A template without a pointer cannot be told. */
			if (call->args[i] == ARG_ATTRS ||
			    call->args[i] == ARG_ATTRS_QUERY)
				arg->len = 0;
		}
		if (sample_below(s, 6) == 0)
			arg->plen = NULL;
	}
}

static void
serve_query(struct sample *s, CK_ATTRIBUTE *t, CK_ULONG n)
{
	for (CK_ULONG i = 0; i < n; i++) {
		if (sample_below(s, 4) == 0) {
			t[i].ulValueLen = CK_UNAVAILABLE_INFORMATION;
		} else if (t[i].pValue == NULL) {
			t[i].ulValueLen = sample_below(s, 1000);
		} else if (attr_nested(t[i].type)) {
			serve_query(s, t[i].pValue, t[i].ulValueLen / sizeof(*t));
		} else {
			t[i].ulValueLen = sample_below(s, t[i].ulValueLen + 1);
			memset(t[i].pValue, 0x5a, t[i].ulValueLen);
		}
	}
}

void
sample_serve(struct sample *s, const struct call *call, struct arg *args)
{
	for (size_t i = 0; i < call_nargs(call); i++) {
		struct arg *arg = &args[i];

		switch (call->args[i]) {
		case ARG_OUT_BYTES:
		case ARG_OUT_MECHANISMS:
		case ARG_OUT_OBJECTS:
			if (arg->plen == NULL)
				break;
			*arg->plen =
			    arg->ptr != NULL ? sample_below(s, arg->len + 1) : 77;
			if (arg->ptr != NULL)
				memset(arg->ptr, 0x5a,
				    *arg->plen * (call->args[i] == ARG_OUT_BYTES
							 ? 1
							 : sizeof(CK_ULONG)));
			break;
		case ARG_OUT_FILL:
			if (arg->ptr != NULL)
				memset(arg->ptr, 0x5a, arg->len);
			break;
		case ARG_OUT_ULONG:
		case ARG_OUT_SESSION:
		case ARG_OUT_OBJECT:
			if (arg->ptr != NULL)
				*(CK_ULONG *)arg->ptr = 4711 + i;
			break;
		case ARG_OUT_TOKEN_INFO:
			if (arg->ptr != NULL)
				memset(arg->ptr, 0x5a, sizeof(CK_TOKEN_INFO));
			break;
		case ARG_ATTRS_QUERY:
			if (arg->ptr != NULL)
				serve_query(s, arg->ptr, arg->len);
			break;
		default:
			break;
		}
	}
}
