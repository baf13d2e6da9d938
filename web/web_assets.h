/* web_assets.h - the files of the page, part of the program: no path of a request reaches the disk.
 * Blocks, allocates: never. */
#ifndef PLM_WEB_ASSETS_H
#define PLM_WEB_ASSETS_H

#include <stddef.h>

struct asset {
	const char *path, *type;
	const unsigned char *begin, *end;
};

/* The file of this path; NULL: none. */
const struct asset *asset_find(const char *path);

#endif
