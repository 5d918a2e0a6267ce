/* install.c - see install.h */
#include "caas/install.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Relative ones start at the directory of our own executable. */
static const char *const vsmd_places[] = {"../vsmd/vsmd", "../sbin/vsmd",
    CAAS_SBINDIR "/vsmd", CAAS_LIBEXECDIR "/caas/vsmd", CAAS_LIBEXECDIR "/vsmd", NULL};
static const char *const module_places[] = {"../libcaas-p11/libcaas-p11.so",
    CAAS_LIBDIR "/pkcs11/libcaas-p11.so", CAAS_LIBDIR "/libcaas-p11.so", NULL};

static bool
own_directory(char ret[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", ret, PATH_MAX - 1);
	char *slash;

	if (n <= 0)
		return false;
	ret[n] = '\0';
	slash = strrchr(ret, '/');
	if (slash == NULL)
		return false;
	*slash = '\0';
	return true;
}

static bool
find(const char *const *places, int mode, char ret[PATH_MAX])
{
	char own[PATH_MAX], path[2 * PATH_MAX];

	if (!own_directory(own))
		return false;
	for (; *places != NULL; places++) {
		if (**places == '/')
			snprintf(path, sizeof(path), "%s", *places);
		else
			snprintf(path, sizeof(path), "%s/%s", own, *places);
		if (access(path, mode) == 0 && realpath(path, ret) != NULL)
			return true;
	}
	return false;
}

bool
install_vsmd(char ret[PATH_MAX])
{
	return find(vsmd_places, X_OK, ret);
}

bool
install_module(char ret[PATH_MAX])
{
	const char *given = getenv("CAAS_P11_MODULE");

	if (given != NULL && given[0] != '\0')
		return realpath(given, ret) != NULL;
	return find(module_places, R_OK, ret);
}
