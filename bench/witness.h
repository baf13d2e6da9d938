/* witness.h - a file in which tasks of mod_bench.c note their starts, for the submitter to read.
 * Where: a file under /tmp, mapped by both. Death: the creator removes the file. Blocks: never.
 * Allocates: a mapping. */
#ifndef PLM_BENCH_WITNESS_H
#define PLM_BENCH_WITNESS_H

#include "bench/work.h"

struct witness {
	char path[32]; /* the argument of bench.stay and bench.first */
	int fd;
	struct start_record *seen;
};

int witness_open(struct witness *ret); /* 0 or -errno; after an error the file is closed */
void witness_close(struct witness *witness);

#endif
