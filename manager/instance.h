/* instance.h - a single plm a name; resumes, sets aside or removes the segments of a dead plm.
 *
 * Where: the manager, at boot and end.  Blocks: until killed processes have ended.
 * Errors: -errno with a why. */
#ifndef PLM_INSTANCE_H
#define PLM_INSTANCE_H

struct manager;

/* Takes the name (claim.h), and attaches or removes the segments left. -ESHUTDOWN: the guard asks,
 * and nothing is left to resume. */
int instance_claim(struct manager *m);
int instance_bell(struct manager *m); /* opens m->joined */
void instance_set_aside(struct manager *m, const char *reason);
void instance_release(struct manager *m);

#endif
