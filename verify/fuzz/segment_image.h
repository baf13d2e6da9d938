/* segment_image.h - a runtime of every kind of record, as two segments in memory, to be damaged.
 *
 * Who: the targets of segments. One image a process; it is the same in each run but for what is
 * drawn at boot.
 *
 * An input is a list of patches, PATCH_BYTES each: which part of the segments, how, where (modulo
 * its size), and a number. So a few bytes reach each word, and an input stays readable. */
#ifndef PLM_FUZZ_IMAGE_H
#define PLM_FUZZ_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/plm.h"
#include "tables/tables.h"

enum { PATCH_BYTES = 8, PATCHES_MAX = 64, IMAGE_REFS_MAX = 32, IMAGE_PATH_BYTES = 32 };

enum {                                         /* slots of the image */
	IMAGE_JOINING = SLOT_FIRST_MEMBER + 3, /* STARTING: for who attaches as a client */
};

struct image {
	plm_ref ref[IMAGE_REFS_MAX]; /* of each kind one */
	uint32_t refs;
	int control_fd, store_fd; /* the damaged copies; theirs who made the image */
};

/* The image, made at the first call. */
const struct image *image_get(void);
/* The copies as they were, then damaged. Without locks: the words of mutexes stay sound (who waits
 * for one that nobody gives back does so for LOCK_WAIT_MS). */
void image_damage(const uint8_t *data, size_t length, bool locks);
/* Path of the damaged control segment. */
void image_path(char ret[IMAGE_PATH_BYTES]);

#endif
