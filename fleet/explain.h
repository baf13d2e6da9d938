/* explain.h - why a task of a fleet has not ended, or what became of it, in one sentence.
 * Blocks: for answers of the engine. */
#ifndef PLM_FLEET_EXPLAIN_H
#define PLM_FLEET_EXPLAIN_H

#include "fleet/engine.h"

enum { EXPLAIN_TEXT_BYTES = 1024 };

struct fleet_explained {
	enum engine_state state;
	/* For programs: "no-host", "module", "needs", "queued", "argument", or the state. */
	const char *code;
	char text[EXPLAIN_TEXT_BYTES];
};

/* 0, or an error of engine.h. */
int fleet_explain_task(struct engine *e, uint64_t id, struct fleet_explained *ret);

#endif
