#include "bench/commands.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	ARGS = 4, /* fields, environment, program, number */
	NUMBER_BYTES = 16,
	SETTLE_MAX_MS = 600000,
};

static int put_environment(struct commands *c)
{
	size_t n = 0;
	for (char **v = environ; *v; v++)
		n += strlen(*v) + 1;
	char *text = malloc(n + 1), *to = text;
	if (!text)
		return -ENOMEM;
	for (char **v = environ; *v; v++)
		to = stpcpy(to, *v) + 1;
	int r = plm_put(c->client, text, n, &c->environment);
	free(text);
	return r;
}

static void make_task(struct commands *c, size_t i)
{
	plm_arg *args = c->args + i * ARGS;
	char *number = c->numbers + i * NUMBER_BYTES;
	int length = snprintf(number, NUMBER_BYTES, "%zu", i + 1);
	args[0] = (plm_arg)PLM_BYTES("", 0);
	args[1] = (plm_arg)PLM_FUTURE(c->environment);
	args[2] = (plm_arg)PLM_BYTES("/bin/true", 9);
	args[3] = (plm_arg)PLM_BYTES(number, (size_t)length);
	c->tasks[i] = (plm_task){
		.function = "command.run", .args = args, .nargs = ARGS, .results = COMMANDS_RESULTS
	};
}

int commands_make(struct commands *ret, plm *client, size_t room)
{
	*ret = (struct commands){ .client = client,
		.room = room,
		.tasks = calloc(room, sizeof *ret->tasks),
		.args = calloc(room, ARGS * sizeof *ret->args),
		.numbers = calloc(room, NUMBER_BYTES),
		.refs = calloc(room, COMMANDS_RESULTS * sizeof *ret->refs) };
	bool whole = ret->tasks && ret->args && ret->numbers && ret->refs;
	int r = whole ? put_environment(ret) : -ENOMEM;
	for (size_t i = 0; r >= 0 && i < room; i++)
		make_task(ret, i);
	if (r < 0)
		commands_free(ret);
	return r < 0 ? r : 0;
}

void commands_free(struct commands *c)
{
	if (c->environment.id)
		plm_drop(c->client, c->environment);
	free(c->tasks);
	free(c->args);
	free(c->numbers);
	free(c->refs);
	*c = (struct commands){ 0 };
}

int commands_submit(struct commands *c, size_t n)
{
	int r = plm_submit_many(c->client, c->tasks, n, c->refs);
	return r < 0 ? r : 0;
}

int commands_run(struct commands *c, size_t n)
{
	plm_view view;
	int r = commands_submit(c, n);
	if (r == 0)
		r = plm_wait(c->client, c->refs, n * COMMANDS_RESULTS, n * COMMANDS_RESULTS,
		    SETTLE_MAX_MS, NULL);
	if (r >= 0)
		r = plm_get(c->client, c->refs[(n - 1) * COMMANDS_RESULTS], &view, 0);
	if (r >= 0)
		plm_release(c->client, &view);
	plm_drop_many(c->client, c->refs, n * COMMANDS_RESULTS);
	return r < 0 ? r : 0;
}
