/* rmtree.h - a directory and all that is in it.
 *
 * Everything is reached from an open directory, by a name without a slash; no link is followed, and
 * no mode changed by a name. However deep the tree is, the work needs no recursion and two
 * descriptors: a directory below the first level moves up before it is emptied.
 * Where: any process.  Death: what is left is removed by the next call.
 * Blocks: in the file system, as long as that takes.  Allocates: what fdopendir() does. */
#ifndef PLM_RMTREE_H
#define PLM_RMTREE_H

/* Removes `name`, also where nobody may enter. A file or a link is a tree as well. 0, also when
 * there is none, or -errno with a why: something of it is left. The directory is one of this user
 * alone (base/ours.h), or nobody else may remove what stands in it. */
int rmtree_at(int directory, const char *name);

/* All that is in it; it stays. */
int rmtree_entries(int directory);

#endif
