/* mode.h - whether the runtime takes tasks, stops, or ends; whether the queue rests.
 *
 * Where: the manager alone writes the words in the control page.  Blocks: never.
 * Death of the manager: the words stay, and the next manager obeys (adopt.c). */
#ifndef PLM_MODE_H
#define PLM_MODE_H

#include <stdint.h>

struct manager;

void mode_stop(struct manager *m);     /* no new tasks; the accepted tasks run, then the end */
int mode_take_back(struct manager *m); /* of a stop; 0, -ESHUTDOWN */
void mode_admit(struct manager *m, uint32_t admission); /* ADMISSION_ bits */
void mode_end(struct manager *m);
void mode_fail(struct manager *m); /* ends; plm exits as after a failed boot */
/* Prints why_text() and ends. An adopted runtime goes on without the manager. */
void mode_boot_failed(struct manager *m);

#endif
