/* rmtree.h - removes a directory tree.
 *
 * Every file is reached from an open directory, by a name without a slash; no link is followed, and
 * no mode is changed by path. However deep the tree is, the work needs no recursion and only two
 * descriptors: a directory below the first level moves up before we empty it.
 * Where: any process.  Death: the next call removes the rest.
 * Blocks: in the file system, as long as the removal takes.  Allocates: what fdopendir() does. */
#ifndef PLM_RMTREE_H
#define PLM_RMTREE_H

/* Removes `name`, even a tree whose modes deny entry. A file or a link is a tree, too. 0, also when
 * `name` does not exist; or -errno with a why: a part is left. The directory must belong to this
 * user alone (base/ours.h), or no other user may remove its files. */
int rmtree_at(int directory, const char *name);

/* Removes the entries and keeps the directory. */
int rmtree_entries(int directory);

#endif
