/* mhd.c - see mhd.h */
#include "vsmd/metrics/mhd.h"

#include <dlfcn.h>
#include <stddef.h>

#include "common/log.h"

#define LIBRARY "libmicrohttpd.so.12"

const struct mhd *
mhd_load(void)
{
	static struct mhd mhd;
	static const struct {
		const char *name;
		size_t at;
	} functions[] = {
#define MHD_FUNCTION(name) {"MHD_" #name, offsetof(struct mhd, name)},
	    MHD_FUNCTIONS(MHD_FUNCTION)
#undef MHD_FUNCTION
	};
	void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

	if (library == NULL) {
		log_error("metrics: %s (install libmicrohttpd12)", dlerror());
		return NULL;
	}
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		void **to = (void **)((char *)&mhd + functions[i].at);

		if ((*to = dlsym(library, functions[i].name)) == NULL) {
			log_error("metrics: %s", dlerror());
			return NULL;
		}
	}
	return &mhd;
}
