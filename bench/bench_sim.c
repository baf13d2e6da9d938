/* bench_sim - compares the policies of plm on kinds of work, in a simulation, and the costs of the
 * policies. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/why.h"
#include "bench/sim.h"

enum { EXIT_USAGE = 64, EXIT_CANNOT_WRITE = 73 };

static int bench_sim_run(const struct sim_output *to, const struct sim_request *request)
{
	if (request->standard)
		return sim_standard(to, request->setup.seed);
	if (request->cost)
		return sim_cost(to);
	return sim_table(to, "sim", &request->setup, request->policy);
}

static int cannot_write(const char *path)
{
	fprintf(stderr, "sim: %s cannot be written: %s\n", path, strerror(errno));
	return EXIT_CANNOT_WRITE;
}

int main(int argc, char **argv)
{
	struct sim_request request;
	struct sim_output to = { NULL };
	if (sim_options(argc, argv, &request) < 0) {
		fprintf(stderr, "sim: %s; --help says more\n", why_text());
		return EXIT_USAGE;
	}
	if (request.help) {
		fputs(sim_usage, stdout);
		return EXIT_SUCCESS;
	}
	if (request.csv_path && !(to.csv = fopen(request.csv_path, "w")))
		return cannot_write(request.csv_path);
	int r = bench_sim_run(&to, &request);
	if (r < 0)
		fprintf(stderr, "sim: %s\n", why_text());
	if (to.csv && fclose(to.csv) != 0)
		return cannot_write(request.csv_path);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
