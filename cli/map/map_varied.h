/* map_varied.h - options of submit whose texts differ from job to job: replacement strings in
 * --stdin, --dir, --env, --in and --label, and the blocks of --pipe.
 *
 * All jobs share the request's command, and with it the environment in the store. If something
 * varies, each job gets a command of its own that borrows the environment.
 * Who: one thread.  Blocks: never. */
#ifndef PLM_CLI_MAP_VARIED_H
#define PLM_CLI_MAP_VARIED_H

#include "cli/command_request.h"
#include "cli/map/map_job.h"
#include "cli/map/map_tags.h"

struct varied;

/* *ret is NULL if all jobs have the same options. 0, or -errno with a why. */
int varied_make(struct varied **ret, const struct command_request *request, const struct tags *tags,
    bool blocks);
/* Does a value stand in an option? Then it is not appended to the command. v may be NULL. */
bool varied_takes_value(const struct varied *v);
/* Is {%} in an option? v may be NULL. */
bool varied_wants_places(const struct varied *v);
/* The command of a job, for the caller to free. Holds futures named by the job, which
 * on a fleet stay by themselves. 0, or -errno with a
 * why. */
int varied_command(
    struct varied *v, struct context *context, const struct job *job, plm_command **ret);
/* --label of the job whose command was made last, until the next one; NULL: none. */
const char *varied_label(const struct varied *v);
void varied_free(struct varied *v);

#endif
