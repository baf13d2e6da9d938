/* rmtree.h - a directory and all that is in it.
 *
 * Where: any process.  Death: what is left is removed by the next call.
 * Blocks: in the file system, as long as that takes.  Allocates: what opendir() does; a descriptor
 * for each level. */
#ifndef PLM_RMTREE_H
#define PLM_RMTREE_H

/* Removes it, also where nobody may enter; follows no link. A file is a tree as well. 0, also when
 * there is none, or -errno with a why: something of it is left. */
int rmtree(const char *path);

#endif
