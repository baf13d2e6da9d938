/* spec.h - the texts by which people describe workers, and tasks what they need.
 *
 *	workers  gen=4,slots=2,gpus=1,mem=8G,licence=2 x2; gen=1,slots=5 x2
 *	         a number alone is so many plain workers: 4 is gen=1,slots=1 x4
 *	needs    cpus=2,mem=1G,gpus=0.5,licence=1 | cpus=8
 *
 * A line may end where a ; stands, and # begins a comment, so a file has the same grammar.
 * Where: private memory; no segment is known here.  Blocks: only to read a file.
 * Errors: a why that quotes the piece, says where it stands and what was expected instead. */
#ifndef PLM_SPEC_H
#define PLM_SPEC_H

#include <stddef.h>

#include "spec/resources.h"

enum {
	SPEC_FILE_BYTES_MAX = 1 << 16,
	SPEC_TEXT_BYTES = 320,   /* room for the text of any kind or demand */
	AMOUNT_MAX = 1000000000, /* of a resource, in whole ones */
	GENERATION_PLAIN = 1,    /* of a worker of which nothing is said */
	AMOUNT_PLACES = 3,       /* decimals: AMOUNT_UNIT is a thousand */
};

#define MEMORY_MAX ((uint64_t)1 << 50)

/* The kinds in the order of the text. Resources that names does not know yet are added to it; an
 * empty one is begun. *names, kind[] and *ret_kinds are written on success alone. 0 or -EINVAL. */
int spec_workers(const char *text, struct resource_names *names,
    struct worker_kind kind[WORKER_KINDS_MAX], uint32_t *ret_kinds);
/* The same of a file; -errno also if it cannot be read. */
int spec_workers_file(const char *path, struct resource_names *names,
    struct worker_kind kind[WORKER_KINDS_MAX], uint32_t *ret_kinds);

/* Writes the alternatives of *ret, and leaves its limits as they are. 0 or -EINVAL. */
int spec_needs(const char *text, const struct resource_names *names, struct terms *ret);

/* Can a worker of this kind ever run it? Memory is the machine's, 0: not bounded. */
bool kind_fits(const struct worker_kind *kind, const struct terms *terms, uint64_t machine_memory);

/* Can a worker of one of these kinds ever meet one of the alternatives? Memory is the machine's
 * (0: not bounded), and no more than the worker may use; replicas want a worker each. 0, or -EINVAL
 * with what is missing. */
int needs_fit(const struct terms *terms, const struct worker_kind *kind, uint32_t kinds,
    uint64_t machine_memory, const struct resource_names *names);

/* Back to text that reads as the same again; resources without a name are left out. The length,
 * as snprintf: cut off if it is not less than size. */
size_t spec_print_kind(
    const struct worker_kind *kind, const struct resource_names *names, char *ret, size_t size);
size_t spec_print_demand(
    const struct demand *demand, const struct resource_names *names, char *ret, size_t size);

/* The name of a resource in these texts, NULL if it has none. */
const char *spec_resource_name(const struct resource_names *names, uint32_t resource);

#endif
