/* web_fleet.h - the fleet that plmweb shows: a thread asks the engine, the loop shows the last
 * answer.
 *
 * The thread looks each second while somebody asks, else each ten seconds, and connects anew when
 * the engine was away. A view passes from the thread to the loop by one exchange of a pointer. */
#ifndef PLM_WEB_FLEET_H
#define PLM_WEB_FLEET_H

#include <pthread.h>

#include "fleet/sample.h"

enum { FLEET_POINTS = 600, FLEET_LOOK_MS = 1000 };

struct fleet_point {
	uint64_t at_ms; /* since 1970 */
	double rate;
	uint64_t todo, running;
};

struct fleet_view {
	struct fleet_sample sample;
	uint64_t lease_ms, taken_ms; /* taken_ms: since 1970; 0: never */
	char trouble[256];           /* why the sample is old or missing; "" */
	struct fleet_point point[FLEET_POINTS];
	size_t points;
};

struct web_fleet {
	struct fleet_url url;
	struct engine *engine;   /* of the thread */
	struct fleet_view *next; /* of the thread: what the next view is made of */
	struct fleet_view *fresh, *shown;
	uint64_t asked_ns;
	pthread_t thread;
	int stop;
};

/* address: of --fleet, or of PLM_FLEET (environment). 0, or -EINVAL and the like with a why. */
int web_fleet_begin(struct web_fleet **ret, const char *address, bool environment);
void web_fleet_end(struct web_fleet **fleet);
/* The last view, until the next call. Never NULL. */
const struct fleet_view *web_fleet_look(struct web_fleet *fleet);

#endif
