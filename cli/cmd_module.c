#include <errno.h>
#include <string.h>

#include "cli/arguments.h"
#include "cli/look.h"
#include "cli/worker_rows.h"

static int module_load(struct context *context, const char *path)
{
	int code = runtime(context);
	if (code != EXIT_FINE)
		return code;
	int r = plm_module_load(context->rt, path);
	if (r >= 0)
		return EXIT_FINE;
	failed(r, path);
	return r == -EHOSTDOWN ? EXIT_NO_RUNTIME : r == -ENOSPC ? EXIT_FULL : EXIT_INPUT;
}

static int module_run(struct context *context, int argc, char **argv)
{
	operands(context, argc, argv, 1, 2);
	const char *verb = argv[optind++];
	if (strcmp(verb, "load") == 0) {
		expect_operands(context, argc, 1, 1);
		return module_load(context, argv[optind]);
	}
	if (strcmp(verb, "list") != 0)
		usage_error(context, "module wants load or list, not %s", verb);
	expect_operands(context, argc, 0, 0);
	int code = look_open(context);
	if (code == EXIT_FINE)
		rows_modules(context->in, &context->out);
	return code;
}

const struct command cmd_module = {
	.name = "module",
	.usage = "[OPTION]... load PATH | list",
	.help = "load a shared object or a Python file with functions, or list those loaded",
	.notes = "A module that cannot be loaded says why; exit code 66. A Python file needs a\n"
		 "runtime with Python workers: `plm --python INTERPRETER`.\n",
	.run = module_run,
	.visits = true,
};
