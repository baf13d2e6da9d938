/* map_results.h - the outputs of the jobs of `plmctl map` as files (--results), where GNU parallel
 * puts them: DIR/1/VALUE/2/VALUE/stdout, and stderr and seq beside it.
 * Blocks: in the files. */
#ifndef PLM_CLI_MAP_RESULTS_H
#define PLM_CLI_MAP_RESULTS_H

#include "cli/map/map_job.h"
#include "cli/map/map_template.h"
#include "cli/text.h"

struct results_names { /* of the columns, from the first on (--header): folders in place of 1, 2 */
	const char *const *name;
	size_t count;
	const size_t *order; /* the columns by their names: folders lie in each other so */
};

/* Returns the order, which the caller frees; NULL: no memory. */
size_t *results_order(const char *const *name, size_t count);

/* path is a buffer to work in. 0, or -errno with a why. */
int results_write(const char *directory, const struct results_names *names, const struct job *job,
    struct text *path);

/* The same for a NAME with replacement strings: the files NAME, NAME.err and NAME.seq; or, if NAME
 * ends with a slash, stdout, stderr and seq in that directory. */
int results_write_named(const struct template *name, const struct job *job, struct text *path);
/* Writes stdout into a new file of the directory. *path is then the name of the file. */
int results_write_new(const char *directory, const struct job *job, struct text *path);

#endif
