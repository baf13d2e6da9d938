/* fleet_put.c - bytes of this machine on their way to a fleet: put, and submit --stdin -. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/why.h"
#include "cli/command_objects.h"
#include "cli/fleet/fleet_cli.h"
#include "cli/read_stream.h"
#include "cli/result.h"
#include "cli/spool.h"

/* Stands for the input among the arguments of the command until fleet_input_place(). */
static const plm_ref put_placeholder = { .id = UINT64_MAX, .runtime = UINT64_MAX };

/* EXIT_FINE, or an exit code after a message. */
static int fleet_put_read(int fd, const char *path, char **ret, size_t *ret_bytes)
{
	ssize_t n = read_stream(fd, ENGINE_VALUE_MOST, ret);
	*ret_bytes = n > 0 ? (size_t)n : 0;
	if (n >= 0)
		return EXIT_FINE;
	if (n == -EFBIG)
		fprintf(stderr,
		    "plmctl: %s: it has more than the %d MiB that go into the queue of a "
		    "fleet: put it where every host can read it, and pass the path\n",
		    path, ENGINE_VALUE_MOST >> 20);
	else
		fprintf(stderr, "plmctl: %s: %s\n", path, strerror((int)-n));
	return n == -EFBIG ? EXIT_DATA : EXIT_INPUT;
}

int fleet_put(struct context *context, int fd, const char *path)
{
	char title[FLEET_TITLE_BYTES], *data = NULL;
	size_t bytes;
	uint64_t id;
	const char *const words[] = { "put", path };
	int code = fleet_put_read(fd, path, &data, &bytes);
	if (code != EXIT_FINE)
		return code;
	fleet_title(words, 2, title);
	int r = engine_put(context->engine, title, data, bytes, &id);
	free(data);
	if (r < 0)
		return failed(r, path);
	print_reference(context, engine_ref(context->engine, id));
	return EXIT_FINE;
}

int fleet_input_take(struct command_request *request, char **ret, size_t *ret_bytes)
{
	const char *input = request->options.input;
	int fd = input ? stdin_descriptor(input) : -1;
	if (fd < 0)
		return EXIT_FINE;
	int code = fleet_put_read(fd, input, ret, ret_bytes);
	if (code != EXIT_FINE)
		return code;
	request->options.input = NULL;
	int r = command_object_add(request, PLM_COMMAND_STDIN, NULL, 0, put_placeholder);
	return r < 0 ? failed(r, "--stdin") : EXIT_FINE;
}

/* The name of the work (`load --unique`) does not tell one input from another. */
void fleet_input_place(plm_arg *args, const char *data, size_t bytes, plm_task *task)
{
	for (size_t i = 0; i < task->nargs && data; i++)
		if (args[i].future.runtime == put_placeholder.runtime &&
		    args[i].future.id == put_placeholder.id) {
			args[i] = PLM_BYTES(data, bytes);
			task->identity[0] = task->identity[1] = 0;
		}
}
