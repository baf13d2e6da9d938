/* names.c - function names to numbers, for any number of threads at once.
 *
 * The registry is searched once for each name. The answer never changes and is kept in an RCU hash
 * table, so a lookup takes no lock and writes no shared memory. liburcu lives in this process
 * alone, nothing of liburcu is in a segment. The flavour is bp, because the threads of a client are
 * not ours to register. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <urcu/urcu-bp.h>
#include <urcu/rculfhash.h>

#include "base/why.h"
#include "client/names.h"

struct name_cache {
	struct cds_lfht *table;
};

struct name {
	struct cds_lfht_node node;
	_Atomic uint32_t number; /* stored last: the table's own order is known to liburcu alone */
	char text[FUNCTION_NAME_BYTES];
};

static unsigned long names_hash(const char *text)
{
	unsigned long hash = 14695981039346656037ul; /* FNV-1a */
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 1099511628211ul;
	return hash;
}

static int names_match(struct cds_lfht_node *node, const void *key)
{
	struct name *name = caa_container_of(node, struct name, node);
	return atomic_load_explicit(&name->number, memory_order_acquire) &&
	    strcmp(name->text, key) == 0;
}

int names_open(struct name_cache **ret)
{
	struct name_cache *names = malloc(sizeof *names);
	if (!names)
		return -ENOMEM;
	/* A fixed size, for at most FUNCTIONS_MAX names: resizing would start threads. */
	names->table = cds_lfht_new_flavor(
	    FUNCTIONS_MAX, FUNCTIONS_MAX, FUNCTIONS_MAX, 0, &urcu_bp_flavor, NULL);
	if (!names->table) {
		free(names);
		return -ENOMEM;
	}
	*ret = names;
	return 0;
}

void names_close(struct name_cache **namesp)
{
	struct name_cache *names = *namesp;
	if (!names)
		return;
	struct cds_lfht_iter iter;
	struct name *name;
	urcu_bp_read_lock();
	cds_lfht_for_each_entry(names->table, &iter, name, node)
	{
		cds_lfht_del(names->table, &name->node);
		free(name); /* the caller is the handle's last user */
	}
	urcu_bp_read_unlock();
	cds_lfht_destroy(names->table, NULL);
	free(names);
	*namesp = NULL;
}

static uint32_t names_remembered(struct name_cache *names, const char *text, unsigned long hash)
{
	struct cds_lfht_iter iter;
	urcu_bp_read_lock();
	cds_lfht_lookup(names->table, hash, names_match, text, &iter);
	struct cds_lfht_node *node = cds_lfht_iter_get_node(&iter);
	uint32_t number = node ? caa_container_of(node, struct name, node)->number : 0;
	urcu_bp_read_unlock();
	return number;
}

static int names_remember(
    struct name_cache *names, const char *text, unsigned long hash, uint32_t number)
{
	struct name *name = malloc(sizeof *name);
	if (!name)
		return -ENOMEM;
	snprintf(name->text, sizeof name->text, "%s", text);
	atomic_store_explicit(&name->number, number, memory_order_release);
	cds_lfht_node_init(&name->node);
	urcu_bp_read_lock();
	struct cds_lfht_node *kept =
	    cds_lfht_add_unique(names->table, hash, names_match, name->text, &name->node);
	urcu_bp_read_unlock();
	if (kept != &name->node)
		free(name); /* another thread was first */
	return 0;
}

int names_find(
    struct name_cache *names, const struct registry *registry, const char *text, uint32_t *ret)
{
	if (!text || !text[0])
		return why(-EINVAL, "the task names no function");
	unsigned long hash = names_hash(text);
	uint32_t number = names_remembered(names, text, hash);
	if (number == 0) {
		number = registry_find(registry, text);
		if (number == 0)
			return why(-ENOENT,
			    "no function \"%s\": `plmctl module list` shows what there is, "
			    "`plmctl module load FILE.so` adds",
			    text);
		int r = names_remember(names, text, hash, number);
		if (r < 0)
			return r;
	}
	*ret = number;
	return 0;
}
