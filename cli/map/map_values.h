/* map_values.h - how one input of `plmctl map` becomes values: without blanks around (--trim), cut
 * into columns (--colsep); the end of all inputs (-E), and inputs to leave out (-r).
 * Who: one thread. */
#ifndef PLM_CLI_MAP_VALUES_H
#define PLM_CLI_MAP_VALUES_H

#include "cli/map/map_sources.h"

struct values_plan {                  /* zeroes: inputs stay as they are */
	const char *column_separator; /* a regular expression */
	const char *end;              /* of all inputs */
	const char *trim;             /* n, l, r, lr or rl */
	bool skip_empty;
};

struct values;

/* 0, or -errno with a why. */
int values_make(struct values **ret, const struct values_plan *plan);
void values_free(struct values *v);

/* Appends the values of a row of inputs, whose buffer may be taken, to *to. 1; 0: the end of all
 * inputs; -EAGAIN: the row is left out. */
int values_take(const struct values *v, struct row *from, struct row *to);
/* Cuts the names of columns (--header). Names keep their blanks, as in GNU parallel. */
void values_take_names(const struct values *v, struct row *from, struct row *to);

#endif
