/* map_word_options.h - the options of `plmctl map` for inputs, values and replacement strings. */
#ifndef PLM_CLI_MAP_WORD_OPTIONS_H
#define PLM_CLI_MAP_WORD_OPTIONS_H

#include "cli/map/map_run.h"

/* The target is a struct map_plan. */
extern const struct option_row map_word_rows[];

/* Completes the plan after all options; contradictions are usage errors. */
void map_words_settle(const struct context *context, struct map_plan *plan);

#endif
