/* client_fleet.c - a client of a fleet: word counts of files, by commands on any host, and one task
 * that takes the results of two others. The program needs no runtime on its machine.
 *
 *	client_fleet FILE...        PLM_FLEET names the fleet; the hosts see the files, too */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "plm_fleet.h"

static int complain(const char *what, int error)
{
	fprintf(stderr, "client_fleet: %s: %s\n", what,
	    plm_fleet_why()[0] ? plm_fleet_why() : plm_strerror(error));
	return error;
}

/* wc -w FILE. A host that dies costs an attempt; the second one runs elsewhere. */
static int submit_count(plm_fleet *fleet, plm_command *command, const char *file, plm_ref *ret)
{
	const char *const words[] = { "wc", "-w", file };
	plm_arg args[8];
	plm_task task = { .crash_retries = 1 };
	if (plm_command_nargs(command, 3) > sizeof args / sizeof args[0])
		return complain(file, -E2BIG);
	int r = plm_command_task(command, words, 3, NULL, args, &task);
	if (r < 0)
		return complain(plm_why(), r);
	plm_ref results[PLM_COMMAND_RESULTS] = { PLM_NONE };
	r = plm_fleet_submit(fleet, &task, results);
	if (r < 0)
		return complain(file, r);
	plm_fleet_drop(fleet, results[1]); /* its stderr */
	*ret = results[0];
	return 0;
}

static int print_result(plm_fleet *fleet, plm_ref ref)
{
	plm_fleet_value value;
	plm_failure failure;
	int r = plm_fleet_get(fleet, ref, &value, -1);
	if (r == -PLM_EFAILED && plm_fleet_error(fleet, ref, &failure, NULL) == 0) {
		fprintf(stderr, "client_fleet: %s\n", failure.message);
		return r;
	}
	if (r < 0)
		return complain("plm_fleet_get", r);
	fwrite(value.data, 1, value.len, stdout);
	plm_fleet_release(&value);
	return 0;
}

/* probe.sum takes numbers as text; here one that is known, and one that is still to come. */
static int sum(plm_fleet *fleet)
{
	plm_ref first = PLM_NONE, second = PLM_NONE;
	plm_arg numbers[] = { PLM_BYTES("20", 2), PLM_BYTES("2", 1) };
	plm_task task = { .function = "probe.sum", .args = numbers, .nargs = 2 };
	int r = plm_fleet_submit(fleet, &task, &first);
	if (r == 0) {
		numbers[0] = PLM_FUTURE(first);
		r = plm_fleet_submit(fleet, &task, &second);
	}
	r = r < 0 ? complain("probe.sum", r) : print_result(fleet, second);
	plm_fleet_drop(fleet, first);
	plm_fleet_drop(fleet, second);
	if (r == 0)
		printf(" is 20 + 2 + 2\n");
	return r;
}

static int count(plm_fleet *fleet, char **files, int n)
{
	plm_command_options options = { .size = sizeof options, .no_environment = 1 };
	plm_command *command;
	plm_ref *refs = calloc((size_t)n + 1, sizeof *refs);
	int r = refs ? plm_command_make(&command, &options, NULL) : -ENOMEM;
	if (r < 0) {
		free(refs);
		return complain(plm_why(), r);
	}
	for (int i = 0; i < n && r == 0; i++)
		r = submit_count(fleet, command, files[i], &refs[i]);
	for (int i = 0; i < n && r == 0; i++)
		r = print_result(fleet, refs[i]);
	for (int i = 0; i < n; i++)
		plm_fleet_drop(fleet, refs[i]);
	plm_command_free(NULL, &command);
	free(refs);
	return r;
}

int main(int argc, char **argv)
{
	plm_fleet *fleet;
	int r = plm_fleet_connect(&fleet, NULL, -1);
	if (r < 0) {
		complain("plm_fleet_connect", r);
		return 1;
	}
	r = sum(fleet);
	if (r == 0)
		r = count(fleet, argv + 1, argc - 1);
	plm_fleet_disconnect(&fleet);
	return r == 0 ? 0 : 1;
}
