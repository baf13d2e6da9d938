/* segment_image.h - a runtime with every kind of record, as two segments in memory, to be
 * damaged.
 *
 * Who: the fuzz targets of segments. One image for each process; each run has the same image,
 * except for the values drawn at boot.
 *
 * An input is a list of patches, PATCH_BYTES each: which part of the segments, how, where
 * (modulo the part's size), and a number. So a few bytes reach each word, and an input stays
 * readable. */
#ifndef PLM_FUZZ_IMAGE_H
#define PLM_FUZZ_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/plm.h"
#include "tables/tables.h"

enum { PATCH_BYTES = 8, PATCHES_MAX = 64, IMAGE_REFS_MAX = 32, IMAGE_PATH_BYTES = 32 };

enum {                                         /* slots of the image */
	IMAGE_JOINING = SLOT_FIRST_SHARED + 3, /* STARTING: the process slot of a client that
						* attaches */
};

struct image {
	plm_ref ref[IMAGE_REFS_MAX]; /* a reference of each kind */
	uint32_t refs;
	int control_fd, store_fd; /* the damaged copies; they belong to the creator of the image */
};

/* The image, made at the first call. */
const struct image *image_get(void);
/* Restores both copies, then damages them. Without locks: mutex words stay sound, because a
 * thread waits LOCK_WAIT_MS for a mutex that is never released. */
void image_damage(const uint8_t *data, size_t length, bool locks);
/* Paths of the damaged control segment and of the damaged store. */
void image_path(char ret[IMAGE_PATH_BYTES]);
void image_store_path(char ret[IMAGE_PATH_BYTES]);

#endif
