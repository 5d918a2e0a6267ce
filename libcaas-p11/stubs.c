/* stubs.c - the exported functions, one for each row of calls.def */
#include "libcaas-p11/call.h"
#include "libcaas-p11/local.h"
#include "protocol/prototype.h"

#define ANSWER_LOCAL(name, a) local_##name(a)
#define ANSWER_SLOT(name, a) call_worker(call_by_number(CALL_##name), a)
#define ANSWER_SESSION(name, a) call_worker(call_by_number(CALL_##name), a)
#define ANSWER_UNSERVED(name, a) ((void)(a), call_nobody())

#define CALL(number, name, where, class, gate, flags, args)                              \
	__attribute__((visibility("default"))) CK_RV name(CALL_PARAMS(args))             \
	{                                                                                \
		struct arg a[ARGS_MAX] = {CALL_ARGS(args)};                              \
                                                                                         \
		return ANSWER_##where(name, a);                                          \
	}
#include "protocol/calls.def"
