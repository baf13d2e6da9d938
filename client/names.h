/* names.h - function names to numbers, remembered for any number of threads at once.
 * Where: private memory.  Blocks: never. */
#ifndef PLM_NAMES_H
#define PLM_NAMES_H

#include "tables/registry.h"

struct name_cache;

int names_open(struct name_cache **ret);
void names_close(struct name_cache **namesp);
/* The number of a function; -ENOENT with a why naming the function. */
int names_find(
    struct name_cache *names, const struct registry *registry, const char *name, uint32_t *ret);

#endif
