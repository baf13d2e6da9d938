/* spec.h - the texts by which a person describes workers, and a task's needs.
 *
 *	workers  gen=4,cpus=2,gpus=1,mem=8G,licence=2 x2; gen=1,cpus=5 x2
 *	         a number alone means plain workers: 4 is gen=1,cpus=1 x4
 *	         python=/venv/bin/python makes Python workers; each interpreter brings a resource,
 *	         "python", "python2"..., with as much on each of its workers as the worker has cpus
 *	needs    cpus=2,mem=1G,gpus=0.5,licence=1 | cpus=8
 *
 * A line may end in place of a ; and # begins a comment, so a file has the same grammar. The older
 * spelling slots=2 of a worker's cpus=2 is still read.
 * Where: private memory; no segment is known here.  Who may call: any thread.  Blocks: only to read
 * a file.
 * Errors: a why that quotes the piece, says where the piece stands and what was expected. */
#ifndef PLM_SPEC_H
#define PLM_SPEC_H

#include <stddef.h>

#include "spec/resources.h"

enum {
	SPEC_FILE_BYTES_MAX = 1 << 16,
	SPEC_TEXT_BYTES = 640,   /* room for the text of any kind or demand */
	AMOUNT_MAX = 1000000000, /* of a resource, in whole units */
	GENERATION_PLAIN = 1,    /* of a worker without gen= */
	AMOUNT_PLACES = 3,       /* decimals: AMOUNT_UNIT is a thousand */
};

#define MEMORY_MAX ((uint64_t)1 << 50)

/* The kinds in the order of the text. A resource new to *names is added; an empty *names is begun.
 * *names, kind[] and *ret_kinds are written on success alone. 0 or -EINVAL. */
int spec_workers(const char *text, struct resource_names *names,
    struct worker_kind kind[WORKER_KINDS_MAX], uint32_t *ret_kinds);
/* The same for the text in a file; -errno also if the file cannot be read. */
int spec_workers_file(const char *path, struct resource_names *names,
    struct worker_kind kind[WORKER_KINDS_MAX], uint32_t *ret_kinds);

/* ---- spec_python.c ---- */

/* The number of the interpreter, added if new; its resource, too. A why: too many, too long. */
int spec_python_add(struct resource_names *names, const char *path, size_t length, uint32_t *ret);
/* A resource that an interpreter brings has such a name: not for the user to give away. */
bool spec_python_is_reserved(const char *key, size_t length);
/* The number of the resource of interpreter number i; RESOURCES_MAX: none. */
uint32_t spec_python_resource(const struct resource_names *names, uint32_t i);
/* Gives the kind as much of its interpreter's resource as the kind has cpus. */
void spec_python_grant(const struct resource_names *names, struct worker_kind *kind);
/* Each kind without an interpreter gets the interpreter of this path. 0 or -EINVAL. */
int spec_python_everywhere(
    const char *path, struct resource_names *names, struct worker_kind *kind, uint32_t kinds);

/* Writes the alternatives of *ret, and leaves the limits untouched. 0 or -EINVAL. */
int spec_needs(const char *text, const struct resource_names *names, struct terms *ret);

/* Can a worker of this kind ever run the task? machine_memory 0: not bounded. */
bool kind_fits(const struct worker_kind *kind, const struct terms *terms, uint64_t machine_memory);

/* Can a worker of any of the kinds ever meet an alternative? `staff`: workers wanted of the first
 * kind by now (plm_set_workers); fewer than at boot count as at boot. The memory is the machine's
 * (0: not bounded), and no more than the worker may use; each replica wants a worker. 0, or -EINVAL
 * with a why that names the missing resource. */
int needs_fit(const struct terms *terms, const struct worker_kind *kind, uint32_t kinds,
    uint32_t staff, uint64_t machine_memory, const struct resource_names *names);

/* Back to a text that reads as the same again; a resource without a name is left out. Returns the
 * length as snprintf() does: the text is cut if the length is not less than size. */
size_t spec_print_kind(
    const struct worker_kind *kind, const struct resource_names *names, char *ret, size_t size);
size_t spec_print_demand(
    const struct demand *demand, const struct resource_names *names, char *ret, size_t size);

/* The name of a resource in these texts; NULL if the resource has no name. */
const char *spec_resource_name(const struct resource_names *names, uint32_t resource);

#endif
