/* cmd_web.c - `plmctl web`: the program plmweb, which stands beside plmctl or on the PATH. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/arguments.h"

enum { PATH_BYTES = 4096 };

/* ".../plmctl" to ".../plmweb"; false: the place of plmctl is unknown, or plmweb is not there. */
static bool web_beside(char path[PATH_BYTES])
{
	static const char name[] = "plmweb";
	ssize_t n = readlink("/proc/self/exe", path, PATH_BYTES - sizeof name);
	if (n <= 0)
		return false;
	path[n] = 0;
	char *slash = strrchr(path, '/');
	if (!slash)
		return false;
	memcpy(slash + 1, name, sizeof name);
	return access(path, X_OK) == 0;
}

/* All words behind "web" belong to plmweb. */
static int web_run(struct context *context, int argc, char **argv)
{
	char path[PATH_BYTES];
	char **words = calloc((size_t)argc + 5, sizeof *words);
	int n = 0;
	if (!words)
		return failed(-ENOMEM, "web");
	words[n++] = "plmweb";
	if (context->name) { /* execv() changes no word */
		words[n++] = "--name";
		words[n++] = (char *)(uintptr_t)context->name;
	}
	if (context->fleet) {
		words[n++] = "--fleet";
		words[n++] = (char *)(uintptr_t)context->fleet;
	}
	for (int i = 1; i < argc; i++)
		words[n++] = argv[i];
	if (web_beside(path))
		execv(path, words);
	else
		execvp("plmweb", words);
	if (errno == ENOENT)
		fputs("plmctl: web: there is no plmweb beside plmctl or on the PATH: the Python "
		      "package brings none (docs/python.md); `make install` of the sources and the "
		      "Debian package do, and a plmweb of the same version serves this runtime, "
		      "too\n",
		    stderr);
	else
		fprintf(stderr, "plmctl: web: plmweb cannot be started: %s\n", strerror(errno));
	free(words);
	return EXIT_OURS;
}

const struct command cmd_web = {
	.name = "web",
	.usage = "[OPTION]...",
	.help = "serve a page of the runtime: starts plmweb",
	.about = "Starts plmweb, which serves a page, an API and metrics. The options are those\n"
		 "of plmweb: plmctl web --help lists them.\n",
	.run = web_run,
};
